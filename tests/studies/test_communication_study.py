"""The study `communication` on small cells, and its claims on rows made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as fisher
from scipy.stats import norm

from studies.communication import matching_costs, subspace_costs
from studies.communication import study as communication
from studies.communication.claims import claims, crossover, patch_rows, size_law
from studies.communication.estimate_costs import estimate_costs
from studies.communication.photograph_costs import _sketched, diagonal, photograph_costs
from studies.costs import Effort, whole_number
from studies.data import classifiers, photographs
from studies.errors import CellError
from studies.style import new_figure, styled
from tnqml import Z
from tnqml.protocols import bits_for

EFFORT = Effort(draws=5_000_000, checks=30, seed=3)


def by_protocol(rows):
    return {row["protocol"]: row for row in rows}


@pytest.fixture(scope="module")
def subspace():
    cells = [communication.Cell(size=size, draws=5_000_000, checks=30) for size in (16, 64, 256)]
    return pd.DataFrame([vars(cell) | row for cell in cells for row in communication.measure(cell)])


def test_real_valued_sketch_needs_what_fisher_says(subspace):
    # at 8 bits nearly as with reals: k + N/2 - 1 against N/2 degrees of freedom
    for row in subspace[subspace["protocol"] == subspace_costs.NUMBERS].itertuples():
        ks = np.arange(1, 100)
        inside = ks + row.size / 2 - 1
        success = fisher.sf(row.size / 2 / inside, inside, row.size / 2)
        exact = np.interp(0.9, success, ks)
        assert row.numbers_low / 1.02 < exact < row.numbers_high * 1.02


def test_costs_of_vector_in_subspace_are_those_of_the_ledgers(subspace):
    for row in subspace.itertuples():
        qubits = int(np.log2(row.size))
        unit = {
            subspace_costs.SIGNS: 1,
            subspace_costs.NUMBERS: 8,
            subspace_costs.COEFFICIENTS: qubits + 1,
            subspace_costs.STATE: qubits,
            subspace_costs.VECTOR: 1,
        }[row.protocol]
        assert row.cost_whole == row.whole * unit
        assert row.kind == ("qubits" if row.protocol == subspace_costs.STATE else "bits")
        assert row.whole == whole_number(row.numbers)
        assert row.rounds == 1
        # the protocol itself at the threshold: 90% but for chance
        assert row.success >= 0.7
    assert (subspace[subspace["protocol"] == subspace_costs.STATE]["success"] == 1).all()


def test_exponent_and_figures_of_the_one_bit_sketch(subspace):
    law = size_law(subspace, subspace_costs.SIGNS)
    assert 0.4 < law.exponents[0].value < 0.55
    assert law.exponents[0].width < 0.15
    held = {claim.text: claim.holds for claim in claims(subspace)}
    assert sum("one-bit sketch" in text for text in held) == 3
    assert all(held.values())


def test_hidden_matching_needs_what_counting_says():
    rows = by_protocol(matching_costs.matching_costs(64, effort=EFFORT))
    subset = rows[matching_costs.SUBSET]
    assert subset["numbers_low"] <= bits_for(64) <= subset["numbers_high"] + 1
    assert rows[matching_costs.EVERYTHING]["cost_whole"] == 64
    assert rows[matching_costs.STATE]["cost_whole"] == 6
    assert rows[matching_costs.ASKING]["rounds"] == 2
    for name in (matching_costs.STATE, matching_costs.EVERYTHING, matching_costs.ASKING):
        assert rows[name]["success"] == 1


def test_copies_for_an_estimate_are_those_of_the_normal_law():
    error = 0.1
    rows = by_protocol(estimate_costs(16, error, effort=EFFORT))
    values = np.linspace(-1, 1, 20_001)

    def covered(copies):
        spread = np.sqrt((1 - values**2) / copies)
        with np.errstate(divide="ignore"):
            return np.mean(2 * norm.cdf(error / spread) - 1)

    exact = next(copies for copies in range(50, 500) if covered(copies) >= 0.9)
    state = rows[subspace_costs.STATE]
    assert state["numbers_low"] / 1.05 < exact < state["numbers_high"] * 1.05
    assert state["cost_whole"] == 4 * state["whole"]
    sketch = rows[subspace_costs.SIGNS]
    assert 0.7 < sketch["success"] <= 1
    assert rows[subspace_costs.VECTOR]["cost_whole"] % 16 == 0


def test_a_smaller_error_costs_more():
    rough, fine = (by_protocol(estimate_costs(64, error, effort=EFFORT)) for error in (0.4, 0.2))
    for name in (subspace_costs.SIGNS, subspace_costs.STATE):
        assert fine[name]["numbers_low"] > 1.5 * rough[name]["numbers_high"]


def test_photographs_by_texture():
    effort = Effort(draws=3_000_000, checks=20, seed=0)
    rows = photograph_costs(16, "texture", effort=effort, seed=0)
    linear = [row for row in rows if row["model"] == "linear"]
    # its interval holds one half: dropped, without a cost
    assert [row["protocol"] for row in linear] == ["none"]
    assert linear[0]["accuracy_low"] < 0.5 < linear[0]["accuracy_high"]
    own = by_protocol(row for row in rows if row["model"] == "compositional")
    assert own["sampled state"]["kind"] == "qubits"
    assert own["sampled state"]["cost_whole"] == 4 * own["sampled state"]["whole"]
    assert own["whole states"]["cost_whole"] % 32 == 0
    for row in own.values():
        assert row["accuracy_low"] > 0.5
        assert row["target"] == pytest.approx(row["accuracy"] - 0.02)
        assert row["success"] > 0.35


def test_photographs_by_grey_values_at_equal_accuracy():
    effort = Effort(draws=3_000_000, checks=10, seed=0)
    rows = photograph_costs(16, "grey", effort=effort, seed=0)
    accuracies = {row["model"]: row["accuracy"] for row in rows}
    assert set(accuracies) == {"linear", "compositional"}
    for row in rows:
        assert row["target"] == pytest.approx(min(accuracies.values()) - 0.02)
        assert row["loss"] == pytest.approx(accuracies[row["model"]] - row["target"])
    states = by_protocol(row for row in rows if row["model"] == "compositional")["whole states"]
    assert states["rounds"] == 3


def test_sketches_of_the_message_estimate_the_scores():
    split = photographs.split(16, train=100, test=40, seed=0, content="texture")
    trained = classifiers.compositional(split, layers=1, steps=3)
    rounds = np.stack(
        [
            _sketched(split, trained, tried=[30, 400], seed=seed) - trained.scores[:, None]
            for seed in range(40)
        ]
    )
    spread = rounds.std(0)
    assert np.abs(rounds.mean(0) / (spread / np.sqrt(len(rounds)))).max() < 4.5
    assert spread[:, 1].mean() < spread[:, 0].mean() / 3


def test_seeds_that_aim_at_other_accuracies_are_left_out():
    rows = pd.DataFrame(
        {"problem": "photographs", "content": "grey", "size": 16, "seed": seed, "model": model}
        | {"protocol": protocol}
        for seed, model, protocol in (
            (0, "linear", "whole vector"),
            (0, "compositional", "whole states"),
            (1, "linear", "none"),
            (1, "compositional", "whole states"),
            (2, "linear", "none"),
            (2, "compositional", "whole states"),
        )
    )
    assert list(patch_rows(rows, "grey")["seed"]) == [1, 2]
    assert patch_rows(rows, "texture").empty


def test_values_of_an_observable_on_bit_strings():

    values = diagonal(0.5 * Z(0) - 2.0 * Z(2), 3)
    np.testing.assert_allclose(values, [-1.5, 2.5, -1.5, 2.5, -2.5, 1.5, -2.5, 1.5])


def estimates(bits, qubits):
    """Rows of two protocols at N = 16, 64 and 256, with intervals of 1%."""
    found = []
    for size, *costs in zip((16, 64, 256), bits, qubits, strict=True):
        for protocol, kind, cost in zip(
            (subspace_costs.SIGNS, subspace_costs.STATE), ("bits", "qubits"), costs, strict=True
        ):
            found.append(
                {"problem": "estimate", "error": 0.1, "size": size, "protocol": protocol}
                | {"kind": kind, "cost": cost, "cost_whole": cost}
                | {"cost_low": 0.99 * cost, "cost_high": 1.01 * cost}
            )
    return pd.DataFrame(found)


def test_crossover_is_interpolated_in_logarithms():
    cross = crossover(estimates([10, 20, 80], [40, 40, 40]), 0.1)
    assert cross.size.value == pytest.approx(128)
    assert 120 < cross.size.low < 128 < cross.size.high < 137
    assert cross.ratios[16].value == pytest.approx(0.25)


@pytest.mark.parametrize("bits", [(10, 20, 30), (50, 60, 70), (50, 30, 50)])
def test_no_crossover_where_none_is_enclosed(bits):
    assert crossover(estimates(bits, [40, 40, 40]), 0.1).size is None


def test_claims_fail_for_rows_that_contradict_them(subspace):
    wrong = subspace.assign(
        numbers=subspace["size"],
        numbers_low=subspace["size"] * 0.99,
        numbers_high=subspace["size"] * 1.01,
        success=0.5,
    )
    assert all(claim.holds is False for claim in claims(wrong))
    assert len(claims(wrong)) == 5


def test_figures_draw_rows_and_say_when_there_are_none(subspace):
    for frame in (subspace, subspace.iloc[:0]):
        for draw in communication.STUDY.figures.values():
            with styled():
                _, ax = new_figure()
                draw(ax, frame.copy())
            assert ax.texts or ax.lines


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"problem": "chess"}, "subspace, matching, linear, estimate, photographs"),
        ({"size": 48}, "power of two"),
        ({"size": 8192}, "at most 4096"),
        ({"problem": "photographs", "size": 128}, "16, 64, 256, 1024"),
        ({"content": "colour"}, "grey or texture"),
        ({"error": 0.0}, r"error is 0\.0"),
        ({"margin": 2.0}, r"margin is 2\.0"),
        ({"draws": 0}, "draws is 0"),
    ],
)
def test_bad_cells_are_refused(wrong, message):
    with pytest.raises(CellError, match=message):
        communication.Cell(**wrong)


def test_columns_are_no_fields_of_the_cell(subspace):
    # the store refuses such rows
    problems = ("subspace", "matching", "linear", "estimate")
    for problem in problems:
        cell = communication.Cell(problem=problem, size=16, draws=1000, checks=2)
        for row in communication.measure(cell):
            assert not set(row) & set(vars(cell))


def test_presets_are_cells_without_repeats():
    for preset in ("quick", "full"):
        cells = communication.STUDY.cells(preset)
        assert len(set(cells)) == len(cells)
    assert communication.Cell(error=0.5) == communication.Cell()

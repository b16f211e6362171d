"""The study `linear` on small cells, against binomial laws, and its claims on rows made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, linregress
from scipy.stats import t as student

from studies.costs import Effort
from studies.errors import CellError
from studies.linear import study as linear
from studies.linear.claims import (
    advantages,
    amplitude_rows,
    claims,
    passes_law,
    sketched,
)
from studies.linear.costs import (
    AMPLITUDES,
    ANCILLA,
    NUMBERS,
    SIGNS,
    VECTOR,
    sign_bits,
    sketch_rows,
    vector_row,
)
from studies.linear.real import linear_rows, real_split
from studies.style import new_figure, styled


def least_odd(probability):
    """The least odd number of votes, each right so often, with 90% right majorities."""
    return next(k for k in range(1, 5001, 2) if binom.sf(k // 2, k, probability) >= 0.9)


@pytest.fixture(scope="module")
def rows():
    cells = [linear.Cell(size=size, margin=0.5, draws=5_000_000, checks=20) for size in (16, 64)]
    cells.append(linear.Cell(size=64, margin=0.3, draws=5_000_000, checks=20))
    return pd.DataFrame([vars(cell) | row for cell in cells for row in linear.measure(cell)])


def test_thresholds_are_those_of_the_binomial_law(rows):
    for row in rows.itertuples():
        agree = 1 - np.arccos(row.margin) / np.pi
        expected = {SIGNS: agree, ANCILLA: (1 + row.margin) / 2}.get(row.protocol)
        if expected is None:
            continue
        least = least_odd(expected)
        assert row.numbers_low <= least
        assert row.numbers_high >= least - 2


def test_costs_are_those_of_the_ledgers(rows):
    for row in rows.itertuples():
        qubits = int(np.log2(row.size)) + 1
        unit = {SIGNS: 1, NUMBERS: 8, ANCILLA: qubits, AMPLITUDES: qubits}.get(row.protocol)
        assert row.kind == ("qubits" if row.protocol in {ANCILLA, AMPLITUDES} else "bits")
        if row.protocol == VECTOR:
            assert row.cost_whole % row.size == 0
        else:
            assert row.cost_whole == row.whole * unit
            assert row.cost == pytest.approx(row.numbers * unit)
            assert row.numbers <= row.whole < row.numbers + 2
        assert row.cost_low <= row.cost <= row.cost_high
        # the protocol itself, at a number that is rounded up
        assert binom.sf(round(row.success * row.runs), row.runs, 0.85) < 0.999


def test_the_whole_vector_takes_the_fewest_bits_that_do():
    # two entries: a bit each decides only the quadrant of x
    row = vector_row(4, 0.1, effort=Effort(draws=10**6, checks=1, seed=0))
    assert row["success"] >= 0.9
    assert row["cost_whole"] > 4
    assert vector_row(64, 0.5, effort=Effort(10**6, 1, 0))["cost_whole"] == 64


def test_rows_of_length_n_cost_the_same_at_every_n():
    effort = Effort(draws=20_000_000, checks=5, seed=1)
    small, large = (sketch_rows(size, 0.5, effort=effort)[0] for size in (4, 256))
    assert small["numbers_low"] < large["numbers_high"]
    assert large["numbers_low"] < small["numbers_high"]


def test_same_cell_same_rows():
    cell = linear.Cell(size=16, margin=0.5, draws=100_000, checks=3)
    rows = linear.measure(cell)
    assert rows == linear.measure(cell)
    assert not set(rows[0]) & set(vars(cell))  # the store refuses such rows
    assert linear.measure(cell) != linear.measure(linear.Cell(**vars(cell) | {"seed": 1}))


def test_real_data_reach_the_accuracy_of_the_weights_less_the_loss():
    from studies.data import classifiers

    split = real_split("digits", 64, seed=0)
    trained = classifiers.linear(split)
    effort = Effort(draws=2_000_000, checks=100, seed=0)
    found = {row["protocol"]: row for row in linear_rows(split, trained, loss=0.05, effort=effort)}
    assert set(found) == {SIGNS, NUMBERS, ANCILLA, VECTOR}
    for row in found.values():
        assert row["accuracy"] == trained.accuracy.rate
        assert row["success"] > trained.accuracy.rate - 0.15
    assert found[VECTOR]["cost_whole"] % 64 == 0
    assert found[ANCILLA]["cost_whole"] == 7 * found[ANCILLA]["whole"]
    harder = linear_rows(split, trained, loss=0.01, effort=effort)
    (numbers,) = [row["numbers"] for row in harder if row["protocol"] == SIGNS]
    assert numbers > found[SIGNS]["numbers"]


def test_a_loss_that_no_number_reaches_leaves_the_row_out():
    from studies.data import classifiers

    split = real_split("photographs", 16, seed=0)
    trained = classifiers.linear(split)
    found = linear_rows(split, trained, loss=-0.3, effort=Effort(10**6, 5, 0))
    assert SIGNS not in {row["protocol"] for row in found}


def law(factor, *, size=0.0, margin=0.0, log=0.0):
    """A product of powers of N, gamma and log2 N + 1."""
    return lambda n, g: factor * n**size * g**margin * (np.log2(n) + 1) ** log


def by_hand(bits, qubits):
    """Rows of sign projections and copies at N = 64 ... 1024 by functions of N and gamma."""
    found = []
    for size in (64, 256, 1024):
        for margin in (0.5, 0.3, 0.2):
            for protocol, kind, cost in (
                (SIGNS, "bits", bits(size, margin)),
                (ANCILLA, "qubits", qubits(size, margin)),
            ):
                found.append(
                    {
                        "data": "random",
                        "size": size,
                        "margin": margin,
                        "protocols": "all",
                        "seed": 0,
                        "protocol": protocol,
                        "kind": kind,
                        "numbers": cost + 0.5,
                        "numbers_low": cost * 0.99,
                        "numbers_high": cost * 1.01,
                        "whole": round(cost),
                        "cost": cost,
                        "cost_low": cost * 0.99,
                        "cost_high": cost * 1.01,
                        "cost_whole": round(cost),
                    }
                )
    return pd.DataFrame(found)


def verdict(frame, beginning):
    """Whether the one claim that begins so holds."""
    (holds,) = [claim.holds for claim in claims(frame) if claim.text.startswith(beginning)]
    return holds


def test_claims_hold_for_the_laws_and_fail_for_others():
    right = by_hand(law(4, margin=-2), law(1.64, margin=-2, log=1))
    wrong = by_hand(law(1, size=0.5, margin=-1), law(10))
    for beginning in (
        "sign projections: bits do not grow",
        "sign projections: bits grow as 1/gamma^2",
        "advantage = bits",
        "the advantage falls as",
    ):
        assert verdict(right, beginning) is True
        assert verdict(wrong, beginning) is False
    assert verdict(wrong, "the advantage at N = 1024") is False


def sweep(law, *, steps=16, scatter=0.0):
    """Rows of amplitude estimation alone: intervals of 5% or, every other one, of none."""
    noise = np.random.default_rng(0).normal(size=steps)
    margins = 0.1 / 2 ** (np.arange(steps) / 3)
    found = []
    for place, margin in enumerate(margins):
        passes = law(16, margin) * np.exp(scatter * noise[place])
        side = 1.05 if place % 2 else 1
        found.append(
            {
                "data": "random",
                "size": 16,
                "margin": margin,
                "protocols": "amplitudes",
                "seed": 0,
                "protocol": AMPLITUDES,
                "kind": "qubits",
                "numbers": passes,
                "numbers_low": passes / side,
                "numbers_high": passes * side,
                "whole": round(passes),
                "cost": 5 * passes,
                "cost_low": 5 * passes / side,
                "cost_high": 5 * passes * side,
                "cost_whole": round(5 * passes),
            }
        )
    return pd.DataFrame(found)


def test_the_exponent_of_amplitude_estimation_weighs_all_margins_alike():
    beginning = "amplitude estimation: passes"
    assert verdict(sweep(law(5, margin=-1)), beginning) is True
    assert verdict(sweep(law(5, margin=-1.5)), beginning) is False
    with pytest.raises(ValueError, match="not enough values"):  # too few margins: no claim
        verdict(sweep(law(5, margin=-1), steps=7), beginning)
    # the scatter of the rows, not the intervals of cells, makes the interval of the exponent
    frame = sweep(law(5, margin=-1), scatter=0.2)
    found = passes_law(frame).exponents[0]
    x, y = np.log(1 / frame["margin"]), np.log(frame["numbers"])
    exact = linregress(x, y)
    assert found.value == pytest.approx(exact.slope)
    assert found.width == pytest.approx(2 * student.ppf(0.975, 14) * exact.stderr)
    # cells at other N, or above the range, do not enter
    more = pd.concat([frame, frame.assign(size=64, protocols="all", numbers=1.0)])
    assert len(amplitude_rows(more)) == len(frame)
    assert verdict(more, beginning) is verdict(frame, beginning)


def test_amplitude_estimation_alone_is_one_row():
    cell = linear.Cell(size=16, margin=0.1, protocols="amplitudes", draws=1000, checks=5)
    (row,) = linear.measure(cell)
    assert row["protocol"] == AMPLITUDES
    assert linear.Cell(data="digits", protocols="amplitudes").protocols == "all"
    with pytest.raises(CellError, match="protocols is 'both'"):
        linear.Cell(protocols="both")
    swept = [cell for cell in linear.full() if cell.protocols == "amplitudes"]
    assert len({cell.margin for cell in swept}) == 16
    assert max(cell.margin for cell in swept) == 0.1


def test_only_sizes_that_the_sketch_compresses_are_fitted():
    frame = by_hand(law(4, margin=-2), law(1))
    kept = sketched(frame[frame["protocol"] == SIGNS])
    assert set(zip(kept["size"], kept["margin"], strict=True)) == {
        (size, margin)
        for size in (64, 256, 1024)
        for margin in (0.5, 0.3, 0.2)
        if size > 4.05 / margin**2
    }
    assert sign_bits(0.2) == pytest.approx(4.05 / 0.04, rel=1e-3)


def test_the_advantage_is_a_ratio_of_ledgers_with_the_ends_of_both():
    frame = by_hand(law(100), law(400))
    found = advantages(frame)
    assert len(found) == 9
    np.testing.assert_allclose(found["value"], 0.25)
    # 99 to 101 numbers over 396 to 404, odd, at one qubit each
    np.testing.assert_allclose(found["low"], 99 / 405)
    np.testing.assert_allclose(found["high"], 101 / 397)
    half = np.log(1.01 / 0.99) / 2 / 1.96
    expected = np.sqrt(2 * half**2 + (1 / 100**2 + 1 / 400**2) / 3)
    np.testing.assert_allclose(found["error"], expected, rtol=1e-3)


def test_figures_draw_rows_and_say_when_there_are_none(rows):
    for frame in (rows.assign(accuracy=np.nan), rows.iloc[:0]):
        for draw in linear.STUDY.figures.values():
            with styled():
                _, ax = new_figure()
                draw(ax, frame.copy())
            assert ax.texts or ax.lines


def test_claims_of_no_rows_are_none(rows):
    assert claims(rows.iloc[:0].assign(above_chance=False)) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data": "cats"}, "digits, cancer or photographs|digits, cancer, photographs"),
        ({"size": 12}, "power of two"),
        ({"margin": 1.0}, "margin is 1.0"),
        ({"draws": 0}, "draws is 0"),
        ({"checks": 0}, "checks is 0"),
    ],
)
def test_bad_cells_are_refused(wrong, message):
    with pytest.raises(CellError, match=message):
        linear.Cell(**wrong)


def test_real_cells_ignore_what_they_do_not_read():
    assert linear.Cell(data="digits", size=16, margin=0.7) == linear.Cell(data="digits")
    assert linear.Cell(data="digits").size == 64


def test_presets_are_cells_without_repeats():
    for preset in ("quick", "full"):
        cells = linear.STUDY.cells(preset)
        assert len(set(cells)) == len(cells)

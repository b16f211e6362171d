"""The study `gradients` on its smallest cells, and its claims on rows made by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from studies.errors import CellError
from studies.gradients import study as gradients
from studies.style import new_figure, styled
from tnqml.protocols.gradients.generators import commuting_blocks

SMALL = {"qubits": 4, "parameters": 8, "error": 0.4, "repetitions": 40}


def frame_of(*cells):
    return pd.DataFrame([vars(cell) | row for cell in cells for row in gradients.measure(cell)])


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_model_has_one_block_of_pairs_a_turn(layers):
    cell = gradients.Cell(layers=layers, parameters=10 * layers, qubits=5)
    circuit = gradients.circuit(cell)
    blocks = commuting_blocks(circuit)
    assert circuit.parameters == 10 * layers
    assert [block.turn for block in blocks] == list(range(2 * layers))
    assert [len(block.words) for block in blocks] == [5] * (2 * layers)
    assert {len(word) for block in blocks for word in block.words} == {2}


@pytest.mark.parametrize("method", ["shift", "blocks", "shadows"])
def test_a_row_counts_what_the_bounds_ask_for_and_what_the_error_takes(method):
    cell = gradients.Cell(method=method, **SMALL)
    (row,) = gradients.measure(cell)
    log = math.log(2 * 8 / 0.1)
    copies = {
        "shift": 2 * 8 * math.ceil(log / 0.16),
        "blocks": 4 * math.ceil(2 * log / 0.16),
        "shadows": 4 * math.ceil(2 * log * (9 + (9 + 1) * 0.4 / 3) / 0.16),
    }[method]
    assert row["planned_copies"] == copies
    messages = 3  # four turns; the hybrid states of 3, 2 and 1 blocks come back
    back = 0 if method == "shift" else copies // 4 * (3 + 2 + 1) * 5
    assert row["planned_qubits"] == messages * copies * 4 + back
    assert row["missed"] <= 0.1
    assert row["planned_error_low"] <= row["planned_error"] <= row["planned_error_high"]
    assert row["qubits_sent_low"] <= row["qubits_sent"] <= row["qubits_sent_high"]
    assert row["run_error"] == pytest.approx(0.4, rel=0.3)
    # Hoeffding and Bernstein ask for more than the errors take, but for no more than twice or so
    assert 0.3 < row["copies"] / copies < 1


def test_the_quantile_is_that_of_known_errors():
    errors = np.linspace(0, 1, 1001)
    low, best, high = gradients._quantile(errors, 0.9, seed=0)
    assert best == pytest.approx(0.9, abs=0.002)
    assert 0.86 < low < best < high < 0.94


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "adjoint"}, "shift, blocks, shadows"),
        ({"sweep": "qubits"}, "parameters, layers"),
        ({"parameters": 6}, "multiple of 4"),
        ({"parameters": 4 * 67}, "at most 264"),
        ({"error": 1.0}, "between 0 and 1"),
        ({"failure": 0.0}, "between 0 and 1"),
        ({"repetitions": 1}, "at least 2"),
        ({"layers": 0}, "at least 1"),
    ],
)
def test_cells_that_make_no_model_are_refused(options, message):
    with pytest.raises(CellError, match=message):
        gradients.Cell(**options)


def test_presets_span_what_the_claims_need():
    for cells in (gradients.quick(), gradients.full()):
        counts = {cell.parameters for cell in cells if cell.sweep == "parameters"}
        assert max(counts) / min(counts) >= 16
        assert {cell.method for cell in cells} == {"shift", "blocks", "shadows"}
    assert max(cell.parameters for cell in gradients.full() if cell.layers == 2) == 256


def rows_by_law(method, law, *, sweep="parameters", axis=(4, 16, 64, 256), noise=0.02):
    rows = []
    for seed in range(2):
        for value in axis:
            options = (
                {"parameters": value}
                if sweep == "parameters"
                else {
                    "layers": value,
                    "parameters": 8 * value,
                }
            )
            cell = gradients.Cell(method=method, sweep=sweep, seed=seed, **options)
            qubits = 1000 * law(value)
            rows.append(
                vars(cell)
                | {
                    "qubits_sent": qubits,
                    "qubits_sent_low": qubits * (1 - 2 * noise),
                    "qubits_sent_high": qubits * (1 + 2 * noise),
                    "planned_qubits": int(2 * qubits),
                    "planned_error": 0.2,
                    "planned_error_low": 0.19,
                    "planned_error_high": 0.21,
                    "missed": 0.02,
                    "tomography_bound": 1e7,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("method", "law", "verdicts"),
    [
        ("shift", lambda p: p**1.16, [True]),
        ("shift", lambda p: p**1.4, [False]),
        ("blocks", math.log, [False, True]),  # an exponent of 0.33 over these P
        ("blocks", lambda p: 5 + math.log(p), [True, True]),
        ("shadows", lambda p: p**0.5, [False, False]),
    ],
)
def test_growth_claims_follow_the_rows(method, law, verdicts):
    found = gradients.claims(rows_by_law(method, law))
    assert [claim.holds for claim in found[: len(verdicts)]] == verdicts
    assert found[-1].text.endswith("planned for")
    assert found[-1].holds is True


def test_wide_intervals_and_short_axes_decide_nothing():
    wide = gradients.claims(rows_by_law("shift", lambda p: p**1.16, noise=0.3))
    assert wide[0].holds is None
    short = gradients.claims(rows_by_law("shift", lambda p: p**1.16, axis=(4, 8)))
    assert len(short) == 1  # the guarantee alone


def test_a_broken_guarantee_and_a_wrong_depth_are_said():
    rows = rows_by_law("blocks", lambda p: 5 + math.log(p))
    rows.loc[0, "missed"] = 0.3
    assert gradients.claims(rows)[-1].holds is False
    for power, verdict in ((2.2, True), (1.0, False)):
        deep = rows_by_law("blocks", lambda x, a=power: x**a, sweep="layers", axis=(2, 4, 8))
        assert gradients.claims(deep)[-1].holds is verdict


def test_figures_draw_every_method_and_say_when_there_is_nothing():
    measured = frame_of(
        *(
            gradients.Cell(method=method, **SMALL | {"repetitions": 4, "parameters": count})
            for method in ("shift", "blocks", "shadows")
            for count in (4, 8, 16)
        )
    )
    deep = rows_by_law("blocks", lambda x: x**2, sweep="layers", axis=(2, 4))
    with styled():
        for name, draw in gradients.STUDY.figures.items():
            for frame in (measured, deep):
                figure, ax = new_figure()
                draw(ax, frame)
                labels = ax.get_legend_handles_labels()[1]
                drawn = (frame is deep) == (name == "gradient-depth")
                assert bool(labels) == drawn
                assert bool(ax.get_xlabel() and ax.get_ylabel()) == drawn
                figure.draw_without_rendering()

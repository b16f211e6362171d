"""The study `width` on its smallest cells."""

import math

import pandas as pd
import pytest

from studies.errors import CellError
from studies.width import probe
from studies.width import study as width


def small(**changes: object) -> probe.Wanted:
    values = {
        "qubits": 8,
        "layers": 2,
        "observable": "local",
        "inputs": 2,
        "repeats": 2,
        "draws": 0,
        "compare": False,
        "seed": 0,
    }
    return probe.Wanted(**(values | changes))  # type: ignore[arg-type]


def test_a_cell_is_measured_in_a_fresh_process():
    (row,) = width.measure(width.Cell(qubits=12, layers=2, inputs=4, repeats=2, draws=16))
    assert 0 < row["warm_seconds_low"] <= row["warm_seconds"] <= row["warm_seconds_high"]
    assert row["cold_seconds"] > row["circuit_seconds"] > 0
    assert row["log10_variance_low"] <= row["log10_variance"] <= row["log10_variance_high"] < 0
    assert 0 < row["import_torch_seconds"] < row["import_seconds"]


def test_quimb_gets_the_same_value():
    row = probe.measure(small(qubits=10, compare=True))
    assert row["quimb_difference"] < 1e-6
    assert row["quimb_seconds"] > 0


def test_the_variance_of_one_rotation_is_a_half():
    """One layer on one qubit: f = cos(t) cos(s), so df/dt = -sin(t) cos(s), of variance 1/4."""
    from tnqml import Circuit, Gate

    gates = [Gate("ry", 0, parameter=0), Gate("ry", 0, angle=0.0), Gate("rx", 0, parameter=1)]
    found = probe.gradient_variance(Circuit(1, [gates[0], gates[2]]), small(qubits=1, draws=4000))
    assert found["log10_variance_low"] < math.log10(0.25) < found["log10_variance_high"]


def test_a_failing_process_says_why():
    with pytest.raises(RuntimeError, match="expected local, sum or parity"):
        probe.in_fresh_process(small(observable="all"))


def test_cells_that_cannot_be_measured_are_refused():
    with pytest.raises(CellError, match="local, sum, parity"):
        width.Cell(observable="all")
    with pytest.raises(CellError, match="layers is 0"):
        width.Cell(layers=0)


def test_a_wide_model_is_timed_in_turn_with_a_hundred_qubits():
    row = probe.measure(small(qubits=110, repeats=3))
    assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]


def test_cold_seconds_are_compared_between_fresh_processes_in_turn(monkeypatch):
    asked = []

    def process(wanted, *, cached=0):
        asked.append(wanted.qubits)
        return {"cold_seconds": 0.1 * len(asked) if wanted.qubits > 100 else 0.1}

    monkeypatch.setattr(probe, "in_fresh_process", process)
    (row,) = width.measure(width.Cell(qubits=1000, cold_pairs=3))
    assert asked == [1000, 100, 1000, 100, 1000, 100, 1000]
    ratios = [row["cold_ratio_low"], row["cold_ratio"], row["cold_ratio_high"]]
    assert ratios == pytest.approx([1.0, 3.0, 5.0])


def test_later_processes_find_what_the_first_left_in_the_cache(monkeypatch):
    folders = []

    def process(wanted, folder):
        folders.append(folder)
        return {"cold_seconds": 1.0 / len(folders), "warm_seconds": 0.1, "draws": wanted.draws}

    monkeypatch.setattr(probe, "_measured_by_another", process)
    row = probe.in_fresh_process(small(draws=4), cached=3)
    assert len(folders) == 4
    assert len(set(folders)) == 1
    assert (row["cold_seconds"], row["draws"]) == (1.0, 4)
    assert row["cached_seconds"] == pytest.approx(1 / 3 - 0.1)
    assert row["cached_seconds_low"] < row["cached_seconds"] < row["cached_seconds_high"]


@pytest.mark.parametrize(
    ("cached", "low", "holds"), [(0.05, 0.04, True), (0.12, 0.09, None), (0.12, 0.11, False)]
)
def test_claims_of_the_cache_can_fail(cached, low, holds):
    row = {"observable": "local", "qubits": 100, "layers": 8, "inputs": 32}
    row |= {"cold_seconds": 1.0, "warm_seconds": 0.2, "predicted_seconds": 0.1}
    row |= {"cached_seconds": cached, "cached_seconds_low": low, "cached_seconds_high": 0.2}
    benchmark, claim = width._benchmark_claims(pd.DataFrame([row]))
    assert benchmark.holds is False  # 200 ms are more than 105
    assert claim.holds is holds
    assert f"{cached:.3f}" in claim.measured


@pytest.mark.parametrize(("seconds", "holds"), [([1.4, 1.5, 9.0], True), ([1.4, 2.5, 2.6], False)])
def test_the_claim_of_the_import_takes_the_median_process(seconds, holds):
    rows = pd.DataFrame({"import_seconds": seconds, "import_torch_seconds": [1.2, 1.3, 1.4]})
    (claim,) = width._import_claims(rows)
    assert claim.holds is holds
    assert "of 3 processes" in claim.measured


@pytest.mark.parametrize(("column", "name"), [("ratio", "warm"), ("cold_ratio", "cold")])
@pytest.mark.parametrize(("ratio", "holds"), [(1.02, True), (1.15, None), (5.0, False)])
def test_claims_of_flat_time_can_fail(column, name, ratio, holds):
    row = {"observable": "local", "layers": 2, "qubits": 1000, "peak_bytes": 1e6, column: ratio}
    row |= {f"{column}_low": ratio - 0.1, f"{column}_high": ratio + 0.1}
    other = row | {"observable": "sum", column: 9.0}  # ten times as many cones: no claim
    (claim,) = width._flat_claims(pd.DataFrame([row, other]))
    assert claim.holds is holds
    assert f"{ratio:.2f}" in claim.measured
    assert f"{name} seconds" in claim.text


@pytest.mark.parametrize("name", ["seconds", "memory", "variance"])
@pytest.mark.filterwarnings("error")
def test_a_single_cell_without_draws_makes_claims_and_says_what_figures_lack(name):
    from studies.style import new_figure

    row = {"observable": "local", "qubits": 12, "layers": 2, "inputs": 4, "cold_seconds": 0.1}
    row |= {"warm_seconds": 0.1, "warm_seconds_low": 0.1, "warm_seconds_high": 0.1}
    row |= {"peak_bytes": 1e6, "cone_qubits": 4}
    frame = pd.DataFrame([row])
    assert width.claims(frame) == []
    figure, ax = new_figure()
    width.STUDY.figures[name](ax, frame)
    figure.draw_without_rendering()
    assert [text.get_text() for text in ax.texts] == ["no cell of this figure is stored"]

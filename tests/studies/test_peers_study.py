"""The study `peers` on its smallest cells; peers of the extra only where they are installed."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from studies.errors import CellError
from studies.peers import claims as peer_claims
from studies.peers import problem as peer_problem
from studies.peers import process as peer_process
from studies.peers import registry as peer_registry
from studies.peers import run_quimb as peer_quimb
from studies.peers import run_tnqml as peer_tnqml
from studies.peers import study as peers
from studies.peers.registry import OURS, PEERS
from studies.peers.simulator import Measured, Simulator
from studies.planning.cotengra_trees import Terms, to_pairs, to_tree
from studies.study import Claim
from studies.style import new_figure, styled
from tnqml.reference import expectation


def small(**changes: object) -> peer_problem.Problem:
    wanted = {
        "family": "chain",
        "qubits": 4,
        "layers": 2,
        "observable": "local",
        "inputs": 2,
        "seed": 1,
        "search_seconds": 0.05,
    }
    return peer_problem.problem(**(wanted | changes))  # type: ignore[arg-type]


def dense(problem: peer_problem.Problem) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the gradient of their sum by the parameter-shift rule, from dense states."""

    def values(theta: np.ndarray) -> np.ndarray:
        return np.array(
            [expectation(problem.circuit, problem.observable, theta, row) for row in problem.x]
        )

    theta = problem.theta.astype(float)
    shifts = np.eye(len(theta)) * np.pi / 2
    gradient = [(values(theta + s).sum() - values(theta - s).sum()) / 2 for s in shifts]
    return values(theta), np.array(gradient)


@pytest.mark.parametrize("family", ["chain", "regular", "complete"])
@pytest.mark.parametrize("observable", ["local", "sum", "parity"])
def test_ours_and_quimb_give_dense_values_and_gradients(family, observable):
    problem = small(family=family, observable=observable)
    values, gradient = dense(problem)
    for module in (peer_tnqml, peer_quimb):
        answer = module.prepare(problem).call()
        np.testing.assert_allclose(answer.values, values, atol=2e-5)
        np.testing.assert_allclose(answer.gradient, gradient, atol=2e-4)


@pytest.mark.parametrize("name", ["lightning.qubit", "default.tensor", "tensorcircuit-ng"])
@pytest.mark.parametrize("observable", ["local", "sum", "parity"])
def test_a_peer_of_the_extra_gives_dense_values_and_gradients(name, observable):
    peer = PEERS[name]
    if peer.missing:
        pytest.skip(f"{peer.missing} is not installed; see the extra [peers]")
    problem = small(qubits=4, layers=1, inputs=1, observable=observable)
    news: list[dict] = []
    peer_process.run(name, problem, orders=["again"], tell=news.append)
    first, again, last = news
    values, gradient = dense(problem)
    np.testing.assert_allclose(first["values"], values, atol=2e-5)
    np.testing.assert_allclose(first["gradient"], gradient, atol=2e-4)
    assert again["seconds"] < first["seconds"]
    assert "facts" in last


def test_lightning_refuses_what_no_state_vector_holds():
    if PEERS["lightning.qubit"].missing:
        pytest.skip("pennylane is not installed; see the extra [peers]")
    news: list[dict] = []
    peer_process.run("lightning.qubit", small(qubits=40), orders=["again"], tell=news.append)
    assert news == [{"status": "refused: no state vector of 40 qubits"}]


WANTED = {
    "family": "chain",
    "qubits": 5,
    "layers": 1,
    "observable": "local",
    "inputs": 1,
    "seed": 0,
}


def test_a_cell_has_a_row_for_every_peer(monkeypatch):
    absent = peer_registry.Peer("none", ("no_such_module",), "studies.peer_none:prepare")
    monkeypatch.setitem(PEERS, "absent", absent)
    cell = peers.Cell(qubits=5, layers=1, inputs=2, repeats=3, peers="absent,quimb")
    ours, other, theirs = peers.measure(cell)
    assert [row["peer"] for row in (ours, other, theirs)] == [OURS, "absent", "quimb"]
    assert ours["status"] == theirs["status"] == "measured"
    assert 0 < ours["warm_seconds_low"] <= ours["warm_seconds"] <= ours["warm_seconds_high"]
    assert ours["warm_seconds"] < ours["cold_seconds"]
    assert ours["measured_over_predicted"] > 0
    assert ours["value_deviation"] == ours["gradient_deviation"] == 0
    assert ours["warm_calls"] == 3
    assert "over_ours" not in ours
    assert other["status"] == "no_such_module is not installed"
    assert other["value_deviation"] is None
    assert theirs["warm_calls"] == 3
    assert theirs["over_ours_low"] <= theirs["over_ours"] <= theirs["over_ours_high"]
    assert theirs["gradient_deviation"] < 1e-5
    json.dumps([ours, other, theirs])


@pytest.mark.parametrize("finished", [0, 2])
def test_a_peer_that_takes_too_long_is_ended(finished):
    with Simulator(OURS, WANTED, limit=60.0 if finished else 0.05) as late:
        calls = [late.again() for _ in range(finished)]
        late._left = min(late._left, 0.0)
        assert late.again() is None
        assert late.again() is None
        found = late.finish()
    assert found.status.startswith("did not finish in ")
    assert (found.values is None) == (not finished)
    assert found.facts.get("warm_calls", 0) == finished == len(list(filter(None, calls)))


def test_a_peer_that_fails_says_why():
    with Simulator(OURS, WANTED | {"observable": "none"}, limit=60.0) as failing:
        assert failing.cold is failing.again() is None
        found = failing.finish()
    assert found.status.startswith("failed: ")
    assert "expected one of local, sum, parity" in found.status


def test_a_peer_that_dies_between_two_calls_keeps_what_it_told():
    with Simulator(OURS, WANTED, limit=60.0) as dying:
        assert dying.again() > 0
        dying._process.kill()
        dying._process.wait()
        assert dying.again() is None
        found = dying.finish()
    assert found.status == "failed: exit status -9"
    assert found.facts["warm_calls"] == 1
    assert found.values is not None


def test_deviations_are_relative_to_our_largest_entry():
    ours = Measured("measured", {}, np.array([4.0, 1.0]), None)
    theirs = Measured("measured", {}, np.array([4.0, 1.4]), None)
    row = peers._row("quimb", theirs, ours, [2.0, 4.0, 3.0])
    assert row["value_deviation"] == pytest.approx(0.1)
    assert row["gradient_deviation"] is None
    assert (row["over_ours_low"], row["over_ours"], row["over_ours_high"]) == (2.5, 3.0, 3.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "ring"}, "expected one of chain, grid, regular, complete"),
        ({"family": "grid", "qubits": 10}, "is no square"),
        ({"family": "regular", "qubits": 7}, "even number"),
        ({"observable": "all"}, "expected one of local, sum, parity"),
        ({"inputs": 0}, "inputs is 0"),
        ({"limit": 0.0}, "limit is 0"),
        ({"peers": "qiskit"}, "peers names 'qiskit'"),
    ],
)
def test_cells_that_cannot_be_measured_are_refused(changes, message):
    with pytest.raises(CellError, match=message):
        peers.Cell(**changes)


def test_presets_are_cells_of_every_family_and_observable():
    for preset in ("quick", "full"):
        cells = peers.STUDY.cells(preset)
        assert {cell.family for cell in cells} == set(peer_problem.FAMILIES)
        assert {cell.observable for cell in cells} == set(peer_problem.OBSERVABLES)


def row(peer: str, warm: float | None, cold: float | None, **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "family": "chain",
        "qubits": 100,
        "layers": 4,
        "observable": "local",
        "inputs": 32,
        "limit": 900.0,
        "seed": 0,
        "peer": peer,
        "status": "measured",
        "warm_seconds": warm,
        "warm_seconds_low": warm,
        "warm_seconds_high": warm,
        "cold_seconds": cold,
        "value_deviation": 1e-6,
        "gradient_deviation": 1e-6,
        "predicted_seconds": 0.01,
        "measured_over_predicted": None if warm is None else warm / 0.01,
    }
    return values | changes


def in_turn(best: float) -> dict[str, float]:
    return {"over_ours_low": 0.9 * best, "over_ours": best, "over_ours_high": 1.1 * best}


def found(rows: list[dict[str, object]], text: str) -> Claim:
    (claim,) = [claim for claim in peers.STUDY.claims(pd.DataFrame(rows)) if text in claim.text]
    return claim


def test_claims_of_seconds_hold_and_fail():
    rows = [row(OURS, 0.007, 0.4), row("tensorcircuit-ng", 0.03, 90.0)]
    assert found(rows, "warm value").holds is True
    assert found(rows, "cold value").holds is False
    assert found(rows, "warm seconds of tensorcircuit-ng").holds is False
    assert found(rows, "cold seconds of tensorcircuit-ng").holds is True
    rows[1] |= in_turn(5.2)
    paired = found(rows, "warm seconds of tensorcircuit-ng")
    assert paired.holds is True
    assert paired.measured == "5.2 (quartiles 4.68 to 5.72), called in turn"


def test_a_limit_bounds_a_peer_that_did_not_finish():
    late = row("tensorcircuit-ng", None, None, status="did not finish in 900 s")
    bounded = found([row(OURS, 0.007, 0.4), late], "warm seconds of tensorcircuit-ng")
    assert bounded.holds is True
    assert bounded.measured.startswith("more than 900 s")
    assert found([row(OURS, 300.0, 0.4), late], "warm seconds of").holds is None
    missing = row("tensorcircuit-ng", None, None, status="jax is not installed")
    absent = found([row(OURS, 0.007, 0.4), missing], "warm seconds of")
    assert (absent.holds, absent.measured) == (None, "jax is not installed")


def test_claims_of_agreement_prediction_and_grids_can_fail():
    rows = [
        row(OURS, 0.05, 0.4, family="grid", qubits=16),
        row("quimb", 0.02, 0.4, family="grid", qubits=16, gradient_deviation=0.5) | in_turn(0.4),
    ]
    assert found(rows, "gradients of quimb").holds is False
    assert found(rows, "values of quimb").holds is True
    assert found(rows, "measured over predicted").holds is False
    assert found(rows, "2D grids").holds is False


def test_targets_are_in_the_full_preset():
    cells = [vars(cell) for cell in peers.STUDY.cells("full")]
    for target in peer_claims.TARGETS:
        assert any(target.model.items() <= cell.items() for cell in cells)


def test_figures_draw():
    rows = [
        row(OURS, 0.007, 0.4),
        row(OURS, 0.02, 0.4, family="grid", qubits=16),
        row("quimb", 0.05, 0.4) | in_turn(7.0),
        row("quimb", 0.5, 0.4, family="grid", qubits=16) | in_turn(25.0),
    ]
    with styled():
        for draw in peers.STUDY.figures.values():
            figure, ax = new_figure()
            draw(ax, pd.DataFrame(rows))
            figure.canvas.draw()
            assert math.isfinite(ax.get_ylim()[1])


def test_trees_survive_the_way_to_cotengra_and_back():
    terms = Terms.of(
        [("a", 1), (1, "c"), ("c", "d"), ("d",)], ("a",), {"a": 2, 1: 3, "c": 2, "d": 4}
    )
    pairs = ((2, 3), (1, 4), (0, 5))
    assert to_pairs(to_tree(terms, pairs)) == pairs

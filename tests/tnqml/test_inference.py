"""Inference between parties: as exact as asked, counted, isolated; wide models by the engine."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from isolation import assert_isolated
from random_circuits import random_gate
from scipy.stats import binom, chisquare

from tnqml import (
    KINDS,
    Circuit,
    DistributedModel,
    Gate,
    InputError,
    Observable,
    X,
    Z,
    ansatz,
    pauli,
    projector,
    reference,
)
from tnqml.noise import noisy
from tnqml.protocols.execution.holders import holder, turns
from tnqml.protocols.execution.links import dephasing, depolarising
from tnqml.protocols.execution.readout import basis_gates, measured
from tnqml.protocols.inference import infer as inference
from tnqml.protocols.inference.infer import infer
from tnqml.protocols.inference.wide import ledger_of
from tnqml.protocols.ledger import Entry
from tnqml.protocols.stopping import Stopping

SUM = 0.5 * Z(0) - 0.7 * X(1) + pauli("YZ", (2, 0)) + Observable([(0.3, ())])
THREE = (Z(1), projector(2), SUM)


def brick(qubits=4, observables=THREE):
    circuit = ansatz.brickwork(qubits, layers=2)
    model = DistributedModel(circuit, list(observables), dtype=torch.float64, seed=2)
    return model, torch.linspace(0.2, 2, qubits, dtype=torch.float64)


def exact(model, x, observable):
    theta = model.theta.detach().numpy()
    return reference.expectation(model.circuit, model.observables[observable], theta, x)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("observable", [0, 1, 2])
def test_error_and_failure_are_as_asked_for(observable, adaptive):
    model, x = brick()
    truth, far, missed, runs = exact(model, x, observable), 0, 0, 40
    for seed in range(runs):
        estimate = infer(
            model, x, seed=seed, error=0.2, failure=0.2, observable=observable, adaptive=adaptive
        )
        low, high = estimate.interval
        far += abs(estimate.value - truth) > 0.2
        missed += not low <= truth <= high
        assert low <= estimate.value <= high
        assert estimate.mode == "parties"
    assert max(far, missed) <= binom.ppf(1 - 1e-4, runs, 0.2)


def test_shots_and_ledger_of_a_fixed_number():
    model, x = brick()
    scales = (1, 0.5, 2.2)  # largest outcome beside the constant
    for observable, scale in enumerate(scales):
        estimate = infer(model, x, seed=1, error=0.1, failure=0.05, observable=observable)
        assert estimate.shots == math.ceil(2 * scale**2 * math.log(2 / 0.05) / 0.1**2)
        assert estimate.ledger == ledger_of(model.circuit, estimate.shots)
        assert estimate.ledger.qubits == 3 * 4 * estimate.shots
        assert (estimate.ledger.bits, estimate.ledger.rounds) == (0, 3)
        assert infer(model, x, seed=1, error=0.1, failure=0.05, observable=observable) == estimate
    assert infer(model, x, seed=1, shots=7).shots == 7


def test_sums_of_strings_are_unbiased():
    model, x = brick()
    shots = 200_000
    for seed in range(3):
        value = infer(model, x, seed=seed, shots=shots, observable=2).value
        assert abs(value - exact(model, x, 2)) < 4.5 * 2.2 / math.sqrt(shots)


def test_constants_cost_nothing():
    constant = Observable([(0.25, ())])
    model, x = brick(observables=[constant, Z(1), Z(1) + 3 * constant, 0 * Z(1) + constant])
    for observable in (0, 3):
        estimate = infer(model, x, seed=0, observable=observable)
        assert (estimate.value, estimate.interval, estimate.shots) == (0.25, (0.25, 0.25), 0)
        assert len(estimate.ledger) == 0
    plain, shifted = (infer(model, x, seed=0, observable=observable) for observable in (1, 2))
    assert shifted.shots == plain.shots
    assert shifted.value == pytest.approx(plain.value + 0.75)


def test_adaptive_stops_early_and_asks_in_bits():
    gates = [Gate("rx", 0, feature=0, party="alice"), Gate("cx", (0, 1), party="bob")]
    gates += [Gate("rx", 0, feature=0, scale=-1.0, party="alice"), Gate("s", 0, party="carol")]
    model = DistributedModel(Circuit(2, gates), Z(1))
    goal = Stopping(0.05 / 2, 0.1)
    shots = {}
    for angle in (0.0, 0.2, math.pi / 2):
        estimate = infer(model, torch.tensor([angle]), seed=3, adaptive=True)
        assert abs(estimate.value - math.cos(angle)) <= 0.05
        shots[angle] = estimate.shots
        states = [entry for entry in estimate.ledger if entry.purpose == "state"]
        requests = [entry for entry in estimate.ledger if entry.purpose == "request"]
        assert sum(entry.copies for entry in states) == 3 * estimate.shots
        looks = len(states) // 3
        assert estimate.ledger.bits == 2 * looks * goal.most.bit_length()
        assert {(e.sender, e.receiver) for e in requests} == {("carol", "alice"), ("carol", "bob")}
        assert estimate.ledger.rounds == 4 * looks
    assert shots[0.0] == goal.least < shots[0.2] < shots[math.pi / 2] == goal.most
    assert goal.most < infer(model, torch.tensor([0.0]), seed=3).shots


@given(st.integers(0, 2**32))
def test_bases_turn_letters_into_z(seed):
    generator = np.random.default_rng(seed)
    letters = generator.choice(list("XYZ"), 3)
    string = tuple((qubit, str(letter)) for qubit, letter in enumerate(letters))
    turn = np.eye(8, dtype=complex)
    for gate in basis_gates(string):
        turn = reference.full_matrix(reference.small_matrix(gate, 0.0), gate.qubits, 3) @ turn
    expected = np.diag([1.0 - 2 * (index.bit_count() % 2) for index in range(8)])
    operator = np.eye(8, dtype=complex)
    for qubit, letter in string:
        small = reference.small_matrix(Gate(letter.lower(), 0), 0.0)
        operator = reference.full_matrix(small, [qubit], 3) @ operator
    np.testing.assert_allclose(turn @ operator @ turn.conj().T, expected, atol=1e-12)


def check_strings(strings, distribution):
    """Chi-square of all marginals and pair correlations of whole strings."""
    shots, qubits = strings.shape
    grid = distribution.reshape((2,) * qubits)
    axes = range(qubits)
    for places in [*combinations(axes, 1), *combinations(axes, 2)]:
        expected = grid.sum(tuple(axis for axis in axes if axis not in places)).reshape(-1)
        index = strings[:, list(places)] @ (1 << np.arange(len(places) - 1, -1, -1))
        counts = np.bincount(index, minlength=len(expected))
        kept = expected > 1e-12
        assert counts[~kept].sum() == 0
        if kept.sum() > 1:
            assert chisquare(counts[kept], shots * expected[kept]).pvalue > 1e-5


def test_whole_strings_have_the_states_marginals_and_correlations():
    generator, shots = np.random.default_rng(6), 50_000
    for string in (((1, "Z"),), ((0, "X"), (2, "Y")), ((3, "Y"),)):
        state = generator.normal(size=(16, 2)) @ np.array([1, 1j])
        state /= np.linalg.norm(state)
        turned = state
        for gate in basis_gates(string):
            small = reference.small_matrix(gate, 0.0)
            turned = reference.full_matrix(small, gate.qubits, 4) @ turned
        strings = measured(state[None], string, shots=shots, generator=generator)
        assert strings.shape == (shots, 4)
        check_strings(strings, np.abs(turned) ** 2)


def test_sampled_strings_of_narrow_and_wide_models():
    shots = 50_000
    model, x = brick(6)
    state = reference.state(model.circuit, model.theta.detach().numpy(), x)
    strings = model.sample(x[None], shots=shots, seed=0)[0].numpy()
    check_strings(strings, np.abs(state) ** 2)
    wide = DistributedModel(ansatz.brickwork(40, layers=2), Z(0), dtype=torch.float64, seed=2)
    qubits, x = (3, 4, 6, 30), torch.linspace(0, 2, 40, dtype=torch.float64)
    strings = wide.sample(x[None], shots=shots, seed=0, qubits=qubits)[0].numpy()
    signs = 1 - 2 * strings.astype(float)
    ones = [pauli("Z" * len(set(pair)), sorted(set(pair))) for pair in combinations(qubits, 2)]
    correlations = DistributedModel(wide.circuit, ones, dtype=torch.float64, seed=2)(x[None])[0]
    for value, (a, b) in zip(correlations.tolist(), combinations(range(4), 2), strict=True):
        assert abs((signs[:, a] * signs[:, b]).mean() - value) < 4.5 / math.sqrt(shots)


def random_three(generator):
    gates = []
    for place in range(15):
        kind = str(generator.choice(KINDS))
        party = ("alice", "bob", "carol", "alice", "bob")[place // 3]
        gates.append(random_gate(kind, generator, qubits=3, features=4, parameters=6, party=party))
    model = DistributedModel(Circuit(3, gates), SUM, dtype=torch.float64, seed=4)
    return model, generator.uniform(-2, 2, model.circuit.features)


def only(circuit, party, *, parameters, features):
    """What a party knows, from arrays that are NaN wherever its gates do not look."""
    own = [gate for turn in turns(circuit) if turn.party == party for gate in turn.gates]
    kept = {
        source: [gate.slot for gate in own if gate.source == source]
        for source in ("parameter", "feature")
    }
    theta, x = (
        np.where(np.isin(np.arange(len(array)), kept[source]), array, np.nan)
        for source, array in (("parameter", parameters), ("feature", features))
    )
    return holder(circuit, party, parameters=theta, features=x)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_changes_where_a_party_knows_only_its_own(seed, monkeypatch):
    model, x = random_three(np.random.default_rng(seed))
    theta = model.theta.detach().numpy()

    def run():
        return infer(model, x, seed=5, error=0.4, adaptive=True, links=depolarising(0.05))

    def apart():
        with monkeypatch.context() as patch:
            patch.setattr(
                inference,
                "holders",
                lambda model, row: {
                    party: only(model.circuit, party, parameters=theta, features=row)
                    for party in model.circuit.parties
                },
            )
            return run()

    assert apart() == run()
    corrupted = dict.fromkeys(model.circuit.parties, apart)
    assert assert_isolated(monkeypatch, inference, run, corrupted=corrupted).ledger == run().ledger


def test_processes_give_the_same_estimate():
    model, x = random_three(np.random.default_rng(2))
    options = {"seed": 5, "error": 0.3, "adaptive": True, "links": dephasing(0.05)}
    assert infer(model, x, **options, processes=True) == infer(model, x, **options)


def test_the_engine_runs_what_parties_cannot():
    x = torch.linspace(0, 2, 40, dtype=torch.float64)
    observables = [Z(20), projector(3), 0.5 * pauli("XZY", (10, 11, 13)) + X(30)]
    wide = DistributedModel(ansatz.brickwork(40, layers=2), observables, dtype=torch.float64)
    for observable, value in enumerate(wide(x[None])[0].tolist()):
        for adaptive in (False, True):
            estimate = infer(
                wide, x, seed=1, error=0.1, failure=1e-4, observable=observable, adaptive=adaptive
            )
            assert estimate.mode == "engine"
            assert abs(estimate.value - value) <= 0.1
            assert estimate.interval[0] <= value <= estimate.interval[1]
            assert estimate.ledger.qubits == 3 * 40 * estimate.shots
            assert (estimate.ledger.bits > 0) == adaptive
    lossy = DistributedModel(
        noisy(ansatz.brickwork(4, layers=2), Gate("dephasing", 0, strength=0.2), on="messages"),
        SUM,
        dtype=torch.float64,
    )
    estimate = infer(lossy, x[:4], seed=1, error=0.1, failure=1e-4)
    assert estimate.mode == "engine"
    assert abs(estimate.value - lossy(x[None, :4]).item()) <= 0.1


def test_parties_and_engine_send_the_same():
    layered, x = brick(5, [SUM])
    by_qubits = Circuit(5, layered.circuit.gates, split="qubits")
    split = DistributedModel(by_qubits, SUM, dtype=torch.float64, seed=2)
    shots = 3000
    parties, engine = (infer(model, x, seed=3, shots=shots) for model in (layered, split))
    assert (parties.mode, engine.mode) == ("parties", "engine")
    truth = exact(layered, x, 0)
    for estimate in (parties, engine):
        assert abs(estimate.value - truth) < 4.5 * 2.2 / math.sqrt(shots)
    assert engine.ledger.qubits == shots * sum(len(m.qubits) for m in by_qubits.messages())


def test_ledger_of_a_qubit_split():
    gates = [
        Gate("h", 0, party="alice"),
        Gate("h", 1, party="alice"),
        Gate("h", 2, party="bob"),
        Gate("cz", (1, 2), party="bob"),  # qubit 1 to bob, round 1
        Gate("h", 3, party="carol"),
        Gate("cz", (2, 3), party="carol"),  # qubit 2 to carol, round 2: bob has received
        Gate("cz", (0, 3), party="alice"),  # qubit 3 to alice, round 3
        Gate("h", 0, party="bob"),  # qubit 0 to bob, round 4
        Gate("cz", (1, 2), party="bob"),  # qubit 2 to bob, round 3
    ]
    circuit = Circuit(4, gates, split="qubits")
    expected = [
        (1, "alice", "bob"),
        (2, "bob", "carol"),
        (3, "carol", "alice"),
        (3, "carol", "bob"),
        (4, "alice", "bob"),
    ]
    ledger = ledger_of(circuit, 6)
    assert [(e.round, e.sender, e.receiver) for e in ledger] == expected
    assert {(e.kind, e.size, e.copies, e.purpose) for e in ledger} == {("qubit", 1, 6, "state")}
    # qubits 0 and 3 are held by bob and by alice at the end
    model = DistributedModel(circuit, [pauli("ZZ", (0, 3)), Z(3)])
    estimate = infer(model, torch.zeros(0), seed=1, shots=11)
    assert estimate.ledger[-1] == Entry(5, "alice", "bob", "bit", 1, copies=11, purpose="outcome")
    assert estimate.ledger.bits == 11
    assert infer(model, torch.zeros(0), seed=1, shots=11, observable=1).ledger.bits == 0
    cone = model.light_cones()[1]
    small = ledger_of(circuit, 6, cone=cone)
    assert small.qubits == 6 * sum(len(message.qubits) for message in cone.messages)
    assert small.qubits < ledger.qubits


def test_bad_input():
    model, x = brick()
    for name in ("error", "failure"):
        for value in (0, 1, 1.2, -0.1, float("nan")):
            with pytest.raises(InputError, match=f"{name} is .*; expected a number between 0 and"):
                infer(model, x, seed=0, **{name: value})
    for shots in (0, -3, 1.5):
        with pytest.raises(InputError, match=f"shots is {shots}"):
            infer(model, x, seed=0, shots=shots)
    with pytest.raises(InputError, match="shots is 10 and adaptive is set"):
        infer(model, x, seed=0, shots=10, adaptive=True)
    with pytest.raises(InputError, match="observable is 3; the model has observables 0 to 2"):
        infer(model, x, seed=0, observable=3)
    with pytest.raises(InputError, match="seed is -1"):
        infer(model, x, seed=-1)
    with pytest.raises(InputError, match=r"x_row has shape \(1, 4\); expected one input, \(4,\)"):
        infer(model, x[None], seed=0)
    alone = DistributedModel(ansatz.brickwork(4, layers=1, parties=("alice",)), Z(0))
    with pytest.raises(InputError, match=r"name 1 parties \(alice\)"):
        infer(alone, x, seed=0)
    with pytest.raises(InputError, match="name 0 parties"):
        infer(DistributedModel(Circuit(1, [Gate("h", 0)]), Z(0)), x[:0], seed=0)
    wide = DistributedModel(ansatz.brickwork(23, layers=1), Z(0))
    with pytest.raises(InputError, match=r"processes need parties.*23 qubits are too many"):
        infer(wide, torch.ones(23), seed=0, processes=True)
    with pytest.raises(InputError, match="copies is 0"):
        ledger_of(model.circuit, 0)

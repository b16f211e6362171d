"""Links: trajectories against density matrices, resending against its expected cost."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_circuits import random_gate

from tnqml import (
    KINDS,
    Circuit,
    DistributedModel,
    InputError,
    Observable,
    X,
    Y,
    Z,
    ansatz,
    reference,
)
from tnqml.protocols.execution.links import (
    Ensemble,
    Link,
    dephasing,
    depolarising,
    erasure,
    links_of_messages,
    unpacked,
)
from tnqml.protocols.inference.infer import infer

PAULIS = [
    np.eye(2),
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.diag([1, -1]),
]
SEEDS = st.integers(0, 2**32)


def kraus(kind, strength):
    """Weights and operators of one qubit, from the definitions in section 2 of the theory."""
    if kind == "depolarising":
        return [(1 - strength, PAULIS[0]), *((strength / 4, pauli) for pauli in PAULIS)]
    return [(1 - strength, PAULIS[0]), (strength, PAULIS[3])]


def through(density, kind, strength):
    """A density matrix after the channel on each of its qubits, dense."""
    count = len(density).bit_length() - 1
    for qubit in range(count):
        total = np.zeros_like(density)
        for weight, small in kraus(kind, strength):
            full = reference.full_matrix(small.astype(complex), [qubit], count)
            total = total + weight * full @ density @ full.conj().T
        density = total
    return density


def random_states(generator, kinds, qubits):
    states = generator.normal(size=(kinds, 2**qubits, 2)) @ np.array([1, 1j])
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def density_of(ensemble):
    return (
        np.einsum("k,ka,kb->ab", ensemble.counts, ensemble.states, ensemble.states.conj())
        / ensemble.counts.sum()
    )


@pytest.mark.parametrize("kind", ["depolarising", "dephasing"])
@pytest.mark.parametrize("strength", [0.0, 0.15, 0.7, 1.0])
def test_trajectories_average_to_the_channel(kind, strength):
    generator = np.random.default_rng(8)
    before = Ensemble(random_states(generator, 2, 2), np.array([60_000, 20_000]))
    after = Link(kind, strength).pass_on(before, generator=generator)
    assert after.copies == before.copies
    np.testing.assert_allclose(np.linalg.norm(after.states, axis=1), 1, atol=1e-12)
    expected = through(density_of(before), kind, strength)
    np.testing.assert_allclose(density_of(after), expected, atol=4.5 / np.sqrt(80_000))
    if kind == "dephasing" and strength in {0.0, 1.0}:
        np.testing.assert_allclose(density_of(after), expected, atol=1e-12)


@given(SEEDS, st.sampled_from(["depolarising", "dephasing"]), st.floats(0, 1))
def test_copies_of_the_same_fate_stay_together(seed, kind, strength):
    generator = np.random.default_rng(seed)
    before = Ensemble(random_states(generator, 3, 2), np.array([5, 1, 40]))
    after = Link(kind, strength).pass_on(before, generator=generator)
    assert after.counts.min() >= 1
    assert after.copies == 46
    assert len(after.counts) <= min(46, 3 * (16 if kind == "depolarising" else 4))
    back = unpacked(after.packed())
    np.testing.assert_array_equal(back.states, after.states)
    np.testing.assert_array_equal(back.counts, after.counts)


def test_erasure_takes_copies_away_and_leaves_states_alone():
    generator = np.random.default_rng(4)
    before = Ensemble(random_states(generator, 3, 3), np.array([10_000, 1, 20_000]))
    after = erasure(0.4).pass_on(before, generator=generator)
    assert all(any(np.array_equal(row, old) for old in before.states) for row in after.states)
    arrived = dict(zip(after.states[:, 0], after.counts, strict=True))
    for state, sent in zip(before.states[::2], before.counts[::2], strict=True):
        assert abs(arrived[state[0]] - 0.6 * sent) < 4.5 * np.sqrt(0.24 * sent)


def random_model(generator, qubits=3):
    """Three parties, four messages, an observable of several strings."""
    gates = []
    for party in ("alice", "bob", "carol", "alice", "bob"):
        for _ in range(4):
            kind = str(generator.choice(KINDS))
            gates.append(
                random_gate(kind, generator, qubits=qubits, features=3, parameters=4, party=party)
            )
    wanted = 0.4 * Z(0) - 0.3 * X(1) + 0.2 * Y(2) + Observable([(0.1, ())])
    model = DistributedModel(Circuit(qubits, gates), wanted, dtype=torch.float64, seed=1)
    return model, generator.uniform(-2, 2, model.circuit.features)


def noisy_expectation(model, x, links):
    """The exact expectation under links on the messages, from dense density matrices."""
    circuit, theta = model.circuit, model.theta.tolist()
    density = np.zeros((2**circuit.qubits,) * 2, dtype=complex)
    density[0, 0] = 1
    holder, messages = circuit.gates[0].party, iter(links)
    for gate in circuit.gates:
        if gate.party != holder:
            link, holder = next(messages), gate.party
            if link is not None and link.kind != "erasure":
                density = through(density, link.kind, link.strength)
        small = reference.small_matrix(gate, gate.angle(x.tolist(), theta))
        full = reference.full_matrix(small, gate.qubits, circuit.qubits)
        density = full @ density @ full.conj().T
    total = 0.0
    for weight, string in model.observables[0].terms:
        operator = np.eye(len(density), dtype=complex)
        for qubit, letter in string:
            small = PAULIS["IXYZ".index(letter)].astype(complex)
            operator = reference.full_matrix(small, [qubit], circuit.qubits) @ operator
        total += weight * float(np.trace(operator @ density).real)
    return total


@pytest.mark.parametrize(
    "links",
    [
        (dephasing(0.2),) * 4,
        (depolarising(0.1),) * 4,
        (None, depolarising(0.9), None, dephasing(0.3)),
        (erasure(0.3), None, dephasing(0.4), erasure(0.1)),
    ],
)
def test_inference_over_links_is_the_noisy_expectation(links):
    shots = 20_000
    for seed in range(3):
        model, x = random_model(np.random.default_rng(seed))
        exact = noisy_expectation(model, x, links)
        estimate = infer(model, x, shots=shots, seed=seed, links=links)
        assert estimate.shots == shots
        assert abs(estimate.value - exact) < 4.5 * 0.9 / np.sqrt(shots)
        assert infer(model, x, shots=shots, seed=seed, links=links) == estimate


def test_lost_copies_are_prepared_and_sent_again_from_the_start():
    model = DistributedModel(ansatz.brickwork(3, layers=2), Z(1), seed=3)
    shots, loss = 20_000, 0.25
    run = infer(model, torch.ones(3), shots=shots, seed=5, links=erasure(loss))
    assert run.shots == shots
    forward = [e for e in run.ledger if e.kind == "qubit"]
    copies = [sum(e.copies for e in forward[place::3]) for place in range(3)]
    # the sends of the last message until `shots` arrive, and so on back to the first
    for place, sent in enumerate(copies):
        arriving = 0.75 ** (3 - place)
        assert abs(sent - shots / arriving) < 5 * np.sqrt(shots * (1 - arriving)) / arriving
    assert run.ledger.qubits == 3 * sum(copies)
    width = shots.bit_length()
    requests = [e for e in run.ledger if e.purpose == "request"]
    assert {(e.sender, e.receiver, e.size) for e in requests} == {("bob", "alice", width)}
    assert run.ledger.bits == width * len(requests) + sum(
        e.size for e in run.ledger if e.purpose == "none left"
    )
    plain = infer(model, torch.ones(3), shots=shots, seed=5)
    assert abs(run.value - plain.value) < 4.5 * np.sqrt(2 / shots)


def test_a_link_without_strength_changes_nothing():
    model = DistributedModel(ansatz.brickwork(3, layers=2), Z(1), seed=3)
    plain = infer(model, torch.ones(3), shots=50, seed=5)
    for make in (dephasing, depolarising, erasure):
        assert infer(model, torch.ones(3), shots=50, seed=5, links=make(0.0)) == plain


def test_bad_input():
    for make in (dephasing, depolarising, erasure):
        for strength in (-0.1, 1.1, float("nan"), True, "0.1"):
            with pytest.raises(InputError, match=f"strength of {make.__name__} is"):
                make(strength)
    with pytest.raises(InputError, match="no message would ever arrive"):
        erasure(1)
    with pytest.raises(InputError, match="link is 'fibre'; expected one of depolarising"):
        Link("fibre", 0.1)
    with pytest.raises(InputError, match="2 links for 3 messages"):
        links_of_messages([None, dephasing(0.1)], 3)
    with pytest.raises(InputError, match="links hold a float"):
        links_of_messages([0.1], 1)
    wide = DistributedModel(ansatz.brickwork(23, layers=1), Z(1))
    with pytest.raises(InputError, match=r"links need parties.*23 qubits are too many"):
        infer(wide, torch.ones(23), shots=5, seed=0, links=dephasing(0.1))
    narrow = DistributedModel(ansatz.brickwork(16, layers=1), Z(1))
    with pytest.raises(InputError, match="copies of 16 qubits would differ"):
        infer(narrow, torch.ones(16), shots=100_000, seed=0, links=dephasing(0.1))

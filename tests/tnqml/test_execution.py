"""A model cut into parties: their turns make the reference's state, each from its own numbers."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_circuits import random_gate

from tnqml import KINDS, Circuit, DistributedModel, Gate, InputError, Z, ansatz, reference
from tnqml.protocols.execution.holders import MOST_QUBITS, holder, holders, turns

SEEDS = st.integers(0, 2**32)
PARTIES = ("alice", "bob", "carol", None)


def random_circuit(generator, *, qubits, gates=14, amplitudes=0):
    """Gates of all kinds by three parties and nobody; the first two labels differ."""
    listed = []
    for place in range(gates):
        kind = str(generator.choice(KINDS))
        gate = random_gate(kind, generator, qubits=qubits, features=5, parameters=6)
        party = PARTIES[generator.integers(4)] if place > 1 else PARTIES[place]
        listed.append(gate.owned_by(party))
    return Circuit(qubits, listed, amplitudes=amplitudes)


def model_of(circuit, generator):
    model = DistributedModel(circuit, Z(0), dtype=torch.float64, seed=int(generator.integers(99)))
    return model, generator.uniform(-2, 2, circuit.features)


@given(SEEDS, st.integers(2, 5), st.booleans())
def test_turns_make_the_state_of_the_reference(seed, qubits, encoded):
    generator = np.random.default_rng(seed)
    circuit = random_circuit(generator, qubits=qubits, amplitudes=3 if encoded else 0)
    model, x = model_of(circuit, generator)
    known, cut = holders(model, x), turns(circuit)
    state = known[cut[0].party].prepare()
    for index, turn in enumerate(cut):
        before = state
        state = known[turn.party].apply(index, state)
        halves = known[turn.party].apply(index, before, part=slice(0, 1))
        halves = known[turn.party].apply(index, halves, part=slice(1, None))
        np.testing.assert_allclose(halves, state, atol=1e-13)
        np.testing.assert_allclose(known[turn.party].undo(index, state), before, atol=1e-12)
    expected = reference.state(circuit, model.theta.detach().numpy(), x)
    np.testing.assert_allclose(state[0], expected, atol=1e-12)


@given(SEEDS, st.integers(2, 5))
def test_turns_and_messages_agree(seed, qubits):
    circuit = random_circuit(np.random.default_rng(seed), qubits=qubits)
    cut = turns(circuit)
    assert [gate for turn in cut for gate in turn.gates] == list(circuit.gates)
    assert [turn.first for turn in cut] == np.cumsum(
        [0, *(len(turn.gates) for turn in cut[:-1])]
    ).tolist()
    crossings = [(a.party, b.party) for a, b in pairwise(cut)]
    assert crossings == [(m.sender, m.receiver) for m in circuit.messages()]
    for turn in cut:
        assert {gate.party for gate in turn.gates} <= {turn.party, None}


def test_gates_without_a_party_go_with_the_holder():
    labels = (None, "alice", None, "bob", "bob", None, "alice")
    circuit = Circuit(1, [Gate("h", 0, party=label) for label in labels])
    assert [(turn.party, turn.first, len(turn.gates)) for turn in turns(circuit)] == [
        ("alice", 0, 3),
        ("bob", 3, 3),
        ("alice", 6, 1),
    ]


def test_batches_larger_than_a_chunk():
    generator = np.random.default_rng(3)
    circuit = random_circuit(generator, qubits=2, gates=6)
    model, x = model_of(circuit, generator)
    first = turns(circuit)[0].party
    states = generator.normal(size=(2**17, 4)) + 1j * generator.normal(size=(2**17, 4))
    together = holders(model, x)[first].apply(0, states)
    for row in (0, 2**16 - 1, 2**16, 2**17 - 1):
        alone = holders(model, x)[first].apply(0, states[row : row + 1])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-13)
    assert holders(model, x)[first].apply(0, states[:0]).shape == (0, 4)


@given(SEEDS, st.booleans())
def test_a_party_looks_at_nothing_that_is_not_its_own(seed, encoded):
    generator = np.random.default_rng(seed)
    circuit = random_circuit(generator, qubits=3, amplitudes=3 if encoded else 0)
    theta = generator.uniform(-2, 2, circuit.parameters)
    x = generator.uniform(-2, 2, circuit.features)
    for party in circuit.parties:
        own = [gate for turn in turns(circuit) if turn.party == party for gate in turn.gates]
        needed = {gate.slot for gate in own if gate.source == "feature"}
        if party == turns(circuit)[0].party:
            needed |= set(range(circuit.amplitudes))
        seen = np.where(np.isin(np.arange(len(x)), list(needed)), x, np.nan)
        used = [gate.slot for gate in own if gate.source == "parameter"]
        known = np.where(np.isin(np.arange(len(theta)), used), theta, np.nan)
        whole = holder(circuit, party, parameters=theta, features=x)
        apart = holder(circuit, party, parameters=known, features=seen)
        assert apart.steps == whole.steps
        assert (apart.start is None) == (whole.start is None)
        if whole.start is not None:
            np.testing.assert_array_equal(apart.start, whole.start)


def test_bad_input():
    gates = [Gate("rx", 0, feature=0, party="alice"), Gate("rx", 1, parameter=0, party="bob")]
    x = np.zeros(1)

    def refused(circuit, row, match):
        with pytest.raises(InputError, match=match):
            holders(DistributedModel(circuit, Z(0)), row)

    refused(Circuit(2, [Gate("h", 0)]), x[:0], r"name 0 parties \(none\)")
    refused(Circuit(2, gates[:1]), x, r"name 1 parties \(alice\).*at least two")
    refused(Circuit(2, gates, split="qubits"), x, "split by qubits.*split='layers'.*infer")
    refused(
        ansatz.brickwork(MOST_QUBITS + 1, layers=1),
        np.zeros(MOST_QUBITS + 1),
        f"{MOST_QUBITS + 1} qubits.*at most {MOST_QUBITS}.*engine",
    )
    lossy = Circuit(2, [*gates, Gate("dephasing", 1, strength=0.1)])
    refused(lossy, x, r"noise channel 'dephasing' on qubits \(1,\).*links")
    for row in (np.zeros(2), np.zeros((1, 1)), np.array([np.nan])):
        refused(Circuit(2, gates), row, "shape|finite")
    refused(Circuit(2, gates), ["a"], "x_row holds <U1; expected real numbers")
    known = holders(DistributedModel(Circuit(2, gates), Z(0)), x)
    with pytest.raises(InputError, match="'bob' prepares nothing"):
        known["bob"].prepare()
    for act in (known["alice"].apply, known["alice"].undo):
        with pytest.raises(InputError, match="turn 1 is not one of 'alice', whose turns are 0"):
            act(1, np.zeros((1, 4), dtype=complex))
        with pytest.raises(InputError, match=r"\(4,\) came to 'alice'; expected \(batch, 4\)"):
            act(0, np.zeros(4, dtype=complex))

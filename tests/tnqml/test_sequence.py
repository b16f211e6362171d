"""Gates in columns against the same gates in a list."""

import copy
from collections import Counter

import numpy as np
import pytest
from random_circuits import random_circuit

from tnqml import Circuit, CircuitError, Gate, ansatz
from tnqml.sequence import GateSequence

GATES = [
    Gate("h", 0, party="alice"),
    Gate("rz", 1, feature=3, scale=2.0, party="bob"),
    Gate("cz", (2, 0), party="alice"),
    Gate("ry", 1, angle=0.25),
    Gate("pauli", (0, 3, 1), word="XYZ", parameter=2, party="bob"),
    Gate("h", 4, party="bob"),
    Gate("depolarising", 2, strength=0.5),
]


def fresh(gates):
    """The same gates with none of them made."""
    sequence = GateSequence.of(gates)
    return GateSequence(
        sequence.sorts,
        sequence.which,
        sequence.qubits,
        sequence.slots,
        sequence.values,
        [None] * len(sequence),
    )


@pytest.mark.parametrize("make", [GateSequence.of, fresh])
@pytest.mark.parametrize("gates", [GATES, [], list(random_circuit(1, qubits=5, gates=40).gates)])
def test_a_sequence_is_its_gates(make, gates):
    assert list(make(gates)) == gates
    assert [make(gates)[k] for k in range(-len(gates), len(gates))] == 2 * gates
    assert list(make(gates)[1:5:2]) == gates[1:5:2]
    assert list(reversed(make(gates))) == gates[::-1]
    assert list(make(gates) + gates) == gates + gates
    assert list(make(gates).taken(range(len(gates))[::-2])) == gates[::-2]
    assert make(gates).forms == Counter(gate.form for gate in gates)
    for source in ("feature", "parameter", "angle"):
        assert make(gates).reading(source).tolist() == [gate.source == source for gate in gates]
    assert make(gates) == GateSequence.of(gates)
    assert hash(make(gates)) == hash(GateSequence.of(gates))
    assert repr(make(gates)) == repr(tuple(gates))


def test_sequences_that_differ_are_not_equal():
    one = GateSequence.of(GATES)
    assert one != GateSequence.of(GATES[:-1])
    assert one != GateSequence.of([*GATES[:-1], Gate("depolarising", 2, strength=0.25)])
    assert one == tuple(GATES) != one[1:]
    assert one != GATES
    assert one != (*GATES[:-1], "depolarising")


def test_a_gate_is_made_once():
    sequence = fresh(GATES)
    assert sequence[2] is sequence[2]
    assert sequence.made.count(None) == len(GATES) - 1
    assert list(map(id, sequence)) == list(map(id, sequence))
    with pytest.raises(IndexError):
        sequence[len(GATES)]


def test_copies_of_one_gate():
    gates = GateSequence.repeated(
        Gate("cp", (0, 1), parameter=0, scale=-1.0, party="bob"), [[3, 1], [0, 2]], slots=[7, 4]
    )
    expected = [((3, 1), 7), ((0, 2), 4)]
    assert list(gates) == [
        Gate("cp", qubits, parameter=slot, scale=-1.0, party="bob") for qubits, slot in expected
    ]
    fixed = GateSequence.repeated(Gate("rx", 0, angle=0.5), range(3))
    assert list(fixed) == [Gate("rx", qubit, angle=0.5) for qubit in range(3)]


def test_joined_parts_of_several_arities():
    parts = [GATES[:2], [], GATES[2:4], GATES[4:]]
    assert list(GateSequence.joined(map(GateSequence.of, parts))) == GATES
    assert list(GateSequence.joined(map(fresh, parts))) == GATES
    assert list(GateSequence.joined([])) == []


def test_what_is_no_gate_is_refused():
    with pytest.raises(CircuitError, match="gate 1 is a tuple; expected a Gate"):
        GateSequence.of([GATES[0], ("h", 0)])


@pytest.mark.parametrize("number", [-1, 2**62, 10**30, True, 1.0, "0"])
def test_an_index_that_no_column_holds_is_refused(number):
    with pytest.raises(CircuitError, match="expected 0, 1, 2"):
        Gate("h", number)
    with pytest.raises(CircuitError, match="expected an index 0, 1, 2"):
        Gate("rz", 0, feature=number)


def test_a_wide_circuit_makes_no_gates_until_they_are_asked_for():
    circuit = ansatz.brickwork(1000, layers=2)
    assert set(circuit.gates.made) == {None}
    assert (circuit.features, circuit.parameters) == (1000, 4000)
    assert circuit.forms.total() == len(circuit.gates)
    assert set(circuit.gates.made) == {None}
    listed = Circuit(1000, list(circuit.gates))
    assert listed == circuit
    assert hash(listed) == hash(circuit)
    for column in ("qubits", "slots", "values"):
        assert np.array_equal(getattr(listed.gates, column), getattr(circuit.gates, column))


def test_a_copy_of_a_circuit_is_equal():
    circuit = ansatz.brickwork(6, layers=2)
    assert copy.deepcopy(circuit) == circuit

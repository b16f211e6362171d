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
        sequence.prototypes,
        sequence.which,
        sequence.qubits,
        sequence.slots,
        sequence.values,
        [None] * len(sequence),
    )


def not_made(sequence):
    return sequence._made.count(None)


@pytest.mark.parametrize("make", [GateSequence.of, fresh])
@pytest.mark.parametrize("gates", [GATES, [], list(random_circuit(1, qubits=5, gates=40).gates)])
def test_a_sequence_is_its_gates(make, gates):
    assert list(make(gates)) == gates
    assert [make(gates)[k] for k in range(-len(gates), len(gates))] == 2 * gates
    assert list(make(gates)[1:5:2]) == gates[1:5:2]
    assert list(reversed(make(gates))) == gates[::-1]
    assert list(make(gates) + gates) == gates + gates
    assert list(tuple(gates) + make(gates)) == gates + gates
    owners = dict.fromkeys(gate.party for gate in gates if gate.party)
    assert make(gates).parties == tuple(owners)
    assert make(gates).arities.tolist() == [len(gate.qubits) for gate in gates]
    assert list(make(gates).select(range(len(gates))[::-2])) == gates[::-2]
    assert make(gates).forms == Counter(gate.form for gate in gates)
    for source in ("feature", "parameter", "angle"):
        assert make(gates).reads(source).tolist() == [gate.source == source for gate in gates]
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
    assert sequence[np.int64(2)] is sequence[2] is sequence[2 - len(GATES)]
    assert not_made(sequence) == len(GATES) - 1
    assert list(map(id, sequence)) == list(map(id, sequence))
    for position in (len(GATES), -len(GATES) - 1):
        with pytest.raises(IndexError):
            fresh(GATES)[position]


def test_copies_of_one_gate():
    gates = GateSequence.repeated(
        Gate("cp", (0, 1), parameter=0, scale=-1.0, party="bob"), [[3, 1], [0, 2]], slots=[7, 4]
    )
    expected = [((3, 1), 7), ((0, 2), 4)]
    assert list(gates) == [
        Gate("cp", qubits, parameter=slot, scale=-1.0, party="bob") for qubits, slot in expected
    ]
    held = GateSequence.repeated(Gate("h", 0), [[4], [2], [1]], parties=["bob", "alice", "bob"])
    assert [(gate.qubits, gate.party) for gate in held] == [
        ((4,), "bob"),
        ((2,), "alice"),
        ((1,), "bob"),
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
    assert not_made(circuit.gates) == len(circuit.gates)
    assert circuit.parties == ("alice", "bob")
    assert (circuit.features, circuit.parameters) == (1000, 4000)
    assert circuit.forms.total() == len(circuit.gates)
    assert not_made(circuit.gates) == len(circuit.gates)
    listed = Circuit(1000, list(circuit.gates))
    assert listed == circuit
    assert hash(listed) == hash(circuit)
    for column in ("qubits", "slots", "values"):
        assert np.array_equal(getattr(listed.gates, column), getattr(circuit.gates, column))


def test_a_copy_of_a_circuit_is_equal():
    circuit = ansatz.brickwork(6, layers=2)
    assert copy.deepcopy(circuit) == circuit


def test_columns_cannot_be_written():
    gates = GateSequence.of(GATES)
    again = copy.deepcopy(gates)
    columns = [gates.which, gates.qubits, gates.slots, gates.values, gates.starts, again.slots]
    for column in columns:
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


@pytest.mark.parametrize(
    ("gate", "options", "message"),
    [
        (Gate("h", 0), {"qubits": [[0], [-1]]}, "name a qubit below 0, or one twice"),
        (Gate("cz", (0, 1)), {"qubits": [[1, 1]]}, "name a qubit below 0, or one twice"),
        (Gate("h", 0), {"qubits": [[0]], "slots": [3]}, "which reads None"),
        (Gate("rx", 0, angle=1.0), {"qubits": [[0]], "slots": [3]}, "which reads angle"),
        (Gate("rx", 0, feature=0), {"qubits": [[0], [1]], "slots": [3]}, r"shape \(1,\)"),
        (Gate("rx", 0, feature=0), {"qubits": [[0]], "slots": [-2]}, "expected an index"),
        (Gate("h", 0), {"qubits": [[0.5]]}, "expected integers below"),
        (Gate("h", 0), {"qubits": [[True]]}, "expected integers below"),
        (Gate("h", 0), {"qubits": [[2**62]]}, "expected integers below"),
        (Gate("rx", 0, feature=0), {"qubits": [[0]], "slots": [0.5]}, "slots .* float64"),
        (Gate("h", 0), {"qubits": [[0], [1]], "parties": ["bob", 2]}, "the party 2"),
        (Gate("h", 0), {"qubits": [[0], [1]], "parties": ["bob"]}, "2 copies .* got 1 parties"),
    ],
)
def test_copies_that_are_not_well_formed_are_refused(gate, options, message):
    with pytest.raises(CircuitError, match=message):
        GateSequence.repeated(gate, **options)


def test_a_wide_gate_does_not_widen_the_others():
    gates = [Gate("pauli", range(200), word="Z" * 200, angle=0.5), *GATES]
    sequence = GateSequence.of(gates)
    assert len(sequence.qubits) == 200 + sum(len(gate.qubits) for gate in GATES)
    assert list(fresh(gates)) == gates


def test_a_mask_selects_where_it_holds():
    gates = GateSequence.of(GATES)
    assert list(gates.select(gates.reads("parameter"))) == [GATES[4]]
    assert list(gates.select(gates.reads("feature") & gates.reads("angle"))) == []


def test_negative_positions_count_from_the_end():
    gates = GateSequence.of(GATES)
    for position in range(-len(GATES), 0):
        selected = gates.select([position])
        assert selected == GateSequence.of([GATES[position]])
        assert selected.qubits.tolist() == list(GATES[position].qubits)


@pytest.mark.parametrize("positions", [[7], [-8], [0.5], [True], [[0, 1]], ["0"]])
def test_positions_that_do_not_exist_are_refused(positions):
    with pytest.raises(IndexError, match="position"):
        GateSequence.of(GATES).select(positions)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GateSequence.of(3), "gates are a int; expected several Gates"),
        (lambda: GateSequence.joined([[Gate("h", 0)], 3]), "gates are a int"),
        (lambda: GateSequence.of(GATES) + 3, "gates are a int"),
        (lambda: GateSequence.repeated("h", [[0]]), "what is repeated is a str; expected a Gate"),
        (lambda: GateSequence.of(GATES).reads("strength"), "source is 'strength'; expected one"),
        (lambda: Circuit(1, None), "gates are a NoneType; expected several Gates"),
    ],
)
def test_what_is_no_gate_or_source_is_refused(build, message):
    with pytest.raises(CircuitError, match=message):
        build()

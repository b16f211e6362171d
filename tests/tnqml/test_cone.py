import itertools

import numpy as np
import pytest
from random_circuits import angles, random_circuit, random_string, reference_values

from tnqml import Circuit, Gate, ansatz, reference
from tnqml.cone import Wires, canonical, light_cone, light_cones


def cone_of(circuit, letters):
    return [circuit.gates[position] for position in light_cone(Wires(circuit), letters)]


def key_of(circuit, letters):
    return canonical(cone_of(circuit, letters), letters).key


@pytest.mark.parametrize("seed", range(60))
def test_the_cone_has_the_expectation_of_the_whole(seed):
    generator = np.random.default_rng([seed, 7])
    qubits = 2 + seed % 4
    circuit = random_circuit(seed, qubits=qubits, gates=6 + seed % 20)
    observable = random_string(generator, qubits)
    cone = cone_of(circuit, dict(observable.terms[0][1]))
    given = angles(seed, circuit.parameters), angles(seed + 1, 1, circuit.features)
    whole = reference_values(circuit, [observable], *given)
    part = reference_values(Circuit(qubits, cone), [observable], *given)
    np.testing.assert_allclose(part, whole, atol=1e-13)


@pytest.mark.parametrize("seed", range(30))
def test_the_canonical_order_is_the_same_circuit(seed):
    generator = np.random.default_rng([seed, 8])
    circuit = random_circuit(seed + 500, qubits=4, gates=20)
    observable = random_string(generator, 4)
    letters = dict(observable.terms[0][1])
    gates = cone_of(circuit, letters)
    cone = canonical(gates, letters)
    assert sorted(cone.positions) == list(range(len(gates)))
    ordered = [gates[place] for place in cone.positions]
    assert cone.qubits[: len(letters)] == tuple(letters)
    assert len(set(cone.qubits)) == len(cone.qubits)
    sourced = [gate for gate in ordered if gate.source in {"feature", "parameter"}]
    assert cone.slots.tolist() == [gate.slot for gate in sourced]
    assert cone.scales.tolist() == [gate.value for gate in sourced]
    for gate, (form, places, source, _) in zip(ordered, cone.key[0], strict=True):
        assert (gate.form, gate.source) == (form, source)
        named = tuple(cone.qubits[place] for place in places)
        if gate.qubits != named:  # only where the order makes no difference
            swap = reference.small_matrix(Gate("swap", (0, 1)), 0.0)
            matrix = reference.small_matrix(gate, 0.7)
            np.testing.assert_allclose(swap @ matrix @ swap, matrix, atol=1e-15)
            assert gate.qubits == named[::-1]
    given = angles(seed, circuit.parameters), angles(seed + 1, 1, circuit.features)
    whole = reference_values(circuit, [observable], *given)
    part = reference_values(Circuit(4, ordered), [observable], *given)
    np.testing.assert_allclose(part, whole, atol=1e-13)


DIAGONAL = {"phases": [0.1, 0.2, 0.5, -0.4], "angle": 1.0}


@pytest.mark.parametrize(
    ("letters", "gate"),
    [
        ("Z0", Gate("cz", (0, 1))),
        ("Z1", Gate("cz", (0, 1))),
        ("Z0 Z1", Gate("cz", (0, 1))),
        ("Z0", Gate("rz", 0, feature=0)),
        ("Z0", Gate("p", 0, feature=0)),
        ("X0", Gate("rx", 0, feature=0)),
        ("Y0", Gate("ry", 0, feature=0)),
        ("X0", Gate("x", 0)),
        ("X0", Gate("sx", 0)),
        ("Z0", Gate("cx", (0, 1))),  # its control
        ("X1", Gate("cx", (0, 1))),  # its target
        ("Z0 X1", Gate("cx", (0, 1))),
        ("Y1", Gate("cry", (0, 1), parameter=0)),
        ("Z0", Gate("crx", (0, 1), parameter=0)),
        ("Z0", Gate("diagonal", (0, 1), **DIAGONAL)),
        ("Z0 Z1 Z2", Gate("diagonal", (2, 0), **DIAGONAL)),
        ("Z0", Gate("unitary", 0, matrix=np.diag([1, 1j]))),
        ("X0", Gate("unitary", 0, matrix=[[0, 1], [1, 0]])),
        # Pauli rotations that clash on an even number of qubits
        ("Z0 Z1 Z2", Gate("rxx", (0, 2), parameter=0)),
        ("Z0 Z1 Z2", Gate("ryy", (0, 1), parameter=0)),
        ("Z0 Z1", Gate("pauli", (0, 1), word="XY", parameter=0)),
        ("X0 Y1", Gate("rzz", (0, 1), parameter=0)),
        ("Z0 Z1 Z2 Z3", Gate("pauli", (0, 1, 2, 3), word="XXYY", parameter=0)),
        ("X0 Z1", Gate("pauli", (0, 1, 2), word="ZXY", parameter=0)),
        # elsewhere
        ("Z0", Gate("h", 1)),
        ("Z0", Gate("cx", (2, 1))),
    ],
)
def test_what_commutes_with_the_string_is_dropped(letters, gate):
    word = {int(part[1:]): part[0] for part in letters.split()}
    assert cone_of(Circuit(4, [gate, gate]), word) == []
    before = Gate("ryy", (0, 3), angle=1.0)
    kept = cone_of(Circuit(4, [before, gate]), word)
    assert kept in ([], [before])


@pytest.mark.parametrize(
    ("letters", "gate"),
    [
        ("X0", Gate("cz", (0, 1))),
        ("Z0", Gate("rx", 0, feature=0)),
        ("Z1", Gate("cx", (0, 1))),
        ("X0", Gate("cx", (0, 1))),
        ("Z0", Gate("swap", (0, 1))),
        ("Z0", Gate("rxx", (0, 1), parameter=0)),
        ("Z0 Z1 Z2", Gate("pauli", (0, 1, 2), word="XXX", parameter=0)),
        ("X0", Gate("diagonal", (0, 1), **DIAGONAL)),
        ("Z0", Gate("h", 0)),
    ],
)
def test_what_does_not_commute_is_kept(letters, gate):
    word = {int(part[1:]): part[0] for part in letters.split()}
    assert cone_of(Circuit(4, [gate]), word) == [gate]


def test_gates_that_commute_with_the_kept_ones_are_dropped_too():
    h = Gate("h", 0)
    behind = Gate("ry", 0, angle=1.0)
    # a CZ keeps its control's Z axis: an RZ before it commutes with all that stands after
    dropped = [Gate("rz", 1, feature=0), Gate("cz", (1, 2)), Gate("rzz", (1, 2), angle=1.0)]
    circuit = Circuit(3, [*dropped, Gate("cz", (0, 1)), behind])
    assert cone_of(circuit, {0: "Z"}) == [Gate("cz", (0, 1)), behind]
    # an RZ between what does not commute is not
    circuit = Circuit(1, [h, Gate("rz", 0, feature=0), h])
    assert cone_of(circuit, {0: "Z"}) == list(circuit.gates)
    # once another gate has acted, the string as a whole is no longer what stands after
    rxx = Gate("rxx", (0, 1), parameter=0)
    circuit = Circuit(2, [rxx, Gate("ry", 0, angle=1.0)])
    assert cone_of(circuit, {0: "Z", 1: "Z"}) == list(circuit.gates)


def test_the_last_diagonal_layer_adds_nothing():
    """The trap of THEORY section 3."""
    circuit = ansatz.brickwork(4, layers=1)
    upload = [Gate("rz", qubit, feature=qubit) for qubit in range(4)]
    longer = Circuit(4, (*circuit.gates, *upload))
    for qubit in range(4):
        assert cone_of(longer, {qubit: "Z"}) == cone_of(circuit, {qubit: "Z"})


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_translated_copies_in_a_wide_brickwork_share_their_key(layers):
    circuit = ansatz.brickwork(100, layers=layers)
    keys = [key_of(circuit, {qubit: "Z"}) for qubit in range(100)]
    margin = 2 * layers + 2
    inner = keys[margin:-margin]
    assert len(set(inner)) == 1  # even and odd qubits are mirror images
    assert len(set(keys)) <= 1 + 2 * layers


def test_translated_copies_in_a_ring_share_their_key():
    circuit = ansatz.from_graph(ansatz.ring(20), layers=2)
    keys = [key_of(circuit, {qubit: "Z"}) for qubit in range(20)]
    assert len(set(keys)) == 1


def test_translated_copies_read_their_own_angles():
    circuit = ansatz.brickwork(40, layers=2)
    cones = [canonical(cone_of(circuit, {q: "Z"}), {q: "Z"}) for q in (16, 18)]
    assert cones[0].key == cones[1].key
    assert tuple(qubit + 2 for qubit in cones[0].qubits) == cones[1].qubits
    assert (cones[0].slots + 2).tolist() == cones[1].slots.tolist()
    assert hash(cones[0].key) == hash(cones[1].key)


def test_pairs_and_words_that_are_moved_share_their_key():
    circuit = ansatz.brickwork(40, layers=1)
    word = [{q: "X", q + 1: "Y", q + 3: "Z"} for q in (14, 16, 20)]
    assert len({key_of(circuit, letters) for letters in word}) == 1


def test_different_structures_have_different_keys():
    circuits = [
        ansatz.brickwork(12, layers=2),
        ansatz.brickwork(12, layers=1),
        ansatz.brickwork(12, layers=2, uploads=1),
        ansatz.brickwork(12, layers=2, start="zero"),
        ansatz.brickwork(12, layers=2, parties=("alice", "bob", "carol")),
    ]
    keys = [key_of(circuit, {6: letter}) for circuit in circuits for letter in "XYZ"]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Gate("rx", 0, feature=0), Gate("rx", 0, parameter=0)),
        (Gate("rx", 0, feature=0), Gate("ry", 0, feature=0)),
        (Gate("rx", 0, angle=1.0), Gate("rx", 0, angle=2.0)),
        (Gate("rx", 0, angle=1.0), Gate("rx", 0, feature=0)),
        (Gate("cx", (0, 1)), Gate("cx", (1, 0))),
        (Gate("pauli", (0, 1), word="XY", angle=1.0), Gate("pauli", (0, 1), word="YX", angle=1.0)),
        (
            Gate("unitary", 0, matrix=[[0, 1], [1, 0]]),
            Gate("unitary", 0, matrix=[[0, 1j], [1j, 0]]),
        ),
    ],
)
def test_gates_that_differ_have_different_keys(one, other):
    start = [Gate("ry", 0, angle=0.5), Gate("ry", 1, angle=0.5), Gate("rxx", (0, 1), angle=1.0)]
    end = [Gate("rxx", (0, 1), angle=1.0), Gate("rz", 0, angle=0.3), Gate("rx", 0, angle=0.3)]
    keys = [key_of(Circuit(2, [*start, gate, *end]), {0: "Z", 1: "Y"}) for gate in (one, other)]
    assert keys[0] != keys[1]


def test_slots_and_scales_do_not_change_the_key():
    gates = [
        [Gate("h", 0), Gate("rz", 0, feature=slot, scale=scale), Gate("h", 0, party=party)]
        for slot, scale, party in ((0, 1.0, "alice"), (5, -2.0, "bob"))
    ]
    assert key_of(Circuit(1, gates[0]), {0: "Z"}) == key_of(Circuit(1, gates[1]), {0: "Z"})


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_cone_does_not_grow_with_the_circuit(layers):
    cones = [
        canonical(cone_of(ansatz.brickwork(n, layers=layers), {n // 2: "Z"}), {n // 2: "Z"})
        for n in (60, 100, 1000)
    ]
    assert cones[0].key == cones[1].key == cones[2].key
    assert len(cones[2].qubits) <= 4 * layers
    assert all(abs(qubit - 500) <= 2 * layers for qubit in cones[2].qubits)


def test_an_observable_on_untouched_qubits_has_an_empty_cone():
    circuit = ansatz.brickwork(6, layers=1)
    wide = Circuit(9, circuit.gates)
    assert cone_of(wide, {7: "X", 8: "Z"}) == []
    assert canonical([], {7: "X", 8: "Z"}).key == ((), ("X", "Z"))
    with_rest = canonical(cone_of(wide, {2: "Z", 8: "Z"}), {2: "Z", 8: "Z"})
    assert 8 in with_rest.qubits


def test_the_global_parity_has_all_qubits_but_not_the_last_cz():
    circuit = ansatz.brickwork(30, layers=1)
    letters = dict.fromkeys(range(30), "Z")
    kept = cone_of(circuit, letters)
    assert {qubit for gate in kept for qubit in gate.qubits} == set(range(30))
    cz = [gate.qubits for gate in kept if gate.kind == "cz"]
    assert cz == [(qubit, qubit + 1) for qubit in range(0, 29, 2)]  # the odd ones come last


def found_one_by_one(circuit, strings):
    """Every string's cone without looking at the others."""
    kept = [light_cone(Wires(circuit), letters) for letters in strings]
    cones = [
        canonical(circuit.gates.select(positions), letters)
        for positions, letters in zip(kept, strings, strict=True)
    ]
    return kept, cones


def assert_found_alike(circuit, strings):
    """All at once the same cones as one by one; their number of structures."""
    alike = light_cones(circuit, strings)
    found = {number: cone for cones in alike for number, cone in cones.items()}
    assert sorted(found) == list(range(len(strings)))
    assert [min(cones) for cones in alike] == sorted(min(cones) for cones in alike)
    for number, (kept, one) in enumerate(zip(*found_one_by_one(circuit, strings), strict=True)):
        cone = found[number]
        assert cone.key == one.key
        assert sorted(cone.positions) == kept
        assert cone.qubits[: len(strings[number])] == tuple(strings[number])
        assert sorted(cone.qubits) == sorted(one.qubits)
        gates = circuit.gates.select(cone.positions)
        sourced = [gate for gate in gates if gate.source in {"feature", "parameter"}]
        assert cone.slots.tolist() == [gate.slot for gate in sourced]
        assert cone.scales.tolist() == [gate.value for gate in sourced]
        for gate, (form, places, source, value) in zip(gates, cone.key[0], strict=True):
            assert (gate.form, gate.source) == (form, source)
            assert source != "angle" or gate.value == value
            assert {cone.qubits[place] for place in places} == set(gate.qubits)
    assert len({cones[min(cones)].key for cones in alike}) == len(alike)
    return len(alike)


def half_regular(qubits):
    """Each wire of the first half is turned by an angle of its own, those of the second alike."""
    angles = np.arange(qubits).clip(max=qubits // 2) / qubits
    gates = [Gate("rx", q, angle=0.1 + float(angle)) for q, angle in enumerate(angles)]
    return Circuit(qubits, [*gates, *(Gate("ry", q, parameter=q) for q in range(qubits))])


@pytest.mark.parametrize(
    ("circuit", "most"),
    [
        (ansatz.brickwork(40, layers=2), 5),
        (ansatz.brickwork(40, layers=3, split="qubits", parties=tuple("abcdefgh")), 7),
        (ansatz.from_graph(ansatz.ring(20), layers=2), 1),
        (ansatz.from_graph(ansatz.grid(5, 6), layers=2), 30),
        (Circuit(30, ansatz.brickwork(20, layers=2).gates), 6),
        (Circuit(6, []), 1),
        (half_regular(100), 52),
    ],
)
def test_cones_found_all_at_once_are_those_found_one_by_one(circuit, most):
    for letter in "XYZ":
        strings = [{q: letter} for q in range(circuit.qubits)]
        assert assert_found_alike(circuit, strings) <= most
    pairs = [{q: "X", q + 2: "Z"} for q in range(circuit.qubits - 2)]
    assert_found_alike(circuit, pairs + pairs[::-1])


@pytest.mark.parametrize("seed", range(20))
def test_cones_of_circuits_that_are_nearly_regular(seed):
    """A gate removed, moved, turned or given another number changes whose cones hold it."""
    generator = np.random.default_rng([seed, 9])
    gates = [
        gate
        for layer in range(3)
        for q in range(11)
        for gate in (
            Gate("ry", q, parameter=12 * layer + q),
            Gate("rx", q, angle=0.3),
            Gate("cx" if layer % 2 else "rxx", (q, q + 1), **({} if layer % 2 else {"angle": 0.5})),
        )
    ]
    for _ in range(3):
        place = int(generator.integers(len(gates)))
        change = int(generator.integers(4))
        gate = gates[place]
        if change == 0:
            del gates[place]
        elif change == 1:
            gates.insert(int(generator.integers(len(gates))), gates.pop(place))
        elif change == 2:
            gates[place] = gate.moved(gate.qubits[::-1])
        else:
            gates[place] = Gate("rx", gate.qubits[0], angle=0.31)
    circuit = Circuit(12, gates)
    letters = [str(letter) for letter in generator.permutation(list("XYZ"))]
    assert_found_alike(circuit, [{q: letter} for letter in letters for q in range(12)])


@pytest.mark.parametrize("seed", range(20))
def test_cones_of_random_circuits(seed):
    circuit = random_circuit(seed, qubits=5, gates=25)
    strings = [{a: "X", b: "Z"} for a, b in itertools.combinations(range(5), 2)]
    assert_found_alike(circuit, strings + [{q: "Y"} for q in range(5)])


def test_one_wires_serves_all_strings():
    circuit = random_circuit(3, qubits=5, gates=40)
    wires = Wires(circuit)
    for a, b in itertools.combinations(range(5), 2):
        letters = {a: "X", b: "Z"}
        assert light_cone(wires, letters) == light_cone(Wires(circuit), letters)
    assert light_cone(wires, {0: "Z"}) == light_cone(Wires(circuit), {0: "Z"})

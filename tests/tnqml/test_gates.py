import numpy as np
import pytest
import torch
from random_circuits import ANGLED, ONE, TWO, random_gate

from tnqml import KINDS, Circuit, CircuitError, DistributedModel, Gate, TnqmlError, X, reference
from tnqml.paulis import pauli_matrix


def gate(kind, seed=0, **options):
    generator = np.random.default_rng(seed)
    return random_gate(kind, generator, qubits=4, features=2, parameters=2, **options)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_the_unitary_is_that_of_the_definition(kind, seed):
    one = gate(kind, seed)
    for angle in (0.0, 0.3, -2.1, 7.0) if one.form.has_angle else (0.0,):
        matrix = one.form.unitary(angle)
        np.testing.assert_allclose(matrix, reference.small_matrix(one, angle), atol=1e-14)
        np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_the_dagger_undoes_the_gate(kind, seed):
    one = gate(kind, seed)
    inverse = one.dagger()
    x, theta = [0.7, -1.2], [0.4, 2.3]
    product = reference.small_matrix(inverse, inverse.angle(x, theta)) @ reference.small_matrix(
        one, one.angle(x, theta)
    )
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-13)
    assert (inverse.qubits, inverse.party, inverse.source, inverse.slot) == (
        one.qubits,
        one.party,
        one.source,
        one.slot,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_axes_are_the_paulis_that_commute(kind, seed):
    one = gate(kind, seed)
    arity = len(one.qubits)
    for qubit, axis in enumerate(one.axes):
        commuting = [
            letter
            for letter in "XYZ"
            if all(
                np.allclose(unitary @ pauli, pauli @ unitary, atol=1e-12)
                for angle in (0.7, 1.9)
                for unitary in [reference.small_matrix(one, angle)]
                for pauli in [pauli_matrix("I" * qubit + letter + "I" * (arity - qubit - 1))]
            )
        ]
        assert axis in commuting if axis else not commuting


def test_the_angle_comes_from_its_source():
    x, theta = [1.0, 2.0, 3.0], [10.0, 20.0]
    assert Gate("rx", 0, feature=2).angle(x, theta) == 3
    assert Gate("rx", 0, feature=2, scale=-0.5).angle(x, theta) == -1.5
    assert Gate("rx", 0, parameter=1, scale=2).angle(x, theta) == 40
    assert Gate("rx", 0, angle=0.25).angle(x, theta) == 0.25
    assert Gate("h", 0).angle(x, theta) == 0


def test_moving_and_shifting():
    one = Gate("crx", (0, 1), parameter=3, scale=2, party="bob")
    assert one.moved((5, 2)).qubits == (5, 2)
    assert one.shifted(parameters=4, features=9).slot == 7
    assert one.shifted(features=9) == one
    assert one.moved((0, 1)) == one
    assert Gate("rx", 0, feature=1).shifted(features=2).slot == 3
    assert Gate("h", 0).shifted(features=2, parameters=2) == Gate("h", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda gate: gate.moved([0]), "acts on 2 qubit"),
        (lambda gate: gate.moved([0, 0]), "names a qubit twice"),
        (lambda gate: gate.moved([0, 2**62]), "below 2"),
        (lambda gate: gate.shifted(parameters=-4), "parameter=-1; expected an index"),
        (lambda gate: gate.shifted(parameters=2**62), "expected an index"),
        (lambda gate: gate.reading_feature(-1), "feature=-1; expected an index"),
        (lambda gate: Gate("h", 0, party=gate.party).reading_feature(0), "has no angle"),
        (lambda gate: gate.owned_by(3), "the party 3; expected a name or None"),
    ],
)
def test_a_changed_gate_is_checked(change, message):
    with pytest.raises(CircuitError, match=message):
        change(Gate("crx", (0, 1), parameter=3))


def test_a_fixed_angle_becomes_a_feature_as_it_is():
    assert Gate("rx", 0, angle=0.3).reading_feature(2) == Gate("rx", 0, feature=2)
    scaled = Gate("rx", 0, parameter=1, scale=-2.0).reading_feature(2)
    assert scaled == Gate("rx", 0, feature=2, scale=-2.0)


def test_equal_gates_are_equal_and_hash_alike():
    matrix = np.array([[0, 1], [1, 0]])
    pairs = [
        (Gate("rz", 0, feature=1), Gate("rz", [0], feature=1)),
        (Gate("unitary", 0, matrix=matrix), Gate("unitary", 0, matrix=matrix.astype(complex))),
        tuple(Gate("diagonal", 0, angle=1, phases=[zero, 1]) for zero in (0, -0.0)),
        (Gate("rz", np.int64(0), feature=np.int32(1)), Gate("rz", 0, feature=1)),
    ]
    for one, other in pairs:
        assert one == other
        assert hash(one) == hash(other)
    assert Gate("rz", 0, feature=1) != Gate("rz", 0, parameter=1)
    assert Gate("rz", 0, feature=1) != Gate("rz", 0, feature=1, party="alice")


def test_an_array_that_is_changed_later_does_not_change_the_gate():
    matrix = np.eye(2)
    one = Gate("unitary", 0, matrix=matrix)
    matrix[0, 0] = 7
    np.testing.assert_array_equal(one.form.unitary(), np.eye(2))


def test_an_unknown_gate_lists_the_known_ones():
    with pytest.raises(CircuitError, match="unknown gate 'toffoli'") as caught:
        Gate("toffoli", (0, 1, 2))
    assert all(kind in str(caught.value) for kind in KINDS)
    assert isinstance(caught.value, TnqmlError)


NEARLY = np.eye(2) + 1e-3 * np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("h", []), {}, "names no qubit"),
        (("cz", (1, 1)), {}, r"names a qubit twice: \(1, 1\)"),
        (("unitary", (0, 2, 0)), {"matrix": np.eye(8)}, "names a qubit twice"),
        (("h", -1), {}, "names the qubit -1"),
        (("cz", (0, -2)), {}, "names the qubit -2"),
        (("h", [0.5]), {}, "names the qubit 0.5"),
        (("h", [True]), {}, "names the qubit True"),
        (("h", ["a"]), {}, "names the qubit 'a'"),
        (("h", (0, 1)), {}, r"acts on 1 qubit\(s\), got 2"),
        (("cz", 0), {}, r"acts on 2 qubit\(s\), got 1"),
        (("rx", 0), {}, "exactly one of feature, parameter or angle; got none"),
        (("rx", 0), {"feature": 0, "parameter": 0}, "got feature and parameter"),
        (("rx", 0), {"feature": 0, "angle": 0.0}, "got feature and angle"),
        (("pauli", 0), {"word": "X"}, "got none"),
        (("diagonal", 0), {"phases": [0, 1]}, "got none"),
        (("h", 0), {"angle": 0.5}, "'h' has no angle, but angle was given"),
        (("h", 0), {"angle": 0.0}, "'h' has no angle"),
        (("cz", (0, 1)), {"parameter": 0}, "has no angle, but parameter was given"),
        (("unitary", 0), {"matrix": np.eye(2), "feature": 0}, "has no angle"),
        (("rx", 0), {"feature": -1}, "feature=-1; expected an index"),
        (("rx", 0), {"parameter": 1.5}, "parameter=1.5; expected an index"),
        (("rx", 0), {"parameter": True}, "parameter=True; expected an index"),
        (("rx", 0), {"parameter": 0, "scale": float("nan")}, "angle or scale nan"),
        (("rx", 0), {"feature": 0, "scale": float("inf")}, "angle or scale inf"),
        (("rx", 0), {"angle": float("nan")}, "angle or scale nan"),
        (("rx", 0), {"angle": 1.0, "scale": 2.0}, "scale of gate 'rx' has no effect"),
        (("h", 0), {"scale": 2.0}, "scale of gate 'h' has no effect"),
        (("pauli", 0), {"angle": 1.0}, "'pauli' needs word="),
        (("pauli", (0, 1)), {"angle": 1.0, "word": "X"}, "'X' for 2 qubits; expected 2 letters"),
        (("pauli", (0, 1)), {"angle": 1.0, "word": "XI"}, "'XI' for 2 qubits; .* X, Y, Z"),
        (("pauli", 0), {"angle": 1.0, "word": "z"}, "Pauli word 'z'"),
        (("diagonal", 0), {"angle": 1.0}, "'diagonal' needs phases="),
        (("diagonal", 0), {"angle": 1.0, "phases": [0, 1, 2]}, r"\(3,\) for 1 qubits; expected 2"),
        (("diagonal", 0), {"angle": 1.0, "phases": [[0, 1]]}, "expected 2 finite reals"),
        (("diagonal", 0), {"angle": 1.0, "phases": [0, np.nan]}, "expected 2 finite reals"),
        (("diagonal", 0), {"angle": 1.0, "phases": [0, 1j]}, "expected 2 finite reals"),
        (("unitary", 0), {}, "'unitary' needs matrix="),
        (("unitary", 0), {"matrix": np.eye(4)}, r"\(4, 4\) for 1 qubits; expected \(2, 2\)"),
        (("unitary", (0, 1)), {"matrix": np.eye(2)}, r"expected \(4, 4\)"),
        (("unitary", 0), {"matrix": NEARLY}, "not unitary.* 0.002"),
        (("unitary", 0), {"matrix": 2 * np.eye(2)}, "not unitary: .* by 3; expected at most 1e-08"),
        (("unitary", 0), {"matrix": np.full((2, 2), np.nan)}, "not unitary"),
        (("h", 0), {"word": "X"}, "word has no effect on gate 'h'"),
        (("rx", 0), {"angle": 1.0, "phases": [0, 1]}, "phases has no effect on gate 'rx'"),
        (("rx", 0), {"angle": 1.0, "matrix": np.eye(2)}, "matrix has no effect on gate 'rx'"),
        (("diagonal", 0), {"angle": 1.0, "phases": [0, 1], "word": "X"}, "word has no effect"),
    ],
)
def test_a_bad_gate_is_refused(arguments, options, message):
    with pytest.raises(CircuitError, match=message):
        Gate(*arguments, **options)


def test_the_lists_of_the_tests_are_complete():
    assert set(ANGLED) == {kind for kind in KINDS if gate(kind).form.has_angle}
    assert all(gate(kind).form.arity == 1 for kind in ONE)
    assert all(gate(kind).form.arity == 2 for kind in TWO)


@pytest.mark.parametrize("seed", range(5))
def test_frequencies_of_diagonal_gates_keep_all_their_digits(seed):
    """Where they were rounded to 12 places, large angles showed it."""
    generator = np.random.default_rng(seed)
    one, two = (generator.uniform(-7, 7, size) for size in (2, 4))
    gates = [
        *(Gate("h", qubit) for qubit in range(2)),
        Gate("diagonal", 0, phases=one, feature=0),
        Gate("diagonal", (0, 1), phases=two, feature=0),
    ]
    x = 1e3 * torch.rand(20, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    values = [
        DistributedModel(Circuit(2, gates), [X(0), X(1)], route=route, dtype=torch.float64)(x)
        for route in ("pauli", "state")
    ]
    torch.testing.assert_close(*values, rtol=0, atol=3e-11)

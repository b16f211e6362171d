"""Quantum one-message protocols: exact where promised, else as the formula says, parties apart."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isolation import assert_instance_isolated
from scipy.stats import binom, chisquare

from tnqml import InputError
from tnqml.protocols import (
    Answer,
    encode,
    gradient_form,
    half_encode,
    hybrid_state,
    linear_by_ancilla,
    linear_from_state,
    linear_instance,
    measure,
    rotation_onto,
    subspace_by_gradient,
    subspace_by_state,
    subspace_from_gradient,
    subspace_from_state,
    subspace_instance,
    success_rate,
)
from tnqml.protocols.problems import one_way

QUBITS = st.integers(1, 6)
SEEDS = st.integers(0, 2**32)


def paulis(matrix, qubit, qubits):
    """A matrix on one qubit of a register, dense."""
    return np.kron(np.kron(np.eye(2**qubit), matrix), np.eye(2 ** (qubits - qubit - 1)))


@pytest.mark.parametrize("protocol", [subspace_by_state, subspace_by_gradient])
def test_never_wrong_under_the_promise(protocol):
    copies = 1 if protocol is subspace_by_state else 2
    for seed in range(400):
        qubits = 1 + seed % 6
        instance = subspace_instance(2**qubits, seed=seed)
        answer = protocol(instance, seed=seed, qubit=seed % qubits)
        assert answer.value == instance.answer
        assert answer.ledger.qubits == copies * qubits
        assert (answer.ledger.bits, answer.ledger.rounds) == (0, 1)


@given(QUBITS, SEEDS, st.data())
def test_rotation_takes_the_subspace_to_a_qubit(qubits, seed, data):
    qubit = data.draw(st.integers(0, qubits - 1))
    basis = subspace_instance(2**qubits, seed=seed).basis
    rotation = rotation_onto(basis, qubit=qubit)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(2**qubits), atol=1e-12)
    z = paulis(np.diag([1, -1]), qubit, qubits)
    np.testing.assert_allclose(
        rotation.T @ z @ rotation, 2 * basis @ basis.T - np.eye(2**qubits), atol=1e-12
    )


@given(QUBITS, SEEDS, st.data())
def test_gradient_form_against_dense_matrices(qubits, seed, data):
    # no promise here: any unit vector beside the subspace
    qubit = data.draw(st.integers(0, qubits - 1))
    basis = subspace_instance(2**qubits, seed=seed).basis
    generator = np.random.default_rng(seed)
    vector = generator.standard_normal(2**qubits)
    vector /= np.linalg.norm(vector)
    state = rotation_onto(basis, qubit=qubit) @ vector
    x, y, z = (
        paulis(np.array(m), qubit, qubits)
        for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
    )

    def f(angle):
        return gradient_form(encode(vector), basis, angle=angle, qubit=qubit)

    angle = float(generator.uniform(-3, 3))
    turned = np.cos(angle / 2) * state - 1j * np.sin(angle / 2) * (x @ state)
    assert f(angle) == pytest.approx((turned.conj() @ y @ turned).real, abs=1e-12)
    derivative = (f(1e-5) - f(-1e-5)) / 2e-5
    expected = -(state @ z @ state)
    assert derivative == pytest.approx(expected, abs=1e-9)
    assert (f(np.pi / 2) - f(-np.pi / 2)) / 2 == pytest.approx(expected, abs=1e-12)
    side = 2 * np.sum((basis.T @ vector) ** 2) - 1
    assert expected == pytest.approx(-side, abs=1e-12)


@given(QUBITS, SEEDS, st.floats(0.01, 1), st.sampled_from([1, -1]))
def test_ancilla_probability(qubits, seed, margin, answer):
    instance = linear_instance(2**qubits, margin=margin, seed=seed, answer=answer)
    final = hybrid_state(instance.weights, half_encode(instance.data))
    x, w = instance.data, instance.weights
    np.testing.assert_allclose(final, np.concatenate([x + w, x - w]) / 2, atol=1e-13)
    zero = np.sum(np.abs(final[: 2**qubits]) ** 2)
    assert zero == pytest.approx((1 + answer * margin) / 2, abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_weights_on_an_axis(sign):
    weights = np.array([sign * 1.0, 0, 0, 0])
    data = np.array([0.6, 0, 0.8, 0])
    final = hybrid_state(weights, half_encode(data))
    expected = np.concatenate([data + weights, data - weights]) / 2
    np.testing.assert_allclose(final, expected, atol=1e-15)


# the odd number of copies that first reaches 90%: 7 and 41 in section 2 of the theory
@pytest.mark.parametrize(("margin", "copies"), [(0.5, 7), (0.2, 41)])
def test_copies_for_ninety_percent(margin, copies):
    zero = (1 + margin) / 2
    expected = [binom.sf(count // 2, count, zero) for count in (copies - 2, copies)]
    assert expected[0] < 0.9 < expected[1]
    protocol = partial(linear_by_ancilla, copies=copies)
    instances = [linear_instance(16, margin=margin, seed=7, answer=answer) for answer in (1, -1)]
    measured = success_rate(protocol, instances, trials=2000, seed=1)
    low, high = binom.interval(1 - 3e-5, 2000, expected[1])
    assert low <= measured.successes <= high
    entry = protocol(instances[0], seed=0).ledger[0]
    assert (entry.sender, entry.receiver, entry.kind) == ("alice", "bob", "qubit")
    assert (entry.size, entry.copies, entry.total) == (5, copies, 5 * copies)


def test_whole_strings_have_the_states_marginals_and_correlations():
    instance = linear_instance(8, margin=0.4, seed=3)
    final = hybrid_state(instance.weights, half_encode(instance.data))
    strings = measure(final, shots=20_000, seed=4)
    assert strings.shape == (20_000, 4)
    index = strings @ (8, 4, 2, 1)
    counts = np.bincount(index, minlength=16)
    assert chisquare(counts, 20_000 * np.abs(final) ** 2).pvalue > 1e-4
    signs, expected_signs = (
        1 - 2 * strings.astype(float),
        1 - 2 * ((np.arange(16)[:, None] >> np.arange(3, -1, -1)) & 1),
    )
    expected = np.einsum("s,si,sj->ij", np.abs(final) ** 2, expected_signs, expected_signs)
    np.testing.assert_allclose(signs.T @ signs / 20_000, expected, atol=4.5 / np.sqrt(20_000))


@pytest.mark.parametrize(
    "protocol",
    [
        partial(subspace_by_state, seed=5),
        partial(subspace_by_gradient, seed=5),
        partial(linear_by_ancilla, copies=4, seed=5),
    ],
)
def test_each_party_sees_its_own_data_and_the_messages_only(protocol, monkeypatch):
    linear = "linear" in protocol.func.__name__
    for seed in range(5):
        make = partial(linear_instance, margin=0.3) if linear else subspace_instance
        instance = make(16, seed=seed)
        alice, bob = ("data", "weights") if linear else ("vector", "basis")
        run = assert_instance_isolated(
            monkeypatch, one_way, instance, protocol=protocol, alice=alice, bob=bob
        )
        assert Answer(run.results["bob"], run.ledger) == protocol(instance)


def test_bad_input():
    linear, subspace = linear_instance(4, margin=0.5, seed=0), subspace_instance(4, seed=0)
    for size in (6, 12):
        with pytest.raises(InputError, match=f"dimension is {size}.*power of two"):
            subspace_by_state(subspace_instance(size, seed=0), seed=0)
        with pytest.raises(InputError, match=f"dimension is {size}.*power of two"):
            linear_by_ancilla(linear_instance(size, margin=0.5, seed=0), copies=1, seed=0)
    for copies in (0, -2, 0.5):
        with pytest.raises(InputError, match=f"copies is {copies}"):
            linear_by_ancilla(linear, copies=copies, seed=0)
    for qubit, message in ((2, "has qubits 0 to 1"), (-1, "at least 0")):
        with pytest.raises(InputError, match=message):
            subspace_by_state(subspace, seed=0, qubit=qubit)
    wrong = encode(linear_instance(8, margin=0.5, seed=0).data)
    with pytest.raises(InputError, match="8 amplitudes arrived; Bob's part needs 4"):
        subspace_from_state(subspace.basis, wrong, seed=0)
    with pytest.raises(InputError, match="4 amplitudes arrived; Bob's part needs 8"):
        linear_from_state(linear.weights, wrong[:4], copies=1, seed=0)
    with pytest.raises(InputError, match="1 copies arrived; expected 2"):
        subspace_from_gradient(subspace.basis, [encode(subspace.vector)], seed=0)

"""Generators as Pauli words, their blocks and how they are measured at once, by dense algebra."""

import numpy as np
import pytest
import random_circuits
from scipy.linalg import expm

from tnqml import Circuit, Gate, InputError, ansatz, reference
from tnqml.protocols.execution.holders import turns
from tnqml.protocols.gradients.diagonalise import diagonalise
from tnqml.protocols.gradients.generators import commute, commuting_blocks, generator_words


def dense(word, qubits):
    letters = dict(word)
    return reference._word("".join(letters.get(qubit, "I") for qubit in range(qubits)))


def dense_unitary(gates, theta, x, qubits):
    matrix = np.eye(2**qubits, dtype=complex)
    for gate in gates:
        small = reference.small_matrix(gate, gate.angle(x.tolist(), theta.tolist()))
        matrix = reference.full_matrix(small, gate.qubits, qubits) @ matrix
    return matrix


@pytest.mark.parametrize("seed", range(8))
def test_hybrid_identity_at_the_cuts_of_circuits_of_every_kind_of_gate(seed):
    qubits = 3 + seed % 2
    circuit = random_circuits.random_circuit(seed, qubits=qubits, gates=60)
    theta, x = random_circuits.angles(seed, circuit.parameters), random_circuits.angles(seed + 1, 3)
    observable = random_circuits.random_string(np.random.default_rng(seed), qubits)
    reflection = dense(observable.terms[0][1], qubits)
    cut_turns = turns(circuit)
    found = np.zeros(circuit.parameters)
    start = np.eye(2**qubits)[0]
    for block in commuting_blocks(circuit):
        place = cut_turns[block.turn].first + block.cut
        before = dense_unitary(circuit.gates[:place], theta, x, qubits)
        after = dense_unitary(circuit.gates[place:], theta, x, qubits)
        mu = before @ start
        hybrid = np.concatenate([mu, after.conj().T @ reflection @ after @ mu]) / np.sqrt(2)
        for term in block.terms:
            joint = np.kron(reference._Y, dense(term.word, qubits))
            found[term.parameter] -= term.weight * np.vdot(hybrid, joint @ hybrid).real
    wanted = random_circuits.central(
        lambda at: random_circuits.reference_values(circuit, [observable], at, x[None])[0, 0],
        theta,
        step=1e-2,
    )
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("kind", random_circuits.ANGLED)
def test_generator_words_make_the_gate_up_to_a_phase_and_commute(kind):
    gate = random_circuits.random_gate(
        kind, np.random.default_rng(3), qubits=3, features=0, parameters=0, source="angle"
    )
    words = generator_words(gate.form)
    generator = sum(value * reference._word(word) for value, word in words)
    wanted = reference.small_matrix(gate, gate.value)
    phases = expm(-1j * gate.value * generator) @ wanted.conj().T
    assert abs(abs(phases[0, 0]) - 1) < 1e-12
    np.testing.assert_allclose(phases, phases[0, 0] * np.eye(len(phases)), atol=1e-12)
    strings = [tuple((q, a) for q, a in enumerate(word) if a != "I") for _, word in words]
    assert all(commute(one, other) for one in strings for other in strings)


def test_a_block_is_every_rotation_of_a_brickwork_turn():
    blocks = commuting_blocks(ansatz.brickwork(5, layers=3))
    assert [(block.party, block.turn, block.cut) for block in blocks] == [
        ("alice", 0, 5 + 5 + 5),  # Hadamards, uploads, RY; then its CZ
        *[("bob", 1, 5), ("alice", 2, 10), ("bob", 3, 5), ("alice", 4, 10), ("bob", 5, 5)],
    ]
    assert [len(block.terms) for block in blocks] == [5] * 6
    assert blocks[0].words == tuple(((qubit, "Y"),) for qubit in range(5))


def test_all_strings_of_a_diagonal_gate_are_one_block():
    phases = np.random.default_rng(0).normal(size=16)
    gates = [
        Gate("h", 0, party="alice"),
        Gate("diagonal", range(4), phases=phases, parameter=0, party="bob"),
    ]
    (block,) = commuting_blocks(Circuit(4, gates))
    assert len(block.words) == 2**4 - 1
    assert {letter for word in block.words for _, letter in word} == {"Z"}


def test_words_pass_through_what_commutes_and_stop_at_what_does_not():
    matrix = np.kron(np.diag([1, 1j]), np.eye(2))  # commutes with Z of its first qubit
    gates = [
        Gate("h", 0, party="alice"),
        Gate("rz", 0, parameter=0, party="bob"),
        Gate("cx", (0, 1), party="bob"),  # Z of its control passes
        Gate("unitary", (0, 1), matrix=matrix, party="bob"),
        Gate("rx", 1, parameter=1, party="bob"),  # X of the target passes, Z of the control
        Gate("rz", 0, parameter=2, party="bob"),
        Gate("h", 0, party="bob"),
        Gate("rz", 0, parameter=3, party="bob"),  # behind the Hadamard
    ]
    blocks = commuting_blocks(Circuit(2, gates))
    assert [[term.parameter for term in block.terms] for block in blocks] == [[0, 1, 2], [3]]
    assert [block.cut for block in blocks] == [5, 7]


def random_commuting(seed, *, qubits, count):
    """Random Z strings seen through a random Clifford circuit, letter by letter dense."""
    generator = np.random.default_rng(seed)
    words, letters = [], list("IXYZ")
    while len(words) < count:
        word = tuple(
            (qubit, letter)
            for qubit, letter in enumerate(generator.choice(letters, qubits))
            if letter != "I"
        )
        if word and all(commute(word, other) for other in words):
            words.append(word)
    return words


@pytest.mark.parametrize("seed", range(10))
def test_diagonalise_turns_commuting_strings_into_z_strings(seed):
    qubits = 1 + seed % 5
    words = random_commuting(seed, qubits=qubits, count=7)
    form = diagonalise(words, qubits=qubits)
    unitary = dense_unitary(form.gates, np.zeros(0), np.zeros(0), qubits)
    for word, mask, sign in zip(words, form.masks, form.signs, strict=True):
        z_string = dense([(qubit, "Z") for qubit in np.flatnonzero(mask)], qubits)
        np.testing.assert_allclose(
            unitary @ dense(word, qubits) @ unitary.conj().T, sign * z_string, atol=1e-12
        )
    state = random_circuits.angles(seed, 2**qubits) + 0j
    np.testing.assert_allclose(form.turned(state[None])[0], unitary @ state, atol=1e-12)


def test_diagonalise_leaves_z_strings_alone_and_refuses_what_does_not_commute():
    form = diagonalise([((0, "Z"), (2, "Z")), ((1, "Z"),)], qubits=3)
    assert form.gates == ()
    assert form.masks.tolist() == [[1, 0, 1], [0, 1, 0]]
    strings = np.array([[1, 0, 0], [1, 1, 1]], dtype=np.uint8)
    assert form.outcomes(strings).tolist() == [[-1, 1], [1, -1]]
    with pytest.raises(InputError, match="do not commute"):
        diagonalise([((0, "Z"),), ((0, "X"), (1, "X"))], qubits=2)

"""Parameters from repeated queries, against dense states."""

import numpy as np
import pytest
from scipy.stats import chisquare

from tnqml import Circuit, Gate, ansatz, reference
from tnqml.errors import InputError
from tnqml.protocols.privacy.queries import apart, fit, query


def bob():
    """Rotations of three qubits and a CZ."""
    gates = [Gate("rx", qubit, parameter=qubit, party="bob") for qubit in range(3)]
    return Circuit(3, [*gates, Gate("cz", (1, 2), party="bob")])


def test_outcomes_have_the_probabilities_of_the_gates():
    circuit = Circuit(1, [Gate("rx", 0, parameter=0, scale=2.0), Gate("t", 0)])
    angles = np.array([0.4])
    found = query(circuit, angles, copies=7200, seed=0)
    unitary = np.stack(
        [
            reference.state(Circuit(1, [Gate("x", 0)] * flip + [*circuit.gates]), angles, [])
            for flip in (0, 1)
        ],
        axis=1,
    )  # columns: what becomes of |0> and of |1>
    kinds = np.unique(np.round(np.concatenate([found.sent, found.found]), 9), axis=0)
    assert len(kinds) == 6
    counts, expected = np.zeros((6, 6)), np.zeros((6, 6))
    for sent, read in zip(found.sent, found.found, strict=True):
        counts[np.abs(kinds - sent).sum(1).argmin(), np.abs(kinds - read).sum(1).argmin()] += 1
    for row, sent in enumerate(kinds):
        chances = np.abs(kinds.conj() @ unitary @ sent) ** 2 / 3
        expected[row] = counts[row].sum() * chances
    used = expected > 1
    assert counts[~used].sum() == 0
    assert (
        chisquare(counts[used], expected[used] * counts.sum() / expected[used].sum()).pvalue > 0.01
    )


def test_the_register_goes_there_and_back_for_every_query():
    ledger = query(bob(), np.zeros(3), copies=5, seed=0).ledger
    assert [(entry.sender, entry.receiver, entry.total) for entry in ledger] == [
        ("alice", "bob", 15),
        ("bob", "alice", 15),
    ]


def test_the_error_falls_as_the_root_of_the_queries():
    errors = []
    for copies in (64, 1024):
        squares = []
        for seed in range(20):
            truth = np.random.default_rng(seed).uniform(-np.pi, np.pi, 3)
            queries = query(bob(), truth, copies=copies, seed=seed + 100)
            squares.append(apart(fit(bob(), queries, seed=seed + 200), truth) ** 2)
        errors.append(np.sqrt(np.mean(squares)))
    assert errors[1] < 0.1
    assert 2.5 < errors[0] / errors[1] < 6.5


def test_deeper_gates_are_found():
    circuit = ansatz.brickwork(4, layers=2, uploads=0, start="zero", parties=("bob",))
    truth = np.random.default_rng(0).uniform(-np.pi, np.pi, circuit.parameters)
    queries = query(circuit, truth, copies=200, seed=1)
    assert np.abs(apart(fit(circuit, queries, seed=2), truth)).max() < 0.5


def test_the_fit_is_at_least_as_likely_as_the_truth():
    truth = np.array([1.0, -2.0, 0.3])
    queries = query(bob(), truth, copies=100, seed=3)
    guess = fit(bob(), queries, seed=4)

    def likelihood(angles):
        unitary = np.stack(
            [reference.state(bob().on_amplitudes(8), angles, basis) for basis in np.eye(8)],
            axis=1,
        )
        overlaps = ((queries.sent @ unitary.T) * queries.found.conj()).sum(1)
        return np.log(np.abs(overlaps) ** 2).sum()

    assert likelihood(guess) >= likelihood(truth)
    for step in np.random.default_rng(5).standard_normal((30, 3)):
        assert likelihood(guess + 0.02 * step) <= likelihood(guess) + 1e-6


def test_angles_are_compared_modulo_a_turn():
    found = apart(np.array([3.1, 0.5]), np.array([-3.1, 0.2]))
    np.testing.assert_allclose(found, [6.2 - 2 * np.pi, 0.3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: query(bob(), np.zeros(3), copies=0, seed=0), "copies is 0"),
        (lambda: query(bob(), np.zeros(2), copies=1, seed=0), "2 parameters"),
        (
            lambda: query(Circuit(1, [Gate("rx", 0, feature=0)]), np.zeros(0), copies=1, seed=0),
            "1 features",
        ),
        (lambda: query(Circuit(1, [Gate("h", 0)]), np.zeros(0), copies=1, seed=0), "at least one"),
        (
            lambda: fit(
                Circuit(1, [Gate("rx", 0, parameter=0)]),
                query(bob(), np.zeros(3), copies=1, seed=0),
                seed=0,
            ),
            "8 amplitudes",
        ),
    ],
)
def test_bad_queries_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

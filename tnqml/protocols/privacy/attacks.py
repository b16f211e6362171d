"""Attacks on copies of an unknown state: measure them, and guess it.

Everybody who gets T copies of a message can run them. What a measurement finds is kept as kets, one
for each copy: the basis vectors whose outcomes were read.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.one_shot import State, qubits_of
from tnqml.protocols.streams import stream
from tnqml.sampling import draw

Kets = NDArray[np.complex128]

PAULI_BASES = np.array(
    [
        [[1, 1], [1, -1]] / np.sqrt(2),
        [[1, 1j], [1, -1j]] / np.sqrt(2),
        [[1, 0], [0, 1]],
    ],
    dtype=np.complex128,
)
"""(3, 2, 2): for X, Y and Z the kets of the outcomes 0 and 1."""

_BASES, _REST = 0, 1  # streams of one seed, from which the state may be drawn too
_ROUNDS = 50
_SMALLEST = 1e-12  # of an overlap that is divided by


def collective_guess(
    state: State,  # (d,)
    *,
    copies: int,
    seed: int,
) -> State:
    """(d,): a guess from T copies measured together, at best average fidelity on Haar states.

    The covariant measurement with elements proportional to |g><g|^T, for all g, finds g with
    probability proportional to |<g|state>|^(2 T). Under Haar-random g the fidelity F has the
    density (d - 1)(1 - F)^(d - 2), so given the state F is Beta(T + 1, d - 1), with mean
    (T + 1)/(T + d), and the rest of g is Haar-random orthogonal to it: sampled exactly at any T.
    No copies give a Haar-random guess.

    Source: Massar, Popescu, PRL 74 (1995) 1259; the distribution derived here.
    """
    check_count(copies, "copies", least=0)
    return _only(_covariant(state, 1, exponent=copies, seed=seed))


def covariant_kets(
    state: State,  # (d,)
    *,
    copies: int,
    seed: int,
) -> Kets:
    """(copies, d): each copy alone measured in a Haar-random basis of its own.

    A vector of such a basis that is read is distributed as by the covariant measurement of one
    copy.
    """
    check_count(copies, "copies")
    return _covariant(state, copies, exponent=1, seed=seed)


def local_kets(
    state: State,  # (2^n,)
    *,
    copies: int,
    seed: int,
) -> Kets:
    """(copies, 2^n): each copy alone, each of its qubits in X, Y or Z at random.

    Raises:
        InputError: no copies, or the state is not of 2^n amplitudes.
    """
    check_count(copies, "copies")
    return each_local_ket(np.broadcast_to(state, (copies, len(state))), seed=seed)


def each_local_ket(
    states: Kets,  # (copies, 2^n)
    *,
    seed: int,
) -> Kets:
    """(copies, 2^n): as `local_kets`, for a copy of each of these states."""
    copies, size = states.shape
    qubits = qubits_of(size)
    bases = stream(seed, _BASES).integers(0, 3, (copies, qubits))
    turned = states
    for qubit in range(qubits):
        grid = turned.reshape(copies, 2**qubit, 2, -1)
        onto = PAULI_BASES[bases[:, qubit]].conj()  # (copies, outcome, entry)
        turned = np.einsum("cob,cxby->cxoy", onto, grid).reshape(copies, -1)
    generator = torch.Generator().manual_seed(seed)
    strings = draw(torch.from_numpy(np.abs(turned) ** 2), shots=1, generator=generator)
    return product_kets(bases, strings[:, 0].numpy())


def product_kets(
    bases: NDArray[np.integer],  # (copies, n) of 0, 1, 2 for X, Y, Z
    bits: NDArray[np.integer],  # (copies, n) of 0 and 1
) -> Kets:
    """(copies, 2^n): products of one-qubit kets, qubit 0 the most significant."""
    kets: Kets = np.ones((len(bases), 1), dtype=np.complex128)
    for letters, outcomes in zip(bases.T, bits.T, strict=True):
        single = PAULI_BASES[letters, outcomes]
        kets = (kets[:, :, None] * single[:, None, :]).reshape(len(kets), -1)
    return kets


def likeliest_state(
    kets: Kets,  # (copies, d)
) -> State:
    """(d,): the pure state of largest likelihood prod_t |<ket_t|g>|^2, as far as it is found.

    From the largest eigenvector of sum_t |ket_t><ket_t|, which linear inversion would report for
    random bases, g is moved along R g, R = mean_t |ket_t><ket_t| / |<ket_t|g>|^2, whose fixed
    points are stationary; the likeliest g on the way is kept.

    Source: the iteration of Hradil 1997, for pure states and diluted by the identity.
    """
    guess = best = leading_vector(kets)
    largest = -np.inf
    for _ in range(_ROUNDS):
        overlaps = kets.conj() @ guess
        sizes = np.maximum(np.abs(overlaps), _SMALLEST)
        likelihood = float(np.log(sizes).sum())
        if likelihood > largest:
            largest, best = likelihood, guess
        moved = guess + (overlaps / sizes**2) @ kets / len(kets)
        guess = moved / np.linalg.norm(moved)
    return best


def leading_vector(
    rows: NDArray[np.complex128] | NDArray[np.float64],  # (rows, d)
    *,
    weights: NDArray[np.float64] | None = None,  # (rows,)
) -> NDArray[np.complex128]:
    """(d,): the largest eigenvector of the sum of weighted |row><row|.

    As a guess it has the largest mean fidelity with the rows.
    """
    scaled = rows if weights is None else np.sqrt(weights)[:, None] * rows
    _, vectors = np.linalg.eigh(scaled.T @ scaled.conj())
    return np.asarray(vectors[:, -1], dtype=np.complex128)


def fidelity(
    guess: State,  # (d,)
    state: State,  # (d,)
) -> float:
    """|<guess|state>|^2."""
    if guess.shape != state.shape:
        raise InputError(
            f"a guess of {guess.shape} for a state of {state.shape}; expected the same shape"
        )
    return float(np.abs(np.vdot(guess, state)) ** 2)


def haar_state(dimension: int, *, seed: int) -> State:
    """(d,): a Haar-random complex state."""
    check_count(dimension, "the dimension", least=2)
    return _only(_gaussian(1, dimension, np.random.default_rng(seed)))


def _only(rows: Kets) -> State:
    """(d,): the one row."""
    return rows.reshape(-1)


def _covariant(state: State, count: int, *, exponent: int, seed: int) -> Kets:
    """(count, d): vectors g drawn with density |<g|state>|^(2 exponent) over Haar."""
    size = len(state)
    check_count(size, "the dimension", least=2)
    generator = stream(seed, _REST)
    overlap = generator.beta(exponent + 1, size - 1, count)[:, None]
    rest = _gaussian(count, size, generator)
    rest -= (rest @ state.conj())[:, None] * state
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    return np.asarray(np.sqrt(overlap) * state + np.sqrt(1 - overlap) * rest)


def _gaussian(count: int, size: int, generator: np.random.Generator) -> Kets:
    """(count, size): Haar-random unit rows."""
    real, imaginary = generator.standard_normal((2, count, size))
    rows = real + 1j * imaginary
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

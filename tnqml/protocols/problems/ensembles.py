"""Many independent trials of a protocol at once: for each, whether its answer was right.

The protocols themselves, one trial at a time, are `sketches` and `one_shot`; what is here has the
same distribution of answers, which tests/tnqml/test_ensembles.py checks. Where a trial draws its
rows or measures its copies once and is decided after several numbers of them, the outcomes at
different numbers are dependent: resample whole trials.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import Real, check_even
from tnqml.protocols.problems.one_shot import half_encode, hybrid_state, measure, rotation_onto
from tnqml.protocols.problems.random_forms import as_read, kept_forms, sketched_forms
from tnqml.protocols.streams import stream
from tnqml.sampling import draw

Right = NDArray[np.bool_]

_VECTORS = 0  # a stream of one seed
_CHUNK = 2**22  # numbers drawn at once
_STRINGS = 2**18  # bit strings drawn at once


def subspace_sketches(
    size: int, *, numbers: Sequence[int], bits: int, trials: int, seed: int
) -> Right:  # (trials, numbers)
    """(trials, numbers): whether Vector in Subspace by a sketch is right, with so many numbers.

    As `sketches.subspace_by_projections` on random instances, half of each answer. Trials at
    different numbers of projections are independent.

    Args:
        size: N, even.
        numbers: projections that Alice sends, one entry or more.
        bits: of each projection.
        trials: at each of the numbers.
        seed: of everything that is drawn.
    """
    return _decided(sketched_forms, size, numbers=numbers, bits=bits, trials=trials, seed=seed)


def subspace_coefficients(
    size: int, *, numbers: Sequence[int], bits: int, trials: int, seed: int
) -> Right:  # (trials, numbers)
    """(trials, numbers): whether Vector in Subspace by Alice's largest coefficients is right.

    As `sketches.subspace_by_vector`, with all coefficients but so many taken as 0, on random
    instances, half of each answer. Trials at different numbers are independent.

    Args:
        size: N, even.
        numbers: coefficients that Alice sends with their places, one entry or more.
        bits: of each coefficient.
        trials: at each of the numbers.
        seed: of everything that is drawn.
    """
    return _decided(kept_forms, size, numbers=numbers, bits=bits, trials=trials, seed=seed)


def subspace_states(
    basis: Real,  # (N, N / 2)
    *,
    trials: int,
    seed: int,
) -> Right:  # (trials,)
    """(trials,): whether Vector in Subspace by one copy of the state is right.

    Each trial has a new random vector, every other one in H and the rest orthogonal to it, is one
    measured bit string, and is what `one_shot.subspace_by_state` does. Bob's rotation, which
    depends on H alone, is computed once.
    """
    check_count(trials, "trials")
    generator = stream(seed, _VECTORS)  # the subspace may be drawn from the same seed
    frame, _ = np.linalg.qr(basis, mode="complete")
    inside = np.arange(trials) % 2 == 0
    half = len(basis) // 2
    parts = generator.standard_normal((trials, half))
    vectors = np.where(inside[:, None], parts @ frame[:, :half].T, parts @ frame[:, half:].T)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distribution = torch.from_numpy((vectors @ rotation_onto(basis).T) ** 2)
    strings = draw(distribution, shots=1, generator=torch.Generator().manual_seed(seed))
    right: Right = (strings[:, 0, 0].numpy() == 0) == inside
    return right


def shared_projections(
    vectors: Real,  # (m, N)
    *,
    rows: int,
    trials: int,
    seed: int,
) -> Real:  # (m, trials, rows)
    """(m, trials, rows): the vectors projected on Gaussian rows of length N, new in each trial.

    Drawn by torch in single precision, which takes half the time.
    """
    check_count(rows, "the number of projections")
    check_count(trials, "trials")
    size = vectors.shape[1]
    columns = torch.from_numpy(vectors).float().T
    generator = torch.Generator().manual_seed(seed)
    step = max(1, _CHUNK // size)
    counts = [min(step, trials * rows - start) for start in range(0, trials * rows, step)]
    blocks = [torch.randn(count, size, generator=generator) @ columns for count in counts]
    projected: Real = torch.cat(blocks).double().T.numpy()
    return projected.reshape(len(vectors), trials, rows)


def paired_projections(
    products: Real,  # (trials,)
    *,
    rows: int,
    generator: np.random.Generator,
) -> Real:  # (2, trials, rows)
    """(2, trials, rows): projections of two unit vectors whose inner product is given.

    In distribution `shared_projections` of such vectors, of any dimension: two standard normals
    with that correlation.
    """
    check_count(rows, "the number of projections")
    first, second = generator.standard_normal((2, len(products), rows))
    cosine = products[:, None]
    return np.stack([first, cosine * first + np.sqrt(1 - cosine**2) * second])


def signs_right(
    projections: Real,  # (2, trials, rows)
    answers: NDArray[np.int64],  # (trials,)
    *,
    numbers: Sequence[int],
    generator: np.random.Generator,
) -> Right:  # (trials, numbers)
    """Whether the majority of agreeing signs is right, from the first so many projections.

    As `sketches.linear_by_signs`, of which `projections` holds Alice's and Bob's.
    """
    agree = (projections[0] >= 0) == (projections[1] >= 0)
    return _majorities(agree, answers, numbers=numbers, generator=generator)


def numbers_right(
    projections: Real,  # (2, trials, rows)
    answers: NDArray[np.int64],  # (trials,)
    *,
    numbers: Sequence[int],
    bits: int,
) -> Right:  # (trials, numbers)
    """Whether the sign of the projections' inner product is right, from the first so many.

    As `sketches.linear_by_projections`: Alice's numbers cross at `bits` bits each.
    """
    columns = []
    for count in numbers:
        sent = as_read(projections[0, :, :count], bits=bits)
        columns.append(((sent * projections[1, :, :count]).sum(1) >= 0) == (answers > 0))
    return np.stack(columns, axis=1)


def ancillas_right(
    data: Real,  # (points, N)
    weights: Real,  # (N,)
    answers: NDArray[np.int64],  # (points,)
    *,
    copies: Sequence[int],
    trials: int,
    seed: int,
) -> Right:  # (points * trials, copies)
    """Whether the ancilla protocol is right from the first so many copies, `trials` times a point.

    As `one_shot.linear_by_ancilla`: every copy is a whole measured bit string.
    """
    check_count(trials, "trials")
    generator = np.random.default_rng(seed)
    votes = []
    step = max(1, _STRINGS // max(copies))
    for vector in data:
        state = hybrid_state(weights, half_encode(vector))
        for start in range(0, trials, step):
            shots = min(step, trials - start) * max(copies)
            strings = measure(state, shots=shots, seed=int(generator.integers(2**63)))
            votes.append(strings[:, 0].reshape(-1, max(copies)) == 0)
    return _majorities(
        np.concatenate(votes),
        np.repeat(answers, trials),
        numbers=copies,
        generator=generator,
    )


def matchings_right(
    size: int, *, counts: Sequence[int], trials: int, seed: int
) -> Right:  # (trials, counts)
    """Whether Hidden Matching by so many of Alice's bits, at shared places, is right.

    As `hidden_matching.matching_by_bits` on random instances: Bob knows an edge once both its ends
    are among the places, which a trial names one after another, and guesses until then.

    Args:
        size: N, even.
        counts: bits that Alice sends, one entry or more.
        trials: each is decided at all counts.
        seed: of everything that is drawn.
    """
    check_even(size, "the number of bits")
    check_count(trials, "trials")
    generator = np.random.default_rng(seed)
    known = np.empty(trials, dtype=np.int64)
    step = max(1, _CHUNK // size)
    for start in range(0, trials, step):
        drawn = generator.random((len(known[start : start + step]), size))
        turns = drawn.argsort(axis=1).argsort(axis=1)  # when each place is named, from 0
        known[start : start + step] = turns.reshape(len(turns), -1, 2).max(2).min(1)
    guessed = generator.random((trials, len(counts))) < 1 / 2
    right: Right = (known[:, None] < np.asarray(counts)) | guessed
    return right


class _Forms(Protocol):
    """Draws what Bob computes on random instances, as the functions of `random_forms` do."""

    def __call__(
        self, values: Real, *, size: int, numbers: int, bits: int, generator: np.random.Generator
    ) -> tuple[Real, Real]: ...


def _decided(
    draw_forms: _Forms, size: int, *, numbers: Sequence[int], bits: int, trials: int, seed: int
) -> Right:  # (trials, numbers)
    check_count(trials, "trials")
    generator = np.random.default_rng(seed)
    answers = np.where(np.arange(trials) % 2, -1.0, 1.0)
    columns = []
    for count in numbers:
        forms, _ = draw_forms(answers, size=size, numbers=count, bits=bits, generator=generator)
        columns.append((forms >= 0) == (answers > 0))
    return np.stack(columns, axis=1)


def _majorities(
    votes: Right,  # (trials, rows)
    answers: NDArray[np.int64],  # (trials,)
    *,
    numbers: Sequence[int],
    generator: np.random.Generator,
) -> Right:  # (trials, numbers)
    """Whether most of the first so many votes are for the answer; a fair coin at a tie."""
    counts = np.asarray(numbers)
    if counts.min() < 1 or counts.max() > votes.shape[1]:
        raise InputError(
            f"votes to count are {list(numbers)}; expected from 1 to the {votes.shape[1]} at hand"
        )
    lead = 2 * np.cumsum(votes, axis=1)[:, counts - 1] - counts
    coins = generator.choice((-1, 1), size=lead.shape)
    decided = np.where(lead == 0, coins, lead)
    right: Right = (decided > 0) == (answers > 0)[:, None]
    return right

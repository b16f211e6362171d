"""Classical one-message protocols: Alice sends a sketch of her vector, Bob decides from it.

Alice and Bob are two roles of `parties`: hers holds her vector, his his input; they run in this
process or, with `processes`, in two. The answer and the ledger are the same. Both draw the same
Gaussian rows from a shared seed. Shared randomness is free, as in the public-coin model of
communication. No decision depends on the length of the vector sent, hence no scale is sent beside
the numbers.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import LinearInstance, Real, SubspaceInstance
from tnqml.protocols.problems.one_way import one_way
from tnqml.protocols.streams import stream
from tnqml.protocols.trials import Answer

MOST_BITS = 52
_ROWS, _COIN = 0, 1  # streams of one seed, from which the instance may be drawn too

Codes = NDArray[np.int64]


def quantise(
    values: Real,  # (k,)
    *,
    bits: int,
) -> Codes:
    """(k,) integers of `bits` bits: the numbers divided by the largest size, in equal steps.

    At one bit the sign is left.

    Raises:
        InputError: bits is under 1 or over 52, or all numbers are 0.
    """
    _check_bits(bits)
    largest = np.abs(values).max()
    if not (np.isfinite(largest) and largest > 0):
        raise InputError(f"the largest size is {largest}; expected finite numbers, not all 0")
    levels = 2**bits
    codes: Codes = np.floor((values / largest + 1) / 2 * levels).astype(np.int64)
    return codes.clip(max=levels - 1)


def dequantise(
    codes: Codes,  # (k,)
    *,
    bits: int,
) -> Real:
    """(k,) numbers in (-1, 1), the middles of the steps that the integers name.

    Raises:
        InputError: bits is out of its range, or an integer does not fit into so many bits.
    """
    _check_bits(bits)
    if codes.size and (codes.min() < 0 or codes.max() >= 2**bits):
        raise InputError(
            f"integers from {codes.min()} to {codes.max()} in a message of {bits} bits each; "
            f"expected 0 to {2**bits - 1}"
        )
    values: Real = (codes.astype(np.float64) + 0.5) / 2 ** (bits - 1) - 1
    return values


def sketch_message(
    vector: Real,  # (N,)
    *,
    numbers: int,
    bits: int,
    seed: int,
) -> Codes:
    """Alice's message: (numbers,) projections on shared Gaussian rows, `bits` bits each."""
    return quantise(_rows(numbers, len(vector), seed=seed) @ vector, bits=bits)


def subspace_from_sketch(
    basis: Real,  # (N, N / 2)
    codes: Codes,  # (k,)
    *,
    bits: int,
    seed: int,
) -> int:
    """Bob's answer from a sketch: the sign of v^T O v, v = sum_i value_i g_i, O = 2 P_H - 1."""
    rows = _rows(len(codes), len(basis), seed=seed)
    return _side(basis, dequantise(codes, bits=bits) @ rows)


def subspace_from_vector(
    basis: Real,  # (N, N / 2)
    codes: Codes,  # (N,)
    *,
    bits: int,
) -> int:
    """Bob's answer from Alice's whole vector."""
    _check_sizes(codes, len(basis))
    return _side(basis, dequantise(codes, bits=bits))


def linear_from_signs(
    weights: Real,  # (N,)
    codes: Codes,  # (k,)
    *,
    seed: int,
) -> int:
    """Bob's answer from one bit a projection: whether most signs agree with his own.

    Each agrees with probability 1 - arccos(x . w)/pi; a fair coin decides a tie.
    """
    agreeing = int(np.sum((_rows(len(codes), len(weights), seed=seed) @ weights >= 0) == codes))
    return majority(agreeing, len(codes), seed=seed)


def linear_from_sketch(
    weights: Real,  # (N,)
    codes: Codes,  # (k,)
    *,
    bits: int,
    seed: int,
) -> int:
    """Bob's answer from Alice's projections: the sign of their inner product with his own."""
    own = _rows(len(codes), len(weights), seed=seed) @ weights
    return _sign(float(dequantise(codes, bits=bits) @ own))


def linear_from_vector(
    weights: Real,  # (N,)
    codes: Codes,  # (N,)
    *,
    bits: int,
) -> int:
    """Bob's answer from Alice's whole vector: the sign of the inner product."""
    _check_sizes(codes, len(weights))
    return _sign(float(dequantise(codes, bits=bits) @ weights))


def subspace_by_signs(
    instance: SubspaceInstance, *, numbers: int, seed: int, processes: bool = False
) -> Answer:
    """Vector in Subspace with one bit a projection; about sqrt(N) of them reach 90%.

    Raises:
        InputError: numbers is under 1.
    """
    return subspace_by_projections(
        instance, numbers=numbers, bits=1, seed=seed, processes=processes
    )


def subspace_by_projections(
    instance: SubspaceInstance, *, numbers: int, bits: int, seed: int, processes: bool = False
) -> Answer:
    """Vector in Subspace with real-valued projections at `bits` bits each.

    Raises:
        InputError: numbers is under 1, or bits outside 1 to 52.
    """
    return one_way(
        partial(sketch_message, instance.vector, numbers=numbers, bits=bits, seed=seed),
        partial(subspace_from_sketch, instance.basis, bits=bits, seed=seed),
        kind="bit",
        size=bits * numbers,
        purpose="sketch",
        processes=processes,
    )


def subspace_by_vector(instance: SubspaceInstance, *, bits: int, processes: bool = False) -> Answer:
    """Vector in Subspace with Alice's whole vector at `bits` bits a number: N times so many.

    Raises:
        InputError: bits is outside 1 to 52.
    """
    return one_way(
        partial(quantise, instance.vector, bits=bits),
        partial(subspace_from_vector, instance.basis, bits=bits),
        kind="bit",
        size=bits * instance.size,
        purpose="vector",
        processes=processes,
    )


def linear_by_signs(
    instance: LinearInstance, *, numbers: int, seed: int, processes: bool = False
) -> Answer:
    """Linear classification with one bit a projection; about 4.05/margin^2 of them reach 90%.

    Raises:
        InputError: numbers is under 1.
    """
    return one_way(
        partial(sketch_message, instance.data, numbers=numbers, bits=1, seed=seed),
        partial(linear_from_signs, instance.weights, seed=seed),
        kind="bit",
        size=numbers,
        purpose="sketch",
        processes=processes,
    )


def linear_by_projections(
    instance: LinearInstance, *, numbers: int, bits: int, seed: int, processes: bool = False
) -> Answer:
    """Linear classification with real-valued projections at `bits` bits each.

    About 1.64 (1 + margin^2)/margin^2 numbers reach 90% where the bits are many.

    Raises:
        InputError: numbers is under 1, or bits outside 1 to 52.
    """
    return one_way(
        partial(sketch_message, instance.data, numbers=numbers, bits=bits, seed=seed),
        partial(linear_from_sketch, instance.weights, bits=bits, seed=seed),
        kind="bit",
        size=bits * numbers,
        purpose="sketch",
        processes=processes,
    )


def linear_by_vector(instance: LinearInstance, *, bits: int, processes: bool = False) -> Answer:
    """Linear classification with Alice's whole vector at `bits` bits a number.

    Raises:
        InputError: bits is outside 1 to 52.
    """
    return one_way(
        partial(quantise, instance.data, bits=bits),
        partial(linear_from_vector, instance.weights, bits=bits),
        kind="bit",
        size=bits * instance.size,
        purpose="vector",
        processes=processes,
    )


def majority(ones: int, count: int, *, seed: int) -> int:
    """1 where more than half of the votes are ones, -1 where fewer; a seeded coin at a tie."""
    if 2 * ones == count:
        return int(stream(seed, _COIN).choice((1, -1)))
    return _sign(2 * ones - count)


def _rows(numbers: int, size: int, *, seed: int) -> Real:  # (numbers, size)
    """The shared Gaussian rows, which each party draws for itself."""
    check_count(numbers, "the number of projections")
    return stream(seed, _ROWS).standard_normal((numbers, size))


def _side(basis: Real, vector: Real) -> int:
    """The sign of v^T (2 P_H - 1) v."""
    return _sign(2 * float(np.sum((basis.T @ vector) ** 2)) - float(vector @ vector))


def _sign(value: float) -> int:
    return 1 if value >= 0 else -1


def _check_bits(bits: int) -> None:
    check_count(bits, "the bits of a number")
    if bits > MOST_BITS:
        raise InputError(f"the bits of a number are {bits}; expected at most {MOST_BITS}")


def _check_sizes(codes: Codes, size: int) -> None:
    if len(codes) != size:
        raise InputError(
            f"Alice sent {len(codes)} numbers and Bob's dimension is {size}; expected the same"
        )

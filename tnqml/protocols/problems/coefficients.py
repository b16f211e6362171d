"""Vector in Subspace from Alice's largest coefficients: their places and values, the rest as 0.

It does well on random instances, and on any after a rotation that the parties share; without one,
an instance may be chosen against it.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import Real, SubspaceInstance
from tnqml.protocols.problems.one_way import one_way
from tnqml.protocols.problems.sketches import dequantise, quantise
from tnqml.protocols.trials import Answer


def coefficients_message(
    vector: Real,  # (N,)
    *,
    numbers: int,
    bits: int,
) -> NDArray[np.int64]:
    """(2, numbers): Alice's message, the places of her largest coefficients and their codes."""
    places = np.argsort(-np.abs(vector), kind="stable")[:numbers]
    return np.stack([places, quantise(vector[places], bits=bits)])


def subspace_from_coefficients(
    basis: Real,  # (N, N / 2)
    message: NDArray[np.int64],  # (2, numbers)
    *,
    bits: int,
) -> int:
    """Bob's answer: the sign of v^T O v, v the coefficients that arrived, O = 2 P_H - 1."""
    places, codes = message
    vector = np.zeros(len(basis))
    vector[places] = dequantise(codes, bits=bits)
    inside = float(np.sum((basis.T @ vector) ** 2))
    return 1 if 2 * inside >= vector @ vector else -1


def subspace_by_coefficients(
    instance: SubspaceInstance, *, numbers: int, bits: int, processes: bool = False
) -> Answer:
    """Vector in Subspace from so many coefficients, each log2 N bits for its place and `bits` more.

    About sqrt(N) / log N coefficients reach 90% on random instances.

    Raises:
        InputError: numbers is under 1 or over N, or bits outside 1 to 52.
    """
    check_count(numbers, "the number of coefficients")
    if numbers > instance.size:
        raise InputError(
            f"the number of coefficients is {numbers}; expected at most N = {instance.size}"
        )
    place_bits = (instance.size - 1).bit_length()
    return one_way(
        partial(coefficients_message, instance.vector, numbers=numbers, bits=bits),
        partial(subspace_from_coefficients, instance.basis, bits=bits),
        kind="bit",
        size=numbers * (place_bits + bits),
        purpose="coefficients",
        processes=processes,
    )

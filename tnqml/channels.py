"""Noise channels: trace-preserving maps rho -> sum_k f_k(strength) sum_j L_kj rho R_kj^dagger.

The functions f_k of the strength are 1, "strength" s itself and "survival" sqrt(1 - s). Source:
Nielsen and Chuang, section 8.3; the expansion of amplitude damping is its Kraus form multiplied
out.
"""

import itertools
from collections.abc import Mapping
from typing import Literal

import numpy as np

from tnqml.paulis import PAULIS, Complex, pauli_matrix

Function = Literal["strength", "survival"]
Sandwich = tuple[Complex, Complex]
"""L and R of rho -> L rho R^dagger."""

ONE_QUBIT = ("dephasing", "amplitude_damping")
WITH_STRENGTH = ("depolarising", *ONE_QUBIT, "pauli_channel")
CHANNELS = (*WITH_STRENGTH, "kraus")
"""The names of channels that `Gate` knows, beside the unitary `KINDS`."""

_ZERO, _ONE = np.diag([1, 0]).astype(np.complex128), np.diag([0, 1]).astype(np.complex128)
_LOWER = np.array([[0, 1], [0, 0]], dtype=np.complex128)


def sandwiches(kind: str, arity: int, array: Complex) -> Mapping[Function | None, list[Sandwich]]:
    """The channel's sandwiches by the function of the strength s in front; None stands for 1.

    depolarising: rho -> (1 - s) rho + s 1/2^k on k qubits; dephasing: (1 - s) rho + s Z rho Z;
    amplitude_damping: |1> decays to |0> with probability s; pauli_channel: (1 - s) rho +
    s sum_w p_w W rho W; kraus: sum_j K_j rho K_j^dagger.

    Args:
        kind: one of `CHANNELS`.
        arity: k.
        array: of a Pauli channel p (4^k,), words counted as digits I, X, Y, Z, the first qubit's
            most significant; of a Kraus channel K (operators, 2^k, 2^k); else not looked at.
    """
    if kind == "kraus":
        return {None: [(operator, operator) for operator in array]}
    if kind == "amplitude_damping":
        return {
            None: [(_ZERO, _ZERO), (_ONE, _ONE)],
            "survival": [(_ZERO, _ONE), (_ONE, _ZERO)],
            "strength": [(-_ONE, _ONE), (_LOWER, _LOWER)],
        }
    if kind == "dephasing":
        mixture = [(1.0, PAULIS["Z"])]
    else:
        words = ["".join(word) for word in itertools.product("IXYZ", repeat=arity)]
        shares = np.full(4**arity, 0.25**arity) if kind == "depolarising" else array.real
        mixture = [(float(p), pauli_matrix(w)) for p, w in zip(shares, words, strict=True) if p]
    same = np.eye(2**arity, dtype=np.complex128)
    return {
        None: [(same, same)],
        "strength": [(-same, same), *((p * matrix, matrix) for p, matrix in mixture)],
    }

"""Classical shadows: each copy measured in Pauli bases of its own, drawn qubit by qubit.

Source: Huang, Kueng, Preskill, Nature Physics 16, 1050 (2020), with random local Pauli bases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.observables import String
from tnqml.protocols.problems.one_shot import State

LETTERS = "XYZ"

_AT_ONCE = 22  # log2 of the amplitudes held for one qubit's step
_FEWEST_AT_ONCE = 256
_Z = LETTERS.index("Z")


@dataclass(frozen=True, eq=False)
class Shadow:
    """The record of measured copies: in which Pauli bases, with which outcomes.

    Attributes:
        bases: 0, 1, 2 for X, Y, Z.
        outcomes: 1 or -1.
    """

    bases: NDArray[np.int8]  # (copies, qubits)
    outcomes: NDArray[np.int8]  # (copies, qubits)

    def values(
        self,
        words: Sequence[String],
    ) -> NDArray[np.int8]:
        """(copies, strings): the product of the outcomes, 0 where a basis is not the string's.

        Times 3^k, k the string's weight, its mean over uniform bases is the string's expectation.
        """
        result = np.ones((len(self.bases), len(words)), dtype=np.int8)
        for column, word in enumerate(words):
            for qubit, letter in word:
                fits = self.bases[:, qubit] == LETTERS.index(letter)
                result[:, column] *= self.outcomes[:, qubit] * fits
        return result


def random_bases(
    copies: int, qubits: int, *, generator: np.random.Generator
) -> NDArray[np.int8]:  # (copies, qubits)
    """Uniform Pauli bases, 0, 1, 2 for X, Y, Z."""
    return generator.integers(0, len(LETTERS), (copies, qubits), dtype=np.int8)


def measure_shadow(
    states: State,  # (kinds, 2^qubits)
    bases: NDArray[np.int8],  # (copies, qubits)
    *,
    which: NDArray[np.int64],  # (copies,)
    generator: np.random.Generator,
) -> Shadow:
    """Every copy measured as a whole register, each qubit in the copy's basis for it.

    The qubits are measured one after another and the state collapses each time. Copies with the
    same bases and outcomes so far share their state, and the work.

    Args:
        states: normalised or not; rows are the states that copies may have.
        bases: 0, 1, 2 for X, Y, Z.
        which: the row of `states` of each copy.
        generator: of the outcomes.
    """
    copies, qubits = bases.shape
    outcomes = np.empty(bases.shape, dtype=np.int8)
    # c copies have up to min(6^q, c) states of 2^(n - q) amplitudes: at most 2^n c^(1 - log_6 2)
    part = max(_FEWEST_AT_ONCE, int(2 ** ((_AT_ONCE - qubits) / (1 - np.log(2) / np.log(6)))))
    order = np.arange(copies)
    if copies > part:  # those that share states come together
        order = np.lexsort((*bases.T[::-1], which))
    for start in range(0, copies, part):
        rows = order[start : start + part]
        outcomes[rows] = _measured(states, bases[rows], which[rows], generator)
    return Shadow(bases, outcomes)


def _measured(
    states: State,
    bases: NDArray[np.int8],
    which: NDArray[np.int64],
    generator: np.random.Generator,
) -> NDArray[np.int8]:  # (copies, qubits)
    """One part of the copies; `states` become the distinct collapsed states, `which` stays."""
    copies, qubits = bases.shape
    ones = np.empty((copies, qubits), dtype=np.int8)
    uniform = generator.random((copies, qubits))
    for qubit in range(qubits):
        zero, one = np.moveaxis(states.reshape(len(states), 2, -1), 1, 0)
        ups, downs = (np.sum(half.real**2 + half.imag**2, axis=1) for half in (zero, one))
        cross = np.einsum("ij,ij->i", zero.conj(), one)
        # the Bloch vector of this qubit in every distinct state, in the order of LETTERS
        bloch = np.stack([2 * cross.real, 2 * cross.imag, ups - downs], 1) / (ups + downs)[:, None]
        basis = bases[:, qubit]
        ones[:, qubit] = uniform[:, qubit] >= (1 + bloch[which, basis]) / 2
        keys = (which * len(LETTERS) + basis) * 2 + ones[:, qubit]
        distinct, which = np.unique(keys, return_inverse=True)
        states = _collapsed(zero, one, distinct)
    return 1 - 2 * ones


def _collapsed(zero: State, one: State, keys: NDArray[np.int64]) -> State:
    """(keys, half the size): the states left after an outcome in a basis, both in the key."""
    outcome, basis, row = keys % 2, keys // 2 % len(LETTERS), keys // (2 * len(LETTERS))
    sign = 1 - 2 * outcome
    # the bra of an outcome is <0| + bra <1| for X and Y; for Z it is <0| or <1|
    bra = np.array([1, -1j, 0])[basis] * sign
    first, second = np.where(basis == _Z, 1 - outcome, 1), np.where(basis == _Z, outcome, bra)
    return np.asarray(first[:, None] * zero[row] + second[:, None] * one[row])

"""Commuting Pauli strings measured at once, by Clifford gates that turn them into Z strings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml import statevector
from tnqml.errors import InputError
from tnqml.gates import Gate
from tnqml.observables import String
from tnqml.protocols.gradients.generators import commute
from tnqml.protocols.problems.one_shot import State

Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ZStrings:
    """How commuting strings are read off one register.

    After `gates`, U in all, string j is U^dagger (sign_j Z...Z) U with Z on the qubits of row j of
    `masks`.
    """

    gates: tuple[Gate, ...]
    masks: NDArray[np.uint8]  # (strings, qubits)
    signs: NDArray[np.int8]  # (strings,)

    def turned(
        self,
        states: State,  # (batch, 2^qubits)
    ) -> State:
        """(batch, 2^qubits): the states after the gates."""
        register, none = torch.from_numpy(states), torch.zeros(1, dtype=torch.float64)
        for gate in self.gates:
            register = statevector.apply(gate, register, none)
        after: State = register.numpy()
        return after

    def outcomes(
        self,
        strings: NDArray[np.uint8],  # (shots, qubits)
    ) -> NDArray[np.int8]:
        """(shots, strings) of 1 and -1: what measured bit strings say of each Pauli string."""
        odd = (strings.astype(np.float32) @ self.masks.T.astype(np.float32)) % 2
        return self.signs * (1 - 2 * odd.astype(np.int8))


def diagonalise(words: Sequence[String], *, qubits: int) -> ZStrings:
    """The Clifford gates, at most 2n + 1 for each of at most n words, and the Z strings after them.

    Words of Z alone need none; a word on one qubit needs gates on that qubit alone.

    Source: Gaussian elimination on the stabiliser tableau (Aaronson, Gottesman 2004); derived in
    tests/tnqml/test_generators.py.

    Raises:
        InputError: two of the words do not commute.

    Example:
        >>> both = diagonalise([((0, "X"), (1, "X")), ((0, "Z"), (1, "Z"))], qubits=2)
        >>> [gate.kind for gate in both.gates], both.masks.tolist(), both.signs.tolist()
        (['h', 'h', 'cx', 'h'], [[0, 1], [1, 0]], [1, 1])
    """
    for place, word in enumerate(words):
        for other in words[:place]:
            if not commute(word, other):
                raise InputError(
                    f"the strings {word} and {other} do not commute; expected strings that can "
                    "be measured at once"
                )
    tableau = _Tableau(words, qubits)
    while (row := tableau.undone()) is not None:
        # Z on one qubit of its own: the other words, which commute with it, hold no X or Y there,
        # so that no later gate acts on that qubit
        support = tableau.free_support(row)
        for qubit in support:
            if tableau.x[row, qubit]:
                if tableau.z[row, qubit]:
                    tableau.apply("sdg", qubit)
                tableau.apply("h", qubit)
        for qubit in support[:-1]:
            tableau.apply("cx", qubit, support[-1])
        tableau.pivots[support[-1]] = True
    return ZStrings(
        tuple(tableau.gates), tableau.z.astype(np.uint8), (1 - 2 * tableau.negative).astype(np.int8)
    )


def times_string(
    string: String,
    state: State,  # (..., 2^qubits)
) -> State:
    """(..., 2^qubits): a Pauli string applied to a state, or to each of several."""
    index = torch.arange(state.shape[-1])
    flips, sign, phase = statevector.action(string, len(index), index)
    product: State = phase * (sign.numpy() * state)[..., (index ^ flips).numpy()]
    return product


class _Tableau:
    """Pauli strings as bits, and the gates applied to them so far.

    Args:
        words: one a row.
        qubits: of the register.
    """

    def __init__(self, words: Sequence[String], qubits: int) -> None:
        self.x: Bits = np.zeros((len(words), qubits), dtype=bool)
        self.z: Bits = np.zeros((len(words), qubits), dtype=bool)
        for row, word in enumerate(words):
            for qubit, letter in word:
                self.x[row, qubit], self.z[row, qubit] = letter in "XY", letter in "YZ"
        self.negative: Bits = np.zeros(len(words), dtype=bool)
        self.pivots: Bits = np.zeros(qubits, dtype=bool)
        self.gates: list[Gate] = []

    def undone(self) -> int | None:
        """The first row that is no Z string yet."""
        rows = self.x.any(1)
        return int(rows.argmax()) if rows.any() else None

    def free_support(self, row: int) -> list[int]:
        """Qubits of a row without the pivots, on which it holds nothing but Z."""
        support: list[int] = np.flatnonzero((self.x[row] | self.z[row]) & ~self.pivots).tolist()
        return support

    def apply(self, kind: str, *qubits: int) -> None:
        """Conjugate every row by a gate: Aaronson and Gottesman's update rules."""
        x, z = self.x, self.z
        one = qubits[0]
        if kind == "h":
            self.negative ^= x[:, one] & z[:, one]
            x[:, one], z[:, one] = z[:, one].copy(), x[:, one].copy()
        elif kind == "sdg":
            self.negative ^= x[:, one] & ~z[:, one]
            z[:, one] ^= x[:, one]
        else:
            two = qubits[1]
            self.negative ^= x[:, one] & z[:, two] & ~(x[:, two] ^ z[:, one])
            x[:, two] ^= x[:, one]
            z[:, one] ^= z[:, two]
        self.gates.append(Gate(kind, qubits))

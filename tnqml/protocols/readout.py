"""Reading an observable from copies of a state: a term drawn for each, whole bit strings measured.

Of O = c + sum_j w_j P_j, with Pauli strings P_j and W = sum_j |w_j|, a copy measures P_j with
probability |w_j|/W and counts W sign(w_j) times the outcome: the mean is <O>, and every outcome is
c + W or c - W.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml import sampling, statevector
from tnqml.gates import Gate
from tnqml.observables import Observable, String
from tnqml.protocols.links import Ensemble

_ENTRIES = 1 << 22  # amplitudes measured at once


@dataclass(frozen=True)
class Readout:
    """An observable as its constant and the terms to draw from.

    Attributes:
        constant: the weight of the identity.
        terms: of every other string with a weight that is not 0.
    """

    constant: float
    terms: tuple[tuple[float, String], ...]

    @property
    def scale(self) -> float:
        """W, the sum of the sizes of the weights; 0 where nothing need be measured."""
        return sum(abs(weight) for weight, _ in self.terms)

    def mean(self, ones: int, count: int) -> float:
        """The estimate after `count` outcomes, of which so many were constant + W."""
        return self.value(ones / count)

    def value(self, share: float) -> float:
        """The expectation where this is the share of outcomes constant + W."""
        return self.constant + self.scale * (2 * share - 1)

    def drawn(self, copies: int, *, generator: np.random.Generator) -> NDArray[np.int64]:
        """(copies,): the index of the term that each copy measures."""
        shares = np.array([abs(weight) for weight, _ in self.terms]) / self.scale
        return generator.choice(len(shares), size=copies, p=shares)

    def ones(
        self,
        term: int,
        bits: NDArray[np.uint8],  # (copies, qubits of the string)
    ) -> int:
        """How many of the outcomes are constant + W."""
        odd = int((bits.sum(1, dtype=np.int64) & 1).sum())
        return len(bits) - odd if self.terms[term][0] > 0 else odd


def readout(observable: Observable) -> Readout:
    """What to draw and to add up for an observable.

    Example:
        >>> from tnqml import projector
        >>> readout(projector(3))
        Readout(constant=0.5, terms=((0.5, ((3, 'Z'),)),))
    """
    constant = sum(weight for weight, string in observable.terms if not string)
    return Readout(constant, tuple((w, s) for w, s in observable.terms if s and w))


def basis_gates(string: String) -> tuple[Gate, ...]:
    """What takes the string's eigenvectors to the computational basis, 1 to bit 0."""
    return tuple(
        Gate(kind, qubit)
        for qubit, letter in string
        for kind in {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}[letter]
    )


def count_ones(own: Readout, ensemble: Ensemble, *, generator: np.random.Generator) -> int:
    """How many outcomes are constant + W when every copy is measured, each in its term's basis."""
    rows = np.repeat(np.arange(len(ensemble.counts)), ensemble.counts)
    drawn, ones = own.drawn(len(rows), generator=generator), 0
    for term in np.unique(drawn):
        places = [qubit for qubit, _ in own.terms[term][1]]
        kinds, counts = np.unique(rows[drawn == term], return_counts=True)
        for count in np.unique(counts):  # copies of as many states are measured at once
            chosen = ensemble.states[kinds[counts == count]]
            step = max(1, _ENTRIES // chosen.shape[1])
            for first in range(0, len(chosen), step):
                strings = measured(
                    chosen[first : first + step],
                    own.terms[term][1],
                    shots=int(count),
                    generator=generator,
                )
                ones += own.ones(int(term), strings[:, places])
    return ones


def measured(
    states: NDArray[np.complex128],  # (kinds, 2^qubits)
    string: String,
    *,
    shots: int,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """(kinds * shots, qubits): whole bit strings of so many copies of each state.

    The qubits of the string are measured in its letters, all others in Z.
    """
    register = torch.from_numpy(states)
    for gate in basis_gates(string):
        register = statevector.apply(gate, register, torch.zeros(1, dtype=torch.float64))
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    strings = sampling.draw(register.abs().square(), shots=shots, generator=own)
    flat: NDArray[np.uint8] = strings.flatten(0, 1).numpy()
    return flat

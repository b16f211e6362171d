"""Reading an observable from copies of a state: a group of terms for each, whole strings measured.

Terms that ask for the same letter wherever they meet (qubit-wise commuting) make a group: all of
them are read off one bit string, measured in the group's letters. Of O = c + sum_g S_g, with group
sums S_g of values in [m_g - r_g, m_g + r_g] and R = sum_g r_g, a copy measures group g with
probability r_g/R and counts c + sum_h m_h + (S_g - m_g) R/r_g: the mean is <O>, and every outcome
lies within R of c + sum_h m_h. Its place between these ends, from 0 to 1, is the copy's share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml import sampling, statevector
from tnqml.gates import Gate
from tnqml.observables import Observable, String
from tnqml.protocols.execution.links import Ensemble
from tnqml.protocols.stopping import Tally

_ENTRIES = 1 << 22  # amplitudes measured at once
_MOST_ENUMERATED = 16  # qubits, of which all bit strings are tried for the range of a sum


@dataclass(frozen=True)
class Group:
    """Terms that one bit string tells.

    Attributes:
        terms: weights and strings.
        low: the smallest value of their sum on any bit string, or a bound below it.
        high: the largest, or a bound above it.
        two_valued: whether the sum is always one of the two.
    """

    terms: tuple[tuple[float, String], ...]
    low: float
    high: float
    two_valued: bool

    @property
    def half(self) -> float:
        """r, half of the range."""
        return (self.high - self.low) / 2

    @property
    def middle(self) -> float:
        """m, the middle of the range."""
        return (self.high + self.low) / 2

    @cached_property
    def string(self) -> String:
        """Every qubit that is read, with the letter in which it is measured."""
        return tuple(sorted({place for _, string in self.terms for place in string}))

    def sums(
        self,
        bits: NDArray[np.uint8],  # (copies, qubits of `string`)
    ) -> NDArray[np.float64]:
        """(copies,): the sum of the terms on each bit string."""
        places = {qubit: place for place, (qubit, _) in enumerate(self.string)}
        result = np.zeros(len(bits))
        for weight, string in self.terms:
            odd = bits[:, [places[qubit] for qubit, _ in string]].sum(1) & 1
            result += weight * (1.0 - 2.0 * odd)
        return result

    def shares(
        self,
        bits: NDArray[np.uint8],  # (copies, qubits of `string`)
    ) -> NDArray[np.float64]:
        """(copies,) in [0, 1]: where the sums lie between their ends."""
        found = (self.sums(bits) - self.low) / (self.high - self.low)
        return np.rint(found) if self.two_valued else found.clip(0, 1)


@dataclass(frozen=True)
class Readout:
    """An observable as its constant and the groups to draw from.

    Attributes:
        constant: the weight of the identity.
        groups: of every other string with a weight that is not 0.
    """

    constant: float
    groups: tuple[Group, ...]

    @property
    def terms(self) -> tuple[tuple[float, String], ...]:
        """Weights and strings of all groups."""
        return tuple(term for group in self.groups for term in group.terms)

    @property
    def scale(self) -> float:
        """R, half of the range of an outcome; 0 where nothing need be measured."""
        return sum(group.half for group in self.groups)

    @property
    def two_valued(self) -> bool:
        """Whether every share is 0 or 1."""
        return all(group.two_valued for group in self.groups)

    def value(self, share: float) -> float:
        """The expectation where this is the mean share."""
        middle = self.constant + sum(group.middle for group in self.groups)
        return middle + self.scale * (2 * share - 1)

    def drawn(self, copies: int, *, generator: np.random.Generator) -> NDArray[np.int64]:
        """(copies,): the index of the group that each copy measures."""
        chances = np.array([group.half for group in self.groups]) / self.scale
        return generator.choice(len(chances), size=copies, p=chances)


def readout(observable: Observable, *, together: int | None = None) -> Readout:
    """What to draw and to add up for an observable.

    Terms join the first group that they fit into, those of large weight first.

    Args:
        observable: any.
        together: the most qubits that a group of several terms may read; any number by default.

    Example:
        >>> from tnqml import Z, projector
        >>> readout(projector(3)).scale, readout(projector(3)).two_valued
        (0.5, True)
        >>> len(readout(Z(0) + Z(1) - 0.5 * Z(0)).groups)
        1
    """
    constant = sum(weight for weight, string in observable.terms if not string)
    terms = [(weight, string) for weight, string in observable.terms if string and weight]
    letters: list[dict[int, str]] = []
    members: list[list[tuple[float, String]]] = []
    for weight, string in sorted(terms, key=lambda term: -abs(term[0])):
        for known, own in zip(letters, members, strict=True):
            more = [qubit for qubit, _ in string if qubit not in known]
            fits = together is None or len(known) + len(more) <= together
            if fits and all(known.get(qubit, letter) == letter for qubit, letter in string):
                known.update(string)
                own.append((weight, string))
                break
        else:
            letters.append(dict(string))
            members.append([(weight, string)])
    return Readout(constant, tuple(_group(own) for own in members))


def basis_gates(string: String) -> tuple[Gate, ...]:
    """What takes the string's eigenvectors to the computational basis, 1 to bit 0."""
    return tuple(
        Gate(kind, qubit)
        for qubit, letter in string
        for kind in {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}[letter]
    )


def tally(own: Readout, ensemble: Ensemble, *, generator: np.random.Generator) -> Tally:
    """The shares that come out when every copy is measured, each in its group's letters."""
    rows = np.repeat(np.arange(len(ensemble.counts)), ensemble.counts)
    drawn, found = own.drawn(len(rows), generator=generator), Tally()
    for index in np.unique(drawn):
        group = own.groups[index]
        places = [qubit for qubit, _ in group.string]
        kinds, counts = np.unique(rows[drawn == index], return_counts=True)
        for count in np.unique(counts):  # copies of as many states are measured at once
            chosen = ensemble.states[kinds[counts == count]]
            step = max(1, _ENTRIES // chosen.shape[1])
            for first in range(0, len(chosen), step):
                strings = measured(
                    chosen[first : first + step],
                    group.string,
                    shots=int(count),
                    generator=generator,
                )
                found += Tally.of(group.shares(strings[:, places]), generator=generator)
    return found


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


def _group(terms: Sequence[tuple[float, String]]) -> Group:
    """The terms with the range of their sum.

    Terms that share no qubit, directly or by others, take their extremes independently. Where too
    many qubits hang together, the sum of the sizes bounds them.
    """
    low = high = 0.0
    two_valued = False
    parts = _connected(terms)
    for part in parts:
        qubits = sorted({qubit for _, string in part for qubit, _ in string})
        if len(qubits) > _MOST_ENUMERATED:
            size = sum(abs(weight) for weight, _ in part)
            low, high = low - size, high + size
            two_valued = len(part) == 1
            continue
        index, values = np.arange(2 ** len(qubits)), np.zeros(2 ** len(qubits))
        for weight, string in part:
            mask = sum(1 << qubits.index(qubit) for qubit, _ in string)
            values += weight * (1.0 - 2.0 * (np.bitwise_count(index & mask) & 1))
        least, most = float(values.min()), float(values.max())
        low, high = low + least, high + most
        near = np.minimum(values - least, most - values) <= 1e-9 * (most - least)
        two_valued = bool(near.all())
    return Group(tuple(terms), low, high, two_valued and len(parts) == 1)


def _connected(terms: Sequence[tuple[float, String]]) -> list[list[tuple[float, String]]]:
    """The terms, those together that share a qubit, directly or by others."""
    parts: list[tuple[set[int], list[tuple[float, String]]]] = []
    for term in terms:
        qubits = {qubit for qubit, _ in term[1]}
        touching = [part for part in parts if part[0] & qubits]
        parts = [part for part in parts if not part[0] & qubits]
        joined = [one for _, members in touching for one in members]
        parts.append((qubits.union(*(known for known, _ in touching)), [*joined, term]))
    return [members for _, members in parts]

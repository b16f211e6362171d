"""Links: what may happen to a message on its way, drawn copy by copy.

Noise turns each copy by a random Pauli string (a trajectory), erasure takes whole copies away. What
the parties do about it, resending, is in `inference`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tnqml.errors import InputError

State = NDArray[np.complex128]
LinkKind = Literal["depolarising", "dephasing", "erasure"]

_ENTRIES = 1 << 20  # amplitudes turned at once
_KINDS = ("depolarising", "dephasing", "erasure")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Copies of a register, grouped by the state that they are in.

    Attributes:
        states: the different states.
        counts: how many copies are in each, at least 1.
    """

    states: State  # (kinds, 2^qubits)
    counts: NDArray[np.int64]  # (kinds,)

    @property
    def copies(self) -> int:
        """How many copies there are."""
        return int(self.counts.sum())

    def packed(self) -> State:
        """(kinds, 1 + 2^qubits): one array for a message, the counts in front of the states."""
        return np.column_stack([self.counts.astype(np.complex128), self.states])


def unpacked(
    message: State,  # (kinds, 1 + 2^qubits)
) -> Ensemble:
    """The ensemble that a message of `Ensemble.packed` carries."""
    return Ensemble(message[:, 1:], message[:, 0].real.astype(np.int64))


@dataclass(frozen=True)
class Link:
    """What happens to every copy of a message; made by the functions beside it.

    Attributes:
        kind: "depolarising", "dephasing" or "erasure".
        strength: its probability.

    Raises:
        InputError: the kind is unknown, or the strength is outside [0, 1]; of an erasure, 1.
    """

    kind: LinkKind
    strength: float

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InputError(f"link is {self.kind!r}; expected one of {', '.join(_KINDS)}")
        strength = self.strength
        if isinstance(strength, bool) or not isinstance(strength, (int, float)):
            raise InputError(f"strength of {self.kind} is {strength!r}; expected a number")
        if not 0 <= strength <= 1:
            raise InputError(f"strength of {self.kind} is {strength!r}; expected 0 to 1")
        if self.kind == "erasure" and strength == 1:
            raise InputError("erasure of strength 1: no message would ever arrive; expected < 1")

    @property
    def loses(self) -> bool:
        """Whether a copy may be lost on it."""
        return self.kind == "erasure" and self.strength > 0

    def unchanged(self, qubits: int) -> float:
        """The probability that no qubit of a copy is turned."""
        share = {"depolarising": 0.75, "dephasing": 1.0, "erasure": 0.0}[self.kind]
        return float((1 - share * self.strength) ** qubits)

    def pass_on(self, ensemble: Ensemble, *, generator: np.random.Generator) -> Ensemble:
        """What arrives of an ensemble; copies that have met the same fate stay together."""
        if self.kind == "erasure" and self.strength:
            arrived = generator.binomial(ensemble.counts, 1 - self.strength)
            return Ensemble(ensemble.states[arrived > 0], arrived[arrived > 0])
        return self.scatter(ensemble, generator=generator)[1]

    def scatter(
        self, ensemble: Ensemble, *, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], Ensemble]:
        """What arrives of an ensemble, and of each kind (kinds,) the row that it comes from.

        Raises:
            InputError: the link is an erasure.
        """
        if not self.strength:
            return np.arange(len(ensemble.counts)), ensemble
        qubits = ensemble.states.shape[1].bit_length() - 1
        x, z = self.pauli_strings(ensemble.copies, qubits, generator=generator)
        rows = np.repeat(np.arange(len(ensemble.counts)), ensemble.counts)
        # one number a fate, as ensembles that fit into memory allow, is quick to sort
        fates, counts = np.unique((rows << qubits | x) << qubits | z, return_counts=True)
        mask = (1 << qubits) - 1
        rows, x, z = fates >> 2 * qubits, fates >> qubits & mask, fates & mask
        return rows, Ensemble(turned(ensemble.states, rows, x, z), counts)

    def pauli_strings(
        self, copies: int, qubits: int, *, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(copies,) twice: the qubits on which a copy meets X, and Z, as bits; where both, Y.

        Raises:
            InputError: the link is an erasure.
        """
        if self.kind == "erasure":
            raise InputError("an erasure turns no copy; expected a depolarising or dephasing link")
        hit = generator.random((copies, qubits)) < self.strength
        places = 1 << np.arange(qubits - 1, -1, -1, dtype=np.int64)
        if self.kind == "dephasing":
            return np.zeros(copies, dtype=np.int64), hit @ places
        letters = generator.integers(4, size=(copies, qubits))  # I, X, Z, Y, equally often
        return (hit & (letters & 1 > 0)) @ places, (hit & (letters & 2 > 0)) @ places


def depolarising(strength: float) -> Link:
    """A link on which each qubit is, with this probability, replaced by noise.

    rho -> (1 - s) rho + s 1/2 on each qubit: X, Y and Z with probability s/4 each.
    """
    return Link("depolarising", strength)


def dephasing(strength: float) -> Link:
    """A link on which each qubit meets a Z with this probability: (1 - s) rho + s Z rho Z."""
    return Link("dephasing", strength)


def erasure(strength: float) -> Link:
    """A link that loses a message, the whole register, with this probability; the loss is seen.

    The copy is gone: it is prepared again, and all messages that led here are sent again.
    """
    return Link("erasure", strength)


def links_of_messages(
    links: "Link | Sequence[Link | None] | None", messages: int
) -> tuple[Link | None, ...]:
    """The link of each message: one for all, or one each.

    Raises:
        InputError: there are not as many as messages, or something else is among them.
    """
    listed = [links] * messages if links is None or isinstance(links, Link) else list(links)
    for link in listed:
        if link is not None and not isinstance(link, Link):
            raise InputError(
                f"links hold a {type(link).__name__}; expected Links, as dephasing(0.1) gives"
            )
    if len(listed) != messages:
        raise InputError(f"{len(listed)} links for {messages} messages of a run; expected one each")
    return tuple(listed)


def turned(
    states: NDArray[Any],  # (kinds, 2^qubits), real or complex
    rows: NDArray[np.int64],  # (turned,)
    x: NDArray[np.int64],  # (turned,)
    z: NDArray[np.int64],  # (turned,)
) -> NDArray[Any]:
    """(turned, 2^qubits): the states of these rows after X^x Z^z, up to a phase.

    Qubit 0 is the most significant bit of x and z.
    """
    index = np.arange(states.shape[1])
    result = np.empty((len(rows), states.shape[1]), dtype=states.dtype)
    step = max(1, _ENTRIES >> (states.shape[1].bit_length() - 1))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        places = index ^ x[part, None]
        signs = 1 - 2 * (np.bitwise_count(places & z[part, None]) & 1).astype(np.int8)
        result[part] = states[rows[part, None], places] * signs
    return result

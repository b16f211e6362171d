"""Sequences of gates in columns: wide circuits are many copies of few gates."""

import itertools
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnqml.errors import CircuitError
from tnqml.forms import Form
from tnqml.gates import Gate

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class GateSequence(Sequence[Gate]):
    """Gates in the order in which they act; a gate is made when it is first asked for.

    Circuits of thousands of qubits are put together and cut to light cones by their columns,
    without an object for every gate. `of` takes gates, `repeated` copies one, `joined` joins.

    Attributes:
        sorts: one gate for each form, party and source of angles that occurs.
        which: (gates,) the place of each gate's own sort.
        qubits: (gates, most qubits of one) where each acts, filled up with -1.
        slots: (gates,) the feature or parameter that each reads, or -1.
        values: (gates,) its scale, or its angle or strength where that is a number.
        made: the gates that have been asked for, and None for the others.

    Example:
        >>> gates = GateSequence.repeated(Gate("ry", 0, parameter=0), [[0], [1]], slots=[4, 5])
        >>> gates[1] == Gate("ry", 1, parameter=5)
        True
    """

    sorts: tuple[Gate, ...]
    which: Integers
    qubits: Integers
    slots: Integers
    values: NDArray[np.float64]
    made: list[Gate | None]

    @classmethod
    def of(cls, gates: Iterable[Gate]) -> "GateSequence":
        """The sequence of these gates.

        Raises:
            CircuitError: something is not a gate.
        """
        if isinstance(gates, GateSequence):
            return gates
        listed = list(gates)
        if set(map(type, listed)) - {Gate}:
            position = next(k for k, gate in enumerate(listed) if type(gate) is not Gate)
            kind = type(listed[position]).__name__
            raise CircuitError(f"gate {position} is a {kind}; expected a Gate")
        sorts, which = _sorted_out(listed)
        widest = max((gate.form.arity for gate in sorts), default=0)
        padded = [gate.qubits + (-1,) * (widest - len(gate.qubits)) for gate in listed]
        return cls(
            sorts,
            which,
            np.array(padded, dtype=np.int64).reshape(len(listed), widest),
            np.array([gate.slot for gate in listed], dtype=np.int64),
            np.array([gate.value for gate in listed], dtype=np.float64),
            [*listed],
        )

    @classmethod
    def repeated(
        cls, gate: Gate, qubits: ArrayLike, *, slots: ArrayLike | None = None
    ) -> "GateSequence":
        """Copies of one gate.

        Args:
            gate: what is copied.
            qubits: (copies, arity) integers: where each acts.
            slots: (copies,) integers: the feature or parameter that each reads; by default the
                gate's own.
        """
        places = np.asarray(qubits, dtype=np.int64).reshape(-1, gate.form.arity)
        count = len(places)
        read = np.full(count, gate.slot) if slots is None else np.asarray(slots, dtype=np.int64)
        values = np.full(count, gate.value)
        return cls((gate,), np.zeros(count, np.int64), places, read, values, [None] * count)

    @classmethod
    def joined(cls, parts: Iterable["GateSequence"]) -> "GateSequence":
        """All of several sequences, one after another."""
        listed = list(parts) or [cls.of([])]
        sorts, places = _sorted_out([gate for part in listed for gate in part.sorts])
        widest = max(part.qubits.shape[1] for part in listed)
        ends = list(itertools.accumulate(len(part) for part in listed))
        which = np.empty(ends[-1], np.int64)
        qubits = np.full((ends[-1], widest), -1)
        met = 0
        for part, end in zip(listed, ends, strict=True):
            rows = slice(end - len(part), end)
            which[rows] = places[met + part.which]
            qubits[rows, : part.qubits.shape[1]] = part.qubits
            met += len(part.sorts)
        return cls(
            sorts,
            which,
            qubits,
            np.concatenate([part.slots for part in listed]),
            np.concatenate([part.values for part in listed]),
            [gate for part in listed for gate in part.made],
        )

    def taken(self, positions: Sequence[int] | Integers) -> "GateSequence":
        """The gates at some positions, in the order named."""
        chosen = np.asarray(positions, dtype=np.int64)
        return GateSequence(
            self.sorts,
            self.which[chosen],
            self.qubits[chosen],
            self.slots[chosen],
            self.values[chosen],
            [self.made[position] for position in chosen.tolist()],
        )

    def reading(self, source: Literal["feature", "parameter", "angle"]) -> NDArray[np.bool_]:
        """(gates,): whether each takes its angle or strength from there."""
        return np.array([gate.source == source for gate in self.sorts], dtype=bool)[self.which]

    @cached_property
    def forms(self) -> Counter[Form]:
        """The forms of its gates, and how many gates have each."""
        counts = np.bincount(self.which, minlength=len(self.sorts)).tolist()
        found: Counter[Form] = Counter()
        for gate, count in zip(self.sorts, counts, strict=True):
            if count:
                found[gate.form] += count
        return found

    def __len__(self) -> int:
        """How many gates."""
        return len(self.which)

    @overload
    def __getitem__(self, position: int) -> Gate: ...

    @overload
    def __getitem__(self, position: slice) -> "GateSequence": ...

    def __getitem__(self, position: int | slice) -> "Gate | GateSequence":
        """One gate, or the sequence of some."""
        if isinstance(position, slice):
            return self.taken(range(*position.indices(len(self))))
        gate = self.made[position]
        if gate is None:
            first = self.sorts[self.which[position]]
            qubits = tuple(self.qubits[position, : first.form.arity].tolist())
            slot, value = int(self.slots[position]), float(self.values[position])
            gate = self.made[position] = first.moved(qubits, slot=slot, value=value)
        return gate

    def __iter__(self) -> Iterator[Gate]:
        """Every gate."""
        return (self[position] for position in range(len(self)))

    def __add__(self, other: Sequence[Gate]) -> "GateSequence":
        """These gates, then others."""
        return GateSequence.joined([self, GateSequence.of(other)])

    def __eq__(self, other: object) -> bool:
        """Whether the other, such a sequence or a tuple, holds equal gates."""
        if not isinstance(other, GateSequence | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    def __hash__(self) -> int:
        """That of its gates."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """As a tuple of gates."""
        return repr(tuple(self))


def _sorted_out(gates: Sequence[Gate]) -> tuple[tuple[Gate, ...], Integers]:
    """One gate of each form, party and source, and for each gate the place of its own."""
    places: dict[object, int] = {}
    which = [places.setdefault((gate.form, gate.party, gate.source), len(places)) for gate in gates]
    first = dict(zip(reversed(which), reversed(gates), strict=True))
    return tuple(first[place] for place in range(len(places))), np.array(which, dtype=np.int64)

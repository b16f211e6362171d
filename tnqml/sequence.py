"""Sequences of gates in columns: wide circuits are many copies of few gates."""

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnqml.errors import CircuitError
from tnqml.forms import Form
from tnqml.gates import Gate

Integers = NDArray[np.int64]

_SOURCES = ("feature", "parameter", "angle")


class Prototypes:
    """What the gates of a sequence are copies of: one for each form, party and source of angles.

    Args:
        gates: of which qubits, slot and value say nothing.
    """

    def __init__(self, gates: Iterable[Gate]) -> None:
        self.gates = tuple(gates)

    @cached_property
    def arities(self) -> Integers:
        """(prototypes,): on how many qubits each acts."""
        return np.array([gate.form.arity for gate in self.gates], dtype=np.int64)

    @cached_property
    def kinds(self) -> Integers:
        """(prototypes,): a number that those of one form and source share."""
        return _numbered([(gate.form, gate.source) for gate in self.gates], {})

    @cached_property
    def sources(self) -> NDArray[np.object_]:
        """(prototypes,): where each takes its angle from; see `Gate`."""
        return np.array([gate.source for gate in self.gates], dtype=object)


class GateSequence(Sequence[Gate]):
    """Gates in the order in which they act; a gate is made when it is first asked for.

    Circuits of thousands of qubits are put together and cut to light cones by their columns,
    without an object for every gate. `of` takes gates, `repeated` copies one, `joined` joins.
    It is immutable.

    Args:
        prototypes: what the gates are copies of; some may not occur.
        which: (gates,) the place of each gate's own among them.
        qubits: where the gates act, those of each after those of the one before.
        slots: (gates,) the feature or parameter that each reads, or -1.
        values: (gates,) its scale, or its angle or strength where that is a number.
        made: the gates that are at hand, and None for the others.

    Attributes:
        arities: (gates,) on how many qubits each acts.
        starts: (gates + 1,) where the qubits of each start in `qubits`, and where the last end.

    Example:
        >>> gates = GateSequence.repeated(Gate("ry", 0, parameter=0), [[0], [1]], slots=[4, 5])
        >>> gates[1] == Gate("ry", 1, parameter=5)
        True
    """

    def __init__(
        self,
        prototypes: Prototypes,
        which: Integers,
        qubits: Integers,
        slots: Integers,
        values: NDArray[np.float64],
        made: list[Gate | None],
    ) -> None:
        self.prototypes, self.which, self.qubits = prototypes, which, qubits
        self.slots, self.values = slots, values
        self.arities = prototypes.arities[which]
        self.starts = np.concatenate([[0], np.cumsum(self.arities)])
        for column in (which, qubits, slots, values, self.arities, self.starts):
            column.flags.writeable = False
        self._made = made

    def __reduce__(self) -> tuple[Any, ...]:
        """By the constructor, so that a copy cannot be written either."""
        columns = (self.which, self.qubits, self.slots, self.values)
        return GateSequence, (self.prototypes, *columns, self._made)

    @classmethod
    def of(cls, gates: Iterable[Gate]) -> "GateSequence":
        """The sequence of these gates.

        Raises:
            CircuitError: something is not a gate.
        """
        if isinstance(gates, GateSequence):
            return gates
        if not isinstance(gates, Iterable):
            raise CircuitError(f"gates are a {type(gates).__name__}; expected several Gates")
        listed = list(gates)
        if set(map(type, listed)) - {Gate}:
            position = next(k for k, gate in enumerate(listed) if type(gate) is not Gate)
            kind = type(listed[position]).__name__
            raise CircuitError(f"gate {position} is a {kind}; expected a Gate")
        keys = [_key(gate) for gate in listed]
        first = dict(zip(reversed(keys), reversed(listed), strict=True))
        known: dict[object, int] = {}
        which = _numbered(keys, known)
        return cls(
            Prototypes(first[key] for key in known),
            which,
            np.array([qubit for gate in listed for qubit in gate.qubits], dtype=np.int64),
            np.array([gate.slot for gate in listed], dtype=np.int64),
            np.array([gate.value for gate in listed], dtype=np.float64),
            [*listed],
        )

    @classmethod
    def repeated(
        cls,
        gate: Gate,
        qubits: ArrayLike,
        *,
        slots: ArrayLike | None = None,
        parties: Sequence[str] | None = None,
    ) -> "GateSequence":
        """Copies of one gate.

        Args:
            gate: what is copied.
            qubits: (copies, arity) integers: where each acts.
            slots: (copies,) integers: the feature or parameter that each reads; by default the
                gate's own.
            parties: (copies,) whose each is; by default the gate's own.

        Raises:
            CircuitError: the copies are not well formed.
        """
        if not isinstance(gate, Gate):
            raise CircuitError(f"what is repeated is a {type(gate).__name__}; expected a Gate")
        places = _integers(gate, qubits, "qubits").reshape(-1, gate.form.arity)
        count = len(places)
        ordered = np.sort(places, axis=1)
        if (places < 0).any() or (ordered[:, 1:] == ordered[:, :-1]).any():
            raise CircuitError(
                f"copies of gate {gate.kind!r} name a qubit below 0, or one twice; expected "
                "distinct qubits 0, 1, 2, ... in each row"
            )
        read = np.full(count, gate.slot) if slots is None else _integers(gate, slots, "slots")
        if slots is not None and (gate.slot < 0 or read.shape != (count,) or (read < 0).any()):
            raise CircuitError(
                f"{count} copies of gate {gate.kind!r}, which reads {gate.source}, got slots of "
                f"shape {read.shape}; expected an index 0, 1, 2, ... for each copy of a gate that "
                "reads a feature or parameter"
            )
        if parties is not None and len(parties) != count:
            raise CircuitError(
                f"{count} copies of gate {gate.kind!r} got {len(parties)} parties; expected one "
                "for each"
            )
        names: dict[object, int] = {}
        which = np.zeros(count, np.int64) if parties is None else _numbered(parties, names)
        owned = [gate.owned_by(name) for name in names] or [gate]  # type: ignore[arg-type]
        values = np.full(count, gate.value)
        return cls(Prototypes(owned), which, places.reshape(-1), read, values, [None] * count)

    @classmethod
    def joined(cls, parts: Iterable[Iterable[Gate]]) -> "GateSequence":
        """All gates of several sequences, one after another."""
        listed = [cls.of(part) for part in parts] or [cls.of([])]
        prototypes = {_key(gate): gate for part in listed for gate in part.prototypes.gates}
        known = {key: place for place, key in enumerate(prototypes)}
        which = [_numbered(map(_key, part.prototypes.gates), known)[part.which] for part in listed]
        return cls(
            Prototypes(prototypes.values()),
            np.concatenate(which),
            np.concatenate([part.qubits for part in listed]),
            np.concatenate([part.slots for part in listed]),
            np.concatenate([part.values for part in listed]),
            [gate for part in listed for gate in part._made],
        )

    def select(self, positions: Sequence[int] | Integers | NDArray[np.bool_]) -> "GateSequence":
        """The gates at some positions, in the order named, or where a mask (gates,) holds.

        Negative positions count from the end.

        Raises:
            IndexError: a position does not exist, or the mask is of another length.
        """
        chosen = self._positions(positions)
        lengths = self.arities[chosen]
        ends = np.cumsum(lengths)
        shift = np.repeat(self.starts[chosen] - ends + lengths, lengths)
        return GateSequence(
            self.prototypes,
            self.which[chosen],
            self.qubits[shift + np.arange(len(shift))],
            self.slots[chosen],
            self.values[chosen],
            [self._made[position] for position in chosen.tolist()],
        )

    def _positions(self, positions: ArrayLike) -> Integers:
        chosen, count = np.asarray(positions), len(self)
        if chosen.dtype == bool and chosen.shape == (count,):
            return chosen.nonzero()[0]
        if not chosen.size:
            return np.zeros(0, np.int64)
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
            raise IndexError(
                f"positions are {chosen.dtype} of shape {chosen.shape}; expected a row of "
                f"integers, or a mask of shape ({count},)"
            )
        if chosen.min() < -count or chosen.max() >= count:
            raise IndexError(f"a position is not between {-count} and {count - 1}")
        return np.where(chosen < 0, chosen + count, chosen)

    def reads(self, source: Literal["feature", "parameter", "angle"]) -> NDArray[np.bool_]:
        """(gates,): whether each takes its angle or strength from there ("angle": a number).

        Raises:
            CircuitError: gates have no such source.
        """
        if source not in _SOURCES:
            raise CircuitError(f"source is {source!r}; expected one of {', '.join(_SOURCES)}")
        return np.asarray(self.prototypes.sources == source)[self.which]

    @property
    def kinds(self) -> Integers:
        """(gates,): a number that gates of one form and source share; the same in selections."""
        return self.prototypes.kinds[self.which]

    @property
    def forms(self) -> Counter[Form]:
        """The forms of its gates, and how many gates have each."""
        counts = np.bincount(self.which, minlength=len(self.prototypes.gates)).tolist()
        found: Counter[Form] = Counter()
        for gate, count in zip(self.prototypes.gates, counts, strict=True):
            if count:
                found[gate.form] += count
        return found

    @cached_property
    def parties(self) -> tuple[str, ...]:
        """Whose the gates are, in order of first appearance."""
        places = dict.fromkeys(self.which.tolist())
        owners = dict.fromkeys(self.prototypes.gates[place].party for place in places)
        return tuple(party for party in owners if party is not None)

    def __len__(self) -> int:
        """How many gates."""
        return len(self.which)

    @overload
    def __getitem__(self, position: SupportsIndex) -> Gate: ...

    @overload
    def __getitem__(self, position: slice) -> "GateSequence": ...

    def __getitem__(self, position: SupportsIndex | slice) -> "Gate | GateSequence":
        """One gate, or the sequence of some."""
        if isinstance(position, slice):
            return self.select(range(*position.indices(len(self))))
        place = operator.index(position)
        gate = self._made[place]
        if gate is None:
            place %= len(self)
            first = self.prototypes.gates[self.which[place]]
            qubits = self.qubits[self.starts[place] : self.starts[place + 1]].tolist()
            slot, value = int(self.slots[place]), float(self.values[place])
            gate = self._made[place] = first.copied(tuple(qubits), slot=slot, value=value)
        return gate

    def __iter__(self) -> Iterator[Gate]:
        """Every gate."""
        if None in self._made:
            starts, qubits = self.starts.tolist(), self.qubits.tolist()
            columns = (self.which.tolist(), self.slots.tolist(), self.values.tolist())
            for place, (which, slot, value) in enumerate(zip(*columns, strict=True)):
                if self._made[place] is None:
                    own = tuple(qubits[starts[place] : starts[place + 1]])
                    first = self.prototypes.gates[which]
                    self._made[place] = first.copied(own, slot=slot, value=value)
        return iter(self._made)  # type: ignore[arg-type]

    def __add__(self, other: Sequence[Gate]) -> "GateSequence":
        """These gates, then others."""
        return GateSequence.joined([self, other])

    def __radd__(self, other: Sequence[Gate]) -> "GateSequence":
        """Others, then these gates."""
        return GateSequence.joined([other, self])

    def __eq__(self, other: object) -> bool:
        """Whether the other, such a sequence or a tuple, holds equal gates."""
        if isinstance(other, tuple):
            return tuple(self) == other
        if not isinstance(other, GateSequence):
            return NotImplemented
        known: dict[object, int] = {}
        mine, others = (
            _numbered(map(_key, one.prototypes.gates), known)[one.which] for one in (self, other)
        )
        return np.array_equal(mine, others) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("qubits", "slots", "values")
        )

    def __hash__(self) -> int:
        """That of its gates."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """As a tuple of gates."""
        return repr(tuple(self))


def _integers(gate: Gate, numbers: ArrayLike, name: str) -> Integers:
    """An array of integers below 2^62, refused if they are not."""
    given = np.array(numbers)
    if given.size and (given.dtype.kind not in "iu" or given.max() >= 2**62):
        raise CircuitError(
            f"{name} of copies of gate {gate.kind!r} are {given.dtype}; expected integers below "
            "2^62"
        )
    return given.astype(np.int64)


def _key(gate: Gate) -> object:
    """What gates of one prototype share."""
    return gate.form, gate.party, gate.source


def _numbered(keys: Iterable[object], known: dict[object, int]) -> Integers:
    """A number for each key, equal ones sharing theirs; `known` keeps them, and is added to."""
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)

"""The ledger: who sends how many qubits or bits to whom, in which round and what for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tnqml.checks import check_count
from tnqml.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["qubit", "bit"]

_KINDS = ("qubit", "bit")


@dataclass(frozen=True)
class Entry:
    """One message of a protocol: `copies` times `size` qubits or bits, sent in one round.

    Args:
        round: from 1; messages of one round do not wait for each other.
        sender: the name of a party.
        receiver: the name of another party.
        kind: "qubit" or "bit".
        size: qubits or bits of one copy, at least 0.
        copies: how often the message is sent, at least 1.
        purpose: what it is for, in a word or two.

    Raises:
        InputError: any of these is out of its range.
    """

    round: int
    sender: str
    receiver: str
    kind: Kind
    size: int
    copies: int = 1
    purpose: str = ""

    def __post_init__(self) -> None:
        for name, least in (("round", 1), ("size", 0), ("copies", 1)):
            check_count(getattr(self, name), f"{name} of a message", least=least)
        if self.kind not in _KINDS:
            raise InputError(f"kind of a message is {self.kind!r}; expected 'qubit' or 'bit'")
        for name in ("sender", "receiver"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise InputError(
                    f"{name} of a message is {getattr(self, name)!r}; expected a party's name"
                )
        if self.sender == self.receiver:
            raise InputError(
                f"{self.sender!r} sends a message to itself; expected two different parties"
            )

    @property
    def total(self) -> int:
        """Qubits or bits of all copies together."""
        return self.size * self.copies


@dataclass(frozen=True)
class Traffic:
    """What one party sent and what it received, in qubits or in bits."""

    sent: int
    received: int


@dataclass(frozen=True)
class Ledger:
    """An immutable list of messages, ordered by round; those of a round stay as given.

    Example:
        >>> state = Ledger([Entry(1, "alice", "bob", "qubit", 5, copies=7, purpose="state")])
        >>> reply = Ledger([Entry(1, "bob", "alice", "bit", 1, purpose="answer")])
        >>> both = state + reply
        >>> both.qubits, both.bits, both.rounds
        (35, 1, 2)
        >>> print(both.drawing())
        round  alice                 bob
            1  |---- 7 x 5 qubits -->|  state
            2  |<------ 1 bit -------|  answer
    """

    entries: tuple[Entry, ...]

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        listed = tuple(entries)
        for position, entry in enumerate(listed):
            if not isinstance(entry, Entry):
                raise InputError(
                    f"message {position} is a {type(entry).__name__}; expected an Entry"
                )
        object.__setattr__(self, "entries", tuple(sorted(listed, key=lambda entry: entry.round)))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, position: int) -> Entry:
        return self.entries[position]

    @property
    def rounds(self) -> int:
        """The number of the last round, 0 where nothing is sent."""
        return max((entry.round for entry in self.entries), default=0)

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties, in order of first appearance."""
        names = (name for entry in self.entries for name in (entry.sender, entry.receiver))
        return tuple(dict.fromkeys(names))

    @property
    def qubits(self) -> int:
        """Qubits sent in all."""
        return self.total("qubit")

    @property
    def bits(self) -> int:
        """Bits sent in all."""
        return self.total("bit")

    def total(self, kind: Kind) -> int:
        """Qubits, or bits, sent in all."""
        return sum(entry.total for entry in self._of(kind))

    def by_party(self, kind: Kind) -> dict[str, Traffic]:
        """Qubits, or bits, that each party sent and received; every party is listed."""
        sent, received = dict.fromkeys(self.parties, 0), dict.fromkeys(self.parties, 0)
        for entry in self._of(kind):
            sent[entry.sender] += entry.total
            received[entry.receiver] += entry.total
        return {name: Traffic(sent[name], received[name]) for name in sent}

    def by_purpose(self, kind: Kind) -> dict[str, int]:
        """Qubits, or bits, sent for each purpose; only those that send this kind."""
        totals: dict[str, int] = {}
        for entry in self._of(kind):
            totals[entry.purpose] = totals.get(entry.purpose, 0) + entry.total
        return totals

    def by_round(self, kind: Kind) -> tuple[int, ...]:
        """Qubits, or bits, sent in round 1, 2, up to the last."""
        totals = [0] * self.rounds
        for entry in self._of(kind):
            totals[entry.round - 1] += entry.total
        return tuple(totals)

    def __add__(self, other: "Ledger") -> "Ledger":
        """This protocol followed by another, whose rounds come after all of these."""
        if not isinstance(other, Ledger):
            return NotImplemented
        later = [replace(entry, round=entry.round + self.rounds) for entry in other]
        return Ledger([*self, *later])

    def beside(self, other: "Ledger") -> "Ledger":
        """This protocol and another at the same time, round by round."""
        if not isinstance(other, Ledger):
            raise InputError(f"cannot merge a {type(other).__name__}; expected a Ledger")
        return Ledger([*self, *other])

    def times(self, copies: int) -> "Ledger":
        """This protocol run `copies` times at once: the same rounds, each message so many times.

        Raises:
            InputError: copies is under 1.
        """
        check_count(copies, "copies")
        return Ledger(replace(entry, copies=entry.copies * copies) for entry in self)

    def to_frame(self) -> "pd.DataFrame":
        """A row a message: round, sender, receiver, kind, size, copies, total and purpose."""
        import pandas as pd

        columns = ["round", "sender", "receiver", "kind", "size", "copies", "total", "purpose"]
        rows = [[getattr(entry, column) for column in columns] for entry in self]
        return pd.DataFrame(rows, columns=columns)

    def drawing(self) -> str:
        """A text drawing: a column a party, a line a message, its purpose at the right.

        A ledger without messages is drawn as an empty string.
        """
        if not self.entries:
            return ""
        lanes = {name: lane for lane, name in enumerate(self.parties)}
        widest = max(len(_label(entry)) for entry in self)
        gap = max(widest + 10, *(len(name) + 2 for name in lanes)) - 1  # between two lanes
        header = "round  " + "".join(name.ljust(gap + 1) for name in lanes)
        lines = [f"{entry.round:>5}  {_line(entry, lanes, gap)}  {entry.purpose}" for entry in self]
        return "\n".join(line.rstrip() for line in [header, *lines])

    def _of(self, kind: Kind) -> Iterator[Entry]:
        if kind not in _KINDS:
            raise InputError(f"kind is {kind!r}; expected 'qubit' or 'bit'")
        return (entry for entry in self.entries if entry.kind == kind)


def _label(entry: Entry) -> str:
    times = f"{entry.copies} x " if entry.copies > 1 else ""
    return f"{times}{entry.size} {entry.kind}{'' if entry.size == 1 else 's'}"


def _line(entry: Entry, lanes: dict[str, int], gap: int) -> str:
    """The lanes as bars, with an arrow from the sender's to the receiver's, over those between."""
    start, end = sorted((lanes[entry.sender], lanes[entry.receiver]))
    span = (end - start) * (gap + 1) - 1
    arrow = f" {_label(entry)} ".center(span, "-")
    arrow = arrow[:-1] + ">" if lanes[entry.sender] == start else "<" + arrow[1:]
    cells = ["|" + " " * gap] * start + ["|" + arrow]
    cells += ["|" + " " * gap] * (len(lanes) - 1 - end) + ["|"]
    return "".join(cells)

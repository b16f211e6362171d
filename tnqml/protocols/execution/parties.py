"""Parties that are isolated: each runs a program of its own and sees only the messages sent to it.

A program is a generator, called a role: it yields `Send` and `Receive`, and what it returns is the
party's result. Roles run by turns in this process, or each in a process of its own: the same
results and the same ledger, since every message is awaited from a named sender.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnqml.errors import InputError, TnqmlError
from tnqml.protocols.ledger import Entry, Kind, Ledger

_FEWEST = 2


class PartyLost(TnqmlError, RuntimeError):
    """A party's program or process ended before its work was done."""


class ProtocolStuck(TnqmlError, RuntimeError):
    """Every party that has not finished waits for a message that nobody will send."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message, yielded by a role; the role goes on at once.

    Args:
        receiver: the name of another party.
        payload: what the receiver gets, a numeric array; it gets a copy.
        kind: "qubit" or "bit".
        size: qubits or bits of one copy, as the ledger counts them.
        copies: how often the message is sent; one payload stands for all copies.
        purpose: what it is for, in a word or two.
    """

    receiver: str
    payload: NDArray[Any]  # any shape
    kind: Kind
    size: int
    copies: int = 1
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Receive:
    """The wish for the next message of one sender; a role that yields it gets the payload."""

    sender: str


Role = Generator[Send | Receive, Any, object]
"""A party's program: it yields messages and wishes for messages, and returns its result."""


@dataclass(frozen=True)
class Run:
    """What every party returned, by name, and all messages."""

    results: Mapping[str, object]
    ledger: Ledger


def run_parties(roles: Mapping[str, Callable[[], Role]], *, processes: bool = False) -> Run:
    """The results of all parties and the ledger of their messages.

    The round of a message is one more than the largest round among the messages that its sender
    has received before it. The ledger lists the messages of a round by sender, in the order of
    `roles`.

    Args:
        roles: by party, what starts its program; with processes it must be picklable, such as
            `functools.partial` of a function of a module.
        processes: run each party in a process of its own, started afresh; the payloads cross as
            npy bytes over one pipe for each two parties. A script that asks for this must be
            guarded by ``if __name__ == "__main__"``, as each process imports it.

    Raises:
        InputError: fewer than two parties, a party that does not exist, a payload that is no
            numeric array, or whatever error of this package a role raises.
        PartyLost: a role raised another error, or its process ended.
        ProtocolStuck: everybody waits, or a message is never received.

    Example:
        >>> def alice():
        ...     yield Send("bob", np.array([1, 0, 1]), "bit", 3, purpose="word")
        >>> def bob():
        ...     word = yield Receive("alice")
        ...     return int(word.sum())
        >>> run = run_parties({"alice": alice, "bob": bob})
        >>> run.results["bob"], run.ledger.bits
        (2, 3)
    """
    if len(roles) < _FEWEST:
        raise InputError(
            f"{len(roles)} parties ({', '.join(roles) or 'none'}); expected at least two"
        )
    if processes:
        from tnqml.protocols.execution.processes import run_in_processes

        return run_in_processes(roles)
    return _run_by_turns(roles)


class Outbox:
    """What one party has sent, and the round that its next message belongs to.

    Args:
        name: the party.
        parties: all of them.
    """

    def __init__(self, name: str, parties: Iterable[str]) -> None:
        self.name = name
        self.parties = tuple(parties)
        self.round = 1
        self.entries: list[Entry] = []

    def post(self, message: Send) -> None:
        """Note a message, refused with an `InputError` if it is not well formed."""
        payload = message.payload
        if not isinstance(payload, np.ndarray) or payload.dtype.kind not in "biufc":
            what = payload.dtype if isinstance(payload, np.ndarray) else type(payload).__name__
            raise InputError(
                f"the payload of a message from {self.name!r} is {what}; expected a numpy array "
                "of numbers"
            )
        self.check(message.receiver)
        self.entries.append(
            Entry(
                self.round,
                self.name,
                message.receiver,
                message.kind,
                message.size,
                copies=message.copies,
                purpose=message.purpose,
            )
        )

    def check(self, other: str) -> None:
        """Refuse a correspondent that is not one of the other parties."""
        if other not in self.parties or other == self.name:
            others = ", ".join(party for party in self.parties if party != self.name)
            raise InputError(f"{self.name!r} names the party {other!r}; the others are {others}")

    def received(self, round_: int) -> None:
        """Note that a message of some round has arrived."""
        self.round = max(self.round, round_ + 1)


def started(name: str, role: Callable[[], Role]) -> Role:
    """The party's program, about to begin; refused if it is no generator."""
    program = role()
    if not isinstance(program, Generator):
        raise InputError(
            f"the role of {name!r} gives a {type(program).__name__}; expected a generator, a "
            "function that yields Send and Receive"
        )
    return program


def lost(name: str, error: Exception) -> PartyLost:
    """The error that says which party's program raised another one."""
    return PartyLost(f"party {name!r} failed with {type(error).__name__}: {error}")


def stuck(waits: Mapping[str, str], finished: Iterable[str]) -> ProtocolStuck:
    """The error that says who waits for whom."""
    over = set(finished)
    lines = [
        f"{name!r} waits for {sender!r}{', which has finished' if sender in over else ''}"
        for name, sender in waits.items()
    ]
    return ProtocolStuck(
        f"no party can go on: {'; '.join(lines)}. Every Receive needs a Send of the other party"
    )


def unread(left: Mapping[tuple[str, str], int]) -> ProtocolStuck:
    """The error that says which messages nobody received."""
    lines = [f"{count} from {sender!r} to {to!r}" for (sender, to), count in left.items()]
    return ProtocolStuck(
        f"messages that are never received: {', '.join(lines)}. Every Send needs a Receive"
    )


def _run_by_turns(roles: Mapping[str, Callable[[], Role]]) -> Run:
    """Each party goes on until it waits for a message that is not there yet."""
    boxes = {name: Outbox(name, roles) for name in roles}
    programs = {name: started(name, role) for name, role in roles.items()}
    queues: dict[tuple[str, str], deque[tuple[int, NDArray[Any]]]] = {
        (sender, to): deque() for sender in roles for to in roles
    }
    waits: dict[str, str] = {}
    results: dict[str, object] = {}
    try:
        while len(results) < len(roles):
            moved = False
            for name in [name for name in roles if name not in results]:
                if name in waits and not queues[waits[name], name]:
                    continue
                moved = True
                _turn(boxes[name], programs[name], queues, waits, results)
            if not moved:
                raise stuck(waits, results)
    finally:
        for program in programs.values():
            program.close()
    left = {pair: len(queue) for pair, queue in queues.items() if queue}
    if left:
        raise unread(left)
    return Run({name: results[name] for name in roles}, gathered(boxes.values()))


def _turn(
    box: Outbox,
    program: Role,
    queues: Mapping[tuple[str, str], deque[tuple[int, NDArray[Any]]]],
    waits: dict[str, str],
    results: dict[str, object],
) -> None:
    """One party goes on until it waits or is done."""
    sender, answer = waits.pop(box.name, None), None
    try:
        while True:
            if sender is not None:
                round_, answer = queues[sender, box.name].popleft()
                box.received(round_)
            step = program.send(answer)
            sender, answer = None, None
            if isinstance(step, Send):
                box.post(step)
                queues[box.name, step.receiver].append((box.round, step.payload.copy()))
            else:
                sender = wished(box, step)
                if not queues[sender, box.name]:
                    waits[box.name] = sender
                    return
    except StopIteration as end:
        results[box.name] = end.value
    except TnqmlError:
        raise
    except Exception as error:
        raise lost(box.name, error) from error


def wished(box: Outbox, step: object) -> str:
    """The sender that a yielded `Receive` names; anything else is refused."""
    if not isinstance(step, Receive):
        raise InputError(
            f"{box.name!r} yields a {type(step).__name__}; expected Send(...) or Receive(...)"
        )
    box.check(step.sender)
    return step.sender


def gathered(boxes: Iterable[Outbox]) -> Ledger:
    """The ledger of all that was sent."""
    return Ledger(entry for box in boxes for entry in box.entries)

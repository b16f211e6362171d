"""Parties in processes of their own: nothing shared, payloads as npy bytes over pipes.

Each process reports to its parent when it has to wait, when it has finished and when it has failed;
so the parent knows when everybody waits, and when a process is gone.
"""

import io
import multiprocessing
import queue
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from itertools import combinations
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pickle import PicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnqml.errors import InputError, TnqmlError
from tnqml.protocols.execution.parties import (
    Outbox,
    PartyLost,
    Role,
    Run,
    Send,
    lost,
    started,
    stuck,
    unread,
    wished,
)
from tnqml.protocols.ledger import Entry, Ledger

_ROUND = struct.Struct("<q")
_PATIENCE = 10.0  # seconds for a process to end once its pipe is closed


class _PeerLost(Exception):
    """The other end of a pipe is gone; the parent sees it too, and says so."""


@dataclass(frozen=True)
class _Report:
    """How far a party is: messages sent and taken so far by party, and what it does now."""

    sent: dict[str, int]
    taken: dict[str, int]
    waits: str | None = None  # for this party
    entries: tuple[Entry, ...] = ()
    result: object = None
    error: TnqmlError | None = None


def run_in_processes(roles: Mapping[str, Callable[[], Role]]) -> Run:
    """As `parties.run_parties`, each party in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, dict[str, Connection]] = {name: {} for name in roles}
    for first, second in combinations(roles, 2):
        ends[first][second], ends[second][first] = context.Pipe()
    lines: dict[str, Connection] = {}
    children: dict[str, BaseProcess] = {}
    try:
        for name, role in roles.items():
            lines[name], theirs = context.Pipe()
            child: BaseProcess = context.Process(
                target=_serve, args=(name, role, ends[name], theirs), daemon=True
            )
            try:
                child.start()
            except (PicklingError, AttributeError, TypeError) as error:
                raise InputError(
                    f"the role of {name!r} cannot be sent to a process: {error}; expected a "
                    "picklable callable, such as functools.partial of a function of a module"
                ) from error
            finally:
                theirs.close()
            children[name] = child
        _close(ends)  # so that a lost process closes its pipes for good
        return _watch(lines, children)
    except BaseException:
        for child in children.values():
            child.kill()
        raise
    finally:
        _close(ends)
        for line in lines.values():
            line.close()  # tells the processes to end
        for child in children.values():
            child.join()
            child.close()


def _close(ends: Mapping[str, Mapping[str, Connection]]) -> None:
    for own in ends.values():
        for connection in own.values():
            connection.close()


def _watch(lines: Mapping[str, Connection], children: Mapping[str, BaseProcess]) -> Run:
    """The results, once every party has reported that it finished."""
    names = {id(line): name for name, line in lines.items()}
    reports: dict[str, _Report] = {}
    done: dict[str, _Report] = {}
    while len(done) < len(lines):
        for ready in wait([line for name, line in lines.items() if name not in done]):
            name = names[id(ready)]
            try:
                report: _Report = lines[name].recv()
            except (EOFError, OSError) as error:
                children[name].join(_PATIENCE)
                raise PartyLost(
                    f"the process of party {name!r} ended with exit code "
                    f"{children[name].exitcode} before it had finished"
                ) from error
            if report.error is not None:
                raise report.error
            reports[name] = report
            if report.waits is None:
                done[name] = report
        _check_waits({name: reports[name] for name in lines if name in reports}, done, lines)
    left = {
        (name, to): count - done[to].taken.get(name, 0)
        for name in lines
        for to, count in done[name].sent.items()
        if count > done[to].taken.get(name, 0)
    }
    if left:
        raise unread(left)
    entries = [entry for name in lines for entry in done[name].entries]
    return Run({name: done[name].result for name in lines}, Ledger(entries))


def _check_waits(reports: Mapping[str, _Report], done: Iterable[str], parties: Sized) -> None:
    """Refuse to go on where everybody waits for a message that was not sent.

    A party reports before it waits. The first of them to go on after its report would do so on a
    message that its sender had sent before its own report; where the counts agree there is none.
    """
    waits = {name: report.waits for name, report in reports.items() if report.waits is not None}
    if not waits or len(reports) < len(parties):
        return
    if all(
        reports[sender].sent.get(name, 0) == reports[name].taken.get(sender, 0)
        for name, sender in waits.items()
    ):
        raise stuck(waits, done)


class _Post:
    """The pipes of one party; sending never waits, whatever the other side does.

    Args:
        box: the party's outbox.
        peers: its ends of the pipes to the others.
        parent: its end of the pipe to the parent.
    """

    def __init__(self, box: Outbox, peers: Mapping[str, Connection], parent: Connection) -> None:
        self.box = box
        self.peers = peers
        self.parent = parent
        self.sent = dict.fromkeys(peers, 0)
        self.taken = dict.fromkeys(peers, 0)
        self._queues: dict[str, queue.SimpleQueue[bytes]] = {}
        for name, connection in peers.items():
            self._queues[name] = queue.SimpleQueue()
            threading.Thread(
                target=_write, args=(connection, self._queues[name]), daemon=True
            ).start()

    def send(self, message: Send) -> None:
        """Note a message and hand its bytes to the writer of that pipe."""
        self.box.post(message)
        buffer = io.BytesIO()
        buffer.write(_ROUND.pack(self.box.round))
        np.save(buffer, message.payload, allow_pickle=False)
        self.sent[message.receiver] += 1
        self._queues[message.receiver].put(buffer.getvalue())

    def receive(self, sender: str) -> NDArray[Any]:
        """The next payload of a sender; the parent is told before this has to wait."""
        connection = self.peers[sender]
        if not connection.poll():
            self.parent.send(_Report(dict(self.sent), dict(self.taken), waits=sender))
            if self.parent in wait([connection, self.parent]):
                raise _PeerLost
        try:
            data = connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _PeerLost from error
        self.taken[sender] += 1
        (round_,) = _ROUND.unpack_from(data)
        self.box.received(round_)
        buffer = io.BytesIO(data)
        buffer.seek(_ROUND.size)
        payload: NDArray[Any] = np.load(buffer, allow_pickle=False)
        return payload

    def report(self, *, result: object = None, error: TnqmlError | None = None) -> None:
        """Tell the parent that this party has finished or failed."""
        entries = tuple(self.box.entries)
        self.parent.send(
            _Report(self.sent, self.taken, entries=entries, result=result, error=error)
        )


def _write(connection: Connection, outgoing: "queue.SimpleQueue[bytes]") -> None:
    """Writes to one pipe until the process ends or the other side is gone."""
    try:
        while True:
            connection.send_bytes(outgoing.get())
    except OSError:
        return  # the parent sees that the other party is lost, and says so


def _serve(
    name: str,
    role: Callable[[], Role],
    peers: Mapping[str, Connection],
    parent: Connection,
) -> None:
    """The life of one party's process."""
    post = _Post(Outbox(name, (name, *peers)), peers, parent)
    try:
        try:
            post.report(result=_run(post, role))
        except _PeerLost:
            pass  # the parent says so
        except TnqmlError as error:
            post.report(error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
            post.report(error=lost(name, error))
        parent.poll(None)  # until the parent ends it, its pipes stay open to the others
    except OSError:
        return  # the parent is gone


def _run(post: _Post, role: Callable[[], Role]) -> object:
    program, answer = started(post.box.name, role), None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as end:
            return end.value
        answer = None
        if isinstance(step, Send):
            post.send(step)
        else:
            answer = post.receive(wished(post.box, step))

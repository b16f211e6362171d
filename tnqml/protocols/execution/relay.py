"""Copies of a register go from party to party; the last one measures them and may ask for more.

Every party's program is a role of `parties`. Where a link loses copies, or a running estimate
decides how many are needed, the last party asks all others for more, in bits that the ledger
counts; the number in one request is agreed upon beforehand to be at most `Goal.most`.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np

from tnqml.protocols.execution.holders import Holder, State
from tnqml.protocols.execution.links import Ensemble, Link, unpacked
from tnqml.protocols.execution.parties import Receive, Role, Send
from tnqml.protocols.execution.readout import Readout, tally
from tnqml.protocols.stopping import Goal, Tally
from tnqml.protocols.streams import stream

_OUTCOMES, _NATURE = 1, 2  # of one seed


@dataclass(frozen=True)
class Relay:
    """What every party knows beforehand.

    Attributes:
        turns: whose turn it is, in order; a message lies between each two.
        links: what each message meets.
        first: how many copies are sent without being asked for.
        request_bits: the size of a request for more; 0 where nobody asks.
        seed: of the links' noise.
    """

    turns: tuple[str, ...]
    links: tuple[Link | None, ...]
    first: int
    request_bits: int
    seed: int


@dataclass(frozen=True)
class Collector:
    """What the last party alone knows: what to measure, and when to stop.

    Attributes:
        readout: of the observable.
        goal: how many copies.
        seed: of terms and outcomes.
    """

    readout: Readout
    goal: Goal
    seed: int


def relay_roles(
    known: Mapping[str, Holder], relay: Relay, collector: Collector
) -> dict[str, Callable[[], Role]]:
    """Each party's role; that of the last turn's returns the fields of a `Tally`, others None.

    They are of the copies that were measured.
    """
    last = relay.turns[-1]
    return {
        party: partial(_role, holder, relay, collector if party == last else None)
        for party, holder in known.items()
    }


def _role(holder: Holder, relay: Relay, collector: Collector | None) -> Role:
    """One party's program."""
    me, last = holder.party, len(relay.turns) - 1
    through = _Remembered(holder)
    generator = stream(collector.seed, _OUTCOMES) if collector is not None else None
    wanted, batch, seen = relay.first, 0, Tally()
    while wanted:
        for turn in [turn for turn, party in enumerate(relay.turns) if party == me]:
            if turn:
                ensemble = unpacked((yield Receive(relay.turns[turn - 1])))
            else:
                ensemble = Ensemble(holder.prepare(), np.array([wanted]))
            ensemble = Ensemble(through(turn, ensemble.states), ensemble.counts)
            if turn < last:
                yield _message(ensemble, relay, turn=turn, batch=batch)
            elif collector is not None and generator is not None:
                seen += tally(collector.readout, ensemble, generator=generator)
        if not relay.request_bits:
            wanted = 0
        elif collector is not None:
            wanted = collector.goal.wanted(seen)
            for other in dict.fromkeys(party for party in relay.turns if party != me):
                request = np.array([wanted])
                yield Send(other, request, "bit", relay.request_bits, purpose="request")
        else:
            wanted = int((yield Receive(relay.turns[-1]))[0])
        batch += 1
    return astuple(seen) if collector is not None else None


def _message(ensemble: Ensemble, relay: Relay, *, turn: int, batch: int) -> Send:
    """The copies as they come out of the link; the ledger counts those that go into it."""
    receiver, link = relay.turns[turn + 1], relay.links[turn]
    if not ensemble.copies:  # the next party waits, and must learn that it does so in vain
        return Send(receiver, ensemble.packed(), "bit", 1, purpose="none left")
    qubits = ensemble.states.shape[1].bit_length() - 1
    arriving = ensemble
    if link is not None:
        nature = stream(relay.seed, _NATURE, batch, turn)
        arriving = link.pass_on(ensemble, generator=nature)
    payload = arriving.packed()
    return Send(receiver, payload, "qubit", qubits, copies=ensemble.copies, purpose="state")


class _Remembered:
    """A holder that does not compute again what the last batch of copies has shown.

    Args:
        holder: whose turns they are.
    """

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._last: dict[int, tuple[State, State]] = {}

    def __call__(
        self,
        turn: int,
        states: State,  # (kinds, 2^qubits)
    ) -> State:
        """(kinds, 2^qubits): the states after the turn."""
        if turn in self._last and np.array_equal(self._last[turn][0], states):
            return self._last[turn][1]
        after = self._holder.apply(turn, states)
        self._last[turn] = states, after
        return after

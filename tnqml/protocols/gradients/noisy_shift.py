"""The parameter-shift rule over noisy links: every copy meets its own noise on every message.

A shift is a gate, and no channel of a link depends on the angles, so that the rule stays exact for
the noisy expectation, and its outcomes keep their range: the bounds on the error hold for the
derivative of the noisy expectation. What separates that from the noiseless one is a bias that no
number of copies mends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.errors import InputError
from tnqml.protocols.execution.holders import Holder
from tnqml.protocols.execution.links import Ensemble, Link, links_of_messages
from tnqml.protocols.execution.parties import Receive, Role, Send
from tnqml.protocols.gradients.diagonalise import times_string
from tnqml.protocols.gradients.plans import Layout
from tnqml.protocols.gradients.shift import circuits_of, differences, positives
from tnqml.protocols.problems.one_shot import State
from tnqml.protocols.streams import stream

_OUTCOMES, _NATURE = 1, 2  # streams of one seed
_MOST_ENTRIES = 2**26  # amplitudes of all different copies together, 1 GiB


@dataclass(frozen=True, eq=False)
class _Copies:
    """Copies of all shifted circuits, those of one circuit in one state together.

    `runs` says to which circuit of which repetition they belong: repetition times circuits plus
    circuit.
    """

    runs: NDArray[np.int64]  # (kinds,)
    ensemble: Ensemble

    def packed(self) -> NDArray[np.complex128]:
        """(kinds, 2 + 2^qubits): runs and counts in front of the states."""
        return np.column_stack([self.runs.astype(np.complex128), self.ensemble.packed()])


def gradient_links(
    links: "Link | Sequence[Link | None]", layout: Layout, *, copies: int
) -> tuple[Link | None, ...]:
    """The link of each message of a shifted circuit.

    Args:
        links: one for all, or one each.
        layout: of the model.
        copies: registers of all repetitions together.

    Raises:
        InputError: there are not as many as messages, one of them loses copies, or the different
            copies would not fit into memory.
    """
    listed = links_of_messages(links, len(layout.parties) - 1)
    if any(link is not None and link.loses for link in listed):
        raise InputError(
            "a link of kind erasure loses copies, which a gradient protocol does not ask for "
            "again; expected depolarising or dephasing links"
        )
    if copies << layout.qubits > _MOST_ENTRIES:
        raise InputError(
            f"{copies} copies of {layout.qubits} qubits, each with noise of its own, are more than "
            f"{_MOST_ENTRIES} amplitudes; expected fewer copies, repetitions or qubits"
        )
    return listed


def noisy_shift_role(
    holder: Holder,
    layout: Layout,
    copies: tuple[int, ...],
    links: tuple[Link | None, ...],
    *,
    seed: int,
    repetitions: int,
) -> Role:
    """The program of one party: as `shift.shift_role`, with a link under every message.

    Returns:
        As `shift_role`.
    """
    parties, last = layout.parties, len(layout.parties) - 1
    now = _Copies(np.empty(0, np.int64), Ensemble(np.empty((0, 1), complex), np.empty(0, np.int64)))
    for turn, party in enumerate(parties):
        if party != holder.party:
            continue
        if turn:
            now = _unpacked((yield Receive(parties[turn - 1])))
        else:
            now = _prepared(holder.prepare(), copies, repetitions=repetitions)
        now = _Copies(now.runs, Ensemble(_turned(holder, layout, turn, now), now.ensemble.counts))
        if turn < last:
            arriving, link = now, links[turn]
            if link is not None:
                nature = stream(seed, _NATURE, turn)
                rows, ensemble = link.scatter(now.ensemble, generator=nature)
                arriving = _Copies(now.runs[rows], ensemble)
            yield Send(
                parties[turn + 1],
                arriving.packed(),
                "qubit",
                layout.qubits,
                2 * sum(copies),
                purpose="state",
            )
    owners = circuits_of(layout)
    if holder.party != parties[last]:
        if holder.party not in owners:
            return np.zeros((2, repetitions, layout.parameters))
        ones = yield Receive(parties[last])
        return differences(ones, layout, copies, party=holder.party)
    generator = stream(seed, _OUTCOMES)
    found = positives(now.ensemble.states, now.ensemble.counts, layout, generator=generator)
    flat = np.zeros(repetitions * 2 * len(owners), dtype=np.int64)
    np.add.at(flat, now.runs, found)
    ones = flat.reshape(repetitions, -1, 2).swapaxes(1, 2)
    for party in dict.fromkeys(owners):
        if party != holder.party:
            own = [place for place, owner in enumerate(owners) if owner == party]
            bits = sum(2 * copies[place].bit_length() for place in own)
            yield Send(party, ones[:, :, own], "bit", bits, purpose="counts")
    own = [place for place, owner in enumerate(owners) if owner == holder.party]
    return differences(ones[:, :, own], layout, copies, party=holder.party)


def _prepared(state: State, copies: tuple[int, ...], *, repetitions: int) -> _Copies:
    """The copies of every circuit of every repetition, all in the first party's state."""
    counts = np.tile(np.repeat(copies, 2), repetitions)
    return _Copies(np.arange(len(counts)), Ensemble(np.repeat(state, len(counts), axis=0), counts))


def _unpacked(message: NDArray[np.complex128]) -> _Copies:
    """What `_Copies.packed` says."""
    runs, counts = message[:, :2].real.astype(np.int64).T
    return _Copies(runs, Ensemble(message[:, 2:], counts))


def _turned(holder: Holder, layout: Layout, turn: int, now: _Copies) -> State:
    """(kinds, 2^qubits): the states after a turn, with the shifts that fall into it."""
    terms = [(block, term) for block in layout.blocks for term in block.terms]
    places, minus = np.divmod(now.runs % (2 * len(terms)), 2)
    states, start = now.ensemble.states, 0
    for cut in sorted({block.cut for block in layout.blocks if block.turn == turn}):
        states, start = _part(holder, turn, states, slice(start, cut)), cut
        shifted = states.copy()
        for place, (block, term) in enumerate(terms):
            if block.turn == turn and block.cut == cut:
                chosen = places == place
                signs = (1 - 2 * minus[chosen])[:, None]
                word = times_string(term.word, states[chosen])
                shifted[chosen] = (states[chosen] - 1j * signs * word) / np.sqrt(2)
        states = shifted
    return _part(holder, turn, states, slice(start, None))


def _part(holder: Holder, turn: int, states: State, part: slice) -> State:
    return holder.apply(turn, states, part=part) if holder.steps[turn][part] else states

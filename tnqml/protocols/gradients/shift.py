"""What each party does in the parameter-shift rule.

A message carries rows of state vectors, one for each distinct circuit so far; its `copies` say how
many registers it stands for.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.protocols.execution.holders import Holder
from tnqml.protocols.execution.parties import Receive, Role, Send
from tnqml.protocols.gradients.diagonalise import ZStrings, diagonalise, times_string
from tnqml.protocols.gradients.plans import Layout, Real
from tnqml.protocols.problems.one_shot import State
from tnqml.protocols.streams import torch_seed
from tnqml.sampling import draw

_OUTCOMES = 0  # a stream of one seed, from which the model's parameters may be drawn too
_DRAWN_AT_ONCE = 2**20
_JOINT_AT_ONCE = 2**22


def shift_role(
    holder: Holder,
    layout: Layout,
    copies: tuple[int, ...],
    *,
    seed: int,
    repetitions: int,
) -> Role:
    """The program of one party in the parameter-shift rule.

    Each word has two circuits, with a rotation about it by pi/2 and by -pi/2 put in at the cut of
    its block, where it commutes with all between the cut and its gate. The party of the last turn
    measures the observable, one string a copy drawn in proportion to its weight, and sends every
    other party how many outcomes were 1 in each of its circuits, in bits.

    Returns:
        As `hybrid_role`.
    """
    parties, last = layout.parties, len(layout.parties) - 1
    rows = np.empty((0, 0), dtype=np.complex128)
    for turn, party in enumerate(parties):
        if party != holder.party:
            continue
        rows = holder.prepare() if turn == 0 else (yield Receive(parties[turn - 1]))
        rows = _shifted(holder, layout, turn, rows)
        if turn < last:
            yield Send(
                parties[turn + 1], rows, "qubit", layout.qubits, 2 * sum(copies), purpose="state"
            )
    owners = circuits_of(layout)
    if holder.party != parties[last]:
        if holder.party not in owners:
            return np.zeros((2, repetitions, layout.parameters))
        ones = yield Receive(parties[last])
        return differences(ones, layout, copies, party=holder.party)
    ones = _ones(rows, layout, copies, seed=seed, repetitions=repetitions)
    for party in dict.fromkeys(owners):
        if party != holder.party:
            own = [place for place, owner in enumerate(owners) if owner == party]
            bits = sum(2 * copies[place].bit_length() for place in own)
            yield Send(party, ones[:, :, own], "bit", bits, purpose="counts")
    own = [place for place, owner in enumerate(owners) if owner == holder.party]
    return differences(ones[:, :, own], layout, copies, party=holder.party)


def _shifted(holder: Holder, layout: Layout, turn: int, rows: State) -> State:
    """After a turn: the row without a shift while it is needed, then two for each term so far."""
    start = 0
    for block in layout.blocks:
        if block.turn != turn:
            continue
        rows = _done(holder, turn, rows, slice(start, block.cut))
        start = block.cut
        turned = [
            (rows[0] - 1j * sign * times_string(term.word, rows[0])) / np.sqrt(2)
            for term in block.terms
            for sign in (1, -1)
        ]
        rows = np.concatenate([rows, np.stack(turned)])
    if turn == max(block.turn for block in layout.blocks):
        rows = rows[1:]
    return _done(holder, turn, rows, slice(start, None))


def _ones(
    rows: State,  # (2 terms, 2^qubits)
    layout: Layout,
    copies: tuple[int, ...],
    *,
    seed: int,
    repetitions: int,
) -> NDArray[np.int64]:  # (repetitions, 2, terms)
    """How many outcomes of the signed string of a copy are 1, circuit by circuit."""
    counts = np.repeat(copies, 2)
    generator = torch.Generator().manual_seed(torch_seed(seed, _OUTCOMES))
    result = np.empty((repetitions, len(rows)), dtype=np.int64)
    for part, count, shares, forms in _alike(rows, counts, layout):
        for repetition in range(repetitions):
            strings = draw(shares, shots=count, generator=generator).numpy()
            result[repetition, part] = _positive(strings, forms, layout)
    return result.reshape(repetitions, -1, 2).swapaxes(1, 2)


def positives(
    rows: State,  # (kinds, 2^qubits)
    counts: NDArray[np.int64],  # (kinds,)
    layout: Layout,
    *,
    generator: np.random.Generator,
) -> NDArray[np.int64]:  # (kinds,)
    """How many outcomes of the signed string of a copy are 1, of so many copies of each state."""
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    result = np.empty(len(rows), dtype=np.int64)
    for part, count, shares, forms in _alike(rows, counts, layout):
        strings = draw(shares, shots=count, generator=own).numpy()
        result[part] = _positive(strings, forms, layout)
    return result


def _alike(
    rows: State,  # (kinds, 2^qubits)
    counts: NDArray[np.int64],  # (kinds,)
    layout: Layout,
) -> Iterator[tuple[NDArray[np.int64], int, torch.Tensor, list[ZStrings]]]:
    """Rows that are measured equally often, their number, and the distribution of what is read.

    The string of a copy is a register of its own, drawn with the others; its size a power of two.
    """
    forms = [diagonalise([string], qubits=layout.qubits) for _, string in layout.observable]
    width = (len(forms) - 1).bit_length()
    for count in np.unique(counts).tolist():
        most = max(1, min(_JOINT_AT_ONCE >> (width + layout.qubits), _DRAWN_AT_ONCE // count))
        alike = np.flatnonzero(counts == count)
        for part in (alike[k : k + most] for k in range(0, len(alike), most)):
            joint = np.zeros((len(part), 2**width, rows.shape[1]))
            for place, (form, share) in enumerate(zip(forms, layout.shares, strict=True)):
                joint[:, place] = share * np.abs(form.turned(rows[part])) ** 2
            yield part, count, torch.from_numpy(joint.reshape(len(part), -1)), forms


def _positive(
    strings: NDArray[np.uint8],  # (circuits, shots, width + qubits)
    forms: list[ZStrings],
    layout: Layout,
) -> NDArray[np.int64]:  # (circuits,)
    width = (len(forms) - 1).bit_length()
    chosen = strings[:, :, :width] @ (1 << np.arange(width - 1, -1, -1))
    flat = strings[:, :, width:].reshape(-1, strings.shape[2] - width)
    positive = np.zeros(chosen.shape, dtype=bool)
    for place, (form, (weight, _)) in enumerate(zip(forms, layout.observable, strict=True)):
        outcomes = form.outcomes(flat)[:, 0].reshape(chosen.shape)
        positive |= (chosen == place) & (weight * outcomes > 0)
    counts: NDArray[np.int64] = positive.sum(1)
    return counts


def circuits_of(layout: Layout) -> list[str]:
    """Whose gate each term belongs to, in the order of the shifted circuits, two a term."""
    return [block.party for block in layout.blocks for _ in block.terms]


def differences(
    ones: NDArray[np.int64],  # (repetitions, 2, terms of the party)
    layout: Layout,
    copies: tuple[int, ...],
    *,
    party: str,
) -> Real:  # (2, repetitions, parameters)
    """A party's part of the derivatives and of their variances, from the counts of outcomes 1."""
    own = [place for place, owner in enumerate(circuits_of(layout)) if owner == party]
    result = np.zeros((2, len(ones), layout.parameters))
    for column, place in enumerate(own):
        term, count = layout.terms[place], copies[place]
        means = 2 * ones[:, :, column] / count - 1
        size = layout.scale * term.weight / 2
        result[0, :, term.parameter] += size * (means[:, 0] - means[:, 1])
        variances = (1 - means**2) / (count - 1) if count > 1 else np.full_like(means, np.nan)
        result[1, :, term.parameter] += size**2 * variances.sum(1)
    return result


def _done(holder: Holder, turn: int, rows: State, part: slice) -> State:
    return holder.apply(turn, rows, part=part) if holder.steps[turn][part] else rows

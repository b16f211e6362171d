"""What each party does where derivatives are read off hybrid states (see `gradients`).

A message carries rows of state vectors; its `copies` say how many registers it stands for. The
ancilla of the hybrid state is the index of a row: it is made by the party of the last turn, so
that a copy travels forward on n qubits and back on n + 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.protocols.execution.holders import Holder
from tnqml.protocols.execution.parties import Receive, Role, Send
from tnqml.protocols.gradients.diagonalise import diagonalise, times_string
from tnqml.protocols.gradients.generators import Block
from tnqml.protocols.gradients.plans import Layout, Real
from tnqml.protocols.gradients.shadows import measure_shadow, random_bases
from tnqml.protocols.problems.one_shot import State
from tnqml.protocols.streams import stream
from tnqml.sampling import draw

_OUTCOMES = 0  # a stream of one seed
_Y = 1  # the place of Y among a shadow's bases
_DRAWN_AT_ONCE = 2**18
_VALUES_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Record:
    """What the copies of a block say: outcomes times factors have the mean <Y (x) word>.

    Attributes:
        outcomes: of each kind of copy and word, 1, -1 or 0.
        factors: of each word.
        alike: how many copies are of each kind.
    """

    outcomes: NDArray[np.int8]  # (kinds, words)
    factors: Real  # (words,)
    alike: NDArray[np.int64]  # (kinds,)


class Measures(Protocol):
    """How the party at a cut reads the words of a block off so many copies of a hybrid state."""

    def __call__(
        self,
        rows: State,  # (1 + strings, 2^qubits)
        layout: Layout,
        block: Block,
        *,
        copies: int,
        repetitions: int,
        generator: np.random.Generator,
    ) -> Iterator[Record]:
        """A record for each repetition, each of so many copies of its own."""


def hybrid_role(
    holder: Holder,
    layout: Layout,
    copies: tuple[int, ...],
    *,
    measures: Measures,
    seed: int,
    repetitions: int,
) -> Role:
    """The program of one party where derivatives are read off hybrid states.

    The register goes forward through all turns; the party of the last one applies the observable
    controlled by the ancilla; then it goes back turn by turn, and at each cut the party there keeps
    the copies of its block and measures them. With more than one string in the observable each copy
    gets one, drawn in proportion to its weight.

    Returns:
        (2, repetitions, parameters): this party's part of the derivatives, and of the squares of
        their standard errors.
    """
    parties, last = layout.parties, len(layout.parties) - 1
    rows = np.empty((0, 0), dtype=np.complex128)
    for turn, party in enumerate(parties):
        if party != holder.party:
            continue
        rows = holder.prepare() if turn == 0 else (yield Receive(parties[turn - 1]))
        rows = holder.apply(turn, rows)
        if turn < last:
            yield Send(
                parties[turn + 1], rows, "qubit", layout.qubits, sum(copies), purpose="state"
            )
    result = np.zeros((2, repetitions, layout.parameters))
    first = min(block.turn for block in layout.blocks)
    for turn in range(last, first - 1, -1):
        if parties[turn] != holder.party:
            continue
        rows = controlled(rows, layout) if turn == last else (yield Receive(parties[turn + 1]))
        end: int | None = None
        for place, block in reversed(list(enumerate(layout.blocks))):
            if block.turn != turn:
                continue
            rows = _undone(holder, turn, rows, slice(block.cut, end))
            end = block.cut
            records = measures(
                rows,
                layout,
                block,
                copies=copies[place],
                repetitions=repetitions,
                generator=stream(seed, _OUTCOMES, place),
            )
            for repetition, record in enumerate(records):
                result[:, repetition] += _derivatives(record, layout, block)
        if turn > first:
            rows = _undone(holder, turn, rows, slice(0, end))
            left = sum(
                count
                for block, count in zip(layout.blocks, copies, strict=True)
                if block.turn < turn
            )
            yield Send(
                parties[turn - 1], rows, "qubit", layout.qubits + 1, left, purpose="hybrid state"
            )
    return result


def controlled(
    state: State,  # (1, 2^qubits)
    layout: Layout,
) -> State:
    """(1 + strings, 2^qubits): the branch of the ancilla's 0, then of its 1 for each string.

    The string acts where the ancilla is 1, with the sign of its weight.
    """
    ones = [
        np.sign(weight) * times_string(string, state[0]) for weight, string in layout.observable
    ]
    return np.stack([state[0], *ones])


def measure_words(
    rows: State,  # (1 + strings, 2^qubits)
    layout: Layout,
    block: Block,
    *,
    copies: int,
    repetitions: int,
    generator: np.random.Generator,
) -> Iterator[Record]:
    """All words of a block from the same copies, each measured as a whole register."""
    form = diagonalise(block.words, qubits=layout.qubits)
    turned = form.turned(rows)
    # (|0> a + |1> b)/sqrt 2 with the ancilla in Y: amplitudes (a -+ i b)/2
    halves = np.array([1, -1])[:, None, None]
    joint = np.abs(turned[0] - 1j * halves * turned[1:]) ** 2 / 4  # (2, strings, 2^qubits)
    shares = torch.from_numpy(np.einsum("j,ajk->ak", layout.shares, joint).reshape(1, -1))
    own = torch.Generator().manual_seed(int(generator.integers(2**63)))
    powers = 1 << np.arange(layout.qubits, -1, -1)
    for _ in range(repetitions):
        strings = draw(shares, shots=copies, generator=own)[0].numpy()
        _, places, counts = np.unique(strings @ powers, return_index=True, return_counts=True)
        alike = strings[places]
        outcomes = form.outcomes(alike[:, 1:]) * (1 - 2 * alike[:, :1].astype(np.int8))
        yield Record(outcomes, np.ones(len(block.words)), counts)


def measure_shadows(
    rows: State,  # (1 + strings, 2^qubits)
    layout: Layout,
    block: Block,
    *,
    copies: int,
    repetitions: int,
    generator: np.random.Generator,
) -> Iterator[Record]:
    """The words of a block from random local bases, with the ancilla always in Y."""
    states = np.stack([np.concatenate([rows[0], one]) for one in rows[1:]])
    words = [tuple((qubit + 1, letter) for qubit, letter in word) for word in block.words]
    shares, factors = layout.shares, 3.0 ** np.array([len(word) for word in words])
    at_once = max(1, _DRAWN_AT_ONCE // copies)  # repetitions that share the collapsed states
    for start in range(0, repetitions, at_once):
        part = min(at_once, repetitions - start)
        bases = random_bases(part * copies, layout.qubits + 1, generator=generator)
        bases[:, 0] = _Y
        which = generator.choice(len(shares), part * copies, p=shares)
        shadow = measure_shadow(states, bases, which=which, generator=generator)
        outcomes = shadow.values(words) * shadow.outcomes[:, :1]
        for own in outcomes.reshape(part, copies, -1):
            yield Record(own, factors, np.ones(copies, dtype=np.int64))


def _derivatives(record: Record, layout: Layout, block: Block) -> Real:  # (2, parameters)
    """A block's part of the derivatives, -W sum_i a_i <Y (x) word_i>, and of their variances."""
    parameters, columns = np.unique([term.parameter for term in block.terms], return_inverse=True)
    places = {word: place for place, word in enumerate(block.words)}
    weights = np.zeros((len(places), len(parameters)))
    for term, column in zip(block.terms, columns, strict=True):
        place = places[term.word]
        weights[place, column] -= layout.scale * term.weight * record.factors[place]
    sums, squares = np.zeros((2, len(parameters)))
    step = max(1, _VALUES_AT_ONCE // len(places))
    for start in range(0, len(record.alike), step):
        alike = record.alike[start : start + step]
        values = record.outcomes[start : start + step] @ weights
        sums, squares = sums + alike @ values, squares + alike @ values**2
    count = int(record.alike.sum())
    mean = sums / count
    result = np.zeros((2, layout.parameters))
    result[0, parameters] = mean
    # their values are bounded, so that the difference loses no digit that matters
    spread = np.maximum(squares / count - mean**2, 0)
    result[1, parameters] = spread / (count - 1) if count > 1 else np.nan
    return result


def _undone(holder: Holder, turn: int, rows: State, part: slice) -> State:
    return holder.undo(turn, rows, part=part) if holder.steps[turn][part] else rows

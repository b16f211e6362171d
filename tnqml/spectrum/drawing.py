"""Drawing places of frequencies with probability |C_d|^2 / sum: from a table, or axis by axis."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contractions import ContractionTooLarge, this_machine
from tnqml.errors import InputError
from tnqml.spectrum.network import CoefficientNetwork
from tnqml.spectrum.sweep import Sweep, opened, probabilities, rests, sweep
from tnqml.spectrum.tables import every_coefficient

Array = NDArray[Any]
Drawn = tuple[NDArray[np.intp], Array]
"""(draws, axes): places of the frequencies; (draws,): exact log probabilities."""

_ENUMERATE_AT_ONCE = 2**20  # coefficients; for fewer a sweep is looked at last
_CHUNK = 1 / 16  # of the memory, for the vectors of one block with its axes open
_COPIES = 3  # of the vectors of all draws: before a block, behind it, and while they are joined


def draw(
    network: CoefficientNetwork,  # of one output
    draws: int,
    *,
    generator: np.random.Generator,
    memory: int | None,
) -> Drawn:
    """Independent draws in the order of the network's axes.

    Few coefficients are written down, and the draws are made from their table; so are more if no
    sweep fits the memory: frequencies that add up make wide cuts and few coefficients.

    Raises:
        InputError: the output is 0 for every input.
        ContractionTooLarge: neither way fits the memory.
    """
    memory = this_machine().memory if memory is None else memory
    few = math.prod(network.sizes) <= _ENUMERATE_AT_ONCE
    refusals: dict[bool, ContractionTooLarge] = {}
    for by_table in (few, not few):
        try:
            way = _from_table if by_table else _by_sweep
            return way(network, draws, generator, memory)
        except ContractionTooLarge as error:
            refusals[by_table] = error
    raise refusals[False]


def _from_table(
    network: CoefficientNetwork, draws: int, generator: np.random.Generator, memory: int
) -> Drawn:
    """Draws from all coefficients."""
    values = every_coefficient(network, range(len(network.axes)), memory=memory)
    share = _normalised(np.square(np.abs(values)).reshape(1, -1))
    outcome = _outcomes(share, np.zeros(draws, dtype=np.intp), generator.random(draws))
    places = np.zeros((draws, values.ndim), dtype=np.intp)
    if values.ndim:
        places[:] = np.stack(np.unravel_index(outcome, values.shape), 1)
    return places, np.log(share[0, outcome])


def _by_sweep(
    network: CoefficientNetwork, draws: int, generator: np.random.Generator, memory: int
) -> Drawn:
    """Draws by a sweep, as many at once as the memory holds."""
    way = sweep(network, draws, memory=memory)
    behind = rests(way, memory=memory)
    widest = max(math.prod(block.dims) for block in way.blocks)
    room = int((1 - 4 * _CHUNK) * memory) - way.held
    at_once = max(1, room // (16 * _COPIES * widest))
    uniform = generator.random((len(way.blocks), draws))
    parts = [
        _axis_by_axis(way, behind, uniform[:, first : first + at_once], memory)
        for first in range(0, draws, at_once)
    ]
    return np.concatenate([places for places, _ in parts]), np.concatenate([p for _, p in parts])


def _axis_by_axis(
    way: Sweep,
    behind: list[Array],  # for each block the rest of the network
    uniform: Array,  # (blocks, draws) in [0, 1)
    memory: int,
) -> Drawn:
    """Draws block after block, equal beginnings contracted once."""
    network, draws = way.network, uniform.shape[1]
    drawn = np.zeros((draws, len(network.axes)), dtype=np.intp)
    logs = np.zeros(draws)
    row = np.zeros(draws, dtype=np.intp)
    vectors = np.array([[1.0, 0.0]])
    for number, block in enumerate(way.blocks):
        sizes = [network.sizes[axis] for axis in block.axes]
        each = 16 * math.prod(sizes) * math.prod(block.dims)
        chunk = min(len(vectors), max(1, int(_CHUNK * memory) // each))
        carried, count, after, first = [], 0, np.zeros_like(row), 0
        while first < len(vectors):
            try:
                ahead = opened(way, number, vectors[first : first + chunk], memory=memory)
                power = probabilities(way, number, ahead, behind[number], memory=memory)
            except ContractionTooLarge:
                if chunk == 1:
                    raise
                chunk //= 2
                continue
            table = _normalised(power)
            mine = np.flatnonzero((row >= first) & (row < first + chunk))
            outcome = _outcomes(table, row[mine] - first, uniform[number, mine])
            logs[mine] += np.log(table[row[mine] - first, outcome])
            if sizes:
                drawn[mine[:, None], block.axes] = np.stack(np.unravel_index(outcome, sizes), 1)
            ahead = ahead.reshape(table.size, *ahead.shape[1 + len(sizes) :])
            kept, back = np.unique(
                (row[mine] - first) * table.shape[1] + outcome, return_inverse=True
            )
            carried.append(_scaled(ahead[kept]))
            after[mine] = back + count
            count += len(kept)
            first += chunk
        vectors, row = np.concatenate(carried), after
    return drawn, logs


def _normalised(
    table: Array,  # (rows, outcomes)
) -> Array:
    """Each row divided by its sum.

    Raises:
        InputError: a row is zero.
    """
    totals = table.sum(1, keepdims=True)
    if not totals.all():
        raise InputError(
            "the output is 0 for every input; it has no spectrum to draw from, so choose another "
            "observable"
        )
    return np.asarray(table / totals)


def _scaled(
    vectors: Array,  # (rows, ...)
) -> Array:
    """Each row divided by its largest entry, so that none underflows on the way."""
    largest = np.abs(vectors).reshape(len(vectors), -1).max(1)
    return np.asarray(vectors / largest.reshape(-1, *(1,) * (vectors.ndim - 1)))


def _outcomes(
    table: Array,  # (rows, outcomes)
    row: NDArray[np.intp],  # (draws,)
    uniform: Array,  # (draws,) in [0, 1)
) -> NDArray[np.intp]:
    """(draws,): an outcome of the row of each draw, by inversion."""
    count = table.shape[1]
    cumulative = np.cumsum(table, 1)
    cumulative /= cumulative[:, -1:]
    steps = (cumulative + np.arange(len(table))[:, None]).ravel()
    below = np.minimum(row + uniform, np.nextafter(row + 1.0, 0.0))
    return np.asarray(np.searchsorted(steps, below, side="right") - row * count)

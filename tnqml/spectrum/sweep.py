"""A sweep over the network that draws axis after axis, carrying on what was drawn before.

The tensors are put in a row and cut into blocks, each with a few axes. From the back, the rest of
the network joined with its copy, all axes summed, is contracted once for each cut. From the front,
every distinct beginning carries a vector over the indices that its cut goes through; a block adds
its tensors to it, with its axes open, and vector, rest and conjugate vector together give the
conditional probabilities. Real arithmetic: a complex vector has an index "part" for its real and
imaginary part, and the rest is symmetric, so that the two parts do not mix in a probability.
"""

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contractions
from contractions import ContractionTooLarge, this_machine
from tnqml.spectrum.frequencies import exponentials, metric
from tnqml.spectrum.network import CoefficientNetwork
from tnqml.spectrum.orders import cuts_between, joined_entries, sweep_orders
from tnqml.spectrum.tensors import Leaf, contract, structure

Array = NDArray[Any]

_ROWS = "rows"
_BYTES_EACH = 256  # of an entry: complex, and some copies on the way
_HELD = 0.5  # of the memory, for the rests behind all cuts
_VECTOR = 2**18  # entries; axes are drawn together as long as the vectors of a block stay so small


@dataclass(frozen=True, eq=False)
class Block:
    """Tensors that are added together, and the axes drawn then.

    Attributes:
        leaves: the tensors.
        axes: of the network, in the order in which they are opened.
        cut: the indices behind the block that it or those before share with the rest.
        dims: their sizes.
    """

    leaves: tuple[Leaf, ...]
    axes: tuple[int, ...]
    cut: tuple[Hashable, ...]
    dims: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sweep:
    """A way through a network.

    Attributes:
        network: of one output.
        blocks: in order; the last has an empty cut.
        operations: estimate for the number of draws that it was made for.
        held: bytes of the rests behind all cuts.
    """

    network: CoefficientNetwork
    blocks: tuple[Block, ...]
    operations: float
    held: int


def sweep(network: CoefficientNetwork, draws: int, *, memory: int) -> Sweep:
    """The cheapest way found for so many draws, of those whose rests fit the memory.

    Raises:
        ContractionTooLarge: none does.
    """
    ways = [_cut(network, order, draws, memory) for order in sweep_orders(network)]
    fitting = [way for way in ways if way.held <= _HELD * memory]
    if not fitting:
        least = min(ways, key=lambda way: way.held)
        raise ContractionTooLarge(
            least.held,
            memory,
            least.operations / this_machine().flops["float64"],
            "take uploads apart with merging='independent', or raise the model's `memory`",
        )
    return min(fitting, key=lambda way: way.operations)


def rests(found: Sweep, *, memory: int | None) -> list[Array]:
    """For each block what is behind its cut, joined with its copy: (*cut, *cut of the copy).

    Up to a factor. Indices of the cut that both copies share appear once.

    Raises:
        ContractionTooLarge: one does not fit.
    """
    network, behind = found.network, np.ones(())
    results = [behind]
    for block, before in zip(found.blocks[:0:-1], found.blocks[-2::-1], strict=True):
        leaves = list(block.leaves)
        leaves += network.mirrored(block.leaves, joined=block.axes)
        leaves += [
            Leaf(metric(network.layout.frequencies[axis])[None], (network.axes[axis],))
            for axis in block.axes
        ]
        leaves.append(Leaf(behind[None], _both(network, block.cut)))
        behind = _contracted(leaves, _both(network, before.cut), memory)
        behind = behind / max(np.abs(behind).max(), np.finfo(np.float64).tiny)
        results.append(behind)
    return results[::-1]


def opened(
    found: Sweep,
    number: int,
    vectors: Array,  # (rows, 2, *cut of the block before)
    *,
    memory: int | None,
) -> Array:
    """(rows, *frequencies of the block's axes, 2, *cut of the block): the vectors a block on."""
    network, block = found.network, found.blocks[number]
    before = found.blocks[number - 1].cut if number else ()
    leaves = [Leaf(vectors[None], (_ROWS, ("part", 0), *before)), *block.leaves]
    for place, axis in enumerate(block.axes):
        matrix = exponentials(network.layout.frequencies[axis])
        product = np.stack([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])
        indices = (("part", place + 1), ("part", place), ("frequency", axis), network.axes[axis])
        leaves.append(Leaf(product[None], indices))
    output = [_ROWS, *(("frequency", axis) for axis in block.axes)]
    return _contracted(leaves, [*output, ("part", len(block.axes)), *block.cut], memory)


def probabilities(
    found: Sweep,
    number: int,
    vectors: Array,  # (rows, *frequencies, 2, *cut)
    rest: Array,
    *,
    memory: int | None,
) -> Array:
    """(rows, outcomes): the power of each outcome of a block, up to a factor for each row."""
    cut = found.blocks[number].cut
    flat = vectors.reshape(-1, *vectors.shape[vectors.ndim - len(cut) - 1 :])
    if not cut:
        power = np.square(flat).sum(1)
    else:
        copy = _both(found.network, cut)[len(cut) :]
        names = dict(zip((c for c in cut if c not in found.network.shared), copy, strict=True))
        leaves = [
            Leaf(flat[None], (_ROWS, "part", *cut)),
            Leaf(flat[None], (_ROWS, "part", *(names.get(index, index) for index in cut))),
            Leaf(rest[None], _both(found.network, cut)),
        ]
        power = _contracted(leaves, [_ROWS], memory)
    return np.asarray(np.maximum(power.reshape(len(vectors), -1), 0))


def _both(network: CoefficientNetwork, cut: Sequence[Hashable]) -> tuple[Hashable, ...]:
    """The indices of a cut, and of its copy those that are not shared."""
    return (*cut, *(("copy", index) for index in cut if index not in network.shared))


def _contracted(leaves: Sequence[Leaf], output: Sequence[Hashable], memory: int | None) -> Array:
    """The leaves contracted by a plan that rows with the same next power of two share."""
    network = structure(leaves, output)
    rows = network.sizes.get(_ROWS)
    if rows is None:
        return contract(contractions.plan(network, memory=memory, expected_calls=1), leaves, output)
    bucket = network.resized({_ROWS: 1 << (rows - 1).bit_length()})
    plan = contractions.plan(bucket, memory=memory, expected_calls=1).resized({_ROWS: rows})
    return contract(plan, leaves, output)


def _cut(network: CoefficientNetwork, order: Sequence[int], draws: int, memory: int) -> Sweep:
    """The row cut into blocks where the cuts between their axes are narrowest."""
    leaves = [network.leaves[k] for k in order]
    axis_of = {index: axis for axis, index in enumerate(network.axes)}
    dims, cuts = network.dims, cuts_between(network, order)
    one = [math.prod(dims[i] for i in cut) for cut in cuts]
    both = [joined_entries(network, cut) for cut in cuts]
    held = [place for place, leaf in enumerate(leaves) if axis_of.keys() & set(leaf.indices)]
    ends = [min(range(a, b), key=both.__getitem__) for a, b in itertools.pairwise(held)]
    ends.append(len(leaves) - 1)
    blocks: list[Block] = []
    operations, start, rows = 0.0, 0, 1
    most = min(_VECTOR, memory // _BYTES_EACH)
    for end, following in itertools.pairwise([*ends, len(leaves)]):
        axes = [axis_of[i] for k in leaves[start : end + 1] for i in k.indices if i in axis_of]
        outcomes = math.prod(network.sizes[axis] for axis in axes)
        if following < len(leaves):
            more = leaves[end + 1 : following + 1]
            wider = math.prod(
                network.sizes[axis_of[i]] for k in more for i in k.indices if i in axis_of
            )
            if rows * outcomes * wider * one[following] <= most:
                continue
        cut = cuts[end]
        blocks.append(
            Block(tuple(leaves[start : end + 1]), tuple(axes), cut, tuple(dims[i] for i in cut))
        )
        operations += 4.0 * rows * outcomes * both[end]
        rows, start = min(draws, rows * outcomes), end + 1
    held_bytes = 8 * sum(both[end] for end in ends)
    return Sweep(network, tuple(blocks), operations, held_bytes)

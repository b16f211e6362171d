"""Tensors with named indices and, in front, an axis over stacked cones: fused and contracted."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contractions
from contractions import Plan

Array = NDArray[Any]

CONES = "cones"
_SMALL = 32  # entries; a tensor up to this size is absorbed even if it makes another larger


@dataclass(frozen=True, eq=False)
class Leaf:
    """A tensor of the network.

    Attributes:
        array: (1 or cones, *dims), with one entry of dims for each index.
        indices: their names.
    """

    array: Array
    indices: tuple[Hashable, ...]

    def fixed(self, values: Mapping[Hashable, int]) -> "Leaf":
        """The leaf with some of its indices fixed."""
        where = tuple(values.get(index, slice(None)) for index in self.indices)
        kept = tuple(index for index in self.indices if index not in values)
        return Leaf(self.array[(slice(None), *where)], kept)


def fused(leaves: Sequence[Leaf], output: frozenset[Hashable]) -> list[Leaf]:
    """Contract neighbours as long as the result is no larger than the larger of them.

    Indices that nothing else holds are summed on the way, and numbers multiplied into one leaf.
    """
    alive = dict(enumerate(leaves))
    holders: dict[Hashable, set[int]] = defaultdict(set)
    for name, leaf in alive.items():
        for index in leaf.indices:
            holders[index].add(name)
    queue = list(alive)
    while queue:
        name = queue.pop(0)
        if name not in alive:
            continue
        for other in sorted({n for i in alive[name].indices for n in holders[i]} - {name}):
            pair = {name, other}
            one, two = alive[name], alive[other]
            kept = tuple(
                index
                for index in dict.fromkeys(one.indices + two.indices)
                if index in output or holders[index] - pair
            )
            if _entries(one, two, kept) <= max(one.array[0].size, two.array[0].size, _SMALL):
                for index in (*one.indices, *two.indices):
                    holders[index] -= pair
                for index in kept:
                    holders[index].add(name)
                del alive[other]
                alive[name] = _product(one, two, kept)
                queue.insert(0, name)
                break
    numbers = [leaf for leaf in alive.values() if not leaf.indices]
    rest = [leaf for leaf in alive.values() if leaf.indices]
    factor = math.prod((leaf.array for leaf in numbers), start=np.ones(1))
    if not rest:
        return [Leaf(factor, ())]
    first = rest[0]
    lead = factor.reshape(-1, *(1,) * len(first.indices))
    return [Leaf(first.array * lead, first.indices), *rest[1:]]


def _entries(one: Leaf, two: Leaf, kept: Sequence[Hashable]) -> int:
    shape = one.array.shape[1:] + two.array.shape[1:]
    dims = dict(zip(one.indices + two.indices, shape, strict=True))
    return math.prod(dims[index] for index in kept)


def _product(one: Leaf, two: Leaf, kept: Sequence[Hashable]) -> Leaf:
    names = {index: name for name, index in enumerate(dict.fromkeys(one.indices + two.indices))}
    array = np.einsum(
        one.array,
        [..., *(names[index] for index in one.indices)],
        two.array,
        [..., *(names[index] for index in two.indices)],
        [..., *(names[index] for index in kept)],
    )
    return Leaf(np.ascontiguousarray(array), tuple(kept))


def structure(leaves: Sequence[Leaf], output: Sequence[Hashable]) -> contractions.Network:
    """Who shares which index; tensors that differ between cones also have `CONES`."""
    sizes: dict[Hashable, int] = {}
    inputs = []
    for leaf in leaves:
        stacked = len(leaf.array) > 1
        inputs.append((CONES, *leaf.indices) if stacked else leaf.indices)
        sizes |= dict(zip(inputs[-1], leaf.array.shape[not stacked :], strict=True))
    return contractions.Network(inputs, [index for index in output if index in sizes], sizes)


def contract(
    plan: Plan,
    leaves: Sequence[Leaf],
    output: Sequence[Hashable],
    *,
    cones: int = 1,
) -> Array:
    """The contracted leaves, its axes as `output`; what no leaf tells apart is repeated.

    Args:
        plan: made for the `structure` of leaves like these.
        leaves: the tensors.
        output: the indices wanted; `CONES` may be one.
        cones: how many are stacked.
    """
    arrays = [
        (leaf.array if CONES in term else leaf.array[0]).astype(plan.dtype)
        for leaf, term in zip(leaves, plan.network.inputs, strict=True)
    ]
    result = np.asarray(plan.contract(arrays))
    if CONES in output and CONES not in plan.network.output:
        place = list(output).index(CONES)
        result = np.repeat(np.expand_dims(result, place), cones, place)
    return result

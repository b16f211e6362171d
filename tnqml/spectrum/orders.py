"""Orders of a network's tensors along which a sweep meets few indices at a time."""

import math
from collections.abc import Hashable, Sequence

from tnqml.spectrum.network import CoefficientNetwork

_STARTS = 9


def sweep_orders(network: CoefficientNetwork) -> list[list[int]]:
    """Orders of the tensors in which few indices lead from those before any place to the others.

    From each of several tensors on, always the next that leaves the fewest entries in the cut of
    the network joined with its copy; and the same backwards. Those with the least sum of entries
    come first.
    """
    count = len(network.leaves)
    starts = sorted({round(k * (count - 1) / (_STARTS - 1)) for k in range(_STARTS)})
    orders = [_narrowest(network, start) for start in starts]
    both_ways = orders + [order[::-1] for order in orders]
    return sorted(
        both_ways,
        key=lambda order: sum(joined_entries(network, cut) for cut in cuts_between(network, order)),
    )


def cuts_between(network: CoefficientNetwork, order: Sequence[int]) -> list[tuple[Hashable, ...]]:
    """Behind each tensor the indices, axes apart, that it or those before share with the rest."""
    axes = set(network.axes)
    leaves = [network.leaves[number] for number in order]
    last = {index: place for place, leaf in enumerate(leaves) for index in leaf.indices}
    cuts, cut = [], dict[Hashable, None]()
    for place, leaf in enumerate(leaves):
        cut |= dict.fromkeys(index for index in leaf.indices if index not in axes)
        cut = {index: None for index in cut if last[index] > place}
        cuts.append(tuple(cut))
    return cuts


def joined_entries(network: CoefficientNetwork, cut: Sequence[Hashable]) -> int:
    """The entries of a tensor over a cut and its copy."""
    dims = network.dims
    return math.prod(dims[i] ** (1 if i in network.shared else 2) for i in cut)


def _narrowest(network: CoefficientNetwork, start: int) -> list[int]:
    leaves = network.leaves
    weights = {
        index: math.log2(joined_entries(network, (index,)))
        for index in network.dims
        if index not in network.axes
    }
    left: dict[Hashable, set[int]] = {index: set() for index in weights}
    for number, leaf in enumerate(leaves):
        for index in weights.keys() & set(leaf.indices):
            left[index].add(number)
    since: dict[Hashable, int] = {}  # indices of the cut, and when they entered it
    rest = set(range(len(leaves)))
    order: list[int] = []

    def growth(number: int) -> tuple[float, int, int]:
        """How much the cut grows by a tensor, then how long it has waited."""
        change, waited = 0.0, len(order)
        for index in leaves[number].indices:
            if index in since:
                waited = min(waited, since[index])
                change -= weights[index] if left[index] == {number} else 0.0
            elif index in weights and left[index] != {number}:
                change += weights[index]
        return change, waited, number

    number = start
    while True:
        order.append(number)
        rest.discard(number)
        for index in leaves[number].indices:
            if index in weights:
                left[index].discard(number)
                since.setdefault(index, len(order))
                if not left[index]:
                    del since[index]
        if not rest:
            return order
        number = min(map(growth, {n for index in since for n in left[index]} or rest))[2]

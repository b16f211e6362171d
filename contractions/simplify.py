"""Simplification: the pairs that are contracted first because no tensor grows by it."""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from contractions.legs import Legs, bits
from contractions.network import Network
from contractions.tree import Path

_CROWD = 16


@dataclass(frozen=True)
class Simplified:
    """A network in two parts: pairs that come first, and what a search has left to order.

    Attributes:
        first: the pairs, of nodes of the whole network.
        core: the network that they leave; its indices are the numbers of the whole's.
        nodes: which node of the whole each tensor of the core is.
    """

    first: Path
    core: Network
    nodes: tuple[int, ...]

    def whole(self, path: Path) -> Path:
        """The pairs of the whole network, from those of the core."""
        tensors = len(self.nodes)
        shift = 2 * len(self.first)

        def node(number: int) -> int:
            return self.nodes[number] if number < tensors else number + shift

        return self.first + tuple((node(left), node(right)) for left, right in path)

    def order(self, order: Sequence[int]) -> list[int]:
        """The core's tensors in an order of the whole, each where the first of its parts is."""
        place = [0] * len(order)
        for position, tensor in enumerate(order):
            place[tensor] = position
        for left, right in self.first:
            place.append(min(place[left], place[right]))
        return sorted(range(len(self.nodes)), key=lambda tensor: place[self.nodes[tensor]])


def simplified(network: Network) -> Simplified:
    """The network after every product whose result is no larger than the larger of its factors.

    Smallest tensors first, each with the neighbour that makes the least work; pieces that have
    become scalars are multiplied together. Trees, chains and vectors vanish; what is left is the
    part that has loops, often many times smaller than the whole.
    """
    return _Absorber(network).run()


class _Absorber:
    """Who is left, which indices each has, and who holds each index."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.legs = Legs(network)
        self.masks = list(self.legs.tensors)
        self.alive = set(range(len(self.masks)))
        self.holders: dict[int, set[int]] = defaultdict(set)
        for node, mask in enumerate(self.masks):
            for index in bits(mask):
                self.holders[index].add(node)
        self.pairs: list[tuple[int, int]] = []

    def run(self) -> Simplified:
        heap = [(self.legs.entries(mask), node) for node, mask in enumerate(self.masks)]
        heapq.heapify(heap)
        while heap:
            _, node = heapq.heappop(heap)
            other = self._best_partner(node) if node in self.alive else None
            if other is not None:
                new = self._join(node, other)
                for near in {new, *self._neighbours(new)}:
                    heapq.heappush(heap, (self.legs.entries(self.masks[near]), near))
        scalars = [node for node in sorted(self.alive) if not self.masks[node]]
        while len(scalars) > 1:
            scalars.append(self._join(scalars.pop(), scalars.pop()))
        if scalars and len(self.alive) > 1:
            self._join(scalars[0], min(self.alive - {scalars[0]}))
        nodes = tuple(sorted(self.alive))
        _, output, sizes = self.network.numbered
        terms = [bits(self.masks[node]) for node in nodes]
        core = Network(terms, output, dict(enumerate(sizes)))
        return Simplified(tuple(self.pairs), core, nodes)

    def _neighbours(self, node: int) -> set[int]:
        """Who shares an index with a tensor, but for indices that a crowd shares."""
        near: set[int] = set()
        for index in bits(self.masks[node]):
            if len(self.holders[index]) <= _CROWD:
                near |= self.holders[index]
        return near - {node}

    def _best_partner(self, node: int) -> int | None:
        best: tuple[float, int] | None = None
        entries, own = self.legs.entries, self.masks[node]
        for other in self._neighbours(node):
            theirs = self.masks[other]
            if entries(self._result(node, other)) <= max(entries(own), entries(theirs)):
                work = entries(own | theirs)
                best = min(best or (work, other), (work, other))
        return None if best is None else best[1]

    def _result(self, left: int, right: int) -> int:
        result = self.masks[left] | self.masks[right]
        for index in bits(self.masks[left] & self.masks[right] & ~self.legs.output):
            if len(self.holders[index]) == 2:
                result ^= 1 << index
        return result

    def _join(self, left: int, right: int) -> int:
        result = self._result(left, right)
        new = len(self.masks)
        for old in (left, right):
            self.alive.discard(old)
            for index in bits(self.masks[old]):
                self.holders[index].discard(old)
        for index in bits(result):
            self.holders[index].add(new)
        self.masks.append(result)
        self.alive.add(new)
        self.pairs.append((left, right))
        return new

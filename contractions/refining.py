"""Improving a contraction tree in place: the best order of a few branches, again and again."""

import heapq
import math
from collections.abc import Collection, Iterable, Sequence

import cotengrust
import numpy as np

from contractions.legs import Legs, bits
from contractions.machine import Rates
from contractions.tree import Path, symbol_of

_PASSES = 20
_BRANCHES = 7  # at once; the time of the best order of one more is about threefold
_BRANCHES_REBUILT = 6
_TOLERANCE = 1e-3
_REGION = 25
_RESTARTS = 16

Pairs = Sequence[Sequence[int]]


class Refiner:
    """A contraction tree whose branches can be ordered anew.

    Tensors are nodes 0 to n - 1, as in a path; the nodes that products make follow, in no order.
    """

    def __init__(self, legs: Legs, path: Path, rates: Rates) -> None:
        self._legs, self._rates = legs, rates
        self._count = len(legs.tensors)
        self._masks = legs.tensors + legs.results(path)
        self._children: list[tuple[int, int]] = [(-1, -1)] * self._count + list(path)
        self._seconds = [0.0] * self._count
        for (left, right), mask in zip(path, self._masks[self._count :], strict=True):
            self._seconds.append(self._price(self._masks[left], self._masks[right], mask))
        self._root = len(self._masks) - 1

    def copy(self) -> "Refiner":
        """A tree of its own that is the same so far."""
        other = object.__new__(Refiner)
        other.__dict__ = self.__dict__ | {
            "_masks": self._masks.copy(),
            "_children": self._children.copy(),
            "_seconds": self._seconds.copy(),
        }
        return other

    @property
    def seconds(self) -> float:
        """What the tree is predicted to take."""
        inner = self._inner(self._root)
        return sum(self._seconds[node] for node in inner) + len(inner) * self._rates.step

    def path(self) -> Path:
        """The pairs, children before parents."""
        order = self._inner(self._root)[::-1]
        names = {node: self._count + step for step, node in enumerate(order)}
        return tuple(
            (names.get(left, left), names.get(right, right))
            for left, right in (self._children[node] for node in order)
        )

    def _price(self, left: int, right: int, result: int) -> float:
        """The time of one product beyond what a step takes whatever its size."""
        entries = self._legs.entries
        matrices = entries(left & right & result)
        moved = entries(left) + entries(right) + entries(result)
        return self._rates.seconds(entries(left | right), moved, matrices) - self._rates.step

    def _inner(self, top: int, below: Collection[int] = ()) -> list[int]:
        """The products under a node, itself first, down to the nodes of `below`."""
        found, waiting = [], [top]
        while waiting:
            node = waiting.pop()
            if node >= self._count and node not in below:
                found.append(node)
                waiting += self._children[node]
        return found

    def refine(self, draws: np.random.Generator) -> None:
        """Order the branches next to each product anew, until no product gains by it.

        Args:
            draws: of the order in which the products have their turn.
        """
        self._refine(self._root, (), _BRANCHES, draws)

    def _refine(
        self, top: int, below: Collection[int], size: int, draws: np.random.Generator
    ) -> None:
        seen: set[frozenset[int]] = set()
        for _ in range(_PASSES):
            inner = self._inner(top, below)
            before = sum(self._seconds[node] for node in inner)
            order = sorted(inner, key=lambda node: -self._seconds[node] * draws.random())
            gone: set[int] = set()
            for node in order:
                if node not in gone:
                    gone.update(self._improve(node, size, _TOLERANCE * before, seen))
            after = sum(self._seconds[node] for node in self._inner(top, below))
            if after > (1 - 10 * _TOLERANCE) * before:
                break

    def _improve(
        self, top: int, size: int, least: float, seen: set[frozenset[int]]
    ) -> Iterable[int]:
        """Order the branches next to a node anew; the products that are gone by it."""
        inner, outer = self._nearest(top, size)
        branches = frozenset(outer)
        now = sum(self._seconds[node] for node in inner)
        if len(outer) < 3 or now <= least or branches in seen:
            return ()
        seen.add(branches)
        rates = self._rates
        pairs = cotengrust.optimize_optimal(
            *self._network(top, outer),
            minimize=f"limit-{2 * rates.entry / rates.product:.0f}",
            cost_cap=max(2.0, 1.01 * now / rates.product),
            simplify=False,
            use_ssa=True,
        )
        return inner[1:] if self._replace(top, outer, pairs, at_most=(1 - 1e-9) * now) else ()

    def _nearest(self, top: int, size: int) -> tuple[list[int], list[int]]:
        """The products next to a node, itself first, and the branches below them."""
        inner, waiting = [top], list(self._children[top])
        outer: list[int] = []
        while waiting and len(waiting) + len(outer) < size:
            node = waiting.pop(0)
            if node < self._count:
                outer.append(node)
            else:
                inner.append(node)
                waiting += self._children[node]
        return inner, outer + waiting

    def _network(
        self, top: int, outer: Sequence[int]
    ) -> tuple[list[list[str]], list[str], dict[str, float]]:
        """Branches into a node as cotengrust takes them; indices that go together are one."""
        masks = [self._masks[node] for node in outer]
        result = self._masks[top]
        once = twice = many = 0
        for mask in (*masks, result):
            many |= twice & mask
            twice |= once & mask
            once |= mask
        groups: dict[tuple[int, ...], int] = {}
        for place, mask in enumerate(masks):
            lone = mask & ~many
            if lone & result:
                groups[place,] = lone & result
            for other in range(place):
                if lone & masks[other]:
                    groups[other, place] = lone & masks[other]
        kept = {(place,) for place in range(len(masks))}
        for index in bits(many):
            holders = tuple(place for place, mask in enumerate(masks) if mask >> index & 1)
            if result >> index & 1:
                holders = (-1, *holders)
            groups[holders] = groups.get(holders, 0) | 1 << index
        terms: list[list[str]] = [[] for _ in outer]
        output, sizes = [], {}
        for number, (holders, group) in enumerate(groups.items()):
            symbol = symbol_of(number)
            sizes[symbol] = self._legs.entries(group)
            for place in holders:
                if place >= 0:
                    terms[place].append(symbol)
            if holders in kept or holders[0] < 0:
                output.append(symbol)
        return terms, output, sizes

    def _replace(self, top: int, outer: Sequence[int], pairs: Pairs, *, at_most: float) -> bool:
        """Contract the branches into a node in another order, if it takes no longer."""
        alive = {place: self._masks[node] for place, node in enumerate(outer)}
        made: list[tuple[int, float]] = []
        total = 0.0
        for left, right in pairs:
            a, b = alive.pop(left), alive.pop(right)
            needed = self._masks[top]
            for mask in alive.values():
                needed |= mask
            mask = (a | b) & needed
            seconds = self._price(a, b, mask)
            total += seconds
            alive[len(outer) + len(made)] = mask
            made.append((mask, seconds))
        if total > at_most:
            return False
        nodes = list(outer)
        for (left, right), (mask, seconds) in zip(pairs[:-1], made, strict=False):
            nodes.append(len(self._masks))
            self._masks.append(mask)
            self._children.append((nodes[left], nodes[right]))
            self._seconds.append(seconds)
        left, right = pairs[-1]
        self._children[top] = nodes[left], nodes[right]
        self._seconds[top] = made[-1][1]
        return True

    def rebuilt(self, draws: np.random.Generator) -> "Refiner":
        """The tree with a random region of it built anew, if that is cheaper; else itself.

        The region starts at the root or at an expensive product, and grows by expensive ones; what
        goes into it is contracted in random-greedy order, which is then refined.
        """
        top, outer = self._region(draws)
        if len(outer) <= _BRANCHES_REBUILT:
            return self
        pairs, _ = cotengrust.optimize_random_greedy_track_flops(
            *self._network(top, outer),
            ntrials=_RESTARTS,
            costmod=(0.1, 4.0),
            temperature=(0.001, 1.0),
            seed=int(draws.integers(2**32)),
            simplify=False,
            use_ssa=True,
        )
        other = self.copy()
        other._replace(top, outer, pairs, at_most=math.inf)
        other._refine(top, set(outer), _BRANCHES_REBUILT, draws)
        return other if other.seconds < self.seconds else self

    def _region(self, draws: np.random.Generator) -> tuple[int, list[int]]:
        """A product, and the nodes that go into a random region under it."""
        top = self._root
        if draws.random() < 0.5:
            inner = self._inner(top)
            weights = np.sqrt([self._seconds[node] for node in inner])
            top = int(draws.choice(inner, p=weights / weights.sum()))

        def noisy(node: int) -> tuple[float, int]:
            return -math.log(self._seconds[node]) - draws.gumbel(), node

        outer = [node for node in self._children[top] if node < self._count]
        growing = [noisy(node) for node in self._children[top] if node >= self._count]
        heapq.heapify(growing)
        while growing and len(growing) + len(outer) < _REGION:
            _, node = heapq.heappop(growing)
            for child in self._children[node]:
                if child < self._count:
                    outer.append(child)
                else:
                    heapq.heappush(growing, noisy(child))
        return top, outer + [node for _, node in growing]

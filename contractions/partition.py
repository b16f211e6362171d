"""Paths by recursive bisection: spectral cuts of who shares indices with whom, local moves."""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from contractions.network import Network
from contractions.tree import Path, leaf_legs

Graph = list[dict[int, float]]
"""For each node its neighbours and the weight of what they share."""

_MODES = 3
_MIXES = 4
_BALANCE = (0.25, 0.48)
_DENSE = 160
_LEAF = 8
_PASSES = 3
_STALL = 40


def shared(network: Network) -> Graph:
    """log2 of the entries that each pair of tensors shares; a hyperedge is spread over its pairs.

    Indices of the output are left out: no cut can spare them.
    """
    _, output, sizes = network.numbered
    holders: dict[int, list[int]] = defaultdict(list)
    for tensor, legs in enumerate(leaf_legs(network)):
        for index in legs:
            holders[index].append(tensor)
    graph: Graph = [{} for _ in network.inputs]
    for index in holders.keys() - set(output):
        group = holders[index]
        weight = math.log2(sizes[index]) / max(len(group) - 1, 1)
        for a in group:
            for b in group:
                if a != b:
                    graph[a][b] = graph[a].get(b, 0.0) + weight
    return graph


def bisected(
    graph: Graph, order_few: Callable[[Sequence[int]], Sequence[tuple[int, int]]], *, seed: int
) -> Path:
    """A path whose tree is a recursive bisection of the tensors.

    Each cut is spectral (Fiedler 1973) along a random mix of the slowest modes, so that seeds give
    different trees, at a balance drawn once, and is improved by moves of single tensors (Fiduccia
    and Mattheyses 1982). Large graphs are cut after pairs of neighbours have been merged.

    Args:
        graph: as `shared` gives it.
        order_few: the pairs that contract a few tensors, numbered as given and then from there on.
        seed: of the mixes and balances.
    """
    generator = np.random.default_rng(seed)
    balance = generator.uniform(*_BALANCE)
    pairs: list[tuple[int, int]] = []

    def contracted(nodes: list[int]) -> int:
        if len(nodes) > _LEAF:
            sides = _halves(graph, nodes, generator, balance)
            pairs.append((contracted(sides[0]), contracted(sides[1])))
            return len(graph) + len(pairs) - 1
        known = list(nodes)
        for left, right in order_few(nodes) if len(nodes) > 1 else ():
            pairs.append((known[left], known[right]))
            known.append(len(graph) + len(pairs) - 1)
        return known[-1]

    contracted(list(range(len(graph))))
    return tuple(pairs)


def _halves(
    graph: Graph, nodes: list[int], generator: np.random.Generator, balance: float
) -> tuple[list[int], list[int]]:
    places = {node: place for place, node in enumerate(nodes)}
    part = [
        {places[other]: weight for other, weight in graph[node].items() if other in places}
        for node in nodes
    ]
    side = _cut(part, [1] * len(nodes), generator, balance)
    return (
        [node for node, left in zip(nodes, side, strict=True) if left],
        [node for node, left in zip(nodes, side, strict=True) if not left],
    )


def _cut(
    graph: Graph, counts: list[int], generator: np.random.Generator, balance: float
) -> list[bool]:
    """Which nodes lie on the left of a cut; a node stands for so many tensors."""
    if len(graph) > _DENSE:
        merged, coarse, coarse_counts = _merged(graph, counts, generator)
        if len(coarse) < 0.9 * len(graph):
            above = _cut(coarse, coarse_counts, generator, balance)
            return _moved(graph, counts, [above[node] for node in merged], balance)
    cuts = [
        _moved(graph, counts, side, balance)
        for side in _spectral(graph, counts, generator, balance)
    ]
    return min(cuts, key=lambda side: _severed(graph, side))


def _severed(graph: Graph, side: list[bool]) -> float:
    """Twice the weight that a cut goes through."""
    return sum(
        weight
        for node, near in enumerate(graph)
        for other, weight in near.items()
        if side[node] != side[other]
    )


def _merged(
    graph: Graph, counts: list[int], generator: np.random.Generator
) -> tuple[list[int], Graph, list[int]]:
    """Pairs of neighbours made one, the closest first, from a random node on."""
    merged = [-1] * len(graph)
    coarse_counts: list[int] = []
    for node in generator.permutation(len(graph)).tolist():
        if merged[node] >= 0:
            continue
        free = [(weight, -counts[o], o) for o, weight in graph[node].items() if merged[o] < 0]
        both = {node, max(free)[2]} if free else {node}
        for member in both:
            merged[member] = len(coarse_counts)
        coarse_counts.append(sum(counts[member] for member in both))
    coarse: Graph = [{} for _ in coarse_counts]
    for node, near in enumerate(graph):
        mine = coarse[merged[node]]
        for other, weight in near.items():
            if merged[other] != merged[node]:
                mine[merged[other]] = mine.get(merged[other], 0.0) + weight
    return merged, coarse, coarse_counts


def _spectral(
    graph: Graph, counts: list[int], generator: np.random.Generator, balance: float
) -> Iterator[list[bool]]:
    """The best cuts along random mixes of the slowest modes, the slower the likelier."""
    size, total, links = len(graph), sum(counts), 1 + sum(map(len, graph))
    laplacian = np.zeros((size, size))
    for node, near in enumerate(graph):
        laplacian[node, list(near)] = [-weight for weight in near.values()]
        laplacian[node, node] = sum(near.values())
    values, modes = np.linalg.eigh(laplacian)
    wanted = slice(1, min(_MODES + 1, size))
    scale = 1 / np.sqrt(np.maximum(values[wanted], 1e-6))
    least = balance * total
    for _ in range(_MIXES):
        direction = modes[:, wanted] @ (scale * generator.normal(size=len(scale)))
        order = np.argsort(direction, kind="stable").tolist()
        side, best, cut, left = [False] * size, (math.inf, 0), 0.0, 0
        for place, node in enumerate(order[:-1]):
            cut += sum(-weight if side[other] else weight for other, weight in graph[node].items())
            side[node] = True
            left += counts[node]
            short = max(0.0, least - left, left - total + least)
            best = min(best, (cut + links * short, place))
        yield [place <= best[1] for place in np.argsort(order).tolist()]


def _moved(graph: Graph, counts: list[int], side: list[bool], balance: float) -> list[bool]:
    """Passes of single moves, the best first, each pass cut back to where the cut was smallest."""
    total = sum(counts)
    least = balance * total
    for _ in range(_PASSES):
        gain = [
            sum(weight if side[other] != side[node] else -weight for other, weight in near.items())
            for node, near in enumerate(graph)
        ]
        heap = [(-gain[node], node) for node in range(len(graph))]
        heapq.heapify(heap)
        left = sum(count for count, here in zip(counts, side, strict=True) if here)
        now, free = list(side), [True] * len(graph)
        moves: list[int] = []
        waiting: list[tuple[float, int]] = []
        saved, best, kept = 0.0, 1e-9, 0
        while heap and len(moves) - kept < _STALL:
            claimed, node = heapq.heappop(heap)
            if not free[node] or -claimed != gain[node]:
                continue
            after = left - counts[node] if now[node] else left + counts[node]
            if min(after, total - after) < min(least, left, total - left):
                waiting.append((claimed, node))
                continue
            free[node], left = False, after
            saved += gain[node]
            moves.append(node)
            for other, weight in graph[node].items():
                gain[other] += 2 * weight if now[other] == now[node] else -2 * weight
                if free[other]:
                    heapq.heappush(heap, (-gain[other], other))
            now[node] = not now[node]
            while waiting:
                heapq.heappush(heap, waiting.pop())
            if saved > best:
                best, kept = saved, len(moves)
        if not kept:
            break
        side = list(side)
        for node in moves[:kept]:
            side[node] = not side[node]
    return side

"""Searching for a good contraction path: sweeps, random greedy, bisection, local refinement."""

import gc
import logging
import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cotengrust
import numpy as np

from contractions.legs import Legs
from contractions.machine import Rates
from contractions.network import Network
from contractions.partition import Graph, bisected, shared
from contractions.refining import Refiner
from contractions.simplify import simplified
from contractions.tree import Path, leaf_legs, symbol_of

_log = logging.getLogger(__name__)

_FRESH = ("random greedy", "bisection")
_GREEDY_RESTARTS = (16, 64)  # at first, and later
_TRIAL_SECONDS = (20e-3, 0.25e-3)  # and another for each tensor: measured
_EXPECTED_GAIN = 0.8
_NOTICED = 1e-3  # a smaller part saved does not count as progress
_STALENESS = 1.5
_REBUILDS = 10


@dataclass(frozen=True)
class Found:
    """The best path of a search, and how it was found.

    Attributes:
        path: the pairs.
        winner: which candidate it came from.
        trials: how many candidates were refined.
        stopped: why the search ended: "effort", "gain" or "clock".
    """

    path: Path
    winner: str
    trials: int
    stopped: str


@dataclass
class _Candidate:
    """A tree under refinement, what it came from, and how often it was rebuilt."""

    tree: Refiner
    name: str
    rebuilt: int = 0

    @property
    def rank(self) -> float:
        """The least has the next turn."""
        return self.tree.seconds * _STALENESS**self.rebuilt


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would walk all objects of the process for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_uncollected()
def search(
    network: Network,
    rates: Rates,
    *,
    orders: Sequence[Sequence[int]] = (),
    effort: int,
    seed: int,
    expected_calls: int,
    max_seconds: float | None,
) -> Found:
    """The cheapest path found.

    What needs no choice is contracted first. Structured sweeps and a batch of random-greedy paths
    are rated as they are, and the first trial refines the best of them. Every other trial rebuilds
    regions of a tree refined before: the cheaper and the seldomer rebuilt, the sooner. The rest
    refine a fresh batch of random-greedy paths or a recursive bisection, whichever has led to the
    cheaper tree so far. A seed and an effort give one path, and more effort never a worse one;
    trials end early when what one may still save in `expected_calls` contractions is less than it
    usually takes (both predicted, not timed), or when the wall clock passes `max_seconds`. What one
    may save falls with the trials made, and with the square of those since the last that saved.

    Args:
        network: what to contract; at least two tensors.
        rates: what a step takes.
        orders: permutations of the tensors along which a sweep may be good.
        effort: number of trials, 0 or more.
        seed: of all that is random.
        expected_calls: how often the plan will run.
        max_seconds: wall-clock limit, or None.
    """
    start = time.monotonic()
    parts = simplified(network)
    core = parts.core
    if len(core.inputs) == 1:
        return Found(parts.whole(()), "simplification", 0, "effort")
    legs = Legs(core)
    paths = _Paths(core)
    rated = [
        _Candidate(Refiner(legs, path, rates), name)
        for name, path in [
            ("random greedy", paths.greedy(_GREEDY_RESTARTS[0], seed=seed)),
            *_sweeps(core, [parts.order(order) for order in orders]),
        ]
    ]
    best = min(rated, key=lambda candidate: candidate.tree.seconds)
    best_seconds, best_path, winner = best.tree.seconds, best.tree.path(), best.name
    least = (len(core.inputs) - 1) * rates.step
    trial_seconds = _TRIAL_SECONDS[0] + _TRIAL_SECONDS[1] * len(core.inputs)
    draws = np.random.default_rng(seed)
    pool: list[_Candidate] = []
    reached = dict.fromkeys(_FRESH, 0.0)  # seconds when refined; 0 has the next turn
    trials, idle, stopped = 0, 0, "effort"
    while trials < effort:
        gain = _EXPECTED_GAIN * (best_seconds - least) / ((1 + trials) * (1 + idle) ** 2)
        if gain * expected_calls < trial_seconds:
            stopped = "gain"
            break
        if max_seconds is not None and time.monotonic() - start > max_seconds:
            stopped = "clock"
            break
        if trials % 2:
            candidate = min(pool, key=lambda one: one.rank)
            for _ in range(_REBUILDS):
                candidate.tree = candidate.tree.rebuilt(draws)
            candidate.rebuilt += 1
        else:
            candidate = best
            if trials:
                kind = min(reached, key=lambda name: reached[name])
                path = paths.fresh(kind, seed=int(draws.integers(2**32)))
                candidate = _Candidate(Refiner(legs, path, rates), kind)
            candidate.tree.refine(draws)
            pool.append(candidate)
            if candidate.name in reached:
                known = reached[candidate.name] or math.inf
                reached[candidate.name] = min(known, candidate.tree.seconds)
        trials += 1
        idle = 0 if candidate.tree.seconds < (1 - _NOTICED) * best_seconds else idle + 1
        if candidate.tree.seconds < best_seconds:
            best_seconds, best_path = candidate.tree.seconds, candidate.tree.path()
            winner = f"{candidate.name}, refined"
    _log.debug("%s: %.3g s predicted after %d trials (%s)", winner, best_seconds, trials, stopped)
    return Found(parts.whole(best_path), winner, trials, stopped)


def _sweeps(network: Network, orders: Sequence[Sequence[int]]) -> Iterator[tuple[str, Path]]:
    named = [(f"order {position}", list(order)) for position, order in enumerate(orders)]
    named.append(("bandwidth order", _bandwidth_order(network)))
    for name, order in named:
        yield f"sweep along {name}", _sweep(order, len(order))
        yield f"two sweeps along {name}", _sweep(order, len(order) // 2)


def _sweep(order: Sequence[int], cut: int) -> Path:
    """Absorb tensors one after another from the front, and from the back down to the cut."""
    path: list[tuple[int, int]] = []
    count = len(order)

    def absorb(nodes: Sequence[int]) -> int:
        current = nodes[0]
        for node in nodes[1:]:
            path.append((current, node))
            current = count + len(path) - 1
        return current

    front = absorb(order[:cut])
    if cut < count:
        back = absorb(order[: cut - 1 : -1] if cut else order[::-1])
        path.append((front, back))
    return tuple(path)


def _bandwidth_order(network: Network) -> list[int]:
    """The tensors in reverse Cuthill-McKee order of who shares an index with whom.

    Breadth first from the tensor with the fewest neighbours, neighbours by how many they have
    themselves (Cuthill, McKee 1969). As scipy's, whose import alone takes longer than the searches
    of small networks.
    """
    legs = leaf_legs(network)
    output = set(network.numbered[1])
    owners: dict[int, set[int]] = defaultdict(set)
    for tensor, term in enumerate(legs):
        for index in term:
            if index not in output:
                owners[index].add(tensor)
    near = [
        set().union(*(owners[index] for index in term if index in owners)) - {tensor}
        for tensor, term in enumerate(legs)
    ]
    walked: dict[int, None] = {}
    for start in sorted(range(len(legs)), key=lambda tensor: len(near[tensor])):
        queue = deque([] if start in walked else [start])
        walked.setdefault(start)
        while queue:
            ahead = sorted(near[queue.popleft()] - walked.keys(), key=lambda t: (len(near[t]), t))
            walked |= dict.fromkeys(ahead)
            queue += ahead
    return list(walked)[::-1]


class _Paths:
    """Paths of a network that cotengrust and bisection find."""

    def __init__(self, network: Network) -> None:
        inputs, output, sizes = network.numbered
        symbols = [symbol_of(index) for index in range(len(sizes))]
        self._network = network
        self._inputs = [tuple(symbols[index] for index in term) for term in inputs]
        self._output = tuple(symbols[index] for index in output)
        self._sizes = dict(zip(symbols, sizes, strict=True))

    def fresh(self, kind: str, *, seed: int) -> Path:
        """A path of one of the kinds in `_FRESH`."""
        if kind == "bisection":
            return bisected(self._graph, self._few, seed=seed)
        return self.greedy(_GREEDY_RESTARTS[1], seed=seed)

    def greedy(self, restarts: int, *, seed: int) -> Path:
        """The best of a batch of random-greedy paths by operations."""
        path, _ = cotengrust.optimize_random_greedy_track_flops(
            self._inputs,
            self._output,
            self._sizes,
            ntrials=restarts,
            costmod=(0.1, 4.0),
            temperature=(0.001, 1.0),
            seed=seed,
            simplify=False,
            use_ssa=True,
        )
        return tuple((left, right) for left, right in path)

    @cached_property
    def _graph(self) -> Graph:
        return shared(self._network)

    @cached_property
    def _holders(self) -> dict[str, set[int]]:
        holders: dict[str, set[int]] = defaultdict(set)
        for tensor, term in enumerate(self._inputs):
            for index in term:
                holders[index].add(tensor)
        return holders

    def _few(self, tensors: Sequence[int]) -> list[tuple[int, int]]:
        """A greedy path of a few tensors."""
        inside, kept = set(tensors), set(self._output)
        terms = [self._inputs[tensor] for tensor in tensors]
        present = dict.fromkeys(index for term in terms for index in term)
        output = [index for index in present if index in kept or self._holders[index] - inside]
        sizes = {index: self._sizes[index] for index in present}
        path = cotengrust.optimize_greedy(terms, output, sizes, use_ssa=True, simplify=False)
        return [(left, right) for left, right in path]


def depth_first(path: Path, weights: Sequence[float]) -> Path:
    """The same tree with its steps in depth-first order, the heavier branch of each step first.

    Freeing what has been used as early as this does keeps the least in memory; the order of a
    path does not change what it computes.

    Args:
        path: the pairs.
        weights: the entries of every node of the path, tensors first.
    """
    if not path:
        return path
    count = len(path) + 1
    order: list[int] = []
    stack = [count + len(path) - 1]
    while stack:
        node = stack.pop()
        if node < count:
            continue
        order.append(node)
        left, right = path[node - count]
        light, heavy = sorted((left, right), key=lambda child: weights[child])
        stack += [heavy, light]  # popped light first, so that reversed the heavy one leads
    renamed = {node: count + step for step, node in enumerate(reversed(order))}
    return tuple(
        (renamed.get(left, left), renamed.get(right, right))
        for left, right in (path[node - count] for node in reversed(order))
    )

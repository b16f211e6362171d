"""Searching for a good contraction path: structured sweeps, random greedy, local refinement."""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cotengra
import cotengrust

from contractions.network import Network
from contractions.tree import Path, leaf_legs

_log = logging.getLogger(__name__)

_GREEDY_RESTARTS = 16
_SUBTREE_SIZE = 7
_TRIAL_SECONDS = (0.7e-3, 1.2e-6)  # a tensor, and a tensor squared: measured
_EXPECTED_GAIN = 0.4


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


def search(
    network: Network,
    seconds: Callable[[Path], float],
    *,
    orders: Sequence[Sequence[int]] = (),
    effort: int,
    seed: int,
    expected_calls: int,
    least_seconds: float,
    max_seconds: float | None,
) -> Found:
    """The cheapest path found.

    Structured sweeps and a batch of random-greedy paths are rated as they are. Then trials follow,
    each of which re-optimises the subtrees of one path: in turn of a fresh random-greedy batch, of
    the next sweep (which gains far more by it), and of the best path so far. A seed and an effort
    give one path, and more effort never a worse one; trials end early when what one may still save
    in `expected_calls` contractions is less than it usually takes (both predicted, not timed), or
    when the wall clock passes `max_seconds`.

    Args:
        network: what to contract; at least two tensors.
        seconds: predicted time of a path, the objective.
        orders: permutations of the tensors along which a sweep may be good.
        effort: number of candidates to refine, 0 or more.
        seed: of the random-greedy batches and the refinement.
        expected_calls: how often the plan will run.
        least_seconds: what any path takes, since it has so many steps.
        max_seconds: wall-clock limit, or None.
    """
    start = time.monotonic()
    engine = _Cotengra(network)
    sweeps = sorted(
        ((seconds(path), name, path) for name, path in _sweeps(network, orders)),
        key=lambda candidate: candidate[0],
    )
    greedy = engine.greedy(seed=seed)
    best_seconds, winner, best = min(
        sweeps[0], (seconds(greedy), "random greedy", greedy), key=lambda candidate: candidate[0]
    )
    tensors = len(network.inputs)
    trial_seconds = _TRIAL_SECONDS[0] * tensors + _TRIAL_SECONDS[1] * tensors**2
    trials, stopped = 0, "effort"
    for trial in range(effort):
        gain = _EXPECTED_GAIN * (best_seconds - least_seconds) / (1 + trials)
        if gain * expected_calls < trial_seconds:
            stopped = "gain"
            break
        if max_seconds is not None and time.monotonic() - start > max_seconds:
            stopped = "clock"
            break
        match trial % 3:
            case 0:
                name, path = "random greedy", engine.greedy(seed=seed + trial)
            case 1:
                _, name, path = sweeps[trial // 3 % len(sweeps)]
            case _:
                name, path = winner, best
        refined = engine.refine(path, seed=seed + trial)
        trials += 1
        predicted = seconds(refined)
        if predicted < best_seconds:
            name = name.removesuffix(", refined")
            best_seconds, winner, best = predicted, f"{name}, refined", refined
    _log.debug("%s: %.3g s predicted after %d trials (%s)", winner, best_seconds, trials, stopped)
    return Found(best, winner, trials, stopped)


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


class _Cotengra:
    """The network in cotengra's terms."""

    def __init__(self, network: Network) -> None:
        inputs, output, sizes = network.numbered
        symbols = [cotengra.get_symbol(index) for index in range(len(sizes))]
        self.inputs = [tuple(symbols[index] for index in term) for term in inputs]
        self.output = tuple(symbols[index] for index in output)
        self.sizes = dict(zip(symbols, sizes, strict=True))

    def greedy(self, *, seed: int) -> Path:
        """The best of a batch of random-greedy paths by operations."""
        path, _ = cotengrust.optimize_random_greedy_track_flops(
            self.inputs,
            self.output,
            self.sizes,
            ntrials=_GREEDY_RESTARTS,
            costmod=(0.1, 4.0),
            temperature=(0.001, 1.0),
            seed=seed,
            use_ssa=True,
        )
        return _pairs(self._tree(path))

    def _tree(self, path: Sequence[Sequence[int]]) -> "cotengra.ContractionTree":
        return cotengra.ContractionTree.from_path(
            self.inputs, self.output, self.sizes, ssa_path=path
        )

    def refine(self, path: Path, *, seed: int) -> Path:
        """The path after re-optimising its subtrees for what they write."""
        tree = self._tree(path)
        tree.subtree_reconfigure_(
            subtree_size=_SUBTREE_SIZE, select="random", minimize="write", seed=seed
        )
        return _pairs(tree)


def _pairs(tree: "cotengra.ContractionTree") -> Path:
    return tuple((int(left), int(right)) for left, right in tree.get_ssa_path())


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

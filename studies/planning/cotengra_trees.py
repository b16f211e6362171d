"""cotengra's searches for contraction trees, each as all the trees that it saw and when."""

import time
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import cotengra

    from contractions import Network

Pairs = tuple[tuple[int, int], ...]
"""A tree as pairs of nodes: tensor t is node t, and the k-th pair makes node (tensors + k)."""

RESTARTS = 64
_NO_END = 10**6
_SMALL = 650
_AUTO_SUBTREE = 8


@dataclass(frozen=True)
class Terms:
    """A network as cotengra wants it: indices are single characters."""

    inputs: tuple[tuple[str, ...], ...]
    output: tuple[str, ...]
    sizes: Mapping[str, int]

    @classmethod
    def of(
        cls,
        inputs: Sequence[Sequence[Hashable]],
        output: Sequence[Hashable],
        sizes: Mapping[Any, int],
    ) -> "Terms":
        """The terms of a network whose indices have any names."""
        import cotengra

        names = {
            index: cotengra.get_symbol(number)
            for number, index in enumerate(dict.fromkeys(i for term in inputs for i in term))
        }
        return cls(
            tuple(tuple(names[index] for index in term) for term in inputs),
            tuple(names[index] for index in output),
            {name: int(sizes[index]) for index, name in names.items()},
        )

    @classmethod
    def of_network(cls, network: "Network") -> "Terms":
        """The terms of a network of this library."""
        return cls.of(network.inputs, network.output, network.sizes)


@dataclass(frozen=True)
class Seen:
    """A tree that a search came to, and the seconds since its start."""

    elapsed: float
    pairs: Pairs


def to_pairs(tree: "cotengra.ContractionTree") -> Pairs:
    """A cotengra tree as pairs."""
    return tuple((int(left), int(right)) for left, right in tree.get_ssa_path())


def to_tree(terms: Terms, pairs: Pairs) -> "cotengra.ContractionTree":
    """Pairs as a cotengra tree."""
    import cotengra

    return cotengra.ContractionTree.from_path(
        terms.inputs, terms.output, terms.sizes, ssa_path=pairs
    )


def random_greedy(terms: Terms, *, seconds: float, minimize: str, seed: int) -> list[Seen]:
    """Batches of random-greedy paths in Rust, the best of each reconfigured, until time is up."""
    import cotengra

    start = time.perf_counter()
    seen: list[Seen] = []
    while not seen or seen[-1].elapsed < seconds:
        search = cotengra.RandomGreedyOptimizer(
            max_repeats=RESTARTS, seed=seed + len(seen), parallel=False
        )
        tree = search.search(terms.inputs, terms.output, terms.sizes)
        seen.append(Seen(time.perf_counter() - start, to_pairs(tree)))
        if seen[-1].elapsed < seconds:
            tree.subtree_reconfigure_(minimize=minimize, select="random", seed=seed + len(seen))
            seen.append(Seen(time.perf_counter() - start, to_pairs(tree)))
    return seen


def hyper(terms: Terms, *, seconds: float, minimize: str) -> list[Seen]:
    """The hyper-optimiser: greedy and, where it is installed, kahypar, every trial reconfigured."""
    methods = ["greedy", *(["kahypar"] if find_spec("kahypar") else [])]
    return _optimised(terms, methods=methods, reconf={}, seconds=seconds, minimize=minimize)


def auto_hq(terms: Terms, *, seconds: float, minimize: str) -> list[Seen]:
    """The preset "auto-hq" with its own limits lifted; small networks it solves by enumeration."""
    import cotengra
    from cotengra.presets import estimate_optimal_hardness

    if estimate_optimal_hardness(terms.inputs) < _SMALL:
        start = time.perf_counter()
        search = cotengra.AutoHQOptimizer(minimize=minimize, cache=False)
        tree = search.search(terms.inputs, terms.output, terms.sizes)
        return [Seen(time.perf_counter() - start, to_pairs(tree))]
    return _optimised(
        terms,
        methods=None,
        reconf={"subtree_size": _AUTO_SUBTREE},
        seconds=seconds,
        minimize=minimize,
    )


def _optimised(
    terms: Terms,
    *,
    methods: Sequence[str] | None,
    reconf: Mapping[str, int],
    seconds: float,
    minimize: str,
) -> list[Seen]:
    """The trees of a hyper-optimisation, which notes each as it scores it.

    It ends by the clock and takes no seed, so that no two runs see the same trees.
    """
    import cotengra
    from cotengra.scoring import get_score_fn

    seen: list[Seen] = []
    objective = get_score_fn(minimize)
    start = time.perf_counter()

    class Recording(type(objective)):  # type: ignore[misc]
        """cotengra's objective, which notes what it scores."""

        def __call__(self, trial: Mapping[str, Any]) -> float:
            seen.append(Seen(time.perf_counter() - start, to_pairs(trial["tree"])))
            return float(super().__call__(trial))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = cotengra.HyperOptimizer(
            methods=methods,
            minimize=Recording(objective.factor),
            max_time=seconds,
            max_repeats=_NO_END,
            parallel=False,
            reconf_opts=dict(reconf),
            on_trial_error="ignore",
        )
        search.search(terms.inputs, terms.output, terms.sizes)
    return seen

"""What the protocols for Hidden Matching cost, at 90% success."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from studies.costs import Effort, counted_row, rate_columns, whole_number
from studies.fits import Interval
from studies.study import Row
from studies.thresholds import ladder_threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml.protocols import EdgeAnswer, MatchingInstance

    Outcomes = NDArray[np.bool_]
    Protocol = Callable[[MatchingInstance, int], EdgeAnswer]  # of an instance and a seed

STATE, SUBSET = "quantum state", "shared subset"
EVERYTHING, ASKING = "all bits", "Bob asks first"
_SORTED = 10  # draws of a number that take as long as one that is sorted
_APART = 2**31  # the protocol's seeds are this far from the instances'


def matching_costs(size: int, *, effort: Effort) -> list[Row]:
    """A row a protocol, as `costs.cost_row`; each run that checks it has an instance of its own."""
    from tnqml.protocols import matching_by_bits, matching_by_edge, matching_by_state

    seeds = _seeds(effort.checks, effort=effort)
    exact: dict[str, Protocol] = {
        STATE: lambda instance, seed: matching_by_state(instance, seed=seed),
        EVERYTHING: lambda instance, seed: matching_by_bits(instance, count=size, seed=seed),
        ASKING: lambda instance, seed: matching_by_edge(instance, seed=seed),
    }
    one = Interval(1.0, 1.0, 1.0)
    return [
        *(_row(name, one, protocol, size=size, seeds=seeds) for name, protocol in exact.items()),
        _subset_row(size, effort=effort),
    ]


def _subset_row(size: int, *, effort: Effort) -> Row:
    """Some of Alice's bits, at places that both know."""
    from tnqml.protocols import matching_by_bits
    from tnqml.protocols.problems.ensembles import matchings_right

    threshold = ladder_threshold(
        lambda counts, trials: matchings_right(
            size, counts=counts, trials=trials, seed=effort.seed
        ),
        trials=effort.trials(_SORTED * size),
        seed=effort.seed,
        start=2,
        most=size,
    )
    bits = whole_number(threshold.value)
    return _row(
        SUBSET,
        threshold,
        lambda instance, seed: matching_by_bits(instance, count=bits, seed=seed),
        size=size,
        seeds=_seeds(effort.checks, effort=effort),
        whole=bits,
    )


def _row(
    name: str,
    threshold: Interval,
    protocol: "Protocol",
    *,
    size: int,
    seeds: Sequence[int],
    whole: int = 1,
) -> Row:
    from tnqml.protocols import SuccessRate

    right = sum(_accepted(protocol, size, seed)[0] for seed in seeds)
    _, answer = _accepted(protocol, size, seeds[0])
    columns = counted_row(name, threshold, whole, answer.ledger)
    return columns | rate_columns(SuccessRate(right, len(seeds)))


def _accepted(protocol: "Protocol", size: int, seed: int) -> "tuple[bool, EdgeAnswer]":
    """Whether the answer on the instance of this seed is right, and the answer."""
    from tnqml.protocols import matching_instance

    instance = matching_instance(size, seed=seed)
    answer = protocol(instance, seed + _APART)
    return instance.accepts(answer.edge, answer.parity), answer


def _seeds(count: int, *, effort: Effort) -> list[int]:
    import numpy as np

    drawn = np.random.default_rng(effort.seed).integers(2**31, size=count)
    return [int(seed) for seed in drawn]

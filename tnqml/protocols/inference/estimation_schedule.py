"""How often to repeat amplitude amplification, and how many copies to measure after each power.

After m iterates a copy shows the outcome 1 with probability (1 - cos((2m+1) phi))/2, where
f = -cos phi (Brassard, Hoyer, Mosca, Tapp 2002). One power alone leaves f ambiguous, as the cosine
repeats itself; copies at several powers together do not (Suzuki et al. 2020).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.protocols.problems.instances import check_margin
from tnqml.protocols.stopping import check_probability

Angles = NDArray[np.float64]

_RESOLUTIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)  # largest 2m + 1, in 1/error
_ROWS = 100
_PLACES = 12  # angles for each oscillation of the highest frequency, in the search for the worst
_FEWEST_PLACES = 600
_TINY = 1e-300


@dataclass(frozen=True)
class Schedule:
    """Powers of the iterate and copies measured after each.

    Attributes:
        powers: m, rising.
        shots: as many numbers, each at least 1.

    Raises:
        InputError: a number is out of its range, or the powers do not rise.

    Example:
        >>> Schedule((0, 1, 3), (4, 2, 1)).passes
        17
    """

    powers: tuple[int, ...]
    shots: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.powers or len(self.powers) != len(self.shots):
            raise InputError(
                f"a schedule has {len(self.powers)} powers and shots of {len(self.shots)}; "
                "expected as many of both, at least one"
            )
        check_count(self.powers[0], "a power", least=0)
        for before, power in zip(self.powers, self.powers[1:], strict=False):
            check_count(power, f"the power after {before}", least=before + 1)
        for shots in self.shots:
            check_count(shots, "shots of a power")

    @property
    def frequencies(self) -> Angles:
        """(powers,): 2m + 1, how often a copy passes from the first party to the last or back."""
        return 2.0 * np.array(self.powers) + 1

    @property
    def passes(self) -> int:
        """Passes of all copies together."""
        return sum(
            shots * (2 * power + 1) for power, shots in zip(self.powers, self.shots, strict=True)
        )


def estimation_schedule(*, error: float, failure: float = 0.1) -> Schedule:
    """The schedule whose maximum-likelihood estimate of f is off by at most `error`.

    It misses with probability at most `failure`, for every f in [-1, 1]. The number of passes grows
    as 1/error; where plain copies (power 0) do with fewer, it is these.

    The copies are chosen by formula: that a value f' looks more likely than the true f has
    probability about Phi(-sqrt(2 D)), where D is the Bhattacharyya distance of all outcomes under
    f and f'; the smallest D over all pairs further apart than `error` meets failure/3, which leaves
    room for more than one such f'. That this is enough is measured in
    tests/tnqml/test_amplitude_estimation.py.

    Raises:
        InputError: error or failure is outside (0, 1).

    Example:
        >>> estimation_schedule(error=0.05)
        Schedule(powers=(0, 2, 4, 6, 9), shots=(37, 30, 23, 15, 8))
        >>> estimation_schedule(error=0.05).passes, estimation_schedule(error=0.3).powers
        (741, (0,))
    """
    check_probability(error, "error")
    check_probability(failure, "failure")
    plain = Schedule((0,), (_plain_shots(error, failure),))
    repeated = _cheapest(_estimation_ladders(error), failure)
    return min(plain, repeated, key=lambda schedule: schedule.passes)


def decision_schedule(*, margin: float, failure: float = 0.1) -> Schedule:
    """The schedule from which the likelihood tells the sign of f where |f| >= margin.

    It is wrong with probability at most `failure` for every such f, by the formula of
    `estimation_schedule` over all pairs of opposite signs. The passes grow as 1/margin.

    Raises:
        InputError: the margin is outside (0, 1], or failure outside (0, 1).

    Example:
        >>> decision_schedule(margin=0.1)
        Schedule(powers=(0, 2, 5), shots=(14, 8, 2))
    """
    check_margin(margin)
    check_probability(failure, "failure")
    return _cheapest(_decision_ladders(margin), failure)


def decision_schedules(*, margin: float, failures: Sequence[float]) -> tuple[Schedule, ...]:
    """Every ladder's schedule for this margin at these failures, that of fewest passes first.

    Of each failure `decision_schedule` takes the one that its formula finds cheapest; the formula
    bounds the failures of different ladders by different factors, so that trials of all of them
    find a cheaper one, and costs that go by smaller steps as the margin falls. None takes more
    passes than the dearest that `decision_schedule` gives.

    Raises:
        InputError: as `decision_schedule`.

    Example:
        >>> found = decision_schedules(margin=0.1, failures=(0.3, 0.1))
        >>> len(found), found[-1] == decision_schedule(margin=0.1, failure=0.1)
        (5, True)
    """
    check_margin(margin)
    for failure in failures:
        check_probability(failure, "failure")
    ladders = _decision_ladders(margin)
    most = max(_cheapest(ladders, failure).passes for failure in failures)
    every = {_scheduled(ladder, failure) for ladder in ladders for failure in failures}
    found = [schedule for schedule in every if schedule.passes <= most]
    return tuple(sorted(found, key=lambda schedule: (schedule.passes, schedule.powers)))


def frequencies_up_to(largest: int, *, ratio: float) -> tuple[int, ...]:
    """Odd numbers from 1 to the largest, about `ratio` apart, neighbours without common factors.

    Where (2m+1) phi is a multiple of pi, a power sees the two sides of f alike. Two powers do so
    at the same f, other than -1 and 1, only if their frequencies have a common factor; no three
    that follow each other have one.

    Example:
        >>> frequencies_up_to(53, ratio=2)
        (1, 3, 11, 25, 53)
    """
    found = [largest]
    while found[-1] > 1:
        lower = max(1, min(round(found[-1] / ratio), found[-1] - 2))
        lower -= 1 - lower % 2
        while any(math.gcd(lower, other) > 1 for other in found[-2:]):
            lower -= 2
        found.append(lower)
    return tuple(reversed(found))


@dataclass(frozen=True)
class _Ladder:
    """Frequencies 2m + 1, the proportions of their copies, and the smallest distance of these."""

    frequencies: tuple[int, ...]
    shape: tuple[int, ...]
    distance: float


@lru_cache(maxsize=64)
def _estimation_ladders(error: float) -> tuple[_Ladder, ...]:
    """The ladders of which the schedules for this error are made."""

    def smallest(frequencies: Angles, shots: Angles) -> float:
        truths = np.pi * (np.arange(_ROWS) * (math.sqrt(5) - 1) / 2 % 1)  # spread evenly
        others = np.linspace(0, np.pi, _places(frequencies, error))
        far = np.abs(np.cos(truths[:, None]) - np.cos(others)) > error
        return float(_distances(frequencies, shots, truths=truths, others=others)[far].min())

    return _ladders(smallest, resolution=error, ratio=1.5, slope=1)


@lru_cache(maxsize=64)
def _decision_ladders(margin: float) -> tuple[_Ladder, ...]:
    """The ladders of which the schedules for this margin are made."""
    least = math.asin(margin)

    def smallest(frequencies: Angles, shots: Angles) -> float:
        spread = np.linspace(0, 1, _ROWS) ** 2  # most of them at the margin
        truths = np.pi / 2 + least + (np.pi / 2 - least) * spread
        others = np.pi / 2 - np.linspace(least, np.pi / 2, _places(frequencies, margin))
        return float(_distances(frequencies, shots, truths=truths, others=others).min())

    return _ladders(smallest, resolution=margin, ratio=2, slope=3)


def _ladders(
    smallest: Callable[[Angles, Angles], float], *, resolution: float, ratio: float, slope: int
) -> tuple[_Ladder, ...]:
    """Ladders up to several highest frequencies around 1/resolution.

    The copies fall linearly with the power (Higgins et al. 2009): mistakes at low powers cost
    most, and their copies least.
    """
    found = []
    for largest in sorted({1} | {_odd_from(step / resolution) for step in _RESOLUTIONS}):
        frequencies = frequencies_up_to(largest, ratio=ratio)
        shape = tuple(1 + slope * place for place in reversed(range(len(frequencies))))
        distance = smallest(np.array(frequencies, np.float64), np.array(shape, np.float64))
        found.append(_Ladder(frequencies, shape, distance))
    return tuple(found)


def _cheapest(ladders: Sequence[_Ladder], failure: float) -> Schedule:
    """Of the ladders' schedules that meet failure/3, the one of fewest passes."""
    found = [_scheduled(ladder, failure) for ladder in ladders]
    return min(found, key=lambda schedule: schedule.passes)


def _scheduled(ladder: _Ladder, failure: float) -> Schedule:
    """The fewest copies of a ladder that meet failure/3."""
    from scipy.stats import norm

    wanted = float(norm.isf(failure / 3)) ** 2 / 2
    return Schedule(
        tuple((frequency - 1) // 2 for frequency in ladder.frequencies),
        tuple(max(1, math.ceil(part * wanted / ladder.distance)) for part in ladder.shape),
    )


def _odd_from(value: float) -> int:
    """The smallest odd number that is not under a positive value."""
    return 2 * max(0, math.ceil((value - 1) / 2)) + 1


def _distances(
    frequencies: Angles,  # (powers,)
    shots: Angles,  # (powers,)
    *,
    truths: Angles,  # (rows,)
    others: Angles,  # (columns,)
) -> Angles:
    """(rows, columns): the Bhattacharyya distance of all outcomes under two angles phi.

    One copy's coefficient |sin a sin b| + |cos a cos b| is the larger of |cos(a +- b)|, with
    a and b half of (2m+1) phi and (2m+1) phi'.
    """
    minus, plus = (truths[:, None] - others) / 2, (truths[:, None] + others) / 2
    total = np.zeros(minus.shape)
    for frequency, copies in zip(frequencies, shots, strict=True):
        overlap = np.maximum(np.abs(np.cos(frequency * minus)), np.abs(np.cos(frequency * plus)))
        total -= copies * np.log(np.maximum(overlap, _TINY))
    return total


def _places(frequencies: Angles, resolution: float) -> int:
    return int(max(_FEWEST_PLACES, _PLACES * frequencies[-1], 6 / resolution))


def _plain_shots(error: float, failure: float) -> int:
    """Copies of power 0 by the normal approximation, with its correction for whole numbers."""
    from scipy.stats import norm

    deviations = float(norm.isf(failure / 2)) / error
    return math.ceil(((deviations + math.sqrt(deviations**2 + 4 / error)) / 2) ** 2)

"""How many copies an estimate takes, and when a running one may stop.

Outcomes of one size W and either sign are W (2 B - 1) with B a Bernoulli variable, whose variance
its mean tells; so the mean has exact intervals, without a separate bound on the variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError

_HALVINGS = 50
_PLACES = 400  # outcomes looked at for the worst of them
_SPREAD = 4  # standard deviations (twice over) from the middle within which it lies
_AHEAD = 0.75


def check_probability(value: object, what: str) -> None:
    """Refuse what is not a number between 0 and 1, both excluded.

    Raises:
        InputError: naming what arrived.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise InputError(f"{what} is {value!r}; expected a number between 0 and 1")


def shots_needed(*, error: float, failure: float, scale: float = 1.0) -> int:
    """How many copies make a mean as exact as wanted, by Hoeffding's inequality.

    The mean of so many outcomes in [-scale, scale] is off by more than `error` with probability at
    most `failure`: ceil(2 scale^2 ln(2 / failure) / error^2). Of a projector, whose outcomes lie in
    [0, 1], the scale is 1/2. Source: Hoeffding, J. Amer. Statist. Assoc. 58, 13 (1963), theorem 2.

    Raises:
        InputError: error or failure is outside (0, 1), or the scale is not positive.

    Example:
        >>> shots_needed(error=0.05, failure=0.1), shots_needed(error=0.05, failure=0.1, scale=0.5)
        (2397, 600)
    """
    check_probability(error, "error")
    check_probability(failure, "failure")
    if not scale > 0:
        raise InputError(f"scale is {scale!r}; expected a positive number")
    return math.ceil(2 * scale**2 * math.log(2 / failure) / error**2)


def mean_interval(ones: int, count: int, *, failure: float) -> tuple[float, float]:
    """An interval of the probability of a 1, missed with probability at most `failure`.

    Source: Clopper and Pearson, Biometrika 26, 404 (1934); exact at every number of copies.

    Example:
        >>> [round(end, 3) for end in mean_interval(50, 100, failure=0.05)]
        [0.398, 0.602]
    """
    from scipy.special import betaincinv

    low = betaincinv(ones, count - ones + 1, failure / 2) if ones else 0.0
    high = betaincinv(ones + 1, count - ones, 1 - failure / 2) if ones < count else 1.0
    return float(low), float(high)


def running_interval(ones: int, count: int, *, failure: float) -> tuple[float, float]:
    """An interval of the probability of a 1 that holds at all numbers of copies at once.

    All p at which p^ones (1 - p)^(count - ones) exceeds failure times its mean over uniform p. With
    probability 1 - failure it holds the truth whenever it is looked at, however the moment is
    chosen. Source: Robbins, Ann. Math. Statist. 41, 1397 (1970); Howard, Ramdas, McAuliffe, Sekhon,
    Ann. Statist. 49, 1055 (2021), section 3.2.

    Example:
        >>> [round(end, 3) for end in running_interval(50, 100, failure=0.05)]
        [0.345, 0.655]
    """
    zeros, best = count - ones, ones / count if count else 0.5
    beta = math.lgamma(ones + 1) + math.lgamma(zeros + 1) - math.lgamma(count + 2)
    least = math.log(failure) + beta

    def inside(p: float) -> bool:
        powers = (ones * math.log(p) if ones else 0.0) + (zeros * math.log1p(-p) if zeros else 0.0)
        return powers > least

    def edge(outside: float) -> float:
        within = best
        for _ in range(_HALVINGS):
            middle = (within + outside) / 2
            within, outside = (middle, outside) if inside(middle) else (within, middle)
        return outside

    return (edge(0.0) if ones else 0.0), (edge(1.0) if zeros else 1.0)


@dataclass(frozen=True)
class Tally:
    """Outcomes so far, each as its share: its place from 0 to 1 between the ends of its range.

    Attributes:
        count: how many outcomes there are.
        ones: how many of them are 1; of those in between, each is taken for 1 with its share as
            the probability, and for 0 otherwise, which leaves a two-valued outcome of equal mean.
        total: the sum of the shares.
        squares: the sum of their squares.
    """

    count: int = 0
    ones: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(
        cls,
        shares: NDArray[np.float64],  # (outcomes,)
        *,
        generator: np.random.Generator,
    ) -> Self:
        """The tally of these outcomes; no coin is drawn where all are 0 or 1."""
        between = shares[(shares > 0) & (shares < 1)]
        ones = int((shares == 1).sum())
        if len(between):
            ones += int((generator.random(len(between)) < between).sum())
        return cls(len(shares), ones, float(shares.sum()), float(shares @ shares))

    @property
    def mean(self) -> float:
        """The mean share."""
        return self.total / self.count

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.count + other.count,
            self.ones + other.ones,
            self.total + other.total,
            self.squares + other.squares,
        )


class Goal(Protocol):
    """Says how many copies to take, from the outcomes so far."""

    @property
    def most(self) -> int:
        """Copies that are never passed."""

    def wanted(self, seen: Tally) -> int:
        """How many copies to take next, after these outcomes; 0 to stop."""

    def estimate(self, seen: Tally) -> float:
        """The estimate of the mean share after the last, for which the promise holds."""

    def interval(self, seen: Tally) -> tuple[float, float]:
        """The interval of the mean share after the last."""


@dataclass(frozen=True)
class Fixed:
    """A goal that takes so many copies of two-valued outcomes, whatever comes out.

    Args:
        most: copies, at least 1.
        failure: probability that the interval misses the mean, in (0, 1).
    """

    most: int
    failure: float

    def __post_init__(self) -> None:
        check_count(self.most, "shots")
        check_probability(self.failure, "failure")

    def wanted(self, seen: Tally) -> int:
        """The copies that are missing."""
        return self.most - seen.count

    def estimate(self, seen: Tally) -> float:
        """The share of 1."""
        return seen.ones / seen.count

    def interval(self, seen: Tally) -> tuple[float, float]:
        """The exact interval of the mean."""
        return mean_interval(seen.ones, seen.count, failure=self.failure)


@dataclass(frozen=True)
class Stopping:
    """A rule that stops a running mean of two-valued outcomes once its error is as wanted.

    Half of the failure probability goes to an interval that holds at all times, half to a last look
    after `most` copies, where an exact interval is narrow enough whatever the outcomes are: about
    two thirds of Hoeffding's number. It does what empirical Bernstein stopping (Mnih, Szepesvari,
    Audibert, ICML 2008) does, fewer copies for a smaller variance, and need not bound a variance
    that here the mean tells.

    Args:
        error: wanted, of the mean of 0 and 1, in (0, 1).
        failure: probability of missing it, in (0, 1).
    """

    error: float
    failure: float

    def __post_init__(self) -> None:
        check_probability(self.failure, "failure")
        if not self.error > 0:
            raise InputError(f"error is {self.error!r}; expected a positive number")

    @cached_property
    def least(self) -> int:
        """Copies before which it never stops."""
        return _first(lambda count: self._misses(count, count) <= self.error)

    @cached_property
    def most(self) -> int:
        """Copies after which it always stops."""
        return _first(lambda count: _widest(count, failure=self.failure / 2) <= self.error)

    def estimate(self, seen: Tally) -> float:
        """The share of 1."""
        return seen.ones / seen.count

    def interval(self, seen: Tally) -> tuple[float, float]:
        """The interval of the mean after these outcomes."""
        interval = mean_interval if seen.count >= self.most else running_interval
        return interval(seen.ones, seen.count, failure=self.failure / 2)

    def wanted(self, seen: Tally) -> int:
        """How many copies to take next; 0 to stop.

        Part of what would be enough if the mean stayed as it is, so that little is taken in vain.
        """
        ones, count = seen.ones, seen.count
        if not count:
            return min(self.least, self.most)
        if count >= self.most or self._misses(ones, count) <= self.error:
            return 0
        share = ones / count
        enough = _first(lambda more: self._misses(round(share * more), more) <= self.error)
        step = max(math.ceil(_AHEAD * (enough - count)), count // 50, 1)
        return min(self.most - count, step)

    def _misses(self, ones: int, count: int) -> float:
        """The largest distance of the mean from a point of the running interval."""
        low, high = running_interval(ones, count, failure=self.failure / 2)
        return max(high - ones / count, ones / count - low)


def _widest(count: int, *, failure: float) -> float:
    """The largest distance of a mean from the ends of its interval, over all outcomes."""
    from scipy.special import betaincinv

    first = max(0.0, count / 2 - _SPREAD * math.sqrt(count))
    ones = np.unique(np.linspace(first, count // 2, _PLACES).round())  # the others mirror these
    low = np.where(ones > 0, betaincinv(np.maximum(ones, 1), count - ones + 1, failure / 2), 0.0)
    high = betaincinv(ones + 1, count - ones, 1 - failure / 2)
    return float(np.maximum(high - ones / count, ones / count - low).max())


def _first(enough: Callable[[int], bool]) -> int:
    """The smallest number, from 1, that is enough, where every larger one is."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

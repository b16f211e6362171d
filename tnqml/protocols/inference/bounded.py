"""How many copies a mean of outcomes in [0, 1] takes, where they are more than two-valued.

The mean does not tell their variance, which the outcomes themselves show: the sum of many terms
that are read off one bit string varies far less than its range allows.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from tnqml.errors import InputError
from tnqml.protocols.stopping import Fixed, Stopping, Tally, check_probability, mean_interval

_GROWTH = 1.2  # from one look to the next


def empirical_bernstein(seen: Tally, *, failure: float) -> float:
    """The half-width of an interval around the mean share, which misses at most so often.

    sqrt(2 V l / n) + 7 l / (3 (n - 1)) with the sample variance V and l = ln(4 / failure), for n
    shares in [0, 1] fixed beforehand. Source: Maurer, Pontil, COLT 2009, theorem 4, on both sides.

    Example:
        >>> half = empirical_bernstein(Tally(1000, 500, 500.0, 250.0), failure=0.1)  # all 1/2
        >>> round(half, 4)
        0.0086
    """
    if seen.count < 2:
        return 1.0
    log = math.log(4 / failure)
    variance = max(seen.squares - seen.total**2 / seen.count, 0) / (seen.count - 1)
    return math.sqrt(2 * variance * log / seen.count) + 7 * log / (3 * (seen.count - 1))


def hoeffding(count: int, *, failure: float) -> float:
    """The half-width of Hoeffding's interval around the mean of so many shares in [0, 1]."""
    return math.sqrt(math.log(2 / failure) / (2 * count))


def _around(seen: Tally, half: float) -> tuple[float, float]:
    return max(seen.mean - half, 0.0), min(seen.mean + half, 1.0)


@dataclass(frozen=True)
class FixedBounded(Fixed):
    """A goal that takes so many copies of outcomes in [0, 1], whatever comes out; as `Fixed`."""

    def estimate(self, seen: Tally) -> float:
        """The mean share."""
        return seen.mean

    def interval(self, seen: Tally) -> tuple[float, float]:
        """The mean, give or take the smaller of two half-widths, each with half of the failure."""
        shown = empirical_bernstein(seen, failure=self.failure / 2)
        return _around(seen, min(shown, hoeffding(seen.count, failure=self.failure / 2)))


@dataclass(frozen=True)
class StoppingBounded:
    """A rule that stops a running mean of shares in [0, 1] once its error is as wanted.

    It looks at counts fixed beforehand, each 1.2 times the last, with Bernstein's empirical bound;
    the k-th look may fail with half the probability over k (k + 1). The other half is for the last
    look, after as many copies as two-valued outcomes take at most (`Stopping.most`): there every
    share has become a coin, whose exact interval holds. Source: Mnih, Szepesvari, Audibert, ICML
    2008, for the looks.

    Args:
        error: wanted, of the mean, in (0, 1).
        failure: probability of missing it, in (0, 1).
    """

    error: float
    failure: float

    def __post_init__(self) -> None:
        check_probability(self.failure, "failure")
        if not self.error > 0:
            raise InputError(f"error is {self.error!r}; expected a positive number")

    @cached_property
    def most(self) -> int:
        """Copies after which it always stops."""
        return Stopping(self.error, self.failure).most

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """Copies after which it looks, the first where shares without variance would do."""
        count = 7 * math.log(4 / self._share(1)) / (3 * self.error) + 2
        found = []
        while count < self.most:
            found.append(math.ceil(count))
            count *= _GROWTH
        return (*found, self.most)

    def wanted(self, seen: Tally) -> int:
        """How many copies to take until the next look; 0 to stop."""
        if seen.count >= self.most or self._half(seen) <= self.error:
            return 0
        return next(look for look in self.looks if look > seen.count) - seen.count

    def estimate(self, seen: Tally) -> float:
        """The mean share, or that of the coins after the last look."""
        return seen.ones / seen.count if seen.count >= self.most else seen.mean

    def interval(self, seen: Tally) -> tuple[float, float]:
        """The interval of the mean at the look after which it stopped."""
        if seen.count >= self.most:
            return mean_interval(seen.ones, seen.count, failure=self.failure / 2)
        return _around(seen, self._half(seen))

    def _half(self, seen: Tally) -> float:
        """The half-width that a look shows; none between two looks, as copies may get lost."""
        if seen.count not in self.looks:
            return math.inf
        return empirical_bernstein(seen, failure=self._share(self.looks.index(seen.count) + 1))

    def _share(self, look: int) -> float:
        """The failure that a look is given."""
        return self.failure / 2 / (look * (look + 1))

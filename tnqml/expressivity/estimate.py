"""An estimate with its interval, and the ways to get one from independent draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.errors import InputError

Samples = NDArray[np.float64]
Method = Literal["exact", "tolerance", "student", "normal", "bootstrap"]

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: the best value.
        low: the lower end of the interval.
        high: its upper end.
        method: where the interval comes from. "exact": no other value is possible; "tolerance": how
            the value moves with the numerical tolerance; "student": of a mean of independent
            draws; "normal": of a smooth function of counts, by the delta method; "bootstrap":
            percentiles over draws taken again with replacement.
        confidence: of the interval; 1 where it is no matter of chance.
    """

    value: float
    low: float
    high: float
    method: Method
    confidence: float

    def __str__(self) -> str:
        """One line for people."""
        if self.method == "exact":
            return f"{self.value:.6g} (exact)"
        chance = f", {100 * self.confidence:g}%" if self.confidence < 1 else ""
        return f"{self.value:.6g} [{self.low:.6g}, {self.high:.6g}] ({self.method}{chance})"

    def map(self, function: Callable[[float], float]) -> "Estimate":
        """The estimate of an increasing function of the number.

        Example:
            >>> Estimate(4.0, 1.0, 9.0, "student", 0.95).map(lambda value: value**0.5)
            Estimate(value=2.0, low=1.0, high=3.0, method='student', confidence=0.95)
        """
        value, low, high = (function(end) for end in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.method, self.confidence)


def exact(value: float) -> Estimate:
    """The estimate that is known to be right."""
    return Estimate(value, value, value, "exact", 1.0)


def check_confidence(confidence: float) -> None:
    """Refuse a confidence outside (0, 1)."""
    if not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}; expected a number between 0 and 1")


def mean(
    samples: Samples,  # (draws,)
    *,
    confidence: float = 0.95,
) -> Estimate:
    """The mean of independent draws, with Student's interval.

    Raises:
        InputError: fewer than two draws, or one that is not finite.

    Example:
        >>> print(mean(np.array([1.0, 2.0, 3.0])))
        2 [-0.484138, 4.48414] (student, 95%)
    """
    from scipy.stats import t

    check_confidence(confidence)
    _check(samples)
    value = float(samples.mean())
    error = float(samples.std(ddof=1)) / len(samples) ** 0.5
    reach = float(t.ppf((1 + confidence) / 2, len(samples) - 1)) * error
    return Estimate(value, value - reach, value + reach, "student", confidence)


def resampled(
    samples: Samples,  # (draws, ...)
    statistic: Callable[[Samples], float],
    *,
    generator: torch.Generator,
    confidence: float = 0.95,
) -> Estimate:
    """A statistic of independent draws, with the percentile bootstrap's interval.

    Percentiles of 1000 resamples (Efron 1979): right for smooth statistics of many draws, too
    narrow where a few draws carry the statistic.

    Args:
        samples: independent along the first axis.
        statistic: of an array like `samples`.
        generator: of the resamples.
        confidence: of the interval.

    Raises:
        InputError: fewer than two draws, or one that is not finite.
    """
    from scipy.stats import bootstrap

    check_confidence(confidence)
    _check(samples)
    found = bootstrap(
        (np.arange(len(samples)),),
        lambda rows: statistic(samples[rows]),
        n_resamples=RESAMPLES,
        vectorized=False,
        confidence_level=confidence,
        method="percentile",
        random_state=numpy_generator(generator),
    ).confidence_interval
    value = float(statistic(samples))
    return Estimate(value, float(found.low), float(found.high), "bootstrap", confidence)


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """A numpy generator seeded by a draw from a torch one."""
    seed = torch.randint(2**62, (), generator=generator)
    return np.random.default_rng(int(seed))


def _check(samples: Samples) -> None:
    if len(samples) < 2:
        raise InputError(f"{len(samples)} draw(s); expected at least 2 for an interval")
    if not np.isfinite(samples).all():
        raise InputError("a draw is not finite; expected finite numbers only")

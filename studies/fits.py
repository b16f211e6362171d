"""Power laws through measured points, each exponent with its interval."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studies.errors import StudyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """The length of the interval."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class PowerLaw:
    """y = factor * product of variable^exponent, fitted in logarithms.

    Attributes:
        factor: y where every variable is 1.
        exponents: one for each variable, with its interval.
        misfit: chi-squared per degree of freedom; about 1 where the law holds within the errors of
            the points, 0 where no degree of freedom is left.
    """

    factor: float
    exponents: tuple[Interval, ...]
    misfit: float

    def at(self, *variables: "ArrayLike") -> "Array":
        """The fitted y where the variables have these values."""
        import numpy as np

        value = np.asarray(self.factor, dtype=np.float64)
        for exponent, variable in zip(self.exponents, variables, strict=True):
            value = value * np.asarray(variable, dtype=np.float64) ** exponent.value
        return value


def power_law(
    variables: "ArrayLike",  # (points,) or (points, variables)
    values: "ArrayLike",  # (points,)
    *,
    errors: "ArrayLike",  # (points,)
) -> PowerLaw:
    """The power law of least squares through points with known relative errors.

    An interval is 1.96 standard errors to each side, from the errors of the points. Where the law
    misses the points by more than these, the errors are scaled by the root of the misfit (Birge
    1932) and the quantile is Student's.

    Args:
        variables: positive, such as N, or N and 1/gamma in two columns.
        values: positive.
        errors: standard errors of log(values), that is, relative ones; positive.

    Raises:
        StudyError: something is not positive, the lengths differ, or there are fewer points than
            unknowns, or variables that only change together.

    Example:
        >>> law = power_law([1, 2, 4], [3, 12, 48], errors=[0.01] * 3)
        >>> round(law.factor, 6), round(law.exponents[0].value, 6)
        (3.0, 2.0)
    """
    import numpy as np
    from scipy.stats import norm, t

    x, y, noise = (np.asarray(given, float) for given in (variables, values, errors))
    x = x[:, None] if x.ndim == 1 else x
    if y.ndim != 1 or not y.shape == noise.shape == x.shape[:1]:
        raise StudyError(
            f"variables, values and errors have shapes {np.shape(variables)}, {y.shape} and "
            f"{noise.shape}; expected as many of each"
        )
    for name, array in (("variables", x), ("values", y), ("errors", noise)):
        if not (np.isfinite(array).all() and (array > 0).all()):
            raise StudyError(f"{name} of a power law are {array}; expected positive numbers")
    design = np.column_stack([np.ones(len(y)), np.log(x)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise StudyError(
            f"{len(y)} points do not determine {x.shape[1]} exponents; expected points in which "
            "every variable changes by itself"
        )
    weighted = design / noise[:, None]
    solution, *_ = np.linalg.lstsq(weighted, np.log(y) / noise, rcond=None)
    covariance = np.linalg.inv(weighted.T @ weighted)
    freedom = len(y) - design.shape[1]
    residuals = (np.log(y) - design @ solution) / noise
    misfit = float(residuals @ residuals) / freedom if freedom else 0.0
    quantile = float(norm.ppf((1 + CONFIDENCE) / 2))
    if misfit > 1:
        quantile = max(quantile, float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * misfit**0.5)
    half = quantile * np.sqrt(np.diag(covariance))
    exponents = tuple(
        Interval(float(best), float(best - side), float(best + side))
        for best, side in zip(solution[1:], half[1:], strict=True)
    )
    return PowerLaw(float(np.exp(solution[0])), exponents, misfit)


def relative_error(
    low: "ArrayLike",  # (points,)
    high: "ArrayLike",  # (points,)
) -> "Array":
    """Standard errors of the logarithm of estimates whose 95% intervals these are."""
    import numpy as np
    from scipy.stats import norm

    ratio = np.log(np.asarray(high, float) / np.asarray(low, float))
    return np.asarray(ratio / (2 * norm.ppf((1 + CONFIDENCE) / 2)))


def inside(interval: Interval, low: float, high: float) -> bool | None:
    """Whether an interval lies in a band; None where it only reaches into it.

    Example:
        >>> [inside(Interval(1, 0.9, 1.1), low, 2) for low in (0.5, 1.05, 1.2)]
        [True, None, False]
    """
    if low <= interval.low and interval.high <= high:
        return True
    return None if interval.low <= high and interval.high >= low else False

"""Means over seeds, and slopes against depth, with Student's intervals."""

from typing import TYPE_CHECKING

from studies.fits import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    Array = NDArray[np.float64]


def student_reach(
    samples: "Array",  # (samples, ...)
) -> "Array":
    """(...): half the 95% interval of the mean of independent samples; NaN for just one."""
    import numpy as np
    from scipy.stats import t

    count = len(samples)
    if count == 1:
        return np.full(samples.shape[1:], np.nan)
    error = samples.std(axis=0, ddof=1) / count**0.5
    return np.asarray(error * t.ppf((1 + CONFIDENCE) / 2, count - 1))


def mean_interval(
    samples: "Array",  # (samples,)
) -> Interval:
    """The mean of independent samples; without ends for just one."""
    value, reach = float(samples.mean()), float(student_reach(samples))
    return Interval(value, value - reach, value + reach)


def over_seeds(rows: "DataFrame", by: str, column: str) -> "DataFrame":
    """A frame of `by`, value, low and high: the mean of a column over all else, at each value."""
    from pandas import DataFrame

    return DataFrame(
        [
            {by: key, "value": found.value, "low": found.low, "high": found.high}
            for key, values in rows.groupby(by)[column]
            for found in [mean_interval(values.to_numpy())]
        ]
    )


def slopes(rows: "DataFrame", column: str) -> "Array":
    """(seeds,): the slope of a column against depth, by least squares for each seed by itself."""
    import numpy as np

    return np.array(
        [
            np.polynomial.polynomial.polyfit(own["layers"], own[column], 1)[1]
            for _, own in rows.groupby("seed")
        ]
    )


def rises(slope: Interval) -> bool | None:
    """Whether a slope is above 0; None where its interval does not tell."""
    if slope.low > 0:
        return True
    return False if slope.high < 0 else None

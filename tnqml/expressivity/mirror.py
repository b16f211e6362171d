"""The classical mirror of a model: ridge regression on the frequencies of its spectrum."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tnqml.errors import InputError

if TYPE_CHECKING:
    from sklearn.linear_model import Ridge

Array = NDArray[np.float64]

_DIGITS = 9
_ZERO = 0.5e-9


@dataclass(frozen=True, eq=False)
class Mirror:
    """A surrogate: cosines and sines of given frequencies, their weights fitted by ridge.

    A model with diagonal uploads is f(x) = sum_d C_d exp(i w_d . x). Frequencies drawn with
    probability |C_d|^2 are random Fourier features (Rahimi, Recht 2007; for circuits Landman et al.
    2022) that favour what the model uses; given all frequencies, the mirror is the model
    (Schreiber, Eisert, Meyer 2023, on classical surrogates). A frequency drawn k times of m has
    columns weighted by sqrt(k/m), which is ridge regression on all draws with their repetitions.

    Args:
        frequencies: (draws, features): w in radians per unit of each feature; w and -w are one.
        ridge: the penalty per row of data; against the mean square of a column, at most 1.

    Raises:
        InputError: the frequencies are no matrix of finite numbers, or the penalty not positive.

    Example:
        >>> x = np.linspace(0, 6, 50)[:, None]
        >>> fitted = Mirror(np.array([[0.0], [1.0], [2.0]])).fit(x, np.cos(x[:, 0]) + 1)
        >>> np.allclose(fitted.predict(x), np.cos(x[:, 0]) + 1, atol=1e-8)
        True
    """

    frequencies: Array
    ridge: float = 1e-11

    def __post_init__(self) -> None:
        """Refuse what are no frequencies."""
        given = np.asarray(self.frequencies, dtype=np.float64)
        if given.ndim != 2 or 0 in given.shape:
            raise InputError(f"frequencies have shape {given.shape}; expected (draws, features)")
        if not np.isfinite(given).all():
            raise InputError("a frequency is not finite; expected finite numbers only")
        if not isinstance(self.ridge, int | float) or not 0 < self.ridge < np.inf:
            raise InputError(f"ridge is {self.ridge!r}; expected a positive number")
        object.__setattr__(self, "frequencies", given)

    @cached_property
    def _distinct(self) -> tuple[Array, Array]:
        """Frequencies (distinct, features) other than 0 and the weights of their columns."""
        first, counts = distinct_draws(self.frequencies)
        rows = self.frequencies[first]
        some = np.abs(rows).max(1) > _ZERO
        return rows[some], np.sqrt(counts[some] / len(self.frequencies))

    @property
    def distinct(self) -> int:
        """How many different frequencies other than 0: half the columns of the regression."""
        return len(self._distinct[0])

    def columns(
        self,
        x: Array | Tensor,  # (rows, features)
    ) -> Array:
        """(rows, 2 distinct): the weighted cosines, then the sines."""
        frequencies, weights = self._distinct
        phases = checked_rows(x, frequencies.shape[1]) @ frequencies.T
        return np.concatenate([weights * np.cos(phases), weights * np.sin(phases)], 1)

    def fit(
        self,
        x: Array | Tensor,  # (rows, features)
        y: Array | Tensor,  # (rows,) or (rows, outputs)
    ) -> "FittedMirror":
        """The mirror with its weights fitted to data, the constant free of penalty."""
        from sklearn.linear_model import Ridge

        targets = as_array(y, "y")
        design = self.columns(x)
        if targets.ndim not in (1, 2) or len(targets) != len(design):
            raise InputError(
                f"y has shape {targets.shape} for {len(design)} rows of x; expected (rows,) or "
                "(rows, outputs)"
            )
        if not self.distinct:
            raise InputError("all frequencies are 0; a mirror needs at least one other")
        return FittedMirror(self, Ridge(alpha=self.ridge * len(design)).fit(design, targets))


@dataclass(frozen=True, eq=False)
class FittedMirror:
    """A mirror with weights.

    Attributes:
        mirror: its frequencies.
        regression: scikit-learn's, on `mirror.columns(x)`.
    """

    mirror: Mirror
    regression: "Ridge" = field(repr=False)

    def predict(
        self,
        x: Array | Tensor,  # (rows, features)
    ) -> Array:
        """(rows,) or (rows, outputs), as the targets were."""
        return np.asarray(self.regression.predict(self.mirror.columns(x)))

    def score(
        self,
        x: Array | Tensor,  # (rows, features)
        y: Array | Tensor,  # (rows,) or (rows, outputs)
    ) -> float:
        """1 - (relative error)^2, the coefficient of determination; see `relative_error`."""
        return 1 - relative_error(self.predict(x), as_array(y, "y")) ** 2


def relative_error(
    predicted: Array,  # (rows,) or (rows, outputs)
    target: Array,  # the same
) -> float:
    """Root mean square of the difference over that of the target about its mean; all outputs."""
    if predicted.shape != target.shape:
        raise InputError(f"got shapes {predicted.shape} and {target.shape}; expected the same")
    spread = float(((target - target.mean(0)) ** 2).sum())
    if not spread:
        raise InputError("the target is constant; a relative error needs one that varies")
    return float((((predicted - target) ** 2).sum() / spread) ** 0.5)


def distinct_draws(
    frequencies: Array,  # (draws, features)
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each different frequency is drawn first, in order, and how often it is in all.

    A frequency and its negative are one, and so are those nearer than 1e-9: sums of the same few
    scales, up to rounding.
    """
    rows = np.round(frequencies, _DIGITS)
    leading = np.take_along_axis(rows, (rows != 0).argmax(1)[:, None], 1)
    rows = np.where(leading < 0, -rows, rows) + 0.0  # no negative zeros
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order]


def as_array(values: Array | Tensor, name: str) -> Array:
    """The numbers in float64, refused if one is not finite."""
    given = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    array = np.asarray(given, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has an entry that is not finite; expected finite numbers only")
    return array


def checked_rows(x: Array | Tensor, features: int) -> Array:
    """A batch of inputs as an array (rows, features)."""
    rows = as_array(x, "x")
    if rows.ndim != 2 or rows.shape[1] != features or not len(rows):
        raise InputError(f"x has shape {rows.shape}; expected (rows, {features})")
    return rows

"""How many features the classical mirror of a model needs."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import Inputs, check_inputs, check_model, in_double, points
from tnqml.expressivity.estimate import Estimate, check_confidence, mean
from tnqml.expressivity.forecast import Forecast, regressions, started, values
from tnqml.expressivity.mirror import Array, Mirror, distinct_draws, relative_error
from tnqml.model import DistributedModel

_ROWS_PER_COLUMN = 4
_FEWEST_ROWS = 64
_CLOSE = 1.05
_FEWEST_INPUTS = 8


@dataclass(frozen=True, eq=False)
class FeaturesNeededResult:
    """How many frequencies the mirror needs to match a model.

    Attributes:
        frequencies: distinct ones, each a cosine and a sine: the geometric mean over the repeats
            with Student's interval on its logarithm. Infinite, with the most tried as the lower
            end, if some repeat did not reach the error.
        reached: repeats that did.
        curves: for each repeat the pairs (distinct frequencies, relative error) tried, in order.
    """

    frequencies: Estimate
    reached: int
    curves: tuple[tuple[tuple[int, float], ...], ...]


@dataclass(frozen=True, eq=False)
class FeaturesNeeded:
    """The number of random Fourier features that match a model to a relative error; a `Measure`.

    For each repeat, the fewest of a part of the drawn frequencies, taken in the order drawn, with
    which `Mirror`, fitted to the model's own noiseless values, has at most that `relative_error` on
    inputs that it was not fitted to; doubled until it has, then bisected to within 5%. The repeats
    have frequencies and inputs of their own.

    Args:
        inputs: where to draw inputs from; or given ones, a quarter of which is held out.
        frequencies: (draws, features), drawn with probability |C|^2, in radians per unit of each
            feature; dealt to the repeats, so that each can try draws / repeats at most.
        error: the relative error, in (0, 1).
        repeats: at least 2.
        held_out: inputs drawn to measure the error on.
        ridge: as in `Mirror`.
        confidence: of the interval.
    """

    inputs: Inputs
    frequencies: NDArray[np.float64]
    error: float = 0.1
    repeats: int = 4
    held_out: int = 1024
    ridge: float = 1e-11
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.repeats, "repeats", least=2)
        check_count(self.held_out, "held_out", least=2)
        check_confidence(self.confidence)
        if not isinstance(self.error, int | float) or not 0 < self.error < 1:
            raise InputError(f"error is {self.error!r}; expected a number between 0 and 1")
        if isinstance(self.inputs, Tensor) and len(self.inputs) < _FEWEST_INPUTS:
            raise InputError(f"{len(self.inputs)} inputs; expected at least {_FEWEST_INPUTS}")
        drawn = Mirror(self.frequencies, ridge=self.ridge).frequencies
        if len(drawn) < self.repeats:
            raise InputError(f"{len(drawn)} draws for {self.repeats} repeats; expected more draws")
        object.__setattr__(self, "frequencies", drawn)

    def _parts(self) -> list[NDArray[np.float64]]:
        """For each repeat its draws, those of frequency 0 left out."""
        rows = self.frequencies[self.frequencies.any(1)]
        return [rows[repeat :: self.repeats] for repeat in range(self.repeats)]

    def _train_rows(self, frequencies: int) -> int:
        return max(_FEWEST_ROWS, _ROWS_PER_COLUMN * (2 * frequencies + 1))

    def _check(self, model: DistributedModel) -> None:
        check_model(model)
        if self.frequencies.shape[1] != model.circuit.features:
            raise InputError(
                f"frequencies have shape {self.frequencies.shape}; expected "
                f"(draws, {model.circuit.features}), one column for each feature of the model"
            )
        if not all(len(part) for part in self._parts()):
            raise InputError("too few frequencies other than 0 for the repeats; draw more")

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost if every repeat has to try all its frequencies."""
        self._check(model)
        fits, rows = [], 0
        for part in self._parts():
            most = len(distinct_draws(part)[0])
            for frequencies in (*_doubled(most), *[most] * 4):  # four bisections reach 5%
                size = self._train_rows(frequencies)
                if isinstance(self.inputs, Tensor):
                    size = min(size, len(self.inputs))
                fits.append((size, 2 * frequencies))
            rows = max(rows, size + self.held_out)
        if isinstance(self.inputs, Tensor):
            rows = len(self.inputs)
        return values(in_double(model), rows=rows, times=self.repeats) + regressions(
            fits, work=f"{len(fits)} ridge regressions of up to {max(fits)}"
        )

    def run(self, model: DistributedModel, generator: torch.Generator) -> FeaturesNeededResult:
        """How many features the mirror needs."""
        started(self, self.forecast(model), generator)
        found, curves = [], []
        for part in self._parts():
            needed, curve = self._search(model, part, generator)
            found.append(needed)
            curves.append(tuple(curve))
        reached = [needed for needed in found if needed is not None]
        if len(reached) < self.repeats:
            most = float(min(max(size for size, _ in curve) for curve in curves))
            estimate = Estimate(math.inf, most, math.inf, "student", self.confidence)
        else:
            logs = np.log(np.array(reached, dtype=np.float64))
            estimate = mean(logs, confidence=self.confidence).map(_at_least_one)
        return FeaturesNeededResult(estimate, len(reached), tuple(curves))

    def _search(
        self, model: DistributedModel, part: NDArray[np.float64], generator: torch.Generator
    ) -> tuple[int | None, list[tuple[int, float]]]:
        """The fewest frequencies that reach the error, if any do, and all that was tried."""
        ends, _ = distinct_draws(part)  # the draw at which each further frequency appears
        train, test = self._data(model, len(ends), generator)
        curve: list[tuple[int, float]] = []

        def reaches(size: int) -> bool:
            end = ends[size] if size < len(ends) else len(part)
            rows = self._train_rows(size)
            mirror = Mirror(part[:end], ridge=self.ridge)
            fitted = mirror.fit(train[0][:rows], train[1][:rows])
            curve.append((size, relative_error(fitted.predict(test[0]), test[1])))
            return curve[-1][1] <= self.error

        low = 0
        for high in _doubled(len(ends)):
            if reaches(high):
                break
            low = high
        else:
            return None, curve
        while high > low + 1 and high > _CLOSE * low:
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle, high)
        return high, curve

    def _data(
        self, model: DistributedModel, frequencies: int, generator: torch.Generator
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Inputs and values to fit to, and held out."""
        rows = self._train_rows(frequencies) + self.held_out
        x = points(model, self.inputs, rows, generator)
        held_out = self.held_out
        if isinstance(self.inputs, Tensor):
            x = x[torch.randperm(len(x), generator=generator).to(x.device)]
            held_out = len(x) // 4
        with torch.no_grad():
            y = in_double(model)(x).cpu().numpy()
        inputs = x.cpu().numpy()
        return (inputs[held_out:], y[held_out:]), (inputs[:held_out], y[:held_out])


def _at_least_one(log_count: float) -> float:
    return max(1.0, math.exp(log_count))


def _doubled(most: int) -> list[int]:
    """1, 2, 4, ... and at last the most."""
    sizes = [1 << step for step in range(most.bit_length()) if 1 << step < most]
    return [*sizes, most]

"""The effective dimension of a model: how much of its parameter space a number of data sees."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import Inputs
from tnqml.expressivity.estimate import Estimate, resampled
from tnqml.expressivity.fisher import FisherInformation
from tnqml.expressivity.forecast import Forecast, resampling, started
from tnqml.model import DistributedModel

_LEAST_TRACE = 1e-24  # gradients that are nothing but rounding


@dataclass(frozen=True)
class EffectiveDimensionResult:
    """The effective dimension.

    Attributes:
        dimension: between 0 and, for much data, the rank of the Fisher information.
        share: the same over the number of parameters.
        kappa: gamma n / (2 pi ln n).
    """

    dimension: Estimate
    share: Estimate
    kappa: float


@dataclass(frozen=True)
class EffectiveDimension:
    """d = 2 ln( mean over theta of sqrt(det(1 + kappa F^(theta))) ) / ln kappa; a `Measure`.

    F^ = P F(theta) / (mean over theta of tr F), P the number of parameters, F of `fisher`, theta
    uniform, kappa = gamma n / (2 pi ln n) for n data (Abbas et al. 2021). At finite n: no limit is
    taken, and kappa must exceed 1. The interval resamples the draws of theta, in the trace and in
    the determinant at once; few draws with large determinants carry the mean where P is large, and
    the interval is then too narrow.

    Args:
        inputs: as in `FisherInformation`.
        data: n, the number of data that the model is to be trained on.
        gamma: in (0, 1].
        points: as in `FisherInformation`; well above parameters / outputs, or F lacks rank.
        draws: of theta.
        confidence: of the intervals.
    """

    inputs: Inputs
    data: int
    gamma: float = 1.0
    points: int = 128
    draws: int = 64
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        kappa(self.data, gamma=self.gamma)
        self._fisher()

    def _fisher(self) -> FisherInformation:
        return FisherInformation(
            self.inputs, points=self.points, draws=self.draws, confidence=self.confidence
        )

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        return self._fisher().forecast(model) + resampling()

    def run(self, model: DistributedModel, generator: torch.Generator) -> EffectiveDimensionResult:
        """The effective dimension."""
        started(self, self.forecast(model), generator)
        eigenvalues = self._fisher().run(model, generator).eigenvalues

        def statistic(drawn: NDArray[np.float64]) -> float:
            return effective_dimension(drawn, data=self.data, gamma=self.gamma)

        found = resampled(eigenvalues, statistic, generator=generator, confidence=self.confidence)
        parameters = model.circuit.parameters
        return EffectiveDimensionResult(
            dimension=found,
            share=found.map(lambda value: value / parameters),
            kappa=kappa(self.data, gamma=self.gamma),
        )


def effective_dimension(
    eigenvalues: NDArray[np.float64],  # (draws, parameters), of F(theta)
    *,
    data: int,
    gamma: float = 1.0,
) -> float:
    """The effective dimension from the eigenvalues of F(theta) at uniform theta.

    Example:
        >>> round(effective_dimension(np.ones((5, 3)), data=10**6), 3)  # F = 1 sees all of them
        3.0
    """
    scale = kappa(data, gamma=gamma)
    trace = eigenvalues.sum(1).mean()
    if not trace > _LEAST_TRACE:
        raise InputError("the Fisher information is 0; the outputs do not feel the parameters")
    normalised = eigenvalues * (eigenvalues.shape[1] / trace)
    logs = np.log1p(scale * normalised).sum(1) / 2  # ln sqrt(det)
    top = logs.max()
    return float(2 * (top + np.log(np.exp(logs - top).mean())) / math.log(scale))


def kappa(
    data: int,
    *,
    gamma: float = 1.0,
) -> float:
    """The factor gamma n / (2 pi ln n), refused where the effective dimension is not defined."""
    check_count(data, "data", least=2)
    if not isinstance(gamma, int | float) or not 0 < gamma <= 1:
        raise InputError(f"gamma is {gamma!r}; expected a number above 0 and up to 1")
    value = gamma * data / (2 * math.pi * math.log(data))
    if value <= 1:
        raise InputError(
            f"{data} data with gamma {gamma:g} make gamma n / (2 pi ln n) = {value:.3g}; expected "
            "more than 1, so take more data"
        )
    return value

"""The variance of a model's gradient over random parameters, on a logarithmic scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import (
    Inputs,
    check_inputs,
    check_model,
    lifted,
    random_inputs,
    random_parameters,
)
from tnqml.expressivity.estimate import Estimate, Samples, check_confidence, mean, resampled
from tnqml.expressivity.forecast import Forecast, resampling, started, values
from tnqml.model import DistributedModel


@dataclass(frozen=True)
class GradientVarianceResult:
    """The variance of one observable's gradient.

    Attributes:
        log_variance: ln of it, with the bootstrap's interval; -inf where no draw has a gradient.
        log_typical: the mean of ln g^2, with Student's interval: what a typical draw has. Far
            below `log_variance` where rare draws carry the variance.
        effective_draws: (sum g^2)^2 / sum g^4, how many draws carry it. Below some ten the
            bootstrap's interval is too narrow and the variance more likely too low.
    """

    log_variance: Estimate
    log_typical: Estimate
    effective_draws: float


@dataclass(frozen=True)
class GradientVariance:
    """Var over theta and x of df/dtheta_k, for every observable; a `Measure`.

    Flat in width at fixed depth for local observables (Cerezo, Sone, Volkoff, Cincio, Coles 2021),
    exponentially small for global ones or at depth of order n (McClean, Boixo, Smelyanskiy,
    Babbush, Neven 2018). In logarithms throughout, for gradients that underflow.

    Args:
        inputs: x, drawn anew for each draw.
        parameter: k; None takes the mean of the variances of all parameters that the observable
            feels.
        draws: of x and theta together.
        confidence: of the intervals.
    """

    inputs: Inputs
    parameter: int | None = None
    draws: int = 500
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.draws, "draws", least=2)
        check_confidence(self.confidence)
        if self.parameter is not None:
            check_count(self.parameter, "parameter", least=0)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost: value and gradient of every observable by itself."""
        return self._forecast(self._singles(model))

    def _forecast(self, singles: Sequence[DistributedModel]) -> Forecast:
        parts = [
            values(single, rows=self.draws, times=1, gradient=True) + resampling()
            for single in singles
        ]
        return Forecast(
            sum(part.seconds for part in parts),
            max(part.peak_bytes for part in parts),
            f"{len(parts)} observable(s), each with {parts[0].work}",
        )

    def _singles(self, model: DistributedModel) -> list[DistributedModel]:
        """The lifted model with one observable at a time, each planned for its own light cone."""
        check_model(model, parameters=True)
        if self.parameter is not None and self.parameter >= model.circuit.parameters:
            raise InputError(
                f"parameter is {self.parameter}; the model has parameters 0 to "
                f"{model.circuit.parameters - 1}"
            )
        return [lifted(model, [observable]) for observable in model.observables]

    def run(
        self, model: DistributedModel, generator: torch.Generator
    ) -> tuple[GradientVarianceResult, ...]:
        """One result for each observable."""
        singles = self._singles(model)
        started(self, self._forecast(singles), generator)
        x = random_inputs(model, self.inputs, self.draws, generator)
        rows = torch.cat([x, random_parameters(model, self.draws, generator)], 1)
        found = []
        for single in singles:
            gradients, logs = _scaled_gradients(single, rows)
            own = gradients[:, x.shape[1] :]
            if self.parameter is not None:
                own = own[:, [self.parameter]]
            found.append(
                _summary(own.cpu().numpy(), logs.cpu().numpy(), generator, self.confidence)
            )
        return tuple(found)


def _scaled_gradients(model: DistributedModel, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients (rows, inputs) and the logarithm of their scale (rows,)."""
    rows = rows.detach().requires_grad_()
    with torch.enable_grad():
        mantissa, log_scale = model.scaled(rows)
        (gradient,) = torch.autograd.grad(mantissa.sum(), rows, materialize_grads=True)
    return gradient, log_scale.detach()[:, 0]


def _summary(
    gradients: NDArray[np.float64],  # (draws, parameters)
    log_scale: NDArray[np.float64],  # (draws,)
    generator: torch.Generator,
    confidence: float,
) -> GradientVarianceResult:
    """Mean variance over the parameters that have a gradient at some draw."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(gradients)) + log_scale[:, None]  # -inf for a zero
    felt = np.isfinite(logs).any(0)
    if not felt.any():
        none = Estimate(-math.inf, -math.inf, -math.inf, "exact", 1.0)
        return GradientVarianceResult(none, none, 0.0)
    top = float(logs[:, felt].max())
    scaled: Samples = gradients[:, felt] * np.exp(log_scale - top)[:, None]
    squares = scaled**2

    def variance(drawn: Samples) -> float:
        return float(drawn.var(axis=0, ddof=1).mean())

    def logarithm(value: float) -> float:
        return math.log(value) + 2 * top if value else -math.inf

    found = resampled(scaled, variance, generator=generator, confidence=confidence)
    return GradientVarianceResult(
        log_variance=found.map(logarithm),
        log_typical=_typical(2 * logs[:, felt], confidence),
        effective_draws=float((squares.sum(0) ** 2 / (squares**2).sum(0)).mean()),
    )


def _typical(
    logs: NDArray[np.float64],  # (draws, parameters), -inf where the gradient is 0
    confidence: float,
) -> Estimate:
    """The mean over the draws that have a gradient; a zero has no logarithm."""
    rows = np.array([row[np.isfinite(row)].mean() for row in logs if np.isfinite(row).any()])
    if len(rows) == 1:
        return Estimate(float(rows[0]), -math.inf, math.inf, "student", confidence)
    return mean(rows, confidence=confidence)

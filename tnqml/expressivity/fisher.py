"""The classical Fisher information of measured outcomes, its rank and its spectrum."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import (
    Inputs,
    at,
    check_inputs,
    check_model,
    in_double,
    point_count,
    points,
    random_parameters,
)
from tnqml.expressivity.estimate import Estimate, check_confidence, mean
from tnqml.expressivity.forecast import Forecast, factorisations, jacobians, started, values
from tnqml.expressivity.jacobian import generic, jacobian
from tnqml.expressivity.span import TOLERANCE, Rank, check_tolerance, rank_of
from tnqml.model import DistributedModel
from tnqml.observables import Observable

_LEAST_VARIANCE = 1e-14


@dataclass(frozen=True, eq=False)
class FisherResult:
    """The Fisher information F(theta) over random parameters.

    Attributes:
        matrix: (parameters, parameters), the mean of F(theta).
        eigenvalues: (draws, parameters) of every F(theta), falling.
        trace: the mean of tr F(theta), Student's interval over the draws.
        rank: the largest rank found, which is that of almost all parameters.
        ranks: at every draw.
    """

    matrix: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    trace: Estimate
    rank: Estimate
    ranks: tuple[Rank, ...]


@dataclass(frozen=True)
class FisherInformation:
    """F(theta) = E_x sum over outputs of grad f grad f^T / (1 - f^2), at random theta; a `Measure`.

    It is the information that one shot of each output carries about theta: an outcome +-1 of mean
    f has the probabilities (1 +- f)/2. An output must be one Pauli string, or a weight and a
    constant beside it as in a projector: then the outcome is that string's.

    Args:
        inputs: the points x, or where each draw of theta gets points of its own from.
        points: how many are drawn for each theta. The rank of F(theta) is at most points x outputs.
        draws: of theta.
        tolerance: of the rank, on the singular values of grad f / sqrt(1 - f^2), not their squares.
        confidence: of the interval of the trace.
    """

    inputs: Inputs
    points: int = 128
    draws: int = 32
    tolerance: float = TOLERANCE
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.points, "points")
        check_count(self.draws, "draws", least=2)
        check_tolerance(self.tolerance)
        check_confidence(self.confidence)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        check_model(model, parameters=True)
        outcome_scales(model)
        rows = point_count(self.inputs, self.points)
        shape = (rows * len(model.observables), model.circuit.parameters)
        double = in_double(model)
        return (
            jacobians(double, rows=rows, times=self.draws)
            + values(double, rows=rows, times=self.draws)
            + factorisations(
                [shape] * self.draws, work=f"{self.draws} ranks of {shape[0]} x {shape[1]}"
            )
        )

    def run(self, model: DistributedModel, generator: torch.Generator) -> FisherResult:
        """The Fisher information."""
        started(self, self.forecast(model), generator)
        size = model.circuit.parameters
        total, eigenvalues, ranks = np.zeros((size, size)), [], []
        for parameters in random_parameters(model, self.draws, generator):
            x = points(model, self.inputs, self.points, generator)
            scores = weighted_jacobian(at(model, parameters), x).cpu().numpy()
            singular = np.linalg.svd(scores, compute_uv=False)
            ranks.append(rank_of(singular, tolerance=self.tolerance))
            total += scores.T @ scores / len(x)
            eigenvalues.append(np.pad(singular**2 / len(x), (0, size))[:size])
        spectra = np.stack(eigenvalues)
        return FisherResult(
            matrix=total / self.draws,
            eigenvalues=spectra,
            trace=mean(spectra.sum(1), confidence=self.confidence),
            rank=generic(ranks, *scores.shape),
            ranks=tuple(ranks),
        )


def weighted_jacobian(
    model: DistributedModel,
    x: Tensor,  # (rows, features)
) -> Tensor:
    """(rows x observables, parameters): grad r / sqrt(1 - r^2) of every outcome's mean r.

    At |r| = 1 an outcome is certain and its gradient 0; there the quotient is 0, its limit along
    almost every line being finite but not the same.
    """
    scale, offset = outcome_scales(model)
    with torch.no_grad():
        means = (model(x).reshape(len(x), -1) - offset) / scale
    gradients = jacobian(model, x) / scale.unsqueeze(1)
    spread = (1 - means.square()).clamp(min=_LEAST_VARIANCE).sqrt().unsqueeze(2)
    return torch.div(gradients, spread).flatten(0, 1)


def outcome_scales(model: DistributedModel) -> tuple[Tensor, Tensor]:
    """Weight and constant (observables,) of every observable w P + c, P one Pauli string.

    Raises:
        InputError: an observable is a sum of several strings: a shot of it has no outcome +-1.
    """
    pairs = [_scale(observable) for observable in model.observables]
    device = model.theta.device
    return tuple(  # type: ignore[return-value]
        torch.tensor(column, dtype=torch.float64, device=device)
        for column in zip(*pairs, strict=True)
    )


def _scale(observable: Observable) -> tuple[float, float]:
    weights = [weight for weight, string in observable.terms if string]
    if len(weights) != 1 or not weights[0]:
        raise InputError(
            f"the observable {observable} has {len(weights)} Pauli strings; the Fisher information "
            "is of outcomes +-1, so give each string as an observable of its own"
        )
    constant = sum(weight for weight, string in observable.terms if not string)
    return weights[0], float(constant)

"""The rank of a model's Jacobian: how many directions of its parameters change its outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tnqml.checks import check_count
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
from tnqml.expressivity.estimate import Estimate
from tnqml.expressivity.forecast import Forecast, factorisations, jacobians, started
from tnqml.expressivity.span import TOLERANCE, Rank, check_tolerance, numerical_rank
from tnqml.model import DistributedModel


@dataclass(frozen=True)
class JacobianResult:
    """The rank of the Jacobian over random parameters.

    Attributes:
        rank: the largest one found, which is that of almost all parameters.
        ranks: at every draw.
    """

    rank: Estimate
    ranks: tuple[Rank, ...]


@dataclass(frozen=True)
class JacobianRank:
    """The rank of df(theta, x_i)/dtheta over points x_i, at random theta; a `Measure`.

    The matrix has a row for every point and output, a column for every parameter. Its rank is the
    same at almost all theta, so the largest of few draws is right but for the tolerance; it is
    also the dimension of the manifold of functions (Larocca, Ju, Garcia-Martin, Coles, Cerezo
    2023, on overparametrisation).

    Args:
        inputs: the points, or where to draw them from.
        points: how many are drawn; where the rank reaches points x outputs it has no upper end but
            the number of parameters.
        draws: of theta.
        tolerance: singular values above this times the largest count.
    """

    inputs: Inputs
    points: int = 128
    draws: int = 4
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.points, "points")
        check_count(self.draws, "draws")
        check_tolerance(self.tolerance)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        check_model(model, parameters=True)
        rows = point_count(self.inputs, self.points)
        shape = (rows * len(model.observables), model.circuit.parameters)
        return jacobians(in_double(model), rows=rows, times=self.draws) + factorisations(
            [shape] * self.draws, work=f"{self.draws} ranks of {shape[0]} x {shape[1]}"
        )

    def run(self, model: DistributedModel, generator: torch.Generator) -> JacobianResult:
        """The rank of the Jacobian."""
        started(self, self.forecast(model), generator)
        ranks = []
        for parameters in random_parameters(model, self.draws, generator):
            x = points(model, self.inputs, self.points, generator)
            matrix = jacobian(at(model, parameters), x).flatten(0, 1)
            ranks.append(numerical_rank(matrix.cpu().numpy(), tolerance=self.tolerance))
        return JacobianResult(generic(ranks, *matrix.shape), tuple(ranks))


def jacobian(
    model: DistributedModel,
    x: Tensor,  # (rows, features)
) -> Tensor:
    """(rows, observables, parameters): `model.jacobian`, whatever the number of observables."""
    return model.jacobian(x).reshape(len(x), len(model.observables), -1)


def generic(ranks: Sequence[Rank], rows: int, columns: int) -> Estimate:
    """The rank of almost all parameters: the largest of those drawn.

    Args:
        ranks: at every draw.
        rows: of the matrices; a rank that reaches them could be larger with more.
        columns: the most that it can be.
    """
    best = max(ranks, key=lambda rank: rank.rank)
    saturated = best.rank == rows < columns
    return best.interval(limit=columns if saturated else None)

"""The dimension of the span of a model's functions, as a numerical rank."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

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
from tnqml.expressivity.estimate import Estimate, exact
from tnqml.expressivity.forecast import Forecast, factorisations, started, values
from tnqml.model import DistributedModel

Matrix = NDArray[np.float64]
Family = Callable[[int], DistributedModel]
"""A seed in, a random member of a family of models out."""

TOLERANCE = 1e-9
_DECADE = 10.0
_START = 16


@dataclass(frozen=True)
class Rank:
    """The number of singular values above a tolerance times the largest.

    Attributes:
        rank: that number.
        gap: the last singular value counted over the first one not counted; infinite if none is
            left. A small gap says that the rank hangs on the tolerance.
        effective: exp of the entropy of the squared singular values, each over their sum.
        least: the rank at ten times the tolerance.
        most: the rank at a tenth of it.
    """

    rank: int
    gap: float
    effective: float
    least: int
    most: int

    def interval(self, *, limit: float | None = None) -> Estimate:
        """The rank with an interval: how it moves with the tolerance by a decade both ways.

        Args:
            limit: where the sample was too small to tell, the most that the rank can be.
        """
        if limit is None and self.least == self.most:
            return exact(self.rank)
        high = self.most if limit is None else limit
        return Estimate(self.rank, self.least, high, "tolerance", 1.0)


def numerical_rank(
    samples: Matrix,  # (functions, points)
    *,
    tolerance: float = TOLERANCE,
) -> Rank:
    """The rank of functions sampled on points.

    Raises:
        InputError: the samples are no matrix of finite numbers, or the tolerance is not in (0, 1).

    Example:
        >>> numerical_rank(np.outer([1.0, 2.0], [3.0, 4.0, 5.0])).rank
        1
    """
    if samples.ndim != 2 or 0 in samples.shape:
        raise InputError(f"samples have shape {samples.shape}; expected (functions, points)")
    if not np.isfinite(samples).all():
        raise InputError("a sample is not finite; expected finite numbers only")
    return rank_of(np.linalg.svd(samples, compute_uv=False), tolerance=tolerance)


def rank_of(
    singular: NDArray[np.floating],  # (values,), falling
    *,
    tolerance: float = TOLERANCE,
) -> Rank:
    """The rank of a matrix with these singular values."""
    check_tolerance(tolerance)

    def count(share: float) -> int:
        return int((singular > share * singular[0]).sum())

    rank = count(tolerance)
    below = float(singular[rank]) if rank < len(singular) else 0.0
    share = (singular[:rank] / (singular[0] or 1.0)) ** 2
    share /= share.sum() or 1.0
    return Rank(
        rank=rank,
        gap=float(singular[rank - 1]) / below if below and rank else math.inf,
        effective=float(np.exp(-(share * np.log(share)).sum())) if rank else 0.0,
        least=count(_DECADE * tolerance),
        most=count(tolerance / _DECADE),
    )


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance outside (0, 1)."""
    if not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        raise InputError(f"tolerance is {tolerance!r}; expected a number between 0 and 1")


def span_dimension(
    draw: Callable[[int, int], Matrix],
    *,
    start: int = _START,
    most: int | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Rank, int]:
    """The dimension of the span of all functions of a family, from ever more random members.

    With probability 1 the rank of a random sample is the lesser of its size and the dimension, if
    the functions are analytic in what is drawn.

    Args:
        draw: (count, points) -> (count, points), a fresh sample of `count` functions on as many
            points as named, or on fixed points whatever is named.
        start: how many functions to begin with; doubled until the rank is below three quarters of
            the sample.
        most: never more functions than that.
        tolerance: of the rank.

    Returns:
        The rank and the number of functions it took.
    """
    for count in _counts(start, most):
        rank = numerical_rank(draw(count, count), tolerance=tolerance)
        if settled(rank, count):
            break
    return rank, count


def settled(rank: Rank, functions: int) -> bool:
    """Whether the rank is well inside the sample: at most three quarters of its functions."""
    return rank.rank <= 3 * functions // 4


def _counts(start: int, most: int | None) -> Iterator[int]:
    """How many functions are drawn: doubled again and again, up to the most."""
    count = start if most is None else min(start, most)
    while True:
        yield count
        if count == most:
            return
        count = 2 * count if most is None else min(2 * count, most)


@dataclass(frozen=True)
class Span:
    """The span of a model's functions.

    Attributes:
        dimension: the rank with its interval: exact where the singular values leave no doubt,
            without upper end where the sample was too small.
        rank: more of it.
        functions: how many random ones were drawn.
        points: how many they were sampled on.
    """

    dimension: Estimate
    rank: Rank
    functions: int
    points: int


@dataclass(frozen=True)
class FunctionSpan:
    """The dimension of the real span of x -> f(theta, x) over all theta; a `Measure`.

    Every output is a function. Functions are drawn until their rank is at most three quarters of
    their number. On given inputs it is the dimension of the functions restricted to those.

    Args:
        inputs: the points, or where to draw as many as functions from. For incommensurate
            frequencies they must reach far: the slowest difference of frequencies needs room.
        most: functions drawn at most.
        tolerance: singular values above this times the largest count.

    Source: THEORY section 3, "How many functions"; against the formulas in tests/tnqml.
    """

    inputs: Inputs
    most: int = 1024
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.most, "most", least=2)
        check_tolerance(self.tolerance)

    def forecast(self, model: DistributedModel | Family) -> Forecast:
        """What `run` is predicted to cost if it takes as many functions as it may."""
        member = in_double(_member(model, 0))
        outputs = len(member.observables)
        counts = list(_counts(_START, self.most))
        total = sum(-(-count // outputs) for count in counts)
        rows = point_count(self.inputs, self.most)
        shapes = [(count, point_count(self.inputs, count)) for count in counts]
        return values(member, rows=rows, times=total) + factorisations(
            shapes, work=f"ranks of up to {self.most} functions"
        )

    def run(self, model: DistributedModel | Family, generator: torch.Generator) -> Span:
        """The dimension of the span.

        Args:
            model: a model, its parameters drawn uniformly; or a family of models by seed, such as
                `lambda seed: DistributedModel(ansatz.haar(2, layers=3, seed=seed), Z(0))`.
            generator: of parameters, seeds and points.
        """
        started(self, self.forecast(model), generator)
        first = _member(model, 0)
        outputs = len(first.observables)

        def draw(count: int, size: int) -> Matrix:
            x = points(first, self.inputs, size, generator)
            rows = [
                member(x).reshape(len(x), outputs).T.cpu().numpy()
                for member in _members(model, -(-count // outputs), generator)
            ]
            return np.concatenate(rows)[:count]

        with torch.no_grad():
            rank, functions = span_dimension(draw, most=self.most, tolerance=self.tolerance)
        size = point_count(self.inputs, functions)
        # on given points as many independent functions as points is all that there can be
        full = isinstance(self.inputs, torch.Tensor) and rank.rank == size
        limit = None if full or settled(rank, functions) else math.inf
        return Span(rank.interval(limit=limit), rank, functions, size)


def _member(model: DistributedModel | Family, seed: int) -> DistributedModel:
    if isinstance(model, DistributedModel):
        return model
    if isinstance(model, torch.nn.Module) or not callable(model):
        raise InputError(
            f"got a {type(model).__name__}; expected a DistributedModel, or a function from a seed "
            "to one"
        )
    member = model(seed)
    check_model(member)
    return member


def _members(
    model: DistributedModel | Family, count: int, generator: torch.Generator
) -> Iterator[DistributedModel]:
    """Random members in float64."""
    if isinstance(model, DistributedModel):
        for parameters in random_parameters(model, count, generator):
            yield at(model, parameters)
        return
    for seed in torch.randint(2**31, (count,), generator=generator).tolist():
        yield in_double(_member(model, seed))

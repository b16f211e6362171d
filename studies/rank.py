"""Numerical ranks of families of functions sampled on points."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rank:
    """The number of singular values above a tolerance times the largest.

    Attributes:
        rank: that number.
        gap: the last singular value counted over the first one not counted; infinite if none is
            left. A small gap says that the rank hangs on the tolerance.
        effective: exp of the entropy of the squared singular values, each over their sum.
    """

    rank: int
    gap: float
    effective: float


def numerical_rank(
    samples: Matrix,  # (functions, points)
    *,
    tolerance: float = TOLERANCE,
) -> Rank:
    """The rank of functions sampled on points."""
    values = np.linalg.svd(samples, compute_uv=False)
    rank = int((values > tolerance * values[0]).sum())
    gap = float(values[rank - 1] / values[rank]) if rank < len(values) else float("inf")
    share = values[:rank] ** 2 / (values[:rank] ** 2).sum()
    return Rank(rank, gap, float(np.exp(-(share * np.log(share)).sum())))


def span_dimension(draw: Callable[[int, int], Matrix], *, start: int = 16) -> tuple[Rank, int]:
    """The dimension of the span of all functions of a family, from ever more random members.

    Args:
        draw: (count, points) -> (count, points), a fresh sample of `count` functions on as many
            points as named.
        start: how many functions to begin with; doubled until the rank is below three quarters of
            the sample.

    Returns:
        The rank and the number of functions it took.
    """
    count = start
    while True:
        rank = numerical_rank(draw(count, count))
        if rank.rank <= 3 * count // 4:
            return rank, count
        count *= 2

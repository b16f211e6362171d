"""Regression data with planted interactions, whose Sobol decomposition is known exactly."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import TURN


@dataclass(frozen=True)
class Term:
    """weight x product over features of sqrt(2) cos(x_k - phase_k), of variance weight^2.

    Attributes:
        weight: w.
        features: distinct ones; their number is the order of the interaction.
        phases: 0 for a cosine, pi/2 for a sine, one for each feature.
    """

    weight: float
    features: tuple[int, ...]
    phases: tuple[float, ...]


@dataclass(frozen=True)
class Planted:
    """A sum of products of cosines and sines with a known functional ANOVA.

    Under independent uniform phases the terms are orthonormal up to their weights, of mean 0, so
    that shares of the variance by order and by feature are sums of squared weights (Sobol 2001).

    Args:
        features: the number of inputs.
        terms: no two on the same features.

    Raises:
        InputError: a term names a feature twice or one that is not there, or two terms the same.

    Example:
        >>> target = planted(6, {1: 2, 3: 1}, seed=0)
        >>> target.order_shares().round(3).tolist()
        [0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0]
    """

    features: int
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        """Refuse terms that are not as above."""
        check_count(self.features, "features")
        if not self.terms:
            raise InputError("no terms; expected at least one")
        seen: set[frozenset[int]] = set()
        for term in self.terms:
            own = frozenset(term.features)
            inside = own <= set(range(self.features))
            if not own or not inside or len(own) != len(term.features) or own in seen:
                raise InputError(
                    f"a term acts on the features {term.features}; expected distinct ones of 0 to "
                    f"{self.features - 1}, and no set of them twice"
                )
            if len(term.phases) != len(term.features) or not math.isfinite(term.weight):
                raise InputError(
                    f"a term of weight {term.weight} has {len(term.phases)} phases for "
                    f"{len(term.features)} features; expected one for each, and a finite weight"
                )
            seen.add(own)

    @property
    def variance(self) -> float:
        """Of the target under independent uniform phases; its mean is 0."""
        return sum(term.weight**2 for term in self.terms)

    def values(
        self,
        x: Tensor,  # (rows, features)
    ) -> Tensor:
        """(rows,): the target."""
        if x.ndim != 2 or x.shape[1] != self.features:
            raise InputError(f"x has shape {tuple(x.shape)}; expected (rows, {self.features})")
        total = x.new_zeros(len(x))
        for term in self.terms:
            angles = x[:, list(term.features)] - x.new_tensor(term.phases)
            total = total + term.weight * (math.sqrt(2) * angles.cos()).prod(1)
        return total

    def order_shares(self) -> NDArray[np.float64]:
        """(features + 1,): the share of the variance by interaction order."""
        shares = np.zeros(self.features + 1)
        for term in self.terms:
            shares[len(term.features)] += term.weight**2 / self.variance
        return shares

    def main_indices(self) -> NDArray[np.float64]:
        """(features,): Sobol's main index of each feature, the share that it has alone."""
        return self._indices(alone=True)

    def total_indices(self) -> NDArray[np.float64]:
        """(features,): Sobol's total index of each feature, the share that it takes part in."""
        return self._indices(alone=False)

    def _indices(self, *, alone: bool) -> NDArray[np.float64]:
        shares = np.zeros(self.features)
        for term in self.terms:
            if not alone or len(term.features) == 1:
                shares[list(term.features)] += term.weight**2 / self.variance
        return shares

    def data(
        self, rows: int, *, generator: torch.Generator, noise: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Inputs (rows, features), independent uniform phases, and targets (rows,), in float64.

        Args:
            rows: how many.
            generator: of inputs and noise.
            noise: standard deviation of normal noise on the targets, over that of the target.
        """
        check_count(rows, "rows")
        if not isinstance(noise, int | float) or not 0 <= noise < math.inf:
            raise InputError(f"noise is {noise!r}; expected a number of at least 0")
        x = TURN * torch.rand(rows, self.features, dtype=torch.float64, generator=generator)
        errors = torch.randn(rows, dtype=torch.float64, generator=generator)
        return x, self.values(x) + noise * math.sqrt(self.variance) * errors


def planted(features: int, orders: Mapping[int, int], *, seed: int) -> Planted:
    """A target with so many terms of each order, of variance 1 shared equally by the orders.

    Args:
        features: the number of inputs.
        orders: by interaction order, from 1 up, how many terms; on random sets of features, no set
            twice, each factor a cosine or a sine.
        seed: of sets and factors.

    Raises:
        InputError: there are not as many sets of features.
    """
    check_count(features, "features")
    check_count(seed, "seed", least=0)
    if not orders:
        raise InputError("orders are empty; expected such as {1: 4, 3: 2}")
    generator = np.random.default_rng(seed)
    terms = []
    for order, count in sorted(orders.items()):
        check_count(order, "an order")
        check_count(count, f"the number of terms of order {order}")
        if count > math.comb(features, order):
            raise InputError(
                f"{count} terms of order {order} on {features} features; expected at most "
                f"{math.comb(features, order)}"
            )
        weight = 1 / math.sqrt(len(orders) * count)
        for own in _subsets(features, order, count, generator):
            phases = generator.integers(2, size=order) * math.pi / 2
            terms.append(Term(weight, own, tuple(float(phase) for phase in phases)))
    return Planted(features, tuple(terms))


def _subsets(
    features: int, order: int, count: int, generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """Distinct random subsets, sorted within."""
    if math.comb(features, order) <= 4 * count:  # drawing again and again would rarely be new
        everyone = list(itertools.combinations(range(features), order))
        return [everyone[k] for k in generator.permutation(len(everyone))[:count]]
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        drawn = generator.choice(features, order, replace=False)
        found[tuple(sorted(int(feature) for feature in drawn))] = None
    return list(found)

"""Planted interactions against their decomposition by brute-force integration."""

import itertools
import math

import numpy as np
import pytest
import torch

from tnqml.errors import InputError
from tnqml.expressivity import Planted, Term, planted


def brute_force(target: Planted) -> dict[tuple[int, ...], float]:
    """The variance of every set of features by the ANOVA of values on a grid of phases."""
    points = 4  # enough for products of single harmonics
    phases = 2 * math.pi * np.arange(points) / points
    grid = np.array(list(itertools.product(phases, repeat=target.features)))
    values = target.values(torch.tensor(grid)).numpy().reshape((points,) * target.features)
    power = np.abs(np.fft.fftn(values) / values.size) ** 2
    found: dict[tuple[int, ...], float] = {}
    for index, each in np.ndenumerate(power):
        own = tuple(k for k, step in enumerate(index) if step)
        found[own] = found.get(own, 0.0) + float(each)
    return found


@pytest.mark.parametrize("orders", [{1: 3}, {2: 2, 4: 1}, {1: 1, 2: 3, 3: 2, 4: 1, 5: 1}])
def test_the_decomposition_is_that_of_the_values(orders):
    target = planted(5, orders, seed=3)
    variance = brute_force(target)
    assert variance.pop(()) == pytest.approx(0, abs=1e-20)
    assert sum(variance.values()) == pytest.approx(target.variance) == pytest.approx(1)
    by_order, main, total = np.zeros(6), np.zeros(5), np.zeros(5)
    for own, each in variance.items():
        by_order[len(own)] += each
        total[list(own)] += each
        if len(own) == 1:
            main[own[0]] += each
    np.testing.assert_allclose(target.order_shares(), by_order, atol=1e-12)
    np.testing.assert_allclose(target.main_indices(), main, atol=1e-12)
    np.testing.assert_allclose(target.total_indices(), total, atol=1e-12)
    assert by_order[list(orders)] == pytest.approx(1 / len(orders))
    assert sum(term.features != () for term in target.terms) == sum(orders.values())


def test_many_sets_are_distinct_and_follow_the_seed():
    one, two, other = (planted(30, {5: 40, 2: 435}, seed=seed) for seed in (1, 1, 2))
    assert one == two != other
    assert len({term.features for term in one.terms}) == 475


def test_data_have_the_moments_that_they_should():
    target = planted(8, {1: 2, 3: 2}, seed=0)
    x, y = target.data(20_000, generator=torch.Generator().manual_seed(0))
    assert x.shape == (20_000, 8)
    assert (x.min(), x.max()) == pytest.approx((0, 2 * math.pi), abs=0.01)
    assert float(y.mean()) == pytest.approx(0, abs=0.03)
    assert float(y.var()) == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(y, target.values(x))
    again, noisy = target.data(20_000, generator=torch.Generator().manual_seed(0), noise=0.5)
    assert torch.equal(again, x)
    assert float((noisy - y).std()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "terms",
    [
        (),
        (Term(1.0, (), ()),),
        (Term(1.0, (0, 0), (0.0, 0.0)),),
        (Term(1.0, (3,), (0.0,)),),
        (Term(1.0, (0,), (0.0, 1.0)),),
        (Term(math.inf, (0,), (0.0,)),),
        (Term(1.0, (0, 1), (0.0, 0.0)), Term(2.0, (1, 0), (0.0, 0.0))),
    ],
)
def test_terms_that_have_no_known_decomposition_are_refused(terms):
    with pytest.raises(InputError):
        Planted(3, terms)


@pytest.mark.parametrize("orders", [{}, {0: 1}, {4: 1}, {2: 4}, {1: 0}, {1: 1.5}])
def test_orders_that_do_not_fit_are_refused(orders):
    with pytest.raises(InputError):
        planted(3, orders, seed=0)


def test_data_that_do_not_fit_are_refused():
    target = planted(3, {1: 1}, seed=0)
    with pytest.raises(InputError, match="shape"):
        target.values(torch.zeros(2, 4))
    with pytest.raises(InputError, match="noise"):
        target.data(2, generator=torch.Generator(), noise=-1.0)
    with pytest.raises(InputError, match="rows"):
        target.data(0, generator=torch.Generator())
    with pytest.raises(InputError, match="seed"):
        planted(3, {1: 1}, seed=-1)

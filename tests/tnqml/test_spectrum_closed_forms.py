"""Profiles and Sobol indices against closed formulas: products, linear models, Haar averages."""

import math

import numpy as np
import pytest
import torch
from scipy.special import comb

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz, parity
from tnqml.spectrum import feature_orders, power, sobol, upload_orders


def model_of(circuit, observables):
    return DistributedModel(circuit, observables, dtype=torch.float64)


def test_product_of_cosines_is_all_of_the_highest_order():
    """f = prod cos x_q: power 2^-n, all at order n; n far beyond enumeration."""
    count = 64
    gates = [Gate("ry", q, feature=q) for q in range(count)]
    found = feature_orders(model_of(Circuit(count, gates), parity(range(count))), 0)
    assert float(found.mean) == 0
    np.testing.assert_allclose(found.powers[-1], 0.5**count, rtol=1e-10)
    assert found.shares[:-1].max() < 1e-12


def test_products_of_shifted_cosines():
    """f = prod (a cos x_q + b): the profile is that of independent coins of odds a^2/2 : b^2."""
    count, turn = 12, 0.7
    a, b = math.sin(turn), math.cos(turn)
    gates = []
    for qubit in range(count):  # <Z> = cos(turn) cos(turn) - sin^2(turn) cos(x)
        gates += [Gate("ry", qubit, angle=turn), Gate("rz", qubit, feature=qubit)]
        gates += [Gate("ry", qubit, angle=turn)]
    found = feature_orders(model_of(Circuit(count, gates), parity(range(count))), 0)
    active, constant = a**4 / 2, b**4
    orders = np.arange(count + 1)
    expected = comb(count, orders) * active**orders * constant ** (count - orders)
    np.testing.assert_allclose(found.powers, expected[1:], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(abs(found.mean), math.sqrt(expected[0]), rtol=1e-10)
    indices = sobol(model_of(Circuit(count, gates), parity(range(count))), 0)
    np.testing.assert_allclose(
        indices.total,
        active / (active + constant) / (1 - (constant / (active + constant)) ** count),
        rtol=1e-9,
    )


def test_a_linear_model_sits_at_order_one():
    gates = [Gate("ry", q, feature=q) for q in range(6)]
    linear = sum((0.2 * q + 0.1) * Z(q) for q in range(6))
    found = feature_orders(model_of(Circuit(6, gates), linear), 0)
    np.testing.assert_allclose(found.shares, [1, 0, 0, 0, 0, 0], atol=1e-13)
    weights = 0.2 * np.arange(6) + 0.1
    indices = sobol(model_of(Circuit(6, gates), linear), 0)
    np.testing.assert_allclose(indices.main, weights**2 / (weights**2).sum(), atol=1e-13)
    np.testing.assert_allclose(indices.total, indices.main, atol=1e-13)


@pytest.mark.parametrize(("qubits", "layers"), [(1, 1), (1, 3), (2, 2)])
def test_haar_averages(qubits, layers):
    """The average over Haar blocks of the power at k uploads with d not 0.

    A Haar unitary spreads a traceless operator evenly over all N'^2 - 1 traceless directions: of
    these N'^2 - N' are off the diagonal, so that each upload has d not 0 with probability
    N'/(N'+1), and in the state at the end a share 1/(N'+1) of the power is left:
    1/(N'+1) binom(L, k) N'^k / (N'+1)^L.
    """
    size, seeds = 2**qubits, 100
    powers = []
    for seed in range(seeds):
        circuit = ansatz.haar(qubits, layers=layers, seed=seed)
        model = model_of(circuit, parity(range(qubits)))
        found = upload_orders(model, 0)
        powers.append([float(found.mean) ** 2, *found.powers])
    mean = np.mean(powers, 0)
    error = np.std(powers, 0, ddof=1) / math.sqrt(seeds)
    orders = np.arange(layers + 1)
    expected = comb(layers, orders) * float(size) ** orders / (size + 1.0) ** (layers + 1)
    assert (abs(mean - expected) < 4 * error).all(), (mean, expected, error)
    assert error.max() < 0.1 * expected.max()


def test_noise_damps_high_orders():
    gates = [Gate("h", 0), Gate("rz", 0, feature=0), Gate("h", 0)]
    noisy = [*gates, Gate("depolarising", 0, strength=0.25)]
    clean = power(model_of(Circuit(1, gates), Z(0)), 0)
    damped = power(model_of(Circuit(1, noisy), Z(0)), 0)
    assert float(damped.variance) == pytest.approx(0.75**2 * float(clean.variance))

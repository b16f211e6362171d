"""Gradient variances against finite differences of dense states and closed formulas."""

import math

import numpy as np
import pytest
import torch
from random_circuits import central, random_circuit, reference_values

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz, parity
from tnqml.errors import InputError
from tnqml.expressivity import GradientVariance, uniform
from tnqml.expressivity.draws import random_inputs, random_parameters


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rotations(qubits: int) -> Circuit:
    """<parity> = product of cos(theta)."""
    return Circuit(qubits, [Gate("ry", qubit, parameter=qubit) for qubit in range(qubits)])


def test_variances_are_those_of_dense_gradients():
    circuit = random_circuit(4, qubits=3, gates=25)
    outputs = [Z(0), 0.5 * Z(1) - Z(2)]
    model = DistributedModel(circuit, outputs)
    inputs = uniform(circuit.features)
    found = GradientVariance(inputs, draws=6).run(model, seeded(1))
    third = GradientVariance(inputs, parameter=3, draws=6).run(model, seeded(1))
    generator = seeded(1)
    x = random_inputs(model, inputs, 6, generator).numpy()
    theta = random_parameters(model, 6, generator).numpy()
    dense = np.stack(
        [
            central(
                lambda angles, row=row: reference_values(circuit, outputs, angles, row[None])[0],
                own,
            )
            for row, own in zip(x, theta, strict=True)
        ]
    )
    felt = (np.abs(dense) > 1e-7).any(0)
    for place, (all_of_them, one) in enumerate(zip(found, third, strict=True)):
        variance = dense[:, place].var(axis=0, ddof=1)
        assert all_of_them.log_variance.value == pytest.approx(
            math.log(variance[felt[place]].mean()), abs=1e-6
        )
        if felt[place, 3]:
            assert one.log_variance.value == pytest.approx(math.log(variance[3]), abs=1e-6)
    assert felt[:, 3].any()


def test_one_rotation_has_variance_a_half():
    (found,) = GradientVariance(uniform(0), draws=3000).run(
        DistributedModel(rotations(1), Z(0)), seeded(0)
    )
    assert found.log_variance.low < math.log(0.5) < found.log_variance.high
    assert found.log_variance.high - found.log_variance.low < 0.1
    assert found.log_typical.low < -2 * math.log(2) < found.log_typical.high
    assert found.effective_draws == pytest.approx(3000 * 2 / 3, rel=0.05)


def test_global_observables_lose_a_half_for_each_qubit():
    (found,) = GradientVariance(uniform(0), parameter=2, draws=6000).run(
        DistributedModel(rotations(6), parity(range(6))), seeded(1)
    )
    assert found.log_variance.low < -6 * math.log(2) < found.log_variance.high


def test_gradients_far_below_floating_point_keep_their_logarithm():
    """A thousand qubits: ln g^2 has the mean -2 ln 2 a qubit, and exp of that is 0."""
    model = DistributedModel(rotations(1000), parity(range(1000)))
    (found,) = GradientVariance(uniform(0), parameter=0, draws=40).run(model, seeded(2))
    assert math.exp(found.log_typical.value) == 0
    assert found.log_typical.low < -2000 * math.log(2) < found.log_typical.high
    assert math.isfinite(found.log_variance.value)
    assert found.effective_draws < 5  # and says that the variance is not to be trusted


def test_the_mean_is_over_what_is_felt():
    circuit = ansatz.brickwork(8, layers=1)
    (found,) = GradientVariance(uniform(8), draws=50).run(
        DistributedModel(circuit, Z(0)), seeded(0)
    )
    singles = [
        GradientVariance(uniform(8), parameter=k, draws=50).run(
            DistributedModel(circuit, Z(0)), seeded(0)
        )[0]
        for k in range(circuit.parameters)
    ]
    variances = [math.exp(each.log_variance.value) for each in singles]
    felt = [variance for variance in variances if variance > 1e-20]
    assert 0 < len(felt) < circuit.parameters
    assert math.exp(found.log_variance.value) == pytest.approx(np.mean(felt), rel=1e-6)


def test_what_is_not_felt_has_no_gradient():
    circuit = Circuit(30, [Gate("ry", 0, parameter=0), Gate("ry", 29, parameter=1)])
    (found,) = GradientVariance(uniform(0), parameter=0, draws=4).run(
        DistributedModel(circuit, Z(29)), seeded(0)
    )
    assert found.log_variance.value == found.log_typical.value == -math.inf
    assert found.effective_draws == 0


def test_a_parameter_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="parameters 0 to 0"):
        GradientVariance(uniform(0), parameter=1).forecast(DistributedModel(rotations(1), Z(0)))

"""Jacobian rank, Fisher information and effective dimension against torch.func and dense states."""

import math

import numpy as np
import pytest
import torch
from random_circuits import central, random_circuit, reference_values

from tnqml import Circuit, DistributedModel, Gate, Z, ansatz, parity, pauli, projector
from tnqml.errors import InputError
from tnqml.expressivity import (
    EffectiveDimension,
    FisherInformation,
    JacobianRank,
    effective_dimension,
    uniform,
)
from tnqml.expressivity.draws import at, points, random_parameters
from tnqml.expressivity.fisher import weighted_jacobian


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def outcome_fisher(circuit, observable, theta, x):
    """F of the two outcomes of a reflection, sum_y grad p grad p^T / p, by finite differences."""
    total = np.zeros((len(theta), len(theta)))
    for row in x:

        def value(angles, row=row):
            return reference_values(circuit, [observable], angles, row[None])[0, 0]

        mean, slope = value(theta), central(lambda angles: np.asarray(value(angles)), theta)
        for sign in (1, -1):
            probability, change = (1 + sign * mean) / 2, sign * slope / 2
            total += np.outer(change, change) / probability
    return total / len(x)


@pytest.mark.parametrize("seed", range(3))
def test_the_fisher_information_is_that_of_the_outcomes(seed):
    circuit = random_circuit(seed, qubits=3, gates=25)
    first, second = pauli("XZ", (0, 2)), Z(1)
    outputs = [first, -0.3 * second]  # the outcome is that of the string, whatever its weight
    model = at(DistributedModel(circuit, outputs), torch.linspace(-2, 3, circuit.parameters))
    x = uniform(circuit.features)(4, seeded(seed))
    scores = weighted_jacobian(model, x)
    found = (scores.T @ scores / len(x)).numpy()
    theta = model.theta.detach().numpy()
    expected = sum(outcome_fisher(circuit, each, theta, x.numpy()) for each in (first, second))
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_a_projector_has_the_information_of_its_string():
    circuit = ansatz.brickwork(2, layers=1)
    x = uniform(2)(5, seeded(0))
    models = [DistributedModel(circuit, each, seed=3) for each in (projector(1), Z(1))]
    one, two = (weighted_jacobian(at(model, model.theta), x) for model in models)
    torch.testing.assert_close(one, two, atol=1e-12, rtol=1e-10)


def test_means_over_draws_are_those_of_the_matrices_by_torch_func():
    model = DistributedModel(ansatz.brickwork(3, layers=1), [Z(0), Z(2)])
    measure = FisherInformation(uniform(3), points=5, draws=4)
    found = measure.run(model, seeded(3))
    generator, matrices = seeded(3), []
    double = DistributedModel(model.circuit, model.observables, dtype=torch.float64, route="state")
    for theta in random_parameters(model, 4, generator):
        x = points(model, uniform(3), 5, generator)

        def outputs(angles, x=x):
            return torch.func.functional_call(double, {"theta": angles}, x)

        means, slopes = outputs(theta), torch.func.jacrev(outputs)(theta)
        matrices.append(
            torch.einsum("bop,boq,bo->pq", slopes, slopes, 1 / (1 - means**2)).detach() / 5
        )
    matrices = torch.stack(matrices).numpy()
    np.testing.assert_allclose(found.matrix, matrices.mean(0), atol=1e-10)
    spectra = np.linalg.eigvalsh(matrices)[:, ::-1]
    np.testing.assert_allclose(found.eigenvalues, spectra, atol=1e-9)
    assert found.trace.value == pytest.approx(np.trace(matrices, axis1=1, axis2=2).mean())
    expected = max(np.linalg.matrix_rank(matrix, hermitian=True) for matrix in matrices)
    assert found.rank.value == expected
    assert found.rank.method == "exact"


def test_one_rotation_carries_information_one():
    """f = cos(theta): sin^2 / (1 - cos^2) = 1 at every theta."""
    model = DistributedModel(Circuit(1, [Gate("ry", 0, parameter=0)]), Z(0))
    found = FisherInformation(uniform(0), points=2, draws=5).run(model, seeded(0))
    assert found.trace.value == pytest.approx(1, abs=1e-9)
    assert found.matrix == pytest.approx(np.ones((1, 1)), abs=1e-9)
    certain = weighted_jacobian(at(model, torch.zeros(1)), torch.zeros(1, 0, dtype=torch.float64))
    assert float(certain) == 0


def test_the_jacobian_has_the_rank_of_a_dense_one():
    circuit = random_circuit(5, qubits=3, gates=25, features=3, parameters=8)
    outputs = [Z(0), Z(1), Z(2)]
    inputs = uniform(circuit.features)(6, seeded(1))
    model = DistributedModel(circuit, outputs)
    found = JacobianRank(inputs, draws=2).run(model, seeded(2))
    ranks = []
    for theta in random_parameters(model, 2, seeded(2)).numpy():
        dense = central(
            lambda angles: reference_values(circuit, outputs, angles, inputs.numpy()), theta
        )
        ranks.append(np.linalg.matrix_rank(dense.reshape(18, -1), tol=1e-6))
    assert [rank.rank for rank in found.ranks] == ranks
    assert str(found.rank) == f"{max(ranks)} (exact)"


def test_redundant_parameters_add_no_rank():
    gates = [Gate("ry", 0, parameter=k) for k in range(5)] + [Gate("rx", 0, feature=0)]
    model = DistributedModel(Circuit(1, gates), Z(0))
    found = JacobianRank(uniform(1)).run(model, seeded(0))
    assert str(found.rank) == "1 (exact)"


def test_too_few_points_leave_the_rank_open():
    model = DistributedModel(ansatz.brickwork(4, layers=2), Z(1))
    found = JacobianRank(uniform(4), points=3).run(model, seeded(0))
    assert (found.rank.value, found.rank.high) == (3, model.circuit.parameters)


def test_the_effective_dimension_by_its_definition():
    generator = np.random.default_rng(0)
    halves = generator.normal(size=(7, 4, 4)) * np.array([1, 1, 0.1, 0.0])
    matrices = np.swapaxes(halves, 1, 2) @ halves
    data, gamma = 500, 0.8
    scale = gamma * data / (2 * np.pi * np.log(data))
    hat = 4 * matrices / np.trace(matrices, axis1=1, axis2=2).mean()
    volumes = [math.sqrt(np.linalg.det(np.eye(4) + scale * one)) for one in hat]
    expected = 2 * np.log(np.mean(volumes)) / np.log(scale)
    found = effective_dimension(np.linalg.eigvalsh(matrices), data=data, gamma=gamma)
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_effective_dimension_tends_to_the_rank():
    spectra = np.tile([3.0, 2.0, 1.0, 0.0, 0.0], (4, 1))
    found = [effective_dimension(spectra, data=10**k) for k in (2, 6, 60)]
    assert found[0] > found[1] > found[2] > 3
    assert found[2] == pytest.approx(3, abs=0.02)


def test_large_determinants_do_not_overflow():
    assert effective_dimension(np.full((3, 5000), 2.0), data=10**9) == pytest.approx(5000, rel=1e-3)


def test_the_measure_is_the_definition_at_the_fisher_information_of_the_draws():
    model = DistributedModel(ansatz.brickwork(3, layers=1), [Z(0), Z(1), Z(2)])
    settings = {"points": 8, "draws": 6}
    found = EffectiveDimension(uniform(3), data=300, **settings).run(model, seeded(4))
    fisher = FisherInformation(uniform(3), **settings).run(model, seeded(4))
    expected = effective_dimension(fisher.eigenvalues, data=300)
    assert found.dimension.value == pytest.approx(expected, rel=1e-12)
    assert found.dimension.low < expected < found.dimension.high
    assert found.share.value == pytest.approx(expected / model.circuit.parameters)
    assert found.kappa == pytest.approx(300 / (2 * math.pi * math.log(300)))


def test_what_has_no_such_information_is_refused():
    circuit = ansatz.brickwork(2, layers=1)
    with pytest.raises(InputError, match="2 Pauli strings"):
        FisherInformation(uniform(2)).forecast(DistributedModel(circuit, Z(0) + Z(1)))
    with pytest.raises(InputError, match="more than 1"):
        EffectiveDimension(uniform(2), data=10)
    with pytest.raises(InputError, match="do not feel"):
        effective_dimension(np.zeros((2, 3)), data=100)
    unfelt = Circuit(2, [Gate("ry", 1, parameter=0), Gate("ry", 0, feature=0)])
    with pytest.raises(InputError, match="do not feel"):
        EffectiveDimension(uniform(1), data=100, draws=2).run(
            DistributedModel(unfelt, parity([0])), seeded(0)
        )

"""Amplitude-encoded data, on the one route that takes it."""

import numpy as np
import pytest
import torch
from random_circuits import angles, central, random_circuit, random_observables, reference_values

from tnqml import Circuit, DistributedModel, Gate, RouteError, X, Z, projector


def model_of(circuit, observables, *, seed=0, **options):
    model = DistributedModel(circuit, observables, dtype=torch.float64, **options)
    with torch.no_grad():
        model.theta.copy_(torch.tensor(angles(seed, circuit.parameters)))
    return model


@pytest.mark.parametrize("route", ["state", "auto"])
@pytest.mark.parametrize(
    ("seed", "qubits", "amplitudes"), [(0, 1, 2), (1, 2, 3), (2, 3, 8), (3, 4, 11), (5, 3, 1)]
)
def test_values_and_gradients(route, seed, qubits, amplitudes):
    # some gates read features too: those among the amplitudes, and behind them
    circuit = random_circuit(
        seed + 10, qubits=qubits, gates=15, features=amplitudes + 2, amplitudes=amplitudes
    )
    model = model_of(circuit, random_observables(seed, qubits), seed=seed, route=route)
    x = torch.tensor(angles(seed + 1, 2, circuit.features))
    theta = model.theta.detach().numpy()
    expected = reference_values(circuit, model.observables, theta, x.numpy())
    np.testing.assert_allclose(model(x).detach().numpy(), expected, atol=1e-12)
    by_x = central(
        lambda row: reference_values(circuit, model.observables, theta, row[None])[0],
        x[1].numpy(),
        step=1e-3,
    )
    ours = model.jacobian(x, wanted="features")[1].numpy()
    np.testing.assert_allclose(ours, by_x, atol=1e-9 * max(1, np.abs(by_x).max()))
    by_theta = central(
        lambda given: reference_values(circuit, model.observables, given, x.numpy()), theta
    )
    np.testing.assert_allclose(model.jacobian(x).numpy(), by_theta, atol=1e-9)


def test_the_data_is_normalised_and_padded_with_zeros():
    model = model_of(Circuit(2, [], amplitudes=3), [Z(0), Z(1), X(1), projector(0)])
    x = torch.tensor([[3.0, 0.0, 4.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    # qubit 0 is the most significant bit: amplitudes of 00, 01, 10 and, padded, 11
    expected = [[(9 - 16) / 25, 1.0, 0.0, 9 / 25], [1 / 3, 1 / 3, 2 / 3, 2 / 3]]
    np.testing.assert_allclose(model(x).detach().numpy(), expected, atol=1e-15)


def test_the_length_of_the_data_does_not_matter():
    circuit = random_circuit(31, qubits=3, gates=12, features=0, amplitudes=8)
    model = model_of(circuit, [Z(0), X(2)])
    x = torch.tensor(angles(3, 4, 8)).requires_grad_()
    assert torch.allclose(model(x), model(17.0 * x), atol=1e-14)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    # hence no derivative along the data itself
    np.testing.assert_allclose((gradient * x.detach()).sum(1).numpy(), 0, atol=1e-13)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        (torch.float32, 1e-30),
        (torch.float32, 1e30),
        (torch.float64, 1e-200),
        (torch.float64, 1e200),
    ],
)
def test_very_long_and_very_short_data(dtype, size):
    model = DistributedModel(Circuit(2, [], amplitudes=4), [Z(0), X(1)], dtype=dtype)
    x = torch.tensor([[3.0, 1.0, 4.0, -2.0]], dtype=dtype)
    torch.testing.assert_close(model(size * x), model(x), rtol=0, atol=1e-6)


def test_torch_func_goes_through_the_normalisation():
    circuit = Circuit(2, [Gate("ry", 0, parameter=0), Gate("cx", (0, 1))], amplitudes=4)
    model = model_of(circuit, [Z(1), X(0)])
    x = torch.tensor(angles(6, 3, 4))
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: model(row.unsqueeze(0))[0]))(x)
    torch.testing.assert_close(jacobian, model.jacobian(x, wanted="features"))


def test_a_batch_that_is_cut_gives_the_same():
    circuit = random_circuit(32, qubits=4, gates=20, features=0, amplitudes=13)
    x = torch.tensor(angles(7, 21, 13)).requires_grad_()
    whole = model_of(circuit, [Z(0), X(2)])
    parts = model_of(circuit, [Z(0), X(2)], memory=whole.cost(batch=4).cost.peak_bytes)
    results = [model(x) for model in (whole, parts)]
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-13)
    gradients = [torch.autograd.grad(result.sum(), x)[0] for result in results]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=1e-12)


def test_the_pauli_route_refuses_amplitudes():
    with pytest.raises(RouteError, match=r"amplitude.*route='state'"):
        DistributedModel(Circuit(2, [], amplitudes=4), Z(0), route="pauli")

"""The model as a torch module: training, state, copies, precision, seeds."""

import copy

import numpy as np
import pytest
import torch
from random_circuits import (
    angles,
    random_circuit,
)
from routes import assert_close, batch_of, model_of, on_every_route, oracle
from torch.utils.data import DataLoader, TensorDataset

from tnqml import (
    DistributedModel,
    X,
    Z,
    ansatz,
)


@on_every_route
def test_frozen_parameters(route):
    circuit = random_circuit(26, qubits=3, gates=20)
    model = model_of(circuit, Z(0) + X(1), route)
    x = batch_of(circuit, 2)
    expected = model.jacobian(x)
    model.theta.requires_grad_(requires_grad=False)
    assert not model(x).requires_grad
    assert_close(model.jacobian(x), expected, 1e-14)
    with torch.no_grad():
        assert_close(model.jacobian(x), expected, 1e-14)


@on_every_route
def test_training_lowers_the_loss(route):
    circuit = ansatz.brickwork(4, layers=2)
    model = DistributedModel(circuit, Z(1), route=route, seed=3)
    x = torch.tensor(angles(4, 48, 4), dtype=torch.float32)
    y = torch.sign(x[:, 1]) * 0.5
    loader = DataLoader(
        TensorDataset(x, y), batch_size=20, shuffle=True, generator=torch.Generator().manual_seed(0)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)

    def loss_of(x, y):
        return torch.nn.functional.mse_loss(model(x), y)

    before = loss_of(x, y).item()
    for _ in range(4):
        for part, target in loader:
            optimizer.zero_grad()
            loss = loss_of(part, target)
            loss.backward()
            optimizer.step()
    assert loss_of(x, y).item() < 0.9 * before


@on_every_route
def test_the_state_goes_to_another_model_and_back(route, tmp_path):
    circuit = random_circuit(27, qubits=3, gates=20)
    one = model_of(circuit, [Z(0), X(1)], route, seed=1)
    other = model_of(circuit, [Z(0), X(1)], route, seed=2)
    x = batch_of(circuit, 3)
    assert (one(x) - other(x)).abs().max() > 1e-3
    torch.save(one.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(one(x), other(x))
    assert list(one.state_dict()) == ["theta"]


@on_every_route
def test_a_copy_is_independent(route):
    circuit = random_circuit(28, qubits=3, gates=20)
    model = model_of(circuit, [Z(0), X(1)], route)
    x = batch_of(circuit, 3)
    before = model(x).detach()
    model.jacobian(x)
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), before)
    with torch.no_grad():
        twin.theta += 1
    assert torch.equal(model(x), before)
    assert (twin(x) - before).abs().max() > 1e-3


@on_every_route
def test_a_model_turned_to_another_precision(route):
    circuit = random_circuit(29, qubits=3, gates=20)
    model = model_of(circuit, [Z(0), X(1)], route, dtype=torch.float32)
    x = batch_of(circuit, 3)
    assert model(x).dtype == torch.float32
    model = model.double()
    assert model.dtype == torch.float64
    assert_close(model(x), oracle(model, x), 1e-12)


@on_every_route
@pytest.mark.parametrize("init", ["uniform", "small", "identity"])
def test_a_seed_gives_one_start(route, init):
    circuit = ansatz.brickwork(4, layers=1)
    one, same, other = (
        DistributedModel(circuit, Z(0), route=route, init=init, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(one.theta, same.theta)
    assert init == "identity" or not torch.equal(one.theta, other.theta)
    largest = one.theta.abs().max().item()
    low, high = {"uniform": (1, 2 * np.pi), "small": (1e-3, 0.5), "identity": (0, 0)}[init]
    assert low <= largest <= high


@on_every_route
def test_the_global_random_state_is_left_alone(route):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    model = model_of(random_circuit(30, qubits=3, gates=20), Z(0), route)
    model.jacobian(batch_of(model.circuit, 2))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_that_runs_often_is_searched_for_longer():
    trials = []
    for calls in (1, 10_000):
        model = DistributedModel(
            ansatz.brickwork(10, layers=4), Z(5), route="pauli", expected_calls=calls
        )
        model(torch.zeros(4, model.circuit.features))
        (network,) = model.route("pauli").networks
        (made,) = network._plans.values()
        trials.append(made.trials)
    assert trials[0] < trials[1]

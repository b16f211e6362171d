"""A model trained through its protocols: its gradients, its values and what it has spent."""

import numpy as np
import pytest
import torch

from tnqml import DistributedModel, InputError, Z, ansatz
from tnqml.protocols.gradients.training import EstimatedModel
from tnqml.protocols.ledger import Entry


def exact_model(observable=None, *, dtype=torch.float64):
    circuit = ansatz.brickwork(3, layers=1)
    return DistributedModel(circuit, observable or Z(1), dtype=dtype, route="state", seed=4)


def inputs(rows, *, dtype=torch.float64):
    return torch.tensor(np.random.default_rng(1).uniform(-1, 1, (rows, 3)), dtype=dtype)


@pytest.mark.parametrize("method", ["shift", "blocks", "shadows"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_the_model_within_their_noise(method, dtype):
    model, x = exact_model(dtype=dtype), inputs(3, dtype=dtype)
    weights = torch.tensor([1.0, -0.5, 2.0], dtype=dtype)
    estimated = EstimatedModel(model, method=method, shots=40_000, copies=40_000, seed=7)
    values = estimated(x)
    assert values.dtype == dtype
    torch.testing.assert_close(values, model(x), atol=5 / 200, rtol=0)
    (values * weights).sum().backward()
    found = model.theta.grad.clone()
    model.zero_grad()
    (model(x) * weights).sum().backward()
    deviation = float(weights.square().sum().sqrt()) * (3**0.5 if method == "shadows" else 1) / 200
    torch.testing.assert_close(found, model.theta.grad, atol=5 * deviation, rtol=0)
    assert (found != model.theta.grad).any()


def test_the_ledger_adds_up_all_rows_and_steps():
    estimated = EstimatedModel(exact_model(), method="blocks", shots=10, copies=20, seed=0)
    assert len(estimated.ledger) == 0
    for _ in range(3):
        estimated(inputs(2)).sum().backward()
    runs = 3 * 2
    assert set(estimated.ledger.entries) == {
        Entry(1, "alice", "bob", "qubit", 3, copies=runs * 10, purpose="value: state"),
        Entry(1, "alice", "bob", "qubit", 3, copies=runs * 2 * 20, purpose="gradient: state"),
        Entry(2, "bob", "alice", "qubit", 4, copies=runs * 20, purpose="gradient: hybrid state"),
    }


def test_rows_that_do_not_matter_to_the_loss_cost_no_gradient():
    estimated = EstimatedModel(exact_model(), method="blocks", shots=10, copies=20, seed=0)
    estimated(inputs(4))[2].backward()
    assert estimated.ledger.by_purpose("qubit")["gradient: state"] == 2 * 20 * 3
    with torch.no_grad():
        estimated(inputs(1))
    assert estimated.ledger.by_purpose("qubit")["value: state"] == 5 * 10 * 3


def test_an_optimiser_lowers_the_exact_loss():
    model, x = exact_model(), inputs(4)
    wanted = torch.tensor([0.5, -0.5, 0.5, -0.5], dtype=torch.float64)

    def loss(values):
        return (values - wanted).square().mean()

    estimated = EstimatedModel(model, method="blocks", shots=200, copies=200, seed=1)
    optimiser = torch.optim.Adam(estimated.parameters(), lr=0.15)
    with torch.no_grad():
        before = loss(model(x))
    for _ in range(25):
        optimiser.zero_grad()
        loss(estimated(x)).backward()
        optimiser.step()
    with torch.no_grad():
        assert loss(model(x)) < 0.6 * before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "adjoint"}, "shift, blocks, shadows"),
        ({"shots": 0}, "shots is 0"),
        ({"copies": 0}, "copies is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_numbers_are_refused(options, message):
    good = {"method": "blocks", "shots": 5, "copies": 5, "seed": 0}
    with pytest.raises(InputError, match=message):
        EstimatedModel(exact_model(), **good | options)
    with pytest.raises(InputError, match="2 observables"):
        EstimatedModel(exact_model([Z(0), Z(1)]), **good)

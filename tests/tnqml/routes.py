"""Models on every route, their oracle, and how close they must come."""

from functools import partial

import numpy as np
import pytest
import torch
from random_circuits import (
    angles,
    central,
    reference_values,
)

from tnqml import (
    DistributedModel,
)

ROUTES = ("pauli", "state")
on_every_route = pytest.mark.parametrize("route", ROUTES)


def model_of(circuit, observables, route, *, seed=0, dtype=torch.float64, **options):
    """A model with seeded angles beyond a full turn, of either sign."""
    model = DistributedModel(circuit, observables, dtype=dtype, route=route, **options)
    with torch.no_grad():
        model.theta.copy_(torch.tensor(angles(seed, circuit.parameters)))
    return model


def batch_of(circuit, batch, *, seed=0, dtype=torch.float64):
    return torch.tensor(angles(seed + 1, batch, circuit.features), dtype=dtype)


def oracle(model, x):
    theta = model.theta.detach().double().numpy()
    return reference_values(model.circuit, model.observables, theta, x.double().numpy())


def slopes(model, x, wanted):
    """(batch, observables, parameters or features): differences of the oracle."""
    theta = model.theta.detach().numpy()
    count = len(theta) if wanted == "parameters" else x.shape[1]
    if not count:
        return np.zeros((len(x), len(model.observables), 0))

    def values(theta, row):
        return reference_values(model.circuit, model.observables, theta, row[None])[0]

    if wanted == "parameters":
        return np.stack(
            [central(partial(lambda r, t: values(t, r), row), theta) for row in x.numpy()]
        )
    return np.stack([central(partial(values, theta), row) for row in x.numpy()])


def assert_close(ours, expected, tolerance):
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
    assert ours.shape == expected.shape
    largest = np.abs(expected).max(initial=1)
    assert np.abs(ours - expected).max(initial=0) <= tolerance * largest

"""Large batches, whose samples lie side by side in memory, against a few samples at once."""

import pytest
import torch

from tnqml import DistributedModel, Gate, X, Z, ansatz, parity
from tnqml.circuit import Circuit

BATCH, PART = 70, 20


def models() -> dict[str, DistributedModel]:
    brickwork = ansatz.brickwork(7, layers=3)
    damped = [
        Gate("amplitude_damping", q, parameter=brickwork.parameters, party="bob") for q in (2, 3)
    ]
    noisy = Circuit(7, [*brickwork.gates, *damped, Gate("cx", (2, 3), party="bob")])
    outputs = [Z(3), sum((Z(q) for q in range(1, 7)), Z(0)), parity(range(7)) + 0.5 * X(1)]
    return {
        "brickwork": DistributedModel(brickwork, outputs, dtype=torch.float64, route="pauli"),
        "noisy": DistributedModel(noisy, outputs, dtype=torch.float64, route="pauli"),
        "one output": DistributedModel(brickwork, Z(3), dtype=torch.float64, route="pauli"),
    }


@pytest.mark.parametrize("name", models())
def test_a_large_batch_gives_what_its_parts_give(name):
    model = models()[name]
    with torch.no_grad():
        model.theta.clamp_(0.1, 0.9)  # a strength is a probability
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, model.circuit.features, dtype=torch.float64, generator=generator)
    parts = [part.clone().requires_grad_() for part in x.split(PART)]
    x.requires_grad_()
    value, expected = model(x), torch.cat([model(part) for part in parts])
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    found = torch.autograd.grad(value.square().sum(), [model.theta, x])
    theta, *pieces = torch.autograd.grad(expected.square().sum(), [model.theta, *parts])
    torch.testing.assert_close(found[0], theta, rtol=0, atol=1e-11)
    torch.testing.assert_close(found[1], torch.cat(pieces), rtol=0, atol=1e-12)
    for wanted in ("parameters", "features"):
        whole = model.jacobian(x, wanted=wanted)
        some = torch.cat([model.jacobian(part, wanted=wanted) for part in parts])
        torch.testing.assert_close(whole, some, rtol=0, atol=1e-12)


@pytest.mark.parametrize("qubits", [[2], [1, 4, 5]])
def test_marginals_and_scaled_values_of_a_large_batch(qubits):
    model = models()["brickwork"]
    x = torch.rand(
        BATCH,
        model.circuit.features,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(1),
    )
    whole, parts = model.scaled(x), [model.scaled(part) for part in x.split(PART)]
    expected = torch.cat([part.mantissa * part.log_scale.exp() for part in parts])
    torch.testing.assert_close(whole.mantissa * whole.log_scale.exp(), expected, rtol=0, atol=1e-12)
    some = torch.cat([model.probabilities(part, qubits=qubits) for part in x.split(PART)])
    torch.testing.assert_close(model.probabilities(x, qubits=qubits), some, rtol=0, atol=1e-12)

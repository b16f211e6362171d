"""Amplitudes and overlaps against the dense reference and closed forms."""

import math

import numpy as np
import pytest
import torch

from tnqml import Circuit, DistributedModel, Gate, InputError, Z, amplitudes, ansatz, reference


@pytest.fixture(params=["state", "network"])
def way(request, monkeypatch):
    if request.param == "network":
        monkeypatch.setattr(amplitudes, "_STATE_SECONDS", 0.0)
    return request.param


def model_and_data(seed: int) -> tuple[DistributedModel, torch.Tensor, torch.Tensor]:
    circuit = ansatz.from_graph(ansatz.grid(2, 3), layers=2)
    extra = [Gate("iswap", (0, 5)), Gate("pauli", (1, 3, 4), word="XYZ", feature=2, scale=0.3)]
    model = DistributedModel(
        Circuit(6, [*circuit.gates, *extra]), Z(0), dtype=torch.float64, seed=seed
    )
    generator = torch.Generator().manual_seed(seed)
    one, two = torch.randn(2, 4, 6, dtype=torch.float64, generator=generator)
    return model, one, two


@pytest.mark.parametrize("seed", range(3))
def test_amplitudes_equal_the_reference(seed, way):
    model, x, _ = model_and_data(seed)
    bits = torch.randint(0, 2, (4, 6), generator=torch.Generator().manual_seed(seed))
    mantissa, log_scale = model.amplitudes(x, bits)
    states = np.stack([reference.state(model.circuit, model.theta.detach(), row) for row in x])
    index = [int("".join(map(str, row)), 2) for row in bits.tolist()]
    expected = states[np.arange(4), index]
    found = (mantissa * log_scale.exp()).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_overlaps_equal_the_reference(seed, way):
    model, x, other = model_and_data(seed)
    mantissa, log_scale = model.overlaps(x, other)
    theta = model.theta.detach()
    expected = [
        np.vdot(reference.state(model.circuit, theta, a), reference.state(model.circuit, theta, b))
        for a, b in zip(x, other, strict=True)
    ]
    found = (mantissa * log_scale.exp()).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_overlaps_of_a_thousand_qubits_in_closed_form():
    """For RY(x) on every qubit <phi(x)|phi(x')> is the product of cos((x - x')/2)."""
    circuit = Circuit(1000, [Gate("ry", qubit, feature=qubit) for qubit in range(1000)])
    model = DistributedModel(circuit, Z(0), dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    x, other = 6 * torch.rand(2, 3, 1000, dtype=torch.float64, generator=generator)
    mantissa, log_scale = model.overlaps(x, other)
    cosines = torch.cos((x - other) / 2)
    torch.testing.assert_close(log_scale, cosines.abs().log().sum(1), rtol=1e-12, atol=0)
    torch.testing.assert_close(mantissa.real, cosines.sign().prod(1), rtol=0, atol=1e-12)


def test_amplitudes_of_a_thousand_qubits_do_not_underflow():
    circuit = Circuit(1000, [Gate("h", qubit) for qubit in range(1000)])
    model = DistributedModel(circuit, Z(0))
    mantissa, log_scale = model.amplitudes(torch.zeros(2, 0), torch.zeros(1000, dtype=torch.int64))
    assert log_scale.tolist() == pytest.approx([-500 * math.log(2)] * 2, rel=1e-5)
    torch.testing.assert_close(mantissa, torch.ones(2, dtype=torch.complex64))


def test_gradient_of_an_amplitude(way):
    model, x, _ = model_and_data(5)
    bits = torch.zeros(6, dtype=torch.int64)

    def modulus(theta: torch.Tensor) -> torch.Tensor:
        model.theta.data.copy_(theta)
        _, log_scale = model.amplitudes(x, bits)
        return log_scale.detach().exp()

    start = model.theta.detach().clone()
    mantissa, log_scale = model.amplitudes(x, bits)
    squared = ((mantissa * log_scale.exp()).abs() ** 2).sum()
    (gradient,) = torch.autograd.grad(squared, model.theta)
    step = torch.zeros_like(start)
    step[3] = 1e-5
    slope = (modulus(start + step) ** 2 - modulus(start - step) ** 2).sum() / 2e-5
    assert float(gradient[3]) == pytest.approx(float(slope), abs=1e-9)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (torch.zeros(5, dtype=torch.int64), "shape"),
        (torch.full((6,), 2), "0 and 1"),
        (torch.zeros(6), "integers"),
    ],
)
def test_bad_bits_are_refused(bits, words):
    model, x, _ = model_and_data(0)
    with pytest.raises(InputError, match=words):
        model.amplitudes(x, bits)


def test_overlaps_of_different_batches_are_refused():
    model, x, other = model_and_data(0)
    with pytest.raises(InputError, match="expected the same"):
        model.overlaps(x, other[:2])

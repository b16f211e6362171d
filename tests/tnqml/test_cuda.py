"""The same numbers on a GPU as on the CPU; skipped where there is none."""

import pytest
import torch

from tnqml import DistributedModel, InputError, Z, ansatz, parity

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def values_and_gradients(model: DistributedModel, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.to(model.theta.device).requires_grad_()
    values = model(x)
    gradients = torch.autograd.grad(values.square().sum(), [model.theta, x])
    return [tensor.detach().cpu() for tensor in (values, *gradients, model.jacobian(x.detach()))]


@pytest.mark.parametrize("route", ["pauli", "state"])
def test_a_gpu_gives_what_the_cpu_gives(route):
    circuit = ansatz.brickwork(10, layers=3)
    outputs = [Z(4), parity(range(10))]
    model = DistributedModel(circuit, outputs, dtype=torch.float64, route=route)
    x = torch.rand(5, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = values_and_gradients(model, x)
    found = values_and_gradients(model.to("cuda"), x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_samples_and_amplitudes_on_a_gpu():
    model = DistributedModel(ansatz.brickwork(8, layers=2), Z(0), dtype=torch.float64)
    x = torch.zeros(2, 8, dtype=torch.float64)
    bits = torch.zeros(8, dtype=torch.int64)
    drawn, amplitude = model.sample(x, shots=20, seed=1), model.amplitudes(x, bits)
    model.to("cuda")
    assert torch.equal(model.sample(x.cuda(), shots=20, seed=1).cpu(), drawn)
    found = model.amplitudes(x.cuda(), bits.cuda())
    torch.testing.assert_close(found.mantissa.cpu(), amplitude.mantissa, rtol=0, atol=1e-11)


def test_data_on_another_device_is_refused():
    model = DistributedModel(ansatz.brickwork(4, layers=1), Z(0)).to("cuda")
    with pytest.raises(InputError, match="move one to the other"):
        model(torch.zeros(1, 4))

"""The same numbers on a GPU as on the CPU; skipped where there is none."""

import pytest
import torch
from torch import Tensor

from contractions import this_machine
from tnqml import DistributedModel, InputError, Z, ansatz, parity

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

RUNS = 4
"""From the third on, what was recorded at the second is replayed."""


def model_of(route: str) -> DistributedModel:
    outputs = [Z(4), sum((Z(q) for q in range(1, 10)), Z(0)), parity(range(10))]
    circuit = ansatz.brickwork(10, layers=3)
    return DistributedModel(circuit, outputs, dtype=torch.float64, route=route)


def batch_of(size: int, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(size, 10, dtype=torch.float64, generator=generator)


def values_and_gradients(model: DistributedModel, x: Tensor) -> list[Tensor]:
    x = x.to(model.theta.device).requires_grad_()
    values, scaled = model(x), model.scaled(x)
    gradients = torch.autograd.grad(values.square().sum(), [model.theta, x])
    of_scaled = torch.autograd.grad(scaled.mantissa.square().sum(), [model.theta, x])
    jacobian = model.jacobian(x.detach())
    found = (values, *gradients, *scaled, *of_scaled, jacobian)
    return [tensor.detach().cpu() for tensor in found]


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    """Within 1e-11 of the largest entry."""
    for one, other in zip(found, expected, strict=True):
        largest = max(float(other.abs().max()), 1.0)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11 * largest)


@pytest.mark.parametrize("batch", [1, 5, 70])
@pytest.mark.parametrize("route", ["pauli", "state"])
def test_a_gpu_gives_what_the_cpu_gives(route, batch):
    here, there = model_of(route), model_of(route).to("cuda")
    for seed in range(RUNS):
        x = batch_of(batch, seed=seed)
        expected, found = values_and_gradients(here, x), values_and_gradients(there, x)
        assert_equal(found, expected)


def test_two_forwards_before_one_backward_and_another_stream():
    here, there = model_of("pauli"), model_of("pauli").to("cuda")
    inputs = [batch_of(6, seed=seed) for seed in range(2)]
    expected = torch.autograd.grad(sum(here(x).square().sum() for x in inputs), here.theta)
    stream = torch.cuda.Stream()
    for _ in range(RUNS):
        with torch.cuda.stream(stream):
            loss = sum(there(x.cuda()).square().sum() for x in inputs)
            found = torch.autograd.grad(loss, there.theta)
        stream.synchronize()
        torch.testing.assert_close(found[0].cpu(), expected[0], rtol=0, atol=1e-10)


def test_a_long_batch_is_summed_in_parts():
    here, there = model_of("pauli"), model_of("pauli").to("cuda")
    x = batch_of(2048)
    expected, found = values_and_gradients(here, x), values_and_gradients(there, x)
    assert_equal(found, expected)


def test_samples_and_amplitudes_on_a_gpu():
    model = DistributedModel(ansatz.brickwork(8, layers=2), Z(0), dtype=torch.float64)
    x = torch.zeros(2, 8, dtype=torch.float64)
    bits = torch.zeros(8, dtype=torch.int64)
    drawn, amplitude = model.sample(x, shots=20, seed=1), model.amplitudes(x, bits)
    model.to("cuda")
    assert torch.equal(model.sample(x.cuda(), shots=20, seed=1).cpu(), drawn)
    found = model.amplitudes(x.cuda(), bits.cuda())
    torch.testing.assert_close(found.mantissa.cpu(), amplitude.mantissa, rtol=0, atol=1e-11)


def test_a_gpu_is_planned_for_as_itself():
    device = torch.device("cuda:0")
    machine = this_machine(device)
    assert machine.name == torch.cuda.get_device_name(device)
    assert machine.memory <= torch.cuda.get_device_properties(device).total_memory
    model = DistributedModel(ansatz.brickwork(40, layers=4), Z(20))
    here = model.cost(batch=32).cost.seconds
    assert model.to("cuda").cost(batch=32).cost.seconds != here


def test_data_on_another_device_is_refused():
    model = DistributedModel(ansatz.brickwork(4, layers=1), Z(0)).to("cuda")
    with pytest.raises(InputError, match="move one to the other"):
        model(torch.zeros(1, 4))

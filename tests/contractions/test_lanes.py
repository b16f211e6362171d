"""Many tiny products side by side: the same numbers as one einsum, and truly taken."""

import pytest
import torch
from torch import Tensor

from contractions import Network, Plan, plan
from contractions.lanes import LaneStep

DTYPES = [torch.float64, torch.complex128]
NETWORKS = {
    "batch last": ("abz,bcz,cdz,dez,eaz->z", {"z": 70}),
    "batch first": ("zab,zbc,zcd,zde,zea->z", {"z": 70}),
    "two axes": ("yabz,ybcz,ycdz,ydez,yeaz->yz", {"y": 3, "z": 70}),
    "two short axes": ("yzab,yzbc,yzcd,yzde,yzea->yz", {"y": 10, "z": 7}),
    "some without the batch": ("abz,bc,cdz,de,eaz->z", {"z": 70}),
    "some with one axis": ("yabz,ybc,cdz,yde,yeaz->yz", {"y": 3, "z": 70}),
    "an open leg": ("abz,bcz,cdz,dez,efz->zaf", {"z": 70}),
}


def problem(name: str, dtype: torch.dtype) -> tuple[str, Plan, list[Tensor]]:
    equation, sizes = NETWORKS[name]
    terms = equation.split("->")[0].split(",")
    shapes = [tuple(sizes.get(index, 3) for index in term) for term in terms]
    generator = torch.Generator().manual_seed(0)
    arrays = [
        torch.randn(shape, dtype=dtype, generator=generator).requires_grad_() for shape in shapes
    ]
    network = Network.from_einsum(equation, shapes)
    return equation, plan(network, dtype=str(dtype)[6:], effort=1, cache=False), arrays


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients(name, dtype):
    equation, made, arrays = problem(name, dtype)
    assert any(isinstance(step, LaneStep) for step, _ in made._lowered.steps)
    value, expected = made.contract(arrays), torch.einsum(equation, *arrays)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    cotangent = torch.randn(value.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(value, arrays, cotangent)
    oracle = torch.autograd.grad(expected, arrays, cotangent)
    for one, other in zip(found, oracle, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_sample_has_a_scale_of_its_own(name):
    equation, made, arrays = problem(name, torch.float64)
    sizes = NETWORKS[name][1]
    with torch.no_grad():
        spread = 10.0 ** torch.linspace(-60, 60, sizes["z"], dtype=torch.float64)
        term = equation.split(",")[0]
        shape = [sizes["z"] if index == "z" else 1 for index in term]
        first = arrays[0] * spread.reshape(shape)
    mantissa, log_scale = made.contract([first, *arrays[1:]], scaled=True)
    expected = torch.einsum(equation, first, *arrays[1:])
    torch.testing.assert_close(mantissa * log_scale.exp(), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_second_derivatives(name):
    equation, made, arrays = problem(name, torch.float64)

    def second(value: Tensor) -> tuple[Tensor, ...]:
        (first,) = torch.autograd.grad(value.square().sum(), arrays[0], create_graph=True)
        return torch.autograd.grad(first.square().sum(), arrays[1:])

    found = second(made.contract(arrays))
    oracle = second(torch.einsum(equation, *arrays))
    for one, other in zip(found, oracle, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)

"""Leaves evaluated in a program's memory: numbers and gradients as autograd gives them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tnqml.evaluation import Evaluator
from tnqml.filling import LeafSource
from tnqml.leaves import Leaf, Source

CONES, BATCH = 2, 3
SLOTS = {"parameter": 4, "feature": 3}
SHARED = Source("parameter", 3, (1.0,))
OTHER = Source("parameter", 0, (0.5, 1.0))
STRENGTH = Source("parameter", 1, ("strength",))
FEATURE = Source("feature", 2, (1.0,))
SECOND = Source("feature", 0, ("strength", 2.0))


def leaves(sources: list[tuple[Source, ...]], *, is_complex: bool) -> list[Leaf]:
    generator = np.random.default_rng(len(sources))
    made = []
    for number, own in enumerate(sources):
        widths = [
            1 + sum(1 if isinstance(function, str) else 2 for function in source.functions)
            for source in own
        ]
        basis = generator.normal(size=(*widths, 2, 2))
        if is_complex:
            basis = basis + 1j * generator.normal(size=basis.shape)
        made.append(Leaf(basis, own, (number, number + 1), (0, number)))
    return made


def inputs(*, per_sample: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [
        (SLOTS["parameter"], CONES, BATCH if per_sample else 1),
        (SLOTS["feature"], CONES, BATCH),
        (BATCH, 2),
    ]
    return [torch.rand(shape, dtype=torch.float64, generator=generator) for shape in shapes]


@pytest.mark.parametrize("wanted", [(True, True, True), (True, False, False), (False, True, True)])
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(
    "sources",
    [
        [(), (SHARED,), (SHARED,), (FEATURE,)],
        [(FEATURE, SHARED, OTHER), (OTHER, STRENGTH), (SECOND, SHARED), (SHARED, SECOND)],
        [(FEATURE, SECOND), (SECOND, FEATURE, STRENGTH), (SHARED, SHARED, FEATURE)],
    ],
)
def test_the_calls_give_what_autograd_gives(sources, is_complex, per_sample, wanted):
    dtype = torch.complex128 if is_complex else torch.float64
    evaluator = Evaluator(
        leaves(sources, is_complex=is_complex),
        dtype=dtype,
        device=torch.device("cpu"),
        per_sample=per_sample,
    )
    source = LeafSource(evaluator, SLOTS, CONES, BATCH, selectors=1)
    given = inputs(per_sample=per_sample)
    recorded = [tensor.clone().requires_grad_() for tensor in given]
    arrays = source.arrays(recorded)
    generator = torch.Generator().manual_seed(2)
    cotangents = [torch.randn(array.shape, dtype=dtype, generator=generator) for array in arrays]
    varying = [pair for pair in zip(arrays, cotangents, strict=True) if pair[0].requires_grad]
    expected = torch.autograd.grad(
        [array for array, _ in varying], recorded, [own for _, own in varying], allow_unused=True
    )

    memory = [
        torch.full((len(array), array[0].numel()), torch.nan, dtype=dtype) for array in arrays
    ]
    pulled = [own.reshape(len(own), -1).clone() for own in cotangents]
    filling = source.bind(memory, pulled)
    for target, tensor in zip(filling.inputs, given, strict=True):
        target.copy_(tensor.reshape(target.shape))
    for call in filling.forward:
        call()
    for filled, array in zip(memory, arrays, strict=True):
        torch.testing.assert_close(filled, array.reshape(filled.shape), rtol=0, atol=1e-12)
    for _ in range(2):  # a second reverse pass starts afresh
        for call in filling.reverse(wanted):
            call()
    for one, other, is_wanted in zip(filling.gradients, expected, wanted, strict=True):
        if is_wanted and other is not None:
            real = one.real if one.is_complex() and not other.is_complex() else one
            torch.testing.assert_close(real.reshape(other.shape), other, rtol=0, atol=1e-12)


def test_only_stacks_that_read_a_wanted_angle_need_a_cotangent():
    evaluator = Evaluator(
        leaves([(), (SHARED,), (FEATURE,), (SHARED, FEATURE)], is_complex=False),
        dtype=torch.float64,
        device=torch.device("cpu"),
        per_sample=False,
    )
    source = LeafSource(evaluator, SLOTS, CONES, BATCH, selectors=0)
    memory = [
        torch.empty(array.numel()).view(len(array), -1).double()
        for array in source.arrays(inputs(per_sample=False)[:2])
    ]
    needed = source.bind(memory, memory).needed((False, True))
    assert dict(zip(source.stacks, needed, strict=True)) == {
        (0,): False,
        (1,): False,
        (2,): True,
        (3,): True,
    }

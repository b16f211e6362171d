"""Programs whose tensors a source fills from inputs of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from torch import Tensor

from contractions import Filling, Given, Network, NetworkError, Plan, plan

NETWORK = Network.from_einsum("ab,bc,cd->ad", [(3, 3)] * 3)


@dataclass(frozen=True)
class Squares:
    """Two matrices are squares of inputs, entry by entry; the third is the input itself."""

    stacks: tuple[tuple[int, ...], ...] = ((0, 2), (1,))
    dtype: torch.dtype | None = None
    bindable: bool = True

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return [inputs[0].square(), inputs[1]]

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        squared, given = stacks
        roots = torch.empty_like(squared)
        gradient = torch.empty_like(squared)

        def reverse(wanted: Sequence[bool]) -> list[partial[Tensor]]:
            if not wanted[0]:
                return []
            return [
                partial(torch.mul, cotangents[0], roots, out=gradient),
                partial(torch.mul, gradient, 2, out=gradient),
            ]

        return Filling(
            inputs=[roots, given],
            gradients=[gradient, *cotangents[1:]],
            forward=[partial(torch.square, roots, out=squared)],
            needed=lambda wanted: wanted,
            reverse=reverse,
            nbytes=lambda: 2 * roots.nbytes,
        )


@pytest.fixture(params=[True, False])
def squares(request) -> Squares:
    return Squares(bindable=request.param)


@pytest.fixture
def made() -> Plan:
    return plan(NETWORK, effort=1, cache=False)


@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True), (False, False)])
def test_values_and_gradients(made, squares, wanted):
    generator = torch.Generator().manual_seed(0)
    pair, alone = (
        torch.rand(n, 3, 3, dtype=torch.float64, generator=generator).requires_grad_(flag)
        for n, flag in zip((2, 1), wanted, strict=True)
    )
    program = made.program(squares)
    expected = pair[0].square() @ alone[0] @ pair[1].square()
    chosen = [tensor for tensor in (pair, alone) if tensor.requires_grad]
    for _ in range(2):  # in the same memory
        value = program.run([pair, alone])
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-14)
        if chosen:
            found = torch.autograd.grad(value.sum(), chosen)
            oracle = torch.autograd.grad(expected.sum(), chosen, retain_graph=True)
            torch.testing.assert_close(found, oracle, rtol=0, atol=1e-13)


def test_higher_derivatives_and_transforms_take_the_plain_route(made, squares):
    generator = torch.Generator().manual_seed(0)
    pair = torch.rand(2, 3, 3, dtype=torch.float64, generator=generator).requires_grad_()
    alone = torch.rand(1, 3, 3, dtype=torch.float64, generator=generator).requires_grad_()
    program = made.program(squares)
    assert torch.autograd.gradgradcheck(lambda *given: program.run(given), (pair, alone))
    ours = torch.func.grad(lambda given: program.run([given, alone.detach()]).sum())(pair.detach())
    (expected,) = torch.autograd.grad(program.run([pair, alone]).sum(), pair)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-13)


def test_forward_mode_takes_the_plain_route(made, squares):
    generator = torch.Generator().manual_seed(0)
    pair, alone, tangent = (
        torch.rand(n, 3, 3, dtype=torch.float64, generator=generator) for n in (2, 1, 2)
    )
    program = made.program(squares)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(pair, tangent)
        found = torch.autograd.forward_ad.unpack_dual(program.run([dual, alone])).tangent
    _, expected = torch.func.jvp(lambda given: program.run([given, alone]), (pair,), (tangent,))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("stacks", "message"),
    [
        (((0, 1),), "no partition of the network's 3 tensors"),
        (((0, 1), (1, 2)), "no partition"),
        (((0,), (1,), (2,), (3,)), "no partition"),
        (((0,), (1,), (2,), ()), "stack 3 holds tensors of several shapes, or none"),
        (3, "stacks are 3; expected a sequence of tensor numbers for each"),
        (((0.0,), (1,), (2,)), r"stacks are \(\(0\.0,\)"),
        ((0, 1, 2), r"stacks are \(0, 1, 2\); expected a sequence of tensor numbers"),
        (((0, 2.5), (1,)), "expected a sequence of tensor numbers"),
    ],
)
def test_a_source_that_does_not_fit_the_network_is_refused(made, stacks, message):
    with pytest.raises(NetworkError, match=message):
        made.program(Squares(stacks=stacks))
    with pytest.raises(NetworkError, match=message):
        made.contract([torch.ones(3, 3)], stacks=stacks)


def test_stacks_may_be_lists(made):
    arrays = [torch.ones(2, 3, 3, dtype=torch.float64), torch.ones(1, 3, 3, dtype=torch.float64)]
    assert made.contract(arrays, stacks=[[0, 2], [1]]).sum() == 81


@pytest.mark.parametrize("dtype", ["float64", torch.int64])
def test_a_source_of_no_dtype_of_the_engine_is_refused(made, dtype):
    with pytest.raises(NetworkError, match=r"the source's dtype is .*; expected None or a torch"):
        made.program(Squares(dtype=dtype))


def test_inputs_of_another_size_are_refused(made):
    program = made.program(Given(((0, 2), (1,))))
    fitting = torch.ones(2, 3, 3)
    with pytest.raises(NetworkError, match=r"input 1 has shape \(1, 3, 1\); .* for 9 entries"):
        program.run([fitting, torch.ones(1, 3, 1)])
    assert program.run([fitting, torch.ones(1, 3, 3)]).sum() == 81


@dataclass(frozen=True)
class Turned(Squares):
    """Its first array has the right entries in the wrong shape."""

    bindable: bool = False

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return [inputs[0].movedim(0, -1), inputs[1]]


def test_arrays_of_another_shape_are_not_read_as_they_lie(made):
    with pytest.raises(NetworkError, match=r"array 0 of shape \(3, 3, 2\); expected \(2, 3, 3\)"):
        made.program(Turned()).run([torch.ones(2, 3, 3), torch.ones(1, 3, 3)])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "come from torch tensors, got none"),
        ([[1.0], torch.ones(1, 3, 3)], "come from torch tensors, got list, Tensor"),
        ([torch.ones(2, 3, 3)], "got 1 inputs; the source takes 2"),
        ([torch.ones(2, 3, 3)] * 3, "got 3 inputs; the source takes 2"),
        (
            [torch.ones(2, 3, 3), torch.ones(1, 3, 3, dtype=torch.float64)],
            "input 1 is torch.float64 on cpu; expected torch.float32 on cpu",
        ),
        ([torch.ones(2, 3, 3), torch.ones(1, 3, 3, device="meta")], "input 1 is .* on meta"),
    ],
)
def test_inputs_of_the_wrong_number_or_kind_are_refused(made, inputs, message):
    program = made.program(Squares())
    with pytest.raises(NetworkError, match=message):
        program.run(inputs)
    learnt = [given.clone().requires_grad_() for given in inputs if isinstance(given, torch.Tensor)]
    if len(learnt) == len(inputs):
        with pytest.raises(NetworkError, match=message):
            program.run(learnt)
    assert program.run([torch.ones(2, 3, 3), torch.ones(1, 3, 3)]).sum() == 81


@dataclass(frozen=True)
class Mixed(Squares):
    """Its arrays have two dtypes."""

    bindable: bool = False

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return [inputs[0].double(), inputs[1]]


@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_arrays_of_a_source_have_one_dtype(made, dtype):
    with pytest.raises(NetworkError, match=r"the source gave torch.float.. on cpu; expected"):
        made.program(Mixed(dtype=dtype)).run([torch.ones(2, 3, 3), torch.ones(1, 3, 3)])


@dataclass(frozen=True)
class Changed(Squares):
    """Its filling differs in something from a good one."""

    change: tuple[tuple[str, object], ...] = ()

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        return replace(super().bind(stacks, cotangents), **dict(self.change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nbytes": 72}, "nbytes of a source's filling is 72; expected a function"),
        ({"nbytes": lambda: "72"}, "nbytes of a source's filling gives '72'; expected an integer"),
        ({"needed": None}, "needed of a source's filling is None"),
        ({"needed": lambda _: [True]}, "needed of the source's filling gives 1 flags"),
        ({"forward": 3}, "forward of a source's filling is 3; expected a sequence of calls"),
        ({"forward": [3]}, r"forward of a source's filling is \[3\]"),
        ({"gradients": [torch.ones(1)]}, "the source has gradients for 1 of its 2 inputs"),
    ],
)
def test_a_filling_that_is_not_well_formed_is_refused_and_harms_no_other(made, change, message):
    inputs = [torch.ones(2, 3, 3, requires_grad=True), torch.ones(1, 3, 3)]
    with pytest.raises(NetworkError, match=message):
        made.program(Changed(change=tuple(change.items()))).run(inputs)
    assert made.program(Squares()).run(inputs).sum() == 81


def test_what_is_no_source_is_refused(made):
    with pytest.raises(NetworkError, match="a NoneType has no 'stacks'; expected a Source"):
        made.program(None)


def test_a_source_binds_to_a_filling(made):
    @dataclass(frozen=True)
    class Bindless(Squares):
        def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:  # noqa: ARG002
            return None  # type: ignore[return-value]

    with pytest.raises(NetworkError, match="the source's bind gives a NoneType"):
        made.program(Bindless()).run([torch.ones(2, 3, 3), torch.ones(1, 3, 3)])


def test_arrays_may_come_as_one_tensor_or_one_by_one(made):
    arrays = torch.rand(3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = arrays[0] @ arrays[1] @ arrays[2]
    torch.testing.assert_close(made.contract(arrays), expected, rtol=0, atol=1e-14)
    program = made.program(Given(((0,), (1,), (2,))))
    found = program.run(array.unsqueeze(0) for array in arrays)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@dataclass(frozen=True)
class Fixed(Squares):
    """Needs no inputs."""

    bindable: bool = False

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        assert not inputs
        return [torch.ones(2, 3, 3), torch.ones(1, 3, 3)]


def test_a_source_may_need_no_inputs(made):
    assert made.program(Fixed()).run([]).sum() == 81


def test_tensors_alike_in_a_stack_may_be_reduced_to_others():
    """What only one of them holds is summed: `b` goes, `c` stays."""
    sizes = {"a": 2, "b": 2, "c": 2}
    network = Network([("a", "b"), ("a", "c"), ("c",)], ("a",), sizes)
    made = plan(network, cache=False)
    generator = torch.Generator().manual_seed(0)
    pair, last = (
        torch.rand(shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((2, 2, 2), (1, 2))
    )
    expected = torch.einsum("ab,ac,c->a", pair[0], pair[1], last[0])
    for scaled in (False, True):
        value = made.contract([pair, last], stacks=((0, 1), (2,)), scaled=scaled)
        whole = value.mantissa * value.log_scale.exp() if scaled else value
        torch.testing.assert_close(whole, expected)
    found = torch.autograd.grad(
        made.contract([pair, last], stacks=((0, 1), (2,))).sum(), [pair, last]
    )
    for one, two in zip(found, torch.autograd.grad(expected.sum(), [pair, last]), strict=True):
        torch.testing.assert_close(one, two)

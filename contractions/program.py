"""A lowered path run over torch tensors, forwards and in reverse."""

import weakref
from collections.abc import Hashable, Sequence
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from contractions.bound import Bound
from contractions.errors import NetworkError
from contractions.leases import LEASES
from contractions.lowering import Lowered
from contractions.network import Order
from contractions.scaling import Scaled, divided, exponent, joined, scale_of
from contractions.script import Scripts
from contractions.sources import Given, Source, Stacks

_NUMBERS = count()


class Program:
    """The steps of one path for fixed sizes.

    Differentiable: first derivatives by a reverse pass of its own, higher ones and those under
    `torch.func` by autograd through the steps.

    Args:
        lowered: what is contracted, in which steps.
        source: what fills the tensors from the inputs of a run; by default the inputs are the
            tensors.
        keep: whether its scripts are kept on disk.
    """

    def __init__(
        self, lowered: Lowered, source: Source | None = None, *, keep: bool = False
    ) -> None:
        self._inputs, self._output, self._sizes = lowered.network.numbered
        self._lowered, self._keep = lowered, keep
        if source is None:
            source = Given(tuple((leaf,) for leaf in range(len(self._inputs))))
        self._as_given = list(self._inputs) == lowered.leaf_orders
        self._given = source
        self._bound = self._as_given and source.bindable
        # tensors that are alike as they are given may differ when they are reduced
        alone = tuple((leaf,) for leaf in range(len(self._inputs)))
        self._source = source if self._bound else Given(source.stacks if self._as_given else alone)
        self._scripts: dict[tuple[bool, bool], Scripts] = {}
        self._number = next(_NUMBERS)
        number = self._number
        weakref.finalize(self, LEASES.forget, partial(_belongs_to, number)).atexit = False

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled program is a new one where it is loaded: its number is of this process."""
        return partial(Program, keep=self._keep), (self._lowered, self._given)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Program":
        """Itself: nothing of it changes."""
        return self

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        """The contracted network, its axes as the network's output.

        Args:
            inputs: those of the source: by default an array for each tensor, of its shape.
        """
        return self._run(inputs, scaled=False)[0]

    def run_scaled(self, inputs: Sequence[Tensor]) -> Scaled:
        """The contracted network as mantissa and logarithm, rescaled along the way."""
        return Scaled.of(*self.run_rescaled(inputs))

    def run_rescaled(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """A tensor, and the power of 2 by which to multiply it for the contracted network."""
        return self._run(inputs, scaled=True)

    def _run(self, inputs: Sequence[Tensor], *, scaled: bool) -> tuple[Tensor, Tensor]:
        inputs = tuple(inputs)
        if not self._bound:
            inputs = tuple(self._given.arrays(inputs))
        if not inputs or not all(isinstance(given, Tensor) for given in inputs):
            kinds = ", ".join(type(given).__name__ for given in inputs) or "none"
            raise NetworkError(f"a program's tensors come from torch tensors, got {kinds}")
        if not self._bound:
            self._check(inputs)
        if not self._as_given:
            inputs = self._reduced(inputs)
        transformed = (
            torch._C._functorch.maybe_current_level() is not None
            or forward_ad._current_level >= 0  # inside of `dual_level`
        )
        if transformed or not self._lowered.path:
            return self.plain(inputs, scaled=scaled)
        if torch.is_grad_enabled() and any(given.requires_grad for given in inputs):
            last, powers = _Contraction.apply(self, scaled, *inputs)  # type: ignore[no-untyped-call]
            return last, powers
        number = self.borrow(inputs[0], reverse=False, scaled=scaled)
        try:
            bound = LEASES.bound(number)
            assert bound is not None  # noqa: S101 - it was just borrowed
            with torch.no_grad():
                return bound.forward(inputs)
        finally:
            LEASES.give_back(number)

    def _check(self, arrays: Sequence[Tensor]) -> None:
        """Refuse arrays that do not fit a source's stacks; axes of size 1 do not matter."""
        stacks = self._given.stacks
        if len(arrays) != len(stacks):
            raise NetworkError(f"the source gave {len(arrays)} arrays for {len(stacks)} stacks")
        expected = self._given.dtype or arrays[0].dtype
        for array in arrays:
            if array.dtype != expected or array.device != arrays[0].device:
                raise NetworkError(
                    f"the source gave {array.dtype} on {array.device}; expected {expected} on "
                    f"{arrays[0].device} for all of its arrays"
                )
        for number, (stack, array) in enumerate(zip(stacks, arrays, strict=True)):
            shape = (len(stack), *(self._sizes[index] for index in self._inputs[stack[0]]))
            if _long_axes(array.shape) != _long_axes(shape):
                raise NetworkError(
                    f"the source gave array {number} of shape {tuple(array.shape)}; expected "
                    f"{shape}: the tensors of its stack along the first axis"
                )

    def borrow(self, like: Tensor, *, reverse: bool, scaled: bool) -> int:
        """The number of a lease (`LEASES`) on memory for a run.

        Args:
            like: an input; the run's dtype and device.
            reverse: whether a reverse pass may follow.
            scaled: whether steps are rescaled along the way.
        """
        dtype = self._source.dtype or like.dtype
        key: Hashable = (self._number, dtype, like.device, reverse, scaled)

        def make() -> Bound:
            with torch.inference_mode(False), torch.no_grad():
                scripts = self._scripts_of(reverse=reverse, scaled=scaled)
                return Bound(scripts, self._source, dtype=dtype, device=like.device)

        return LEASES.borrow(key, make)

    def _scripts_of(self, *, reverse: bool, scaled: bool) -> Scripts:
        key = reverse, scaled
        if key not in self._scripts:
            self._scripts[key] = Scripts(
                self._lowered, self._source.stacks, reverse=reverse, scaled=scaled, keep=self._keep
            )
        return self._scripts[key]

    def _leaves(
        self, arrays: Sequence[Tensor], stacks: Stacks, terms: Sequence[Order]
    ) -> list[Tensor]:
        """A tensor for each leaf, out of the stacks."""
        leaves: dict[int, Tensor] = {}
        for stack, array in zip(stacks, arrays, strict=True):
            shape = [self._sizes[index] for index in terms[stack[0]]]
            leaves |= dict(zip(stack, array.reshape(len(stack), *shape).unbind(), strict=True))
        return [leaves[leaf] for leaf in range(len(leaves))]

    def _reduced(self, arrays: Sequence[Tensor]) -> list[Tensor]:
        """Each tensor with diagonals taken, and what only it holds summed."""
        leaves = self._leaves(arrays, self._given.stacks, self._inputs)
        orders = self._lowered.leaf_orders
        return [
            torch.einsum(leaf, _local(term, term), _local(term, order)).unsqueeze(0)
            for leaf, term, order in zip(leaves, self._inputs, orders, strict=True)
        ]

    def plain(self, inputs: Sequence[Tensor], *, scaled: bool) -> tuple[Tensor, Tensor]:
        """What `Bound.forward` gives, by operations that autograd can record."""
        arrays = self._source.arrays(inputs)
        nodes: list[Any] = list(
            self._leaves(arrays, self._source.stacks, self._lowered.leaf_orders)
        )
        exponents: list[tuple[Order, Tensor]] = []
        for step, rescale in self._lowered.steps:
            result = step.plain(nodes[step.left], nodes[step.right])
            nodes[step.left] = nodes[step.right] = None  # its memory can go
            if scaled and rescale is not None:
                result = result.reshape(rescale.shape)
                scale = scale_of(result, rescale.axes)
                exponents.append((rescale.legs, exponent(scale)))
                result = divided(result, scale)
            nodes.append(result)
        order = self._lowered.orders[-1]
        last = nodes[-1].reshape([self._sizes[index] for index in order])
        result = last.permute([order.index(index) for index in self._output])
        return result, joined(exponents, self._output, self._sizes, device=result.device)


def _long_axes(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def _belongs_to(number: int, key: Hashable) -> bool:
    return isinstance(key, tuple) and key[0] == number


def _local(term: Sequence[int], order: Sequence[int]) -> list[int]:
    """Indices renamed to small numbers, for `torch.einsum`."""
    names = {index: name for name, index in enumerate(dict.fromkeys(term))}
    return [names[index] for index in order]


class _Contraction(torch.autograd.Function):
    """A program as one node of autograd's graph.

    What the reverse pass needs lies in leased memory. The lease's token is among the saved tensors,
    so that it ends with them; if the memory is gone by then, because a hook kept a copy of the
    token or the reverse pass runs a second time, the forward pass runs again.
    """

    @staticmethod
    def forward(ctx: Any, program: Program, scaled: bool, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        number = program.borrow(inputs[0], reverse=True, scaled=scaled)
        token = LEASES.token(number, holder=program)
        bound = LEASES.bound(number)
        assert bound is not None  # noqa: S101 - it was just borrowed
        last, powers = bound.forward(inputs, wanted=ctx.needs_input_grad[2:])
        ctx.program, ctx.scaled = program, scaled
        ctx.save_for_backward(token, *inputs)
        ctx.mark_non_differentiable(powers)
        return last, powers

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (token, *inputs), wanted = ctx.saved_tensors, ctx.needs_input_grad[2:]
        program: Program = ctx.program
        is_batched = torch._C._functorch.is_legacy_batchedtensor(cotangent)  # several at once
        if torch.is_grad_enabled() or is_batched:
            with torch.enable_grad():
                last, _ = program.plain(inputs, scaled=ctx.scaled)
            if not last.requires_grad:
                return (None, None, *(None for _ in inputs))
            chosen = [given for given, is_wanted in zip(inputs, wanted, strict=True) if is_wanted]
            gradients = iter(
                torch.autograd.grad(
                    last,
                    chosen,
                    cotangent,
                    create_graph=True,
                    allow_unused=True,
                )
            )
            return (None, None, *(next(gradients) if is_wanted else None for is_wanted in wanted))
        number = int(token)
        bound = LEASES.bound(number)
        if bound is None or bound.spent:
            number = program.borrow(inputs[0], reverse=True, scaled=ctx.scaled)
            token = LEASES.token(number, holder=program)
            bound = LEASES.bound(number)
            assert bound is not None  # noqa: S101 - it was just borrowed
            bound.forward(inputs)
        pulled = bound.reverse(cotangent, wanted=wanted)
        return (
            None,
            None,
            *(
                None if cotangent is None else cotangent.reshape(given.shape)
                for cotangent, given in zip(pulled, inputs, strict=True)
            ),
        )

"""A lowered path run over torch tensors, forwards and in reverse."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from contractions.lowering import Lowered, Order
from contractions.network import Network
from contractions.steps import product
from contractions.tree import Path


class Scaled(NamedTuple):
    """A result that neither underflows nor overflows: ``mantissa * exp(log_scale)``.

    Attributes:
        mantissa: of modulus 1, or 0 where the result is exactly 0. It carries gradients, with
            `log_scale` held constant: they are derivatives of the result over its modulus.
        log_scale: natural logarithm of the modulus, of the same shape; real, without gradient.
    """

    mantissa: Tensor
    log_scale: Tensor


class Program:
    """The steps of one path for fixed sizes.

    Differentiable: first derivatives by a reverse pass of its own, higher ones and those under
    `torch.func` by autograd through the steps.

    Args:
        network: what is contracted.
        path: the pairs, in the order in which they run.
    """

    def __init__(self, network: Network, path: Path) -> None:
        self._inputs, self._output, self._sizes = network.numbered
        lowered = Lowered(network, path)
        self._orders, self._steps = lowered.orders, lowered.steps
        final = self._orders[-1]
        self._final_view = tuple(self._sizes[index] for index in final)
        self._final_order = tuple(final.index(index) for index in self._output)

    def run(self, arrays: Sequence[Tensor]) -> Tensor:
        """The contracted network; axes as the network's output."""
        return self._finish(self._run(arrays, scaled=False)[0])

    def run_scaled(self, arrays: Sequence[Tensor]) -> Scaled:
        """The contracted network as mantissa and logarithm, rescaled along the way."""
        last, log_scale = self._run(arrays, scaled=True)
        flat = self._finish(last)
        mantissa, logarithm = _normalise(flat.reshape(-1, 1))
        return Scaled(mantissa.reshape(flat.shape), log_scale + logarithm.reshape(flat.shape))

    def _run(self, arrays: Sequence[Tensor], *, scaled: bool) -> tuple[Tensor, Tensor]:
        leaves = [
            array if term == order else torch.einsum(array, _local(term, term), _local(term, order))
            for array, term, order in zip(arrays, self._inputs, self._orders, strict=False)
        ]
        recorded = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves)
        if recorded and self._steps and torch._C._functorch.maybe_current_level() is None:
            last, log_scale = _Contraction.apply(self, scaled, *leaves)  # type: ignore[no-untyped-call]
            return last, log_scale
        return self.forward(leaves, scaled=scaled, tape=None)

    def forward(
        self, leaves: Sequence[Tensor], *, scaled: bool, tape: list[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """The last node and the logarithm of its scale; what `reverse` needs goes on the tape."""
        nodes: list[Any] = list(leaves)
        log_scale = torch.zeros(
            [self._sizes[index] for index in self._output] if scaled else (),
            dtype=leaves[0].real.dtype if leaves[0].is_complex() else leaves[0].dtype,
            device=leaves[0].device,
        )
        for step, rescale in self._steps:
            a, b = step.left_layout(nodes[step.left]), step.right_layout(nodes[step.right])
            nodes[step.left] = nodes[step.right] = None  # its memory can go
            result = product(a, b)
            if tape is not None:
                tape += [a, b]
            if scaled and rescale is not None:
                scale = _scale(result.reshape(rescale.shape))
                result = result.reshape(rescale.shape) / scale
                log_scale = log_scale + self._spread(scale.log(), rescale.lead)
                if tape is not None:
                    tape.append(scale)
            nodes.append(result)
        return nodes[-1], log_scale

    def reverse(
        self, cotangent: Tensor, tape: Sequence[Tensor], *, scaled: bool, wanted: Sequence[bool]
    ) -> list[Tensor | None]:
        """The cotangent of every leaf that is wanted, from that of the last node."""
        needed = list(wanted)
        for step, _ in self._steps:
            needed.append(needed[step.left] or needed[step.right])
        cotangents: list[Any] = [None] * len(self._orders)
        cotangents[-1] = cotangent
        place = len(tape)
        for node in range(len(self._orders) - 1, len(wanted) - 1, -1):
            step, rescale = self._steps[node - len(wanted)]
            current, cotangents[node] = cotangents[node], None
            if scaled and rescale is not None:
                place -= 1
                current = None if current is None else current.reshape(rescale.shape) / tape[place]
            place -= 2
            if current is None:
                continue
            current = current.reshape(step.shape)
            if needed[step.left]:
                cotangents[step.left] = step.pull_left(current, tape[place + 1])
            if needed[step.right]:
                cotangents[step.right] = step.pull_right(current, tape[place])
        return [
            None
            if cotangents[leaf] is None
            else cotangents[leaf].reshape([self._sizes[index] for index in self._orders[leaf]])
            for leaf in range(len(wanted))
        ]

    def _finish(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(self._final_view).permute(self._final_order)

    def _spread(self, values: Tensor, legs: Order) -> Tensor:
        """Values over `legs`, shaped to broadcast against the output."""
        present = [index for index in self._output if index in legs]
        values = values.reshape([self._sizes[index] for index in legs])
        values = values.permute([legs.index(index) for index in present])
        return values.reshape(
            [self._sizes[index] if index in legs else 1 for index in self._output]
        )


def _local(term: Sequence[int], order: Sequence[int]) -> list[int]:
    """Indices renamed to small numbers, for `torch.einsum`."""
    names = {index: name for name, index in enumerate(dict.fromkeys(term))}
    return [names[index] for index in order]


def _scale(rows: Tensor) -> Tensor:
    """The largest modulus of each row, (rows, 1), held constant; 1 for a row of zeros."""
    largest = rows.detach().abs().amax(1, keepdim=True)
    return torch.where(largest > 0, largest, 1)


def _normalise(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows divided by their largest modulus, and its logarithm."""
    scale = _scale(rows)
    return rows / scale, scale.log()


class _Contraction(torch.autograd.Function):
    """A program as one node of autograd's graph.

    The operands of every step are kept by `save_for_backward`, so that checkpoints see them.
    """

    @staticmethod
    def forward(ctx: Any, program: Program, scaled: bool, *leaves: Tensor) -> tuple[Tensor, Tensor]:
        tape: list[Tensor] = []
        last, log_scale = program.forward(leaves, scaled=scaled, tape=tape)
        ctx.program, ctx.scaled, ctx.leaves = program, scaled, len(leaves)
        ctx.save_for_backward(*leaves, *tape)
        ctx.mark_non_differentiable(log_scale)
        return last, log_scale

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        saved, wanted = ctx.saved_tensors, ctx.needs_input_grad[2:]
        leaves, tape = saved[: ctx.leaves], saved[ctx.leaves :]
        if not torch.is_grad_enabled():
            found = ctx.program.reverse(cotangent, tape, scaled=ctx.scaled, wanted=wanted)
            return (None, None, *found)
        last, _ = ctx.program.forward(leaves, scaled=ctx.scaled, tape=None)
        chosen = [leaf for leaf, is_wanted in zip(leaves, wanted, strict=True) if is_wanted]
        gradients = iter(
            torch.autograd.grad(last, chosen, cotangent, create_graph=True, allow_unused=True)
        )
        return (None, None, *(next(gradients) if is_wanted else None for is_wanted in wanted))

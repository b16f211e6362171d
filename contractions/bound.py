"""A program bound to memory: every operand a view made once, every call ready to be made."""

from collections.abc import Sequence
from functools import cached_property, partial
from threading import Thread

import torch
from torch import Tensor

from contractions.calls import Call, Calls
from contractions.errors import NetworkError
from contractions.lowering import Lowered
from contractions.reservation import Reservation, sides
from contractions.sources import Source

_PAGE, _SOON_TOUCHED = 4096, 1 << 20  # bytes


class Bound:
    """The buffers of one run of a program, and the calls that fill them.

    It may be run again and again, by one user at a time. Nothing that it returns shares memory
    with it.

    Args:
        lowered: the steps.
        source: what fills the tensors.
        dtype: of the arrays.
        device: where they are.
        reverse: whether a reverse pass may follow; else what it needs is not kept.
        scaled: whether results are rescaled along the way.
    """

    def __init__(
        self,
        lowered: Lowered,
        source: Source,
        *,
        dtype: torch.dtype,
        device: torch.device,
        reverse: bool,
        scaled: bool,
    ) -> None:
        self._lowered, self._stacks = lowered, source.stacks
        self._steps = [step for step, _ in lowered.steps]
        self._leaves = len(lowered.orders) - len(self._steps)
        self._rescales = [rescale if scaled else None for _, rescale in lowered.steps]
        self._ends = len(lowered.orders)
        self._reserved = Reservation(lowered, self._stacks, reverse=reverse, scaled=scaled)
        self._block = torch.empty(self._reserved.size, dtype=dtype, device=device)
        self._touching = _touching(self._block)
        self._operands: list[tuple[Tensor, Tensor]] = []
        self._filled = self._rows("stack")
        self._cotangents = self._rows("pulled") if reverse else []
        self._filling = source.bind(self._filled, self._cotangents)
        if reverse and len(self._filling.gradients) != len(self._filling.inputs):
            raise NetworkError(
                f"the source has gradients for {len(self._filling.gradients)} of its "
                f"{len(self._filling.inputs)} inputs; expected one for each"
            )
        self._nodes = self._views()
        self._scales: dict[int, Tensor] = {}
        self._forward = Calls([*self._filling.forward, *self._forward_calls()], device)
        self._reverses: dict[tuple[bool, ...], Calls] = {}
        self.spent = True

    @property
    def device(self) -> torch.device:
        """Where its memory is."""
        return self._block.device

    @property
    def nbytes(self) -> int:
        """Of all its memory."""
        return self._block.nbytes + self._filling.nbytes()

    def _flat(self, name: object) -> Tensor:
        return self._block[self._reserved.span(name)]

    def _rows(self, name: str) -> list[Tensor]:
        """Memory of every stack, (tensors, entries)."""
        return [
            self._flat((name, number)).view(len(stack), -1)
            for number, stack in enumerate(self._stacks)
        ]

    def _views(self) -> list[Tensor]:
        """The entries of every node, flat."""
        nodes: dict[int, Tensor] = {}
        for stack, rows in zip(self._stacks, self._filled, strict=True):
            nodes |= dict(zip(stack, rows.unbind(), strict=True))
        for node in range(self._leaves, self._ends):
            nodes[node] = self._flat(node)
        return [nodes[node] for node in range(self._ends)]

    def _forward_calls(self) -> list[Call]:
        calls: list[Call] = []
        for number, step in enumerate(self._steps):
            operands = []
            for side, layout, source in sides(step):
                stored = self._nodes[source]
                if layout.moves:
                    target = self._flat((number, side))
                    calls.append(layout.mover(stored, target))
                    stored = target
                operands.append(stored)
            left, right = operands
            self._operands.append((left, right))
            out = self._nodes[self._leaves + number]
            scratch = self._flat((number, "scratch"))
            calls += step.forward(left, right, out=out, scratch=scratch)
            rescale = self._rescales[number]
            if rescale is not None:
                rows = rescale.rows(self._nodes[self._leaves + number])
                scale = self._flat((number, "scale")).view(-1, 1)
                self._scales[number] = scale
                calls.append(partial(_rescale, rows, scale))
        return calls

    def _reverse_calls(self, wanted: tuple[bool, ...]) -> list[Call]:
        """Calls that pull the last node's cotangent back to the inputs that are wanted."""
        needed = [False] * self._leaves
        for stack, is_needed in zip(self._stacks, self._filling.needed(wanted), strict=True):
            for node in stack:
                needed[node] = is_needed
        for step in self._steps:
            needed.append(needed[step.left] or needed[step.right])
        pulled = self._pulled()
        calls: list[Call] = []
        for number in reversed(range(len(self._steps))):
            step, node = self._steps[number], self._leaves + number
            if not needed[node]:
                continue
            if number in self._scales:
                scale = self._scales[number]
                rescale = self._rescales[number]
                assert rescale is not None  # noqa: S101 - it has a scale
                rows = rescale.rows(pulled[node])
                calls.append(partial(torch.div, rows, scale, out=rows))
            scratch = self._flat((number, "scratch", "pulled"))
            left, right = self._operands[number]
            for (side, layout, source), other in zip(sides(step), (right, left), strict=True):
                if needed[source]:
                    target = pulled[source]
                    if layout.moves:
                        target = self._flat((number, side, "pulled"))
                    calls += step.pull(side, pulled[node], other, out=target, scratch=scratch)
                    if layout.moves:
                        calls.append(layout.mover(target, pulled[source], undo=True))
        return [*calls, *self._filling.reverse(wanted)]

    def _pulled(self) -> list[Tensor]:
        """The cotangent of every node, flat."""
        pulled: dict[int, Tensor] = {}
        for stack, rows in zip(self._stacks, self._cotangents, strict=True):
            pulled |= dict(zip(stack, rows.unbind(), strict=True))
        for node in range(self._leaves, self._ends):
            pulled[node] = self._flat((node, "pulled"))
        return [pulled[node] for node in range(self._ends)]

    @cached_property
    def _cotangent(self) -> Tensor:
        """That of the last node, flat."""
        return self._flat((self._ends - 1, "pulled"))

    def _prepared(self, wanted: tuple[bool, ...]) -> Calls:
        """The calls of a reverse pass."""
        calls = self._reverses.get(wanted)
        if calls is None:
            calls = Calls(self._reverse_calls(wanted), self._block.device)
            self._reverses[wanted] = calls
        return calls

    def forward(
        self, inputs: Sequence[Tensor], *, wanted: tuple[bool, ...] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The last node, and the logarithm of its scale over the output's axes.

        Args:
            inputs: those of the source.
            wanted: which cotangents a reverse pass will be asked for, if one is expected: its calls
                are made while new memory is written to.
        """
        self.spent = False
        filled = self._filling.inputs
        if len(inputs) != len(filled):
            raise NetworkError(f"got {len(inputs)} inputs; the source takes {len(filled)}")
        if wanted is not None:
            self._prepared(wanted)
        if self._touching is not None:
            self._touching.join()
            self._touching = None
        for number, (target, given) in enumerate(zip(filled, inputs, strict=True)):
            if given.numel() != target.numel():
                raise NetworkError(
                    f"input {number} has shape {tuple(given.shape)}; the program was made for "
                    f"{target.numel()} entries"
                )
            if given.dtype != target.dtype or given.device != target.device:
                raise NetworkError(
                    f"input {number} is {given.dtype} on {given.device}; expected {target.dtype} "
                    f"on {target.device}, as input 0 has it or the source says"
                )
            target.copy_(given.reshape(target.shape))
        self._forward()
        last = self._nodes[-1].clone()
        return last, self._lowered.log_scale(self._scales, like=last)

    def reverse(self, cotangent: Tensor, *, wanted: tuple[bool, ...]) -> list[Tensor | None]:
        """The cotangent of every input that is wanted, from that of the last node.

        It may be called once after each forward run, whose entries it overwrites; `spent` says
        that it was.
        """
        self.spent = True
        calls = self._prepared(wanted)
        self._cotangent.copy_(cotangent.reshape(-1))
        calls()
        return [
            gradient.clone() if is_wanted else None
            for gradient, is_wanted in zip(self._filling.gradients, wanted, strict=True)
        ]


def _touching(block: Tensor) -> Thread | None:
    """A thread that writes to every page of new memory, or None if that is soon done.

    The first write to a page takes the system longer than most of what is computed in it; so it is
    done while the calls are made.
    """
    if block.device.type != "cpu" or block.nbytes < _SOON_TOUCHED:
        return None
    pages = block.view(torch.uint8).numpy()[::_PAGE]
    thread = Thread(target=pages.fill, args=(0,), name="touch memory", daemon=True)
    thread.start()
    return thread


def _rescale(
    rows: Tensor,  # (rows, entries)
    scale: Tensor,  # (rows, 1)
) -> None:
    """Divide each row by its largest modulus, which goes to `scale`; 1 for a row of zeros."""
    largest = rows.abs().amax(1, keepdim=True)
    scale.copy_(torch.where(largest > 0, largest, 1))
    rows /= scale

"""A program bound to memory: every operand a view made once, every call ready to be made."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from contractions.arena import Buffers
from contractions.lowering import Lowered
from contractions.steps import Layout, writer

Call = Callable[[], object]


class Bound:
    """The buffers of one run of a program, and the calls that fill them.

    It may be run again and again, by one user at a time. Nothing that it returns shares memory
    with it.

    Args:
        lowered: the steps.
        stacks: for each array that is given, the tensors that it holds along its first axis.
        dtype: of the arrays.
        device: where they are.
        reverse: whether a reverse pass may follow; else what it needs is not kept.
        scaled: whether results are rescaled along the way.
    """

    def __init__(
        self,
        lowered: Lowered,
        stacks: Sequence[Sequence[int]],
        *,
        dtype: torch.dtype,
        device: torch.device,
        reverse: bool,
        scaled: bool,
    ) -> None:
        self._lowered, self._stacks = lowered, tuple(stacks)
        self._steps = [step for step, _ in lowered.steps]
        self._leaves = len(lowered.orders) - len(self._steps)
        self._rescales = [rescale if scaled else None for _, rescale in lowered.steps]
        self._has_reverse = reverse
        consumer = [len(self._steps)] * len(lowered.orders)
        for number, step in enumerate(self._steps):
            consumer[step.left] = consumer[step.right] = number
        self._consumer = consumer
        self._buffers = Buffers()
        self._named: dict[object, int] = {}
        self._reserve()
        self._offsets, size = self._buffers.place()
        self._block = torch.empty(size, dtype=dtype, device=device)
        self.nbytes = self._block.nbytes
        self._operands: list[tuple[Tensor, Tensor]] = []
        self._inputs = [
            self._flat(("stack", number), self._stack_entries(number)).view(len(stack), -1)
            for number, stack in enumerate(self._stacks)
        ]
        self._nodes = self._views()
        self._scales: dict[int, Tensor] = {}
        self._forward = self._forward_calls()
        self._reverses: dict[tuple[bool, ...], list[Call]] = {}
        self.spent = True

    # ---- memory

    def _undone_at(self, number: int) -> int:
        """When a step is pulled back; without a reverse pass it is done with at once."""
        return 2 * len(self._steps) - 1 - number if self._has_reverse else number

    def _add(self, name: object, entries: int, first: int, last: int) -> None:
        self._named[name] = self._buffers.add(entries, first, last)

    def _layout(self, node: int) -> Layout:
        """How the consumer of a node takes it."""
        step = self._steps[self._consumer[node]]
        return step.left_layout if step.left == node else step.right_layout

    def _needed_to(self, node: int) -> int:
        """The last moment at which a node's own entries are read."""
        number = self._consumer[node]
        if number == len(self._steps) or self._layout(node).moves:
            return number
        return self._undone_at(number)

    def _stack_entries(self, number: int) -> int:
        return sum(self._lowered.size_of(node) for node in self._stacks[number])

    def _reserve(self) -> None:
        """Ask for every buffer, with the moments between which it is needed."""
        end = 2 * len(self._steps)
        for number, stack in enumerate(self._stacks):
            last = max(self._needed_to(node) for node in stack)
            self._add(("stack", number), self._stack_entries(number), -1, last)
            if self._has_reverse:
                first = min(self._undone_at(self._consumer[node]) for node in stack)
                self._add(("pulled", number), self._stack_entries(number), first, end)
        for number, step in enumerate(self._steps):
            node, undone = self._leaves + number, self._undone_at(number)
            self._add(node, self._lowered.size_of(node), number, self._needed_to(node))
            for side, layout, source in step.sides:
                entries = self._lowered.size_of(source)
                if layout.moves:
                    self._add((number, side), entries, number, undone)
                if layout.moves and self._has_reverse:
                    self._add((number, side, "pulled"), entries, undone, undone)
            scratch = step.scratch_entries
            self._add((number, "scratch"), scratch, number, number)
            rescale = self._rescales[number]
            if rescale is not None:
                kept = undone if self._has_reverse else len(self._steps)
                self._add((number, "scale"), rescale.shape[0], number, kept)
            if self._has_reverse:
                self._add((number, "scratch", "pulled"), scratch, undone, undone)
                made = self._undone_at(self._consumer[node]) if node + 1 < self._ends else undone
                self._add((node, "pulled"), self._lowered.size_of(node), made, undone)

    @property
    def _ends(self) -> int:
        return len(self._lowered.orders)

    def _flat(self, name: object, entries: int) -> Tensor:
        start = self._offsets[self._named[name]]
        return self._block[start : start + entries]

    def _views(self) -> list[Tensor]:
        """The entries of every node, flat."""
        nodes: dict[int, Tensor] = {}
        for stack, rows in zip(self._stacks, self._inputs, strict=True):
            nodes |= dict(zip(stack, rows.unbind(), strict=True))
        for node in range(self._leaves, self._ends):
            nodes[node] = self._flat(node, self._lowered.size_of(node))
        return [nodes[node] for node in range(self._ends)]

    # ---- calls

    def _forward_calls(self) -> list[Call]:
        calls: list[Call] = []
        for number, step in enumerate(self._steps):
            operands = []
            for side, layout, source in step.sides:
                stored = self._nodes[source]
                if layout.moves:
                    target = self._flat((number, side), stored.numel())
                    calls.append(layout.mover(stored, target))
                    stored = target
                operands.append(layout.operand(stored))
            a, b = operands
            self._operands.append((a, b))
            out = self._nodes[self._leaves + number].view(step.shape)
            scratch = self._flat((number, "scratch"), step.scratch_entries)
            calls += writer(a, b, out=out, scratch=scratch)
            rescale = self._rescales[number]
            if rescale is not None:
                rows = self._nodes[self._leaves + number].view(rescale.shape)
                scale = self._flat((number, "scale"), rescale.shape[0]).view(-1, 1)
                self._scales[number] = scale
                calls.append(partial(_rescale, rows, scale))
        return calls

    def _reverse_calls(self, wanted: tuple[bool, ...]) -> list[Call]:
        """Calls that pull the last node's cotangent back to the stacks that are wanted."""
        needed = [False] * self._leaves
        for stack, is_wanted in zip(self._stacks, wanted, strict=True):
            for node in stack:
                needed[node] = is_wanted
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
                rows = pulled[node].view(len(scale), -1)
                calls.append(partial(torch.div, rows, scale, out=rows))
            cotangent = pulled[node].view(step.shape)
            scratch = self._flat((number, "scratch", "pulled"), step.scratch_entries)
            for side, layout, source in step.sides:
                if needed[source]:
                    a, b = self._operands[number]
                    first, second = step.pull(side, cotangent, a=a, b=b)
                    target = pulled[source]
                    if layout.moves:
                        target = self._flat((number, side, "pulled"), target.numel())
                    calls += writer(first, second, out=target.view(layout.shape), scratch=scratch)
                    if layout.moves:
                        calls.append(layout.mover(target, pulled[source], undo=True))
        return calls

    def _pulled(self) -> list[Tensor]:
        """The cotangent of every node, flat."""
        pulled: dict[int, Tensor] = {}
        for number, stack in enumerate(self._stacks):
            rows = self._flat(("pulled", number), self._stack_entries(number)).view(len(stack), -1)
            pulled |= dict(zip(stack, rows.unbind(), strict=True))
        for node in range(self._leaves, self._ends):
            pulled[node] = self._flat((node, "pulled"), self._lowered.size_of(node))
        return [pulled[node] for node in range(self._ends)]

    # ---- runs

    def forward(self, arrays: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The last node, and the logarithm of its scale over the output's axes."""
        self.spent = False
        for target, array in zip(self._inputs, arrays, strict=True):
            target.copy_(array.reshape(target.shape))
        for call in self._forward:
            call()
        last = self._nodes[-1].clone()
        return last, self._lowered.log_scale(self._scales, like=last)

    def reverse(self, cotangent: Tensor, *, wanted: tuple[bool, ...]) -> list[Tensor | None]:
        """The cotangent of every stack that is wanted, flat, from that of the last node.

        It may be called once after each forward run, whose entries it overwrites; `spent` says
        that it was.
        """
        self.spent = True
        calls = self._reverses.get(wanted)
        if calls is None:
            calls = self._reverses[wanted] = self._reverse_calls(wanted)
        node = self._ends - 1
        self._flat((node, "pulled"), self._lowered.size_of(node)).copy_(cotangent.reshape(-1))
        for call in calls:
            call()
        return [
            self._flat(("pulled", number), self._stack_entries(number)).clone()
            if is_wanted
            else None
            for number, is_wanted in enumerate(wanted)
        ]


def _rescale(
    rows: Tensor,  # (rows, entries)
    scale: Tensor,  # (rows, 1)
) -> None:
    """Divide each row by its largest modulus, which goes to `scale`; 1 for a row of zeros."""
    largest = rows.abs().amax(1, keepdim=True)
    scale.copy_(torch.where(largest > 0, largest, 1))
    rows /= scale

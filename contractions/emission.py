"""The instructions of a run and of its reverse pass, from the steps of a path."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from contractions.instructions import Instruction
from contractions.lowering import Lowered
from contractions.network import Order
from contractions.reservation import Reservation, sides


class Emission:
    """The instructions of one run, on views of a block that has no memory yet.

    Args:
        lowered: the steps.
        stacks: for each array that is given, the tensors that it holds.
        reverse: whether a reverse pass may follow; else what it needs is not kept.
        scaled: whether results are rescaled along the way.

    Attributes:
        stacks: memory of every stack, (tensors, entries).
        pulled: of their cotangents, if a reverse pass may follow.
        forward: instructions that fill the last node from the stacks.
        scales: for each step that rescales the axes of its `Rescale`, and what it divides by.
    """

    def __init__(
        self, lowered: Lowered, stacks: Sequence[Sequence[int]], *, reverse: bool, scaled: bool
    ) -> None:
        self._lowered, self._stacks = lowered, stacks
        self._steps = [step for step, _ in lowered.steps]
        self._leaves = len(lowered.orders) - len(self._steps)
        self._rescales = [rescale if scaled else None for _, rescale in lowered.steps]
        self._ends = len(lowered.orders)
        self._reserved = Reservation(lowered, stacks, reverse=reverse, scaled=scaled)
        # complex, so that conjugates are marked; on real memory the mark does nothing
        self._block = torch.empty(self.size, dtype=torch.complex64, device="meta")
        self._operands: list[tuple[Tensor, Tensor]] = []
        self._divisors: dict[int, Tensor] = {}
        self.stacks = self._rows("stack")
        self.pulled = self._rows("pulled") if reverse else []
        self._nodes = self._all_nodes(self.stacks)
        self.forward = self._forward()
        self.scales: list[tuple[Order, Tensor]] = [
            (rescale.legs, self._divisors[number])
            for number, rescale in enumerate(self._rescales)
            if rescale is not None
        ]

    @property
    def size(self) -> int:
        """Entries of the block."""
        return self._reserved.size

    @property
    def result(self) -> Tensor:
        """The last node, its axes as the network's output."""
        return self._as_output(self._nodes[-1])

    @property
    def cotangent(self) -> Tensor:
        """That of the last node, if a reverse pass may follow."""
        return self._as_output(self._pulled[-1])

    def _as_output(self, last: Tensor) -> Tensor:
        _, output, sizes = self._lowered.network.numbered
        order = self._lowered.orders[-1]
        view = last.view([sizes[index] for index in order])
        return view.permute([order.index(index) for index in output])

    def _flat(self, name: object) -> Tensor:
        return self._block[self._reserved.span(name)]

    def _rows(self, name: str) -> list[Tensor]:
        """Memory of every stack, (tensors, entries)."""
        return [
            self._flat((name, number)).view(len(stack), -1)
            for number, stack in enumerate(self._stacks)
        ]

    def _all_nodes(self, stacked: Sequence[Tensor], *names: str) -> list[Tensor]:
        """The entries of every node, flat; or of what is called so beside each."""
        nodes: dict[int, Tensor] = {}
        for stack, rows in zip(self._stacks, stacked, strict=True):
            nodes |= dict(zip(stack, rows.unbind(), strict=True))
        for node in (*self._reserved.arranged, *range(self._leaves, self._ends)):
            nodes[node] = self._flat((node, *names) if names else node)
        return [nodes[node] for node in range(self._ends)]

    @cached_property
    def _pulled(self) -> list[Tensor]:
        """The cotangent of every node, flat."""
        return self._all_nodes(self.pulled, "pulled")

    def _forward(self) -> list[Instruction]:
        made = self._arrange()
        for number, step in enumerate(self._steps):
            operands = []
            for side, layout, source in sides(step):
                stored = self._nodes[source]
                if self._reserved.is_copied(layout, source):
                    target = self._flat((number, side))
                    made.append(layout.mover(stored, target))
                    stored = target
                operands.append(stored)
            left, right = operands
            self._operands.append((left, right))
            out = self._nodes[self._leaves + number]
            scratch = self._flat((number, "scratch"))
            made += step.forward(left, right, out=out, scratch=scratch)
            rescale = self._rescales[number]
            if rescale is not None:
                scale = self._flat((number, "scale")).view(rescale.scales)
                self._divisors[number] = scale
                made.append(Instruction("rescale", (scale, out.view(rescale.shape))))
        return made

    def _arrange(self, *names: str, undo: bool = False) -> list[Instruction]:
        """An instruction that brings all small leaves into the order of their steps, or back."""
        arranged = self._reserved.arranged
        if not arranged:
            return []
        views = [
            self._flat((name, *names) if names else name).view(1, -1)
            for name in ("given", "arranged")
        ]
        permutations = [layout.permutation(undo=undo) for layout in arranged.values()]
        given, taken = views[::-1] if undo else views
        return [Instruction("gather", (given, taken), tuple(permutations))]

    def reverse(self, needed_stacks: Sequence[bool]) -> list[Instruction]:
        """Instructions that pull the last node's cotangent back to the stacks that need theirs."""
        needed = [False] * self._leaves
        for stack, is_needed in zip(self._stacks, needed_stacks, strict=True):
            for node in stack:
                needed[node] = is_needed
        for step in self._steps:
            needed.append(needed[step.left] or needed[step.right])
        made: list[Instruction] = []
        for number in reversed(range(len(self._steps))):
            step, node = self._steps[number], self._leaves + number
            if not needed[node]:
                continue
            rescale = self._rescales[number]
            if rescale is not None:
                pulled = self._pulled[node].view(rescale.shape)
                made.append(Instruction("divide", (self._divisors[number], pulled)))
            scratch = self._flat((number, "scratch", "pulled"))
            left, right = self._operands[number]
            pulls = list(zip(sides(step), (right, left), strict=True))
            pulls.sort(key=lambda pull: pull[0][2] == self._reserved.overwritten(number))
            for (side, layout, source), other in pulls:
                if needed[source]:
                    target, is_copied = (
                        self._pulled[source],
                        self._reserved.is_copied(layout, source),
                    )
                    if is_copied:
                        target = self._flat((number, side, "pulled"))
                    made += step.pull(side, self._pulled[node], other, out=target, scratch=scratch)
                    if is_copied:
                        made.append(layout.mover(target, self._pulled[source], undo=True))
        return made + self._arrange("pulled", undo=True)

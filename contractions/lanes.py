"""Steps of many tiny products: entry by entry along the axes that all tensors of a step share.

A batched matrix product of matrices of a few entries spends its time between them. With the batch
last in memory, it is a few multiplications of long rows instead.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from contractions.instructions import Instruction
from contractions.layout import Layout, Side
from contractions.network import Order


@dataclass(frozen=True)
class LaneStep:
    """One product of two tensors, and the order in which the axes of each lie in memory.

    Attributes:
        left: node of the first.
        right: node of the second.
        left_layout: from the first's node to its axes.
        right_layout: from the second's.
        left_legs: axes of the first.
        right_legs: axes of the second.
        legs: axes of the result.
        sizes: of every index.
    """

    left: int
    right: int
    left_layout: Layout
    right_layout: Layout
    left_legs: Order
    right_legs: Order
    legs: Order
    sizes: tuple[int, ...]

    scratch_entries = 0

    def plain(self, left: Tensor, right: Tensor) -> Tensor:
        """The result from both nodes, by operations that autograd can record."""
        names = {index: name for name, index in enumerate({*self.left_legs, *self.right_legs})}
        arguments: list[object] = []
        for layout, node, legs in (
            (self.left_layout, left, self.left_legs),
            (self.right_layout, right, self.right_legs),
        ):
            arguments += [layout(node).reshape(self._shape(legs)), [names[index] for index in legs]]
        result: Tensor = torch.einsum(*arguments, [names[index] for index in self.legs])
        return result

    def forward(
        self,
        left: Tensor,
        right: Tensor,
        *,
        out: Tensor,
        scratch: Tensor,  # noqa: ARG002
    ) -> list[Instruction]:
        """Instructions that write the result of both operands."""
        return self._product((left, self.left_legs), (right, self.right_legs), (out, self.legs))

    def pull(
        self,
        side: Side,
        cotangent: Tensor,
        other: Tensor,
        *,
        out: Tensor,
        scratch: Tensor,  # noqa: ARG002
    ) -> list[Instruction]:
        """Instructions that write the cotangent of one operand."""
        mine, theirs = self.left_legs, self.right_legs
        if side == "right":
            mine, theirs = theirs, mine
        return self._product((cotangent, self.legs), (other.conj(), theirs), (out, mine))

    def _shape(self, legs: Order) -> list[int]:
        return [self.sizes[index] for index in legs]

    def _product(
        self, one: tuple[Tensor, Order], two: tuple[Tensor, Order], out: tuple[Tensor, Order]
    ) -> list[Instruction]:
        """A multiplication for each entry of what is summed over, the rest side by side."""
        target, legs = out
        summed = [index for index in one[1] if index in two[1] and index not in legs]
        target = target.view(self._shape(legs))
        first, second = (self._aligned(*given, summed, legs) for given in (one, two))
        operations = itertools.chain(["multiply"], itertools.repeat("add product"))
        return [
            Instruction(operation, (a, b, target))
            for operation, a, b in zip(operations, first, second, strict=False)
        ]

    def _aligned(
        self, tensor: Tensor, have: Order, summed: Sequence[int], legs: Order
    ) -> list[Tensor]:
        """For each entry of the summed axes a view along `legs`, of size 1 where it has none."""
        kept = [index for index in legs if index in have]
        view = tensor.view(self._shape(have))
        view = view.permute([have.index(index) for index in (*summed, *kept)])
        missing = [None if index not in have else slice(None) for index in legs]
        views = [view[(slice(None),) * len(summed) + (*missing,)]]
        for _ in summed:
            views = [entry for view in views for entry in view.unbind()]
        return views

"""The steps that a program is made of, there and back; most are batched matrix products."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from contractions.instructions import Instruction, parts
from contractions.layout import Layout, Side


class Step(Protocol):
    """A product of two nodes.

    Law: `plain` is the product, `forward` writes it into memory, and `pull` writes what autograd
    would give one operand for a cotangent of the result.
    """

    @property
    def left(self) -> int:
        """Node of the first."""

    @property
    def right(self) -> int:
        """Node of the second."""

    @property
    def left_layout(self) -> Layout:
        """From the first's node to the operand."""

    @property
    def right_layout(self) -> Layout:
        """From the second's node to the operand."""

    @property
    def scratch_entries(self) -> int:
        """What the product, there or back, needs room for beside its result."""

    def plain(self, left: Tensor, right: Tensor) -> Tensor:
        """The result from both nodes, by operations that autograd can record."""

    def forward(
        self, left: Tensor, right: Tensor, *, out: Tensor, scratch: Tensor
    ) -> list[Instruction]:
        """Instructions that write the result of two operands, all flat."""

    def pull(
        self, side: Side, cotangent: Tensor, other: Tensor, *, out: Tensor, scratch: Tensor
    ) -> list[Instruction]:
        """Instructions that write one operand's cotangent from that of the result, all flat."""


@dataclass(frozen=True, slots=True)
class MatrixStep:
    """One product ``c[g, m, n] = sum_k a[g, m, k] b[g, k, n]`` and where it takes a and b from.

    Attributes:
        left: node of a.
        right: node of b.
        left_layout: from that node's tensor to a.
        right_layout: and to b.
        shape: (g, m, n).
    """

    left: int
    right: int
    left_layout: Layout
    right_layout: Layout
    shape: tuple[int, int, int]

    @property
    def scratch_entries(self) -> int:
        """What the product, there or back, needs room for beside its result; see `_write`."""
        g, m, n = self.shape
        k = math.prod(self.left_layout.shape) // (g * m)
        if sorted((m, n, k))[1] == 1:
            return g * max(m, n, k)
        summed = ((k, m * n), (n, m * k), (m, k * n))
        return max(parts(g, length, entries) * entries for length, entries in summed)

    def plain(self, left: Tensor, right: Tensor) -> Tensor:
        """The product (g, m, n); outer and inner products without `bmm`, slow there."""
        a, b = self.left_layout(left), self.right_layout(right)
        if a.shape[2] == 1:
            return a * b
        if a.shape[1] == 1 and b.shape[2] == 1:
            return (a.transpose(1, 2) * b).sum(1, keepdim=True)
        return torch.bmm(a, b)

    def forward(
        self, left: Tensor, right: Tensor, *, out: Tensor, scratch: Tensor
    ) -> list[Instruction]:
        """Instructions that write the product."""
        a, b = self.left_layout.operand(left), self.right_layout.operand(right)
        return _write(a, b, out=out.view(self.shape), scratch=scratch)

    def pull(
        self, side: Side, cotangent: Tensor, other: Tensor, *, out: Tensor, scratch: Tensor
    ) -> list[Instruction]:
        """Instructions that write the cotangent of a or b before its transposition."""
        c = cotangent.view(self.shape)
        if side == "left":
            layout, b = self.left_layout, self.right_layout.operand(other).conj()
            first, second = (b, c.transpose(1, 2)) if layout.transpose else (c, b.transpose(1, 2))
        else:
            layout, a = self.right_layout, self.left_layout.operand(other).conj()
            first, second = (c.transpose(1, 2), a) if layout.transpose else (a.transpose(1, 2), c)
        return _write(first, second, out=out.view(layout.shape), scratch=scratch)


def _write(
    a: Tensor,  # (g, m, k)
    b: Tensor,  # (g, k, n)
    *,
    out: Tensor,  # (g, m, n)
    scratch: Tensor,  # (g * k,) or more where m and n are 1
) -> list[Instruction]:
    """Instructions for a matrix product; outer and inner ones without `bmm`, slow there."""
    if a.shape[2] == 1:
        return [Instruction("multiply", (a, b, out))]
    if a.shape[1] == 1 and b.shape[2] == 1:
        terms = scratch[: b.numel()].view(b.shape)
        return [
            Instruction("multiply", (a.transpose(1, 2), b, terms)),
            Instruction("sum", (terms, out)),
        ]
    return [Instruction("product", (a, b, scratch, out))]

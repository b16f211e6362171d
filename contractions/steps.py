"""The one kind of step that a program is made of: a batched matrix product, there and back."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor becomes a 3-dimensional operand: view, permute, reshape, transpose.

    Attributes:
        view: axes of the tensor, those that stay neighbours as one.
        order: how they are permuted.
        shape: of the operand before it is transposed.
        transpose: whether its last two axes change places, which copies nothing.
    """

    view: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, int, int]
    transpose: bool

    def __call__(self, tensor: Tensor) -> Tensor:
        """The operand."""
        if len(self.order) > 1:
            tensor = tensor.reshape(self.view).permute(self.order)
        tensor = tensor.reshape(self.shape)
        return tensor.transpose(1, 2) if self.transpose else tensor

    def undo(self, stored: Tensor) -> Tensor:
        """The tensor of an operand that is given before its transposition."""
        if len(self.order) == 1:
            return stored
        permuted = stored.reshape([self.view[axis] for axis in self.order])
        back = [0] * len(self.order)
        for place, axis in enumerate(self.order):
            back[axis] = place
        return permuted.permute(back)


@dataclass(frozen=True, slots=True)
class Step:
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

    def pull_left(
        self,
        cotangent: Tensor,  # (g, m, n)
        b: Tensor,  # (g, k, n)
    ) -> Tensor:
        """The cotangent of the left tensor."""
        if self.left_layout.transpose:
            stored = product(b.conj(), cotangent.transpose(1, 2))
        else:
            stored = product(cotangent, b.conj().transpose(1, 2))
        return self.left_layout.undo(stored)

    def pull_right(
        self,
        cotangent: Tensor,  # (g, m, n)
        a: Tensor,  # (g, m, k)
    ) -> Tensor:
        """The cotangent of the right tensor."""
        if self.right_layout.transpose:
            stored = product(cotangent.transpose(1, 2), a.conj())
        else:
            stored = product(a.conj().transpose(1, 2), cotangent)
        return self.right_layout.undo(stored)


def product(
    a: Tensor,  # (g, m, k)
    b: Tensor,  # (g, k, n)
) -> Tensor:
    """The batched matrix product (g, m, n); outer and inner products without `bmm`, slow there."""
    if a.shape[2] == 1:
        return a * b
    if a.shape[1] == 1 and b.shape[2] == 1:
        return (a.transpose(1, 2) * b).sum(1, keepdim=True)
    return torch.bmm(a, b)

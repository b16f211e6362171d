"""The one kind of step that a program is made of: a batched matrix product, there and back."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_GATHER_FROM = 512
_WIDE = 32
_SQUARE = 8


class Layout:
    """How a tensor becomes a 3-dimensional operand: permute, reshape, transpose.

    A permutation of many short axes is done by a gather along a map made beforehand, several times
    faster than a strided copy; long rows, and transpositions of two long axes, are copied.

    Args:
        view: axes of the tensor, those that stay neighbours as one.
        order: how they are permuted.
        shape: of the operand before it is transposed.
        transpose: whether its last two axes change places, which copies nothing.
    """

    def __init__(
        self,
        view: tuple[int, ...],
        order: tuple[int, ...],
        shape: tuple[int, int, int],
        *,
        transpose: bool,
    ) -> None:
        self.shape, self.transpose = shape, transpose
        self.moves = len(order) > 1
        self._view, self._order = view, order
        self._undo_view = tuple(view[axis] for axis in order)
        self._undo_order = tuple(sorted(range(len(order)), key=lambda place: order[place]))
        lead = 1 if self.moves and order[0] == 0 else 0
        last = len(order) - 1 if self.moves and order[-1] == len(order) - 1 else len(order)
        middle = view[lead:last]
        self._rows, self._tail = math.prod(view[:lead]), math.prod(view[last:])
        self._maps: dict[torch.device, tuple[Tensor, Tensor]] | None = None
        square = self._tail == 1 and len(middle) == 2 and min(middle) >= _SQUARE
        if self.moves and math.prod(view) >= _GATHER_FROM and self._tail < _WIDE and not square:
            self._maps = {}

    def __call__(self, tensor: Tensor) -> Tensor:
        """The operand."""
        if self.moves:
            tensor = self._permuted(tensor, self._view, self._order, undo=False)
        tensor = tensor.reshape(self.shape)
        return tensor.transpose(1, 2) if self.transpose else tensor

    def undo(self, stored: Tensor) -> Tensor:
        """The tensor of an operand that is given before its transposition."""
        if not self.moves:
            return stored
        return self._permuted(stored, self._undo_view, self._undo_order, undo=True)

    def _permuted(
        self, tensor: Tensor, view: tuple[int, ...], order: tuple[int, ...], *, undo: bool
    ) -> Tensor:
        if self._maps is None:
            return tensor.reshape(view).permute(order)
        maps = self._maps.get(tensor.device)
        if maps is None:
            maps = self._maps[tensor.device] = self._gather_maps(tensor.device)
        if self._tail == 1:
            return tensor.reshape(self._rows, -1).index_select(1, maps[undo])
        return tensor.reshape(self._rows, -1, self._tail).index_select(1, maps[undo])

    def _gather_maps(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where each entry of the middle axes comes from, and the inverse."""
        lead = 1 if self._order[0] == 0 else 0
        last = len(self._order) - (self._order[-1] == len(self._order) - 1)
        middle = self._view[lead:last]
        index = torch.arange(math.prod(middle), dtype=torch.int32, device=device).reshape(middle)
        forwards = index.permute([axis - lead for axis in self._order[lead:last]]).flatten()
        return forwards, torch.argsort(forwards).to(torch.int32)


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

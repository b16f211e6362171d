"""How a tensor's entries are rearranged before a step takes them."""

import math
from typing import Literal

import torch
from torch import Tensor

from contractions.instructions import Instruction, Permutation, gather_map

_WIDE = 32  # entries side by side from which a strided copy is as fast as a gather: measured

Side = Literal["left", "right"]


class Layout:
    """How a tensor becomes a 3-dimensional operand: permute, reshape, transpose.

    A permutation is done by a gather along a map made beforehand, several times faster than a
    strided copy; long rows are copied.

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
        if not self.moves:
            return
        lead = 1 if order[0] == 0 else 0
        last = len(order) - 1 if order[-1] == len(order) - 1 else len(order)
        self._middle = slice(lead, last)
        self._rows, self._tail = math.prod(view[:lead]), math.prod(view[last:])
        self._maps: dict[torch.device, Tensor] = {}
        self._gathers = self._tail < _WIDE

    def __call__(self, tensor: Tensor) -> Tensor:
        """The operand."""
        if self.moves:
            tensor = self._permuted(tensor)
        tensor = tensor.reshape(self.shape)
        return tensor.transpose(1, 2) if self.transpose else tensor

    def operand(self, stored: Tensor) -> Tensor:
        """The operand, a view of the permuted entries."""
        stored = stored.view(self.shape)
        return stored.transpose(1, 2) if self.transpose else stored

    def mover(self, source: Tensor, target: Tensor, *, undo: bool = False) -> Instruction:
        """An instruction that permutes the entries of one flat tensor into another, or back."""
        view, order = self._axes(undo=undo)
        if not self._gathers:
            moved = target.view([view[axis] for axis in order])
            return Instruction("copy", (source.view(view).permute(order), moved))
        shape = (self._rows, -1) if self._tail == 1 else (self._rows, -1, self._tail)
        views = source.view(shape), target.view(shape)
        return Instruction("gather", views, (self._gathered(undo=undo),))

    def permutation(self, *, undo: bool = False) -> Permutation:
        """Of the entries of a flat tensor, or back."""
        return Permutation(*self._axes(undo=undo))

    def _permuted(self, tensor: Tensor) -> Tensor:
        if not self._gathers:
            return tensor.reshape(self._view).permute(self._order)
        places = self._maps.get(tensor.device)
        if places is None:
            places = gather_map((self._gathered(undo=False),), tensor.device)
            self._maps[tensor.device] = places
        if self._tail == 1:
            return tensor.reshape(self._rows, -1).index_select(1, places)
        return tensor.reshape(self._rows, -1, self._tail).index_select(1, places)

    def _axes(self, *, undo: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes before they are permuted, and how they are; or back."""
        if not undo:
            return self._view, self._order
        back = sorted(range(len(self._order)), key=self._order.__getitem__)
        return tuple([self._view[axis] for axis in self._order]), tuple(back)

    def _gathered(self, *, undo: bool) -> Permutation:
        """Of the axes between those that stay first and last, or back."""
        view, order = self._axes(undo=undo)
        axes = tuple([axis - self._middle.start for axis in order[self._middle]])
        return Permutation(view[self._middle], axes)

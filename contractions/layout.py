"""How a tensor's entries are rearranged before a step takes them."""

import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from contractions.calls import Call

_GATHER_FROM = 512
_WIDE = 32
_SQUARE = 8

Side = Literal["left", "right"]


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
        self._middle = slice(lead, last)
        middle = view[self._middle]
        self._rows, self._tail = math.prod(view[:lead]), math.prod(view[last:])
        self._maps: dict[torch.device, tuple[Tensor, Tensor]] | None = None
        square = self._tail == 1 and len(middle) == 2 and min(middle) >= _SQUARE
        if self.moves and math.prod(view) >= _GATHER_FROM and self._tail < _WIDE and not square:
            self._maps = {}

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

    def mover(self, source: Tensor, target: Tensor, *, undo: bool = False) -> Call:
        """A call that permutes the entries of one flat tensor into another, or back."""
        view, order = self._view, self._order
        if undo:
            view, order = self._undo_view, self._undo_order
        if self._maps is None:
            moved = target.view([view[axis] for axis in order])
            return partial(moved.copy_, source.view(view).permute(order))
        maps = self._maps_on(source.device)
        shape = (self._rows, -1) if self._tail == 1 else (self._rows, -1, self._tail)
        return partial(
            torch.index_select, source.view(shape), 1, maps[undo], out=target.view(shape)
        )

    def _permuted(self, tensor: Tensor) -> Tensor:
        if self._maps is None:
            return tensor.reshape(self._view).permute(self._order)
        forwards, _ = self._maps_on(tensor.device)
        if self._tail == 1:
            return tensor.reshape(self._rows, -1).index_select(1, forwards)
        return tensor.reshape(self._rows, -1, self._tail).index_select(1, forwards)

    def _maps_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        assert self._maps is not None  # noqa: S101 - only gathers come here
        maps = self._maps.get(device)
        if maps is None:
            with torch._C._DisableFuncTorch():
                maps = self._maps[device] = self._gather_maps(device)
        return maps

    def _gather_maps(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where each entry of the middle axes comes from, and the inverse."""
        middle = self._view[self._middle]
        order = [axis - self._middle.start for axis in self._order[self._middle]]
        index = torch.arange(math.prod(middle), dtype=torch.int32, device=device)
        back = index.reshape([middle[axis] for axis in order])
        undo = sorted(range(len(order)), key=lambda place: order[place])
        return index.reshape(middle).permute(order).flatten(), back.permute(undo).flatten()

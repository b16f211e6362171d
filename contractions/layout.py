"""How a tensor's entries are rearranged before a step takes them."""

import math
from functools import partial
from typing import Literal
from weakref import WeakValueDictionary

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
        self._maps: dict[torch.device, _Maps] | None = None
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
        chosen = maps.back if undo else maps.there
        shape = (self._rows, -1) if self._tail == 1 else (self._rows, -1, self._tail)
        return partial(torch.index_select, source.view(shape), 1, chosen, out=target.view(shape))

    def _permuted(self, tensor: Tensor) -> Tensor:
        if self._maps is None:
            return tensor.reshape(self._view).permute(self._order)
        forwards = self._maps_on(tensor.device).there
        if self._tail == 1:
            return tensor.reshape(self._rows, -1).index_select(1, forwards)
        return tensor.reshape(self._rows, -1, self._tail).index_select(1, forwards)

    def _maps_on(self, device: torch.device) -> "_Maps":
        assert self._maps is not None  # noqa: S101 - only gathers come here
        maps = self._maps.get(device)
        if maps is None:
            order = tuple(axis - self._middle.start for axis in self._order[self._middle])
            maps = self._maps[device] = _shared_maps(self._view[self._middle], order, device)
        return maps


class _Maps:
    """Where each entry of permuted axes comes from, and the inverse.

    Args:
        sizes: of the axes.
        order: how they are permuted.
        device: where the maps lie.
    """

    def __init__(
        self, sizes: tuple[int, ...], order: tuple[int, ...], device: torch.device
    ) -> None:
        index = torch.arange(math.prod(sizes), dtype=torch.int32, device=device)
        undo = sorted(range(len(order)), key=lambda place: order[place])
        self.there = index.reshape(sizes).permute(order).flatten()
        self.back = index.reshape([sizes[axis] for axis in order]).permute(undo).flatten()


_SHARED: WeakValueDictionary[object, _Maps] = WeakValueDictionary()


def _shared_maps(sizes: tuple[int, ...], order: tuple[int, ...], device: torch.device) -> _Maps:
    """The maps, which all layouts share that permute alike."""
    maps = _SHARED.get((sizes, order, device))
    if maps is None:
        with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
            maps = _SHARED[sizes, order, device] = _Maps(sizes, order, device)
    return maps

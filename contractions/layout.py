"""How a tensor's entries are rearranged before a step takes them."""

import math
from functools import partial
from typing import Literal
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contractions.calls import Call

_GATHER_FROM = 512
_WIDE = 32
_SQUARE = 8
_MOST_SHORT = 2**31  # entries that 32 bits can count

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
        if not self.moves:
            return
        lead = 1 if order[0] == 0 else 0
        last = len(order) - 1 if order[-1] == len(order) - 1 else len(order)
        self._middle = slice(lead, last)
        middle = view[self._middle]
        self._rows, self._tail = math.prod(view[:lead]), math.prod(view[last:])
        self._maps: dict[tuple[torch.device, bool], Tensor] = {}
        square = self._tail == 1 and len(middle) == 2 and min(middle) >= _SQUARE
        large = math.prod(view) >= _GATHER_FROM
        self._gathers = large and self._tail < _WIDE and not square

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
        view, order = self._axes(undo=undo)
        if not self._gathers:
            moved = target.view([view[axis] for axis in order])
            return partial(moved.copy_, source.view(view).permute(order))
        places = self._places(source.device, undo=undo)
        shape = (self._rows, -1) if self._tail == 1 else (self._rows, -1, self._tail)
        return partial(torch.index_select, source.view(shape), 1, places, out=target.view(shape))

    def _permuted(self, tensor: Tensor) -> Tensor:
        if not self._gathers:
            return tensor.reshape(self._view).permute(self._order)
        places = self._places(tensor.device, undo=False)
        if self._tail == 1:
            return tensor.reshape(self._rows, -1).index_select(1, places)
        return tensor.reshape(self._rows, -1, self._tail).index_select(1, places)

    def _axes(self, *, undo: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes before they are permuted, and how they are; or back."""
        if not undo:
            return self._view, self._order
        back = sorted(range(len(self._order)), key=self._order.__getitem__)
        return tuple([self._view[axis] for axis in self._order]), tuple(back)

    def _places(self, device: torch.device, *, undo: bool) -> Tensor:
        """Where each entry of the permuted axes comes from, or goes back to."""
        places = self._maps.get((device, undo))
        if places is None:
            view, order = self._axes(undo=undo)
            axes = tuple([axis - self._middle.start for axis in order[self._middle]])
            places = self._maps[device, undo] = _shared_map(view[self._middle], axes, device)
        return places


_SHARED: WeakValueDictionary[object, Tensor] = WeakValueDictionary()


def _shared_map(sizes: tuple[int, ...], order: tuple[int, ...], device: torch.device) -> Tensor:
    """Where each entry comes from when axes are permuted; all layouts share it that do so."""
    places = _SHARED.get((sizes, order, device))
    if places is None:
        with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
            places = torch.from_numpy(_map(sizes, order)).to(device)
        _SHARED[sizes, order, device] = places
    return places


def _map(sizes: tuple[int, ...], order: tuple[int, ...]) -> NDArray[np.signedinteger]:
    """The same as numbers: what the leading axes contribute plus what the others do."""
    dtype = np.int32 if math.prod(sizes) <= _MOST_SHORT else np.int64
    moved = np.arange(math.prod(sizes), dtype=dtype).reshape(sizes).transpose(order)
    half = len(order) // 2
    leading = moved[(slice(None),) * half + (0,) * (len(order) - half)]
    places: NDArray[np.signedinteger] = np.add.outer(leading.ravel(), moved[(0,) * half].ravel())
    return places.ravel()

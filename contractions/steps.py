"""The one kind of step that a program is made of: a batched matrix product, there and back."""

import math
from dataclasses import dataclass
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
        middle = view[lead:last]
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
            maps = self._maps[device] = self._gather_maps(device)
        return maps

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

    @property
    def sides(self) -> tuple[tuple[Side, Layout, int], tuple[Side, Layout, int]]:
        """For either operand its name, its layout and the node it comes from."""
        return ("left", self.left_layout, self.left), ("right", self.right_layout, self.right)

    @property
    def scratch_entries(self) -> int:
        """What the product, there or back, needs room for beside its result; see `writer`."""
        g, m, n = self.shape
        k = math.prod(self.left_layout.shape) // (g * m)
        return g * max(m, n, k) if sorted((m, n, k))[1] == 1 else 0

    def pull(
        self,
        side: Side,
        cotangent: Tensor,  # (g, m, n)
        *,
        a: Tensor,  # (g, m, k)
        b: Tensor,  # (g, k, n)
    ) -> tuple[Tensor, Tensor]:
        """Two operands whose product is the cotangent of one side before its transposition."""
        if side == "left":
            back, other = self.left_layout.transpose, b.conj()
            if back:
                return other, cotangent.transpose(1, 2)
            return cotangent, other.transpose(1, 2)
        back, other = self.right_layout.transpose, a.conj()
        if back:
            return cotangent.transpose(1, 2), other
        return other.transpose(1, 2), cotangent


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


def writer(
    a: Tensor,  # (g, m, k)
    b: Tensor,  # (g, k, n)
    *,
    out: Tensor,  # (g, m, n)
    scratch: Tensor,  # (g * k,) or more where m and n are 1
) -> list[Call]:
    """Calls that write the batched matrix product into `out`; as `product` computes it."""
    if a.shape[2] == 1:
        return [partial(torch.mul, a, b, out=out)]
    if a.shape[1] == 1 and b.shape[2] == 1:
        terms = scratch[: b.numel()].view(b.shape)
        return [
            partial(torch.mul, a.transpose(1, 2), b, out=terms),
            partial(torch.sum, terms, (1,), keepdim=True, out=out),
        ]
    return [partial(torch.bmm, a, b, out=out)]

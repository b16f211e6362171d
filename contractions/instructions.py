"""What a program's steps are made of: few operations, each on memory that stays where it is."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contractions.calls import Call
from contractions.scaling import divided, scale_of

_FEW, _LONG, _SMALL, _MOST_PARTS = 16, 4096, 1024, 256
_MOST_SHORT = 2**31  # entries that 32 bits can count
_NARROW = 4  # bytes of an entry that torch gathers as fast as numpy: measured
_SHARED = 2**20  # bytes from which on two threads gather faster than numpy does: measured
_ITEMS = {8: torch.float64, 16: torch.complex128}  # by bytes
_Places = NDArray[np.signedinteger]


class Permutation(NamedTuple):
    """How axes are permuted.

    Attributes:
        sizes: of the axes before.
        order: for each axis behind which one it was.
    """

    sizes: tuple[int, ...]
    order: tuple[int, ...]


class Instruction(NamedTuple):
    """One operation on views of a block of memory.

    Attributes:
        operation: its name, among `OPERATIONS`.
        views: what it works on, the last being what it writes; it may read that too.
        permutations: of a gather's entries, one stretch after another.
    """

    operation: str
    views: tuple[Tensor, ...]
    permutations: tuple[Permutation, ...] = ()


def _product(
    a: Tensor,  # (g, m, k)
    b: Tensor,  # (g, k, n)
    scratch: Tensor,  # flat, of `parts(g, k, m * n) * m * n` entries or more, written too
    out: Tensor,  # (g, m, n)
) -> list[Call]:
    """The batched matrix product."""
    if a.is_cuda:
        (g, m, k), n = a.shape, b.shape[2]
        count = parts(g, k, m * n)
        if count:
            return _split(a, b, scratch[: count * m * n].view(count, m, n), out)
    return [partial(torch.bmm, a, b, out=out)]


def parts(g: int, length: int, entries: int) -> int:
    """Into how many parts a GPU cuts a long sum of few entries, which would leave it idle, or 0."""
    if g > _FEW or length < _LONG or entries > _SMALL:
        return 0
    count = math.gcd(length, _MOST_PARTS)
    return count if count > 1 else 0


def _split(
    a: Tensor,  # (g, m, k)
    b: Tensor,  # (g, k, n)
    sums: Tensor,  # (parts, m, n)
    out: Tensor,  # (g, m, n)
) -> list[Call]:
    """The product as a sum of parts that run at once."""
    calls: list[Call] = []
    for left, right, target in zip(a, b, out, strict=True):
        first = left.unflatten(1, (len(sums), -1)).transpose(0, 1)
        second = right.unflatten(0, (len(sums), -1))
        calls.append(partial(torch.bmm, first, second, out=sums))
        calls.append(partial(torch.sum, sums, (0,), out=target))
    return calls


def _multiply(a: Tensor, b: Tensor, out: Tensor) -> list[Call]:
    return [partial(torch.mul, a, b, out=out)]


def _add_product(a: Tensor, b: Tensor, out: Tensor) -> list[Call]:
    return [partial(torch.addcmul, out, a, b, out=out)]


def _sum(a: Tensor, out: Tensor) -> list[Call]:
    return [partial(torch.sum, a, (1,), keepdim=True, out=out)]


def _copy(source: Tensor, out: Tensor) -> list[Call]:
    return [partial(out.copy_, source)]


def _gather(
    source: Tensor,  # (rows, entries) or (rows, entries, tail)
    out: Tensor,  # the same
    places: Tensor,  # (entries,), see `gather_map`
) -> list[Call]:
    width = source[0, 0].numel() * source.element_size()
    if source.is_cuda or width <= _NARROW:
        return [partial(torch.index_select, source, 1, places, out=out)]
    # torch takes entries apart; as single items of so many bytes they move several times faster
    rows = source.flatten(1), out.flatten(1)
    dtype, per_item = _ITEMS.get(width), source[0, 0].numel()
    if source.nbytes >= _SHARED and dtype and not any(r.storage_offset() % per_item for r in rows):
        items, target = (tensor.view(dtype) for tensor in rows)
        return [partial(torch.gather, items, 1, places.expand(len(items), -1), out=target)]
    one, other = (tensor.numpy().view(f"V{width}") for tensor in rows)
    return [partial(one.take, places.numpy(), 1, other, "clip")]


def _rescale(
    scale: Tensor,  # of size 1 where the other is divided by one number alone, written too
    tensor: Tensor,
) -> list[Call]:
    return [
        partial(_rescaled, tensor, scale, [k for k, size in enumerate(scale.shape) if size == 1])
    ]


def _rescaled(tensor: Tensor, scale: Tensor, axes: Sequence[int]) -> None:
    """Divide by the scales, which go to `scale`; see `scale_of`."""
    scale.copy_(scale_of(tensor, axes))
    tensor.copy_(divided(tensor, scale.real))


def _divide(scale: Tensor, out: Tensor) -> list[Call]:
    if out.is_complex():
        out, scale = torch.view_as_real(out), scale.real.unsqueeze(-1)
    return [partial(torch.div, out, scale, out=out)]


OPERATIONS: dict[str, Callable[..., list[Call]]] = {
    "product": _product,
    "multiply": _multiply,
    "add product": _add_product,
    "sum": _sum,
    "copy": _copy,
    "gather": _gather,
    "rescale": _rescale,
    "divide": _divide,
}
"""What an instruction may do: from its views, and a gather's map, the calls that do it."""


_MAPS: WeakValueDictionary[object, Tensor] = WeakValueDictionary()


def gather_map(permutations: tuple[Permutation, ...], device: torch.device) -> Tensor:
    """Where each entry comes from when axes are permuted; all that permute alike share it."""
    places = _MAPS.get((permutations, device))
    if places is None:
        entries = sum(math.prod(permutation.sizes) for permutation in permutations)
        is_short = device.type == "cuda" and entries <= _MOST_SHORT
        dtype = np.int32 if is_short else np.int64  # numpy takes no shorter ones
        with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
            places = torch.from_numpy(_joint_map(permutations, dtype)).to(device)
        _MAPS[permutations, device] = places
    return places


def _joint_map(permutations: Sequence[Permutation], dtype: type[np.signedinteger]) -> _Places:
    """The same as numbers: that of each stretch, counted from where it begins."""
    maps = {permutation: _map(*permutation, dtype) for permutation in dict.fromkeys(permutations)}
    if len(permutations) == 1:
        return maps[permutations[0]]
    begin, shifted = 0, []
    for permutation in permutations:
        shifted.append(begin + maps[permutation])
        begin += len(shifted[-1])
    return np.concatenate(shifted)


def _map(sizes: Sequence[int], order: Sequence[int], dtype: type[np.signedinteger]) -> _Places:
    """Of one stretch."""
    return np.arange(math.prod(sizes), dtype=dtype).reshape(sizes).transpose(order).ravel()

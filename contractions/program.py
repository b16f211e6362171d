"""A path lowered to a flat list of steps over torch tensors, all layouts decided beforehand."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from contractions.network import Network
from contractions.tree import Path, Product, leaf_legs, products

_RESCALE_EVERY = 16

Order = tuple[int, ...]
"""Indices in the order of a tensor's axes."""


class Scaled(NamedTuple):
    """A result that neither underflows nor overflows: ``mantissa * exp(log_scale)``.

    Attributes:
        mantissa: of modulus 1, or 0 where the result is exactly 0. It carries gradients, with
            `log_scale` held constant: they are derivatives of the result over its modulus.
        log_scale: natural logarithm of the modulus, of the same shape; real, without gradient.
    """

    mantissa: Tensor
    log_scale: Tensor


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a tensor becomes a 3-dimensional operand: view, permute, reshape, transpose."""

    view: tuple[int, ...]
    order: tuple[int, ...]
    shape: tuple[int, int, int]
    transpose: bool

    def __call__(self, tensor: Tensor) -> Tensor:
        if len(self.order) > 1:
            tensor = tensor.reshape(self.view).permute(self.order)
        tensor = tensor.reshape(self.shape)
        return tensor.transpose(1, 2) if self.transpose else tensor


@dataclass(frozen=True, slots=True)
class _Step:
    """One product ``c[g, m, n] = sum_k a[g, m, k] b[g, k, n]`` and where it takes a and b from."""

    left: int
    right: int
    left_layout: _Layout
    right_layout: _Layout
    summed: int
    rows: int
    columns: int

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        a, b = self.left_layout(left), self.right_layout(right)
        if self.summed == 1:
            return a * b
        if self.rows == 1 and self.columns == 1:
            return (a.transpose(1, 2) * b).sum(1)
        return torch.bmm(a, b)


@dataclass(frozen=True, slots=True)
class _Rescale:
    """Where a scaled contraction divides by the largest modulus, one for each entry of `lead`."""

    lead: Order
    shape: tuple[int, int]


@dataclass(frozen=True)
class _Consumer:
    """What the next step does with a tensor: `other` is its partner, `step` its number."""

    step: int
    other: frozenset[int]
    output: frozenset[int]
    summed_at: dict[int, int]

    def kind(self, index: int) -> str:
        """Whether the next step keeps the index shared, sums it, or passes it on."""
        if index not in self.other:
            return "free"
        return "summed" if self.summed_at.get(index) == self.step else "shared"

    def rank(self, index: int) -> tuple[int, float, int]:
        """Leading first: the output, what the next step keeps shared, then what lives longest."""
        group = 0 if index in self.output else 1 if self.kind(index) == "shared" else 2
        return group, -self.summed_at.get(index, math.inf), index

    def takes(self, order: Order) -> bool:
        """Whether the next step can take a tensor of this order without a permuted copy."""
        kinds = [self.kind(index) for index in order]
        blocks = [
            kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind
        ]
        return blocks == sorted(set(blocks), key=blocks.index) and "shared" not in blocks[1:]


class Program:
    """The steps of one path for fixed sizes; differentiable, and usable under `torch.func`.

    Args:
        network: what is contracted.
        path: the pairs, in the order in which they run.
    """

    def __init__(self, network: Network, path: Path) -> None:
        self._inputs, self._output, self._sizes = network.numbered
        self._orders = [
            tuple(dict.fromkeys(index for index in term if index in kept))
            for term, kept in zip(self._inputs, leaf_legs(network), strict=True)
        ]
        self._steps: list[tuple[_Step, _Rescale | None]] = []
        self._lower(list(products(network, path)))
        final = self._orders[-1]
        self._final_view = tuple(self._sizes[index] for index in final)
        self._final_order = tuple(final.index(index) for index in self._output)

    def _size(self, legs: Iterable[int]) -> int:
        return math.prod(self._sizes[index] for index in legs)

    def _lower(self, todo: Sequence[Product]) -> None:
        leaves, output = len(self._inputs), frozenset(self._output)
        summed_at: dict[int, int] = {}
        consumers: dict[int, _Consumer] = {}
        for number, product in enumerate(todo):
            for index in (product.left_legs | product.right_legs) - product.legs:
                summed_at[index] = number
            for node, other in (
                (product.left, product.right_legs),
                (product.right, product.left_legs),
            ):
                consumers[node] = _Consumer(number, other, output, summed_at)
        last = _Consumer(len(todo), frozenset(), output, summed_at)
        unscaled = [1] * leaves
        for number, product in enumerate(todo):
            step, order = self._lower_product(product, consumers.get(leaves + number, last))
            self._orders.append(order)
            unscaled.append(unscaled[product.left] + unscaled[product.right])
            rescale = None
            if unscaled[-1] >= _RESCALE_EVERY:
                unscaled[-1] = 0
                first = next(
                    (p for p, index in enumerate(order) if index not in output), len(order)
                )
                rescale = _Rescale(
                    order[:first], (self._size(order[:first]), self._size(order[first:]))
                )
            self._steps.append((step, rescale))

    def _lower_product(self, product: Product, consumer: _Consumer) -> tuple[_Step, Order]:
        """The step of a product, and the order of its result's indices."""
        large, small = product.left, product.right
        if self._size(product.left_legs) < self._size(product.right_legs):
            large, small = small, large
        ours, theirs = self._orders[large], self._orders[small]
        common = set(ours) & set(theirs)
        shared = tuple(index for index in ours if index in common & product.legs)
        summed = tuple(index for index in ours if index in common - product.legs)
        rows = tuple(index for index in ours if index not in common)
        columns = tuple(index for index in theirs if index not in common)
        if ours not in (shared + rows + summed, shared + summed + rows):
            shared = tuple(sorted(shared, key=consumer.rank))
            rows = tuple(sorted(rows, key=consumer.rank))
            large_order = shared + rows + summed
        else:
            large_order = ours
        if theirs in (shared + summed + columns, shared + columns + summed):
            small_order = theirs
        else:
            columns = tuple(sorted(columns, key=consumer.rank))
            small_order = shared + summed + columns
        node = {
            "large": (large, ours, large_order, rows),
            "small": (small, theirs, small_order, columns),
        }
        first, second = node["large"], node["small"]
        if not consumer.takes(shared + rows + columns) and consumer.takes(shared + columns + rows):
            first, second = second, first
        step = _Step(
            left=first[0],
            right=second[0],
            left_layout=self._layout(*first[1:], shared, summed, rows_lead=True),
            right_layout=self._layout(*second[1:], shared, summed, rows_lead=False),
            summed=self._size(summed),
            rows=self._size(first[3]),
            columns=self._size(second[3]),
        )
        return step, shared + first[3] + second[3]

    def _layout(
        self,
        have: Order,
        want: Order,
        free: Order,
        shared: Order,
        summed: Order,
        *,
        rows_lead: bool,
    ) -> _Layout:
        """The layout of an operand that lies in order `have` and is brought to order `want`."""
        sizes = (self._size(shared), self._size(free), self._size(summed))
        free_first = want == shared + free + summed
        shape = sizes if free_first else (sizes[0], sizes[2], sizes[1])
        blocks: list[list[int]] = []
        for index in have:  # neighbours that stay neighbours move as one axis
            if blocks and want.index(index) == want.index(blocks[-1][-1]) + 1:
                blocks[-1].append(index)
            else:
                blocks.append([index])
        order = sorted(range(len(blocks)), key=lambda block: want.index(blocks[block][0]))
        return _Layout(
            view=tuple(self._size(block) for block in blocks),
            order=tuple(order),
            shape=shape,
            transpose=free_first != rows_lead,
        )

    def _leaves(self, arrays: Sequence[Tensor]) -> list[Tensor | None]:
        """The tensors with repeated indices taken as diagonals and lonely ones summed."""
        return [
            array if term == order else torch.einsum(array, _local(term, term), _local(term, order))
            for array, term, order in zip(arrays, self._inputs, self._orders, strict=False)
        ]

    def _finish(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(self._final_view).permute(self._final_order)

    def run(self, arrays: Sequence[Tensor]) -> Tensor:
        """The contracted network; axes as the network's output."""
        nodes = self._leaves(arrays)
        for step, _ in self._steps:
            nodes.append(step(*_take(nodes, step)))
        result = nodes[-1]
        assert result is not None  # noqa: S101 - the last node has no consumer
        return self._finish(result)

    def run_scaled(self, arrays: Sequence[Tensor]) -> Scaled:
        """The contracted network as mantissa and logarithm, rescaled along the way."""
        nodes = self._leaves(arrays)
        real = arrays[0].real.dtype if arrays[0].is_complex() else arrays[0].dtype
        log_scale = torch.zeros(
            [self._sizes[index] for index in self._output], dtype=real, device=arrays[0].device
        )
        for step, rescale in self._steps:
            result = step(*_take(nodes, step))
            if rescale is not None:
                result, logarithm = _normalise(result.reshape(rescale.shape))
                log_scale = log_scale + self._spread(logarithm, rescale.lead)
            nodes.append(result)
        final = nodes[-1]
        assert final is not None  # noqa: S101 - the last node has no consumer
        flat = self._finish(final)
        mantissa, logarithm = _normalise(flat.reshape(-1, 1))
        return Scaled(mantissa.reshape(flat.shape), log_scale + logarithm.reshape(flat.shape))

    def _spread(self, values: Tensor, legs: Order) -> Tensor:
        """Values over `legs`, shaped to broadcast against the output."""
        present = [index for index in self._output if index in legs]
        values = values.reshape([self._sizes[index] for index in legs])
        values = values.permute([legs.index(index) for index in present])
        return values.reshape(
            [self._sizes[index] if index in legs else 1 for index in self._output]
        )


def _local(term: Sequence[int], order: Sequence[int]) -> list[int]:
    """Indices renamed to small numbers, for `torch.einsum`."""
    names = {index: name for name, index in enumerate(dict.fromkeys(term))}
    return [names[index] for index in order]


def _take(nodes: list[Tensor | None], step: _Step) -> tuple[Tensor, Tensor]:
    """The operands of a step, forgotten by the list so that their memory can go."""
    left, right = nodes[step.left], nodes[step.right]
    assert left is not None and right is not None  # noqa: S101, PT018 - each is used once
    nodes[step.left] = nodes[step.right] = None
    return left, right


def _normalise(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Rows divided by their largest modulus, and its logarithm; a zero row keeps its zeros."""
    scale = tensor.detach().abs().amax(1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1)
    return tensor / scale, scale.log()

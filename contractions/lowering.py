"""Lowering: which steps a path is made of, with the order of every tensor's axes decided."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from contractions.lanes import LaneStep
from contractions.layout import Layout
from contractions.network import LANES, Network, Order
from contractions.scaling import Rescale
from contractions.steps import MatrixStep, Step
from contractions.tree import Path, Product, leaf_legs, products

_RESCALE_EVERY, _RESCALE_BITS = 16, 32  # tensors; bits of what products and sums make of them
_SCALED_BITS = 1.5  # of a modulus whose parts are below 2
_TINY = 2048  # multiplications of a matrix product up to which lanes pay


@dataclass(frozen=True)
class _Consumer:
    """What the next step does with a tensor: `other` is its partner, `step` its number.

    `lane` is an index that stays last.
    """

    step: int
    lane: int | None
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
        if index == self.lane:
            group = 3
        return group, -self.summed_at.get(index, math.inf), index

    def takes(self, order: Order) -> bool:
        """Whether the next step can take a tensor of this order without a permuted copy."""
        kinds = [self.kind(index) for index in order]
        blocks = [
            kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind
        ]
        return blocks == sorted(set(blocks), key=blocks.index) and "shared" not in blocks[1:]


class Lowered:
    """The steps of a path.

    The order of the axes is decided from the next consumer backwards: what it keeps shared leads,
    what it sums comes last, so that large tensors are seldom permuted.

    Steps and orders are decided when one of them is first asked for.

    Args:
        network: what is contracted.
        path: the pairs, in the order in which they run.
    """

    def __init__(self, network: Network, path: Path) -> None:
        self.network, self.path = network, path
        _, self._output, self._sizes = network.numbered
        self._lane = network.lane

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled one is decided anew where it is loaded."""
        return Lowered, (self.network, self.path)

    @cached_property
    def leaf_orders(self) -> list[Order]:
        """For every tensor the order of those axes that its steps know."""
        terms, legs = self.network.numbered[0], leaf_legs(self.network)
        return [
            tuple(dict.fromkeys(index for index in term if index in kept))
            for term, kept in zip(terms, legs, strict=True)
        ]

    @property
    def orders(self) -> list[Order]:
        """For every node, tensors first, the order of its axes."""
        return self._lowered[0]

    @property
    def steps(self) -> list[tuple[Step, Rescale | None]]:
        """Each with where a scaled contraction rescales its result, or None."""
        return self._lowered[1]

    def _size(self, legs: Iterable[int]) -> int:
        return math.prod(map(self._sizes.__getitem__, legs))

    def size_of(self, node: int) -> int:
        """The number of entries of a node."""
        return self._entries[node]

    @cached_property
    def _entries(self) -> list[int]:
        return [self._size(order) for order in self.orders]

    @cached_property
    def _lowered(self) -> tuple[list[Order], list[tuple[Step, Rescale | None]]]:
        """The orders and the steps."""
        todo = list(products(self.network, self.path))
        orders = list(self.leaf_orders)
        steps: list[tuple[Step, Rescale | None]] = []
        leaves, output = len(orders), frozenset(self._output)
        summed_at: dict[int, int] = {}
        consumers: dict[int, _Consumer] = {}
        for number, product in enumerate(todo):
            for index in (product.left_legs | product.right_legs) - product.legs:
                summed_at[index] = number
            for node, other in (
                (product.left, product.right_legs),
                (product.right, product.left_legs),
            ):
                consumers[node] = _Consumer(number, self._lane, other, output, summed_at)
        last = _Consumer(len(todo), self._lane, frozenset(), output, summed_at)
        # since the last rescale: tensors, and bits that entries may have at most
        unscaled = [(1, _SCALED_BITS)] * leaves
        for number, product in enumerate(todo):
            consumer = consumers.get(leaves + number, last)
            step, order = self._lower_product(product, orders, consumer)
            orders.append(order)
            (one, grown), (two, grown_too) = unscaled[product.left], unscaled[product.right]
            summed = (product.left_legs | product.right_legs) - product.legs
            tensors, bits = one + two, grown + grown_too + math.log2(self._size(summed))
            rescale = None
            if tensors >= _RESCALE_EVERY or bits >= _RESCALE_BITS:
                tensors, bits = 0, _SCALED_BITS
                rescale = Rescale.of(order, self.network)
            unscaled.append((tensors, bits))
            steps.append((step, rescale))
        return orders, steps

    def _lower_product(
        self, product: Product, orders: Sequence[Order], consumer: _Consumer
    ) -> tuple[Step, Order]:
        """The step of a product, and the order of its result's indices."""
        large, small = product.left, product.right
        if self._size(product.left_legs) < self._size(product.right_legs):
            large, small = small, large
        ours, theirs = orders[large], orders[small]
        common = [index for index in ours if index in theirs]
        shared = tuple([index for index in common if index in product.legs])
        summed = tuple([index for index in common if index not in product.legs])
        rows = tuple([index for index in ours if index not in common])
        columns = tuple([index for index in theirs if index not in common])
        lanes = self._lanes(ours, theirs)
        if lanes and self._size(rows + columns + summed) <= _TINY:
            operands = (large, ours), (small, theirs)
            return self._lower_lanes(operands, lanes, shared + rows + columns, consumer)
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
        first, second = (large, ours, large_order, rows), (small, theirs, small_order, columns)
        if self._lane is not None and self._lane in rows + columns:
            if self._lane in rows:
                first, second = second, first
        elif not consumer.takes(shared + rows + columns) and consumer.takes(
            shared + columns + rows
        ):
            first, second = second, first
        g, m, n, k = map(self._size, (shared, first[3], second[3], summed))
        step = MatrixStep(
            left=first[0],
            right=second[0],
            left_layout=self._layout(*first[1:], shared, (g, m, k), rows_lead=True),
            right_layout=self._layout(*second[1:], shared, (g, n, k), rows_lead=False),
            shape=(g, m, n),
        )
        return step, shared + first[3] + second[3]

    def _lanes(self, ours: Order, theirs: Order) -> Order:
        """The axes of the output in both tensors, if they are many entries and the same."""
        if self._lane is not None:
            return (self._lane,) if self._lane in ours and self._lane in theirs else ()
        lanes = tuple(sorted([index for index in self._output if index in ours]))
        if any(index in theirs for index in self._output if index not in lanes):
            return ()
        are_in_both = all(index in theirs for index in lanes)
        return lanes if are_in_both and self._size(lanes) >= LANES else ()

    def _lower_lanes(
        self,
        operands: tuple[tuple[int, Order], tuple[int, Order]],
        lanes: Order,
        legs: Order,
        consumer: _Consumer,
    ) -> tuple[Step, Order]:
        """The step of a product of tiny matrices, its lanes last in memory."""
        wants, layouts = [], []
        for _, have in operands:
            want = tuple(index for index in have if index not in lanes) + lanes
            view, order = self._moves(have, want)
            wants.append(want)
            layouts.append(Layout(view, order, (1, 1, self._size(have)), transpose=False))
        kinds = ("shared", "summed", "free")  # as the next step may take it for a matrix
        kept = [index for index in legs if index not in lanes]
        order = (*sorted(kept, key=lambda index: kinds.index(consumer.kind(index))), *lanes)
        step = LaneStep(
            left=operands[0][0],
            right=operands[1][0],
            left_layout=layouts[0],
            right_layout=layouts[1],
            left_legs=wants[0],
            right_legs=wants[1],
            legs=order,
            sizes=tuple(self._sizes),
        )
        return step, order

    def _moves(self, have: Order, want: Order) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Axes, those that stay neighbours as one, and how they are permuted."""
        if have == want:
            return (self._size(have),), (0,)
        places = [want.index(index) for index in have]
        starts = [k for k, place in enumerate(places) if k == 0 or place != places[k - 1] + 1]
        view = [self._size(have[a:b]) for a, b in pairwise([*starts, len(have)])]
        order = sorted(range(len(starts)), key=lambda block: places[starts[block]])
        return tuple(view), tuple(order)

    def _layout(
        self,
        have: Order,
        want: Order,
        free: Order,
        shared: Order,
        sizes: tuple[int, int, int],
        *,
        rows_lead: bool,
    ) -> Layout:
        """The layout of an operand that is brought to order `want`.

        Args:
            have: its axes as they are.
            want: as the step takes them: shared ones, then free and summed ones in either order.
            free: the free ones.
            shared: the shared ones.
            sizes: of the shared, the free and the summed ones.
            rows_lead: whether the free ones come before the summed ones in the product.
        """
        free_first = want[len(shared) : len(shared) + len(free)] == free
        shape = sizes if free_first else (sizes[0], sizes[2], sizes[1])
        view, order = self._moves(have, want)
        return Layout(view, order, shape, transpose=free_first != rows_lead)

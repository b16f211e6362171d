"""The order of a contraction as pairs, and what each step of it costs."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from contractions.machine import Machine
from contractions.network import Network

Path = tuple[tuple[int, int], ...]
"""Pairs of node numbers; tensor t is node t, and the k-th pair makes node (tensors + k)."""


@dataclass(frozen=True)
class Cost:
    """What a plan is predicted to cost.

    Attributes:
        operations: floating-point operations (one multiplication and one addition are two; a
            complex multiply-add is eight).
        bytes_moved: bytes read and written by all steps.
        peak_bytes: the most memory held at once, permuted copies included.
        width: contraction width, log2 of the entries of the largest intermediate.
        steps: number of pairwise products.
        slices: parts that the contraction is cut into (1: uncut).
        seconds: predicted time on the machine that the plan was made for.
    """

    operations: float
    bytes_moved: float
    peak_bytes: int
    width: float
    steps: int
    slices: int
    seconds: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.seconds:.3g} s predicted, {self.operations:.3g} operations, "
            f"{self.bytes_moved / 1e6:.3g} MB moved, {self.peak_bytes / 1e6:.3g} MB peak, "
            f"width {self.width:.1f}, {self.steps} steps"
        )


@dataclass(frozen=True)
class Product:
    """One pairwise product of a path: two nodes and their indices before and after."""

    left: int
    right: int
    left_legs: frozenset[int]
    right_legs: frozenset[int]
    legs: frozenset[int]


def symbol_of(index: int) -> str:
    """A letter for an index, as cotengrust takes it; none is half of a surrogate pair."""
    return chr(index + 0x100 if index < 0xD000 else index + 0x1000)


def leaf_legs(network: Network) -> list[frozenset[int]]:
    """The indices of each tensor after what only it holds is summed."""
    inputs, output, _ = network.numbered
    owners = Counter(index for term in inputs for index in set(term))
    kept = set(output)
    return [
        frozenset(index for index in term if index in kept or owners[index] > 1) for term in inputs
    ]


def products(network: Network, path: Sequence[tuple[int, int]]) -> Iterator[Product]:
    """The pairwise products of a path, in order, with the legs of each result."""
    legs = leaf_legs(network)
    output = set(network.numbered[1])
    owners = Counter(index for term in legs for index in term)
    for left, right in path:
        a, b = legs[left], legs[right]
        for index in a & b:
            owners[index] -= 1
        result = frozenset(index for index in a | b if index in output or owners[index] > 1)
        for index in (a | b) - result:
            del owners[index]
        legs.append(result)
        yield Product(left, right, a, b, result)


def cost(
    network: Network,
    path: Sequence[tuple[int, int]],
    *,
    machine: Machine,
    dtype: str,
    gradient: bool,
) -> Cost:
    """The predicted cost of a contraction, its reverse pass included when `gradient` is true.

    Each step takes the longer of its arithmetic and its memory traffic at the machine's rates for
    steps, plus the machine's measured cost of the smallest one. A reverse pass repeats every step
    twice and keeps every intermediate.
    """
    sizes = network.numbered[2]
    item = machine.itemsize(dtype)
    rates = machine.rates(dtype, lanes=network.lane is not None)
    per_product = 8 if dtype.startswith("complex") else 2
    passes = 3 if gradient else 1

    def entries(legs: frozenset[int]) -> int:
        return math.prod(sizes[index] for index in legs)

    leaves = leaf_legs(network)
    live = sum(entries(legs) for legs in leaves)
    peak, largest = live, max(entries(legs) for legs in leaves)
    operations = moved = seconds = 0.0
    for step in products(network, path):
        a, b, c = entries(step.left_legs), entries(step.right_legs), entries(step.legs)
        products_made = entries(step.left_legs | step.right_legs)
        operations += passes * per_product * products_made
        moved += passes * item * (a + b + c)
        matrices = entries(step.left_legs & step.right_legs & step.legs)
        seconds += passes * rates.seconds(products_made, a + b + c, matrices)
        peak = max(peak, live + a + b + c)
        live += (a + b + c) if gradient else c - a - b
        largest = max(largest, c)
    return Cost(
        operations=operations,
        bytes_moved=moved,
        peak_bytes=item * (peak + (largest if gradient else 0)),
        width=math.log2(largest),
        steps=len(path),
        slices=1,
        seconds=seconds,
    )

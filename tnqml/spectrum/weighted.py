"""Weighted sums over the whole spectrum, sum_d w(d) |C_d|^2, for many weights at once.

Either all coefficients are contracted and squared, or, where they are too many, the network is
joined with a copy of itself through the weights, and no coefficient is ever written down.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import contractions
from contractions import ContractionTooLarge, Cost, Plan, this_machine
from tnqml.spectrum.frequencies import magnitudes, metric
from tnqml.spectrum.network import CoefficientNetwork
from tnqml.spectrum.orders import sweep_orders
from tnqml.spectrum.tensors import CONES, Leaf, contract, structure

Array = NDArray[Any]

_POINTS = "points"
_ENUMERATE_AT_ONCE = 2**14  # coefficients; for fewer no other way is looked at
_MOST_AXES = 30
_PASSES = 6  # over the coefficients to square and fold them
_SWEEPS = 2


@dataclass(frozen=True, eq=False)
class Weight:
    """A factor of w(d) that depends on some axes: sum_b c_b prod_a f_ab(|frequency on a|).

    Attributes:
        axes: which axes.
        coefficients: c (points, branches).
        factors: f, for each axis (branches, 1 + positive frequencies).
    """

    axes: tuple[int, ...]
    coefficients: Array
    factors: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Route:
    """How weighted sums are evaluated, and at what cost.

    Attributes:
        name: "enumerate" or "join".
        cones: how many stacked outputs are contracted at once.
        plan: for so many.
        outputs: how many there are.
        squared: bytes of the coefficients of all outputs, if they are enumerated.
    """

    name: Literal["enumerate", "join"]
    cones: int
    plan: Plan
    outputs: int
    squared: int

    @property
    def cost(self) -> Cost:
        """The predicted cost of all outputs, contracted and squared."""
        one, parts = self.plan.cost, -(-self.outputs // self.cones)
        moved = _PASSES * self.squared
        return replace(
            one,
            operations=parts * one.operations,
            bytes_moved=parts * one.bytes_moved + moved,
            peak_bytes=one.peak_bytes + 2 * self.squared // parts,
            seconds=parts * one.seconds + moved / self.plan.machine.step_bandwidth,
            slices=parts,
        )


def route(network: CoefficientNetwork, weights: Sequence[Weight], *, memory: int | None) -> Route:
    """The cheaper of the two routes.

    Args:
        network: the coefficients.
        weights: that each axis appears in just once.
        memory: cap in bytes, by default the machine's.

    Raises:
        ContractionTooLarge: neither fits.
    """
    memory = this_machine().memory if memory is None else memory
    found: list[Route] = []
    refusals: list[ContractionTooLarge] = []
    names: tuple[Literal["enumerate", "join"], ...] = ("enumerate", "join")
    count = math.prod(network.sizes)
    for name in names:
        if name == "enumerate" and not (8 * count <= memory and len(network.axes) <= _MOST_AXES):
            continue
        try:
            found.append(_stacked(name, network, weights, memory))
        except ContractionTooLarge as error:
            refusals.append(error)
        if name == "enumerate" and found and count <= _ENUMERATE_AT_ONCE:
            return found[0]
    if not found:
        raise refusals[-1]
    return min(found, key=lambda candidate: candidate.cost.seconds)


def evaluate(
    network: CoefficientNetwork, weights: Sequence[Weight], *, memory: int | None
) -> Array:
    """(cones, points): sum_d w(d) |C_d|^2, with w the product of the weights.

    Args and errors as for `route`.
    """
    chosen = route(network, weights, memory=memory)
    rows = []
    for first in range(0, network.cones, chosen.cones):
        part = network.part(slice(first, first + chosen.cones))
        plan = chosen.plan
        if part.cones < chosen.cones and CONES in plan.network.sizes:
            plan = plan.resized({CONES: part.cones})
        if chosen.name == "join":
            leaves = _joined(part, weights)
            rows.append(contract(plan, leaves, (CONES, _POINTS), cones=part.cones))
        else:
            amplitudes = contract(plan, part.leaves, (CONES, *part.axes), cones=part.cones)
            rows.append(_weighed(_folded(amplitudes, part), weights))
    return np.concatenate(rows)


def _stacked(
    name: Literal["enumerate", "join"],
    network: CoefficientNetwork,
    weights: Sequence[Weight],
    memory: int,
) -> Route:
    """The route with as many cones at once as fit."""
    cones = network.cones
    room = memory
    if name == "enumerate":  # squares and sums of what was contracted
        one = 8 * math.prod(network.sizes)
        cones = max(1, min(cones, memory // (6 * one)))
        room = memory - 2 * cones * one
    orders: list[list[int]] = []
    if name == "join":
        orders = _joined_orders(network, _joined(network, weights))
    while True:
        part = network.part(slice(0, cones))
        leaves, output = list(part.leaves), (CONES, *part.axes)
        if name == "join":
            leaves, output = _joined(part, weights), (CONES, _POINTS)
        dtype = "complex128" if any(np.iscomplexobj(leaf.array) for leaf in leaves) else "float64"
        try:
            plan = contractions.plan(
                structure(leaves, output),
                dtype=dtype,
                memory=max(room, 1),
                orders=orders,
                expected_calls=4,
            )
        except ContractionTooLarge:
            if cones == 1:
                raise
            cones = (cones + 1) // 2
        else:
            squared = 8 * math.prod(network.sizes) * network.cones if name == "enumerate" else 0
            return Route(name, cones, plan, network.cones, squared)


def _joined(network: CoefficientNetwork, weights: Sequence[Weight]) -> list[Leaf]:
    """The leaves of the network, of its copy, and of the weights between them."""
    leaves = [*network.leaves, *network.mirrored(network.leaves, joined=range(len(network.axes)))]
    for number, weight in enumerate(weights):
        tables = [
            factor[:, magnitudes(network.layout.frequencies[axis])]
            * metric(network.layout.frequencies[axis])
            for axis, factor in zip(weight.axes, weight.factors, strict=True)
        ]
        indices: list[Hashable] = [network.axes[axis] for axis in weight.axes]
        if len(tables) == 1:
            leaves.append(Leaf((weight.coefficients @ tables[0])[None], (_POINTS, indices[0])))
            continue
        branch = ("branch", number)
        leaves.append(Leaf(weight.coefficients[None], (_POINTS, branch)))
        leaves += [
            Leaf(table[None], (branch, index)) for table, index in zip(tables, indices, strict=True)
        ]
    return leaves


def _joined_orders(network: CoefficientNetwork, leaves: Sequence[Leaf]) -> list[list[int]]:
    """Sweeps for the planner: each tensor followed by its copy and the weights of its axes."""
    count = len(network.leaves)
    orders = []
    for order in sweep_orders(network)[:_SWEEPS]:
        weights, interleaved = list(range(2 * count, len(leaves))), list[int]()
        for number in order:
            axes = set(network.axes).intersection(leaves[number].indices)
            mine = [weight for weight in weights if axes.intersection(leaves[weight].indices)]
            weights = [weight for weight in weights if weight not in mine]
            interleaved += [number, count + number, *mine]
        orders.append(interleaved + weights)
    return orders


def _folded(amplitudes: Array, network: CoefficientNetwork) -> Array:
    """(cones, 1 + positive frequencies of each axis): the power at each |frequency|."""
    power = np.square(amplitudes)
    for axis, frequencies in enumerate(network.layout.frequencies, start=1):
        front = np.moveaxis(power, axis, 0)
        power = np.empty((1 + len(frequencies), *front.shape[1:]))
        power[0] = front[0]
        np.add(front[1::2], front[2::2], out=power[1:])
        power[1:] *= 0.5
        power = np.moveaxis(power, 0, axis)
    return power


def _weighed(
    power: Array,  # (cones, 1 + positive frequencies of each axis)
    weights: Sequence[Weight],
) -> Array:
    """(cones, points): the power summed with the weights, one after another."""
    axes = list(range(power.ndim - 1))
    points = max((len(weight.coefficients) for weight in weights), default=1)
    result = power[None]  # (points or 1, cones, remaining axes)
    for weight in weights:
        places = [axes.index(axis) + 2 for axis in weight.axes]
        last = list(range(result.ndim - len(places), result.ndim))
        moved = np.moveaxis(result, places, last)
        shape = moved.shape[: -len(places)]
        table = weight.coefficients.reshape(len(weight.coefficients), -1, *(1,) * len(places))
        for place, factor in enumerate(weight.factors):
            ones = [1] * len(places)
            ones[place] = factor.shape[1]
            table = table * factor.reshape(1, len(factor), *ones)
        kernel = table.sum(1).reshape(len(table), -1)  # (points, entries of these axes)
        flat = moved.reshape(shape[0], math.prod(shape[1:]), -1)
        result = (flat @ kernel[:, :, None])[..., 0].reshape(len(kernel), *shape[1:])
        axes = [axis for axis in axes if axis not in weight.axes]
    result = result.reshape(len(result), len(power), -1).sum(-1)
    return np.broadcast_to(result, (points, len(power))).T

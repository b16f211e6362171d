"""Sums of |C_d|^2 with some frequencies given, some left open, and all others summed over."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contractions
from contractions import ContractionTooLarge, Plan
from tnqml.spectrum.frequencies import exponentials, metric
from tnqml.spectrum.network import CoefficientNetwork
from tnqml.spectrum.tensors import Leaf, contract, structure

Array = NDArray[Any]

_ROWS = "rows"


def powers(
    network: CoefficientNetwork,
    *,
    given: Mapping[int, NDArray[np.intp]],
    opened: Sequence[int],
    memory: int | None,
) -> Array:
    """(rows, *sizes of the open axes): sum |C_d|^2 over all axes neither given nor open.

    Args:
        network: of one output.
        given: axes with, for each row, the place (rows,) of its frequency in `signed`.
        opened: axes left open, over the frequencies of `signed`.
        memory: cap in bytes, by default the machine's; rows are cut to fit it.

    Raises:
        ContractionTooLarge: not even one row fits.
    """
    rest = [axis for axis in range(len(network.axes)) if axis not in (*given, *opened)]
    if not rest:
        found = amplitudes(network, given=given, opened=opened, memory=memory)
        return np.asarray(np.square(np.abs(found)))
    ends = _ends(network, given, opened)
    indices = {network.axes[axis]: ("copy", network.axes[axis]) for axis in (*given, *opened)}
    leaves = [*network.leaves, *network.mirrored(network.leaves, joined=rest), *ends]
    for end in ends:
        other = tuple(indices.get(index, index) for index in end.indices)
        leaves.append(Leaf(end.array.conj(), other))
    for axis in rest:
        weights = metric(network.layout.frequencies[axis])
        leaves.append(Leaf(weights[None], (network.axes[axis],)))
    output = (_ROWS, *(("frequency", axis) for axis in opened))
    return np.asarray(np.maximum(_contracted(leaves, output, given, memory).real, 0))


def amplitudes(
    network: CoefficientNetwork,
    *,
    given: Mapping[int, NDArray[np.intp]],
    opened: Sequence[int],
    memory: int | None,
) -> Array:
    """(rows, *sizes of the open axes) complex: C_d, where every axis is given or open.

    Args and errors as for `powers`.
    """
    leaves = [*network.leaves, *_ends(network, given, opened)]
    output = (_ROWS, *(("frequency", axis) for axis in opened))
    return _contracted(leaves, output, given, memory)


def _ends(
    network: CoefficientNetwork, given: Mapping[int, NDArray[np.intp]], opened: Sequence[int]
) -> list[Leaf]:
    """What turns the functions of an axis into one exponential for each row, or into all."""
    leaves = []
    for axis, places in given.items():
        matrix = exponentials(network.layout.frequencies[axis])
        leaves.append(Leaf(matrix[places][None], (_ROWS, network.axes[axis])))
    for axis in opened:
        matrix = exponentials(network.layout.frequencies[axis])
        leaves.append(Leaf(matrix[None], (("frequency", axis), network.axes[axis])))
    return leaves


def _contracted(
    leaves: Sequence[Leaf],
    output: Sequence[Hashable],
    given: Mapping[int, NDArray[np.intp]],
    memory: int | None,
) -> Array:
    """The leaves contracted, as many rows at once as fit."""
    rows = len(next(iter(given.values()))) if given else 1
    plan, chunk = _plan(leaves, output, rows, memory)
    if not given:
        return contract(plan, leaves, output)[None]
    results = []
    for first in range(0, rows, chunk):
        part = [
            Leaf(leaf.array[:, first : first + chunk], leaf.indices)
            if leaf.indices[:1] == (_ROWS,)
            else leaf
            for leaf in leaves
        ]
        size = min(chunk, rows - first)
        results.append(contract(plan.resized({_ROWS: size}), part, output))
    return np.concatenate(results)


def _plan(
    leaves: Sequence[Leaf], output: Sequence[Hashable], rows: int, memory: int | None
) -> tuple[Plan, int]:
    """A plan for the largest power of two of rows that fits, and that number."""
    network = structure(leaves, output)
    bucket = 1 << max(rows - 1, 0).bit_length()
    while True:
        sized = network.resized({_ROWS: bucket}) if _ROWS in network.sizes else network
        try:
            return contractions.plan(
                sized,
                dtype="complex128",
                memory=memory,
                expected_calls=max(1, math.ceil(rows / bucket)),
            ), bucket
        except ContractionTooLarge:
            if bucket == 1:
                raise
            bucket //= 2

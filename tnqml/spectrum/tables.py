"""Coefficients of one output by name: single ones, marginals of |C|^2, all of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contractions
from contractions import ContractionTooLarge, this_machine
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.spectrum.conditional import amplitudes, powers
from tnqml.spectrum.network import CoefficientNetwork, coefficient_network
from tnqml.spectrum.tensors import contract, structure
from tnqml.spectrum.uploads import (
    Axis,
    Merging,
    check_merging,
    chosen_outputs,
    layout,
    named_axes,
    views,
)

Array = NDArray[Any]

_BYTES_EACH = 48  # the numbers themselves, twice while an axis is turned, and the real ones
_SAMPLE = "draw from it with tnqml.spectrum.sample, or ask for a marginal of fewer axes"
_NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers over the frequencies of some axes.

    Attributes:
        axes: what they are, in the order of the dimensions of `values`.
        values: (frequencies of each axis): coefficients C, complex, or sums of |C|^2.
    """

    axes: tuple[Axis, ...]
    values: Array

    def at(self, frequencies: Mapping[str, float]) -> Any:
        """The number at these frequencies by name of the axis, 0 where none is named.

        Raises:
            InputError: there is no such axis or frequency.
        """
        return self.values[tuple(places(self.axes, frequencies))]


@dataclass(frozen=True, eq=False)
class Single:
    """The coefficients of one output.

    Attributes:
        network: the tensors.
        axes: what its axes are.
        order: the axes of the network sorted by feature and gate, as people see them.
        features: length of an input of the model.
        memory: cap in bytes.
    """

    network: CoefficientNetwork
    axes: tuple[Axis, ...]
    order: tuple[int, ...]
    features: int
    memory: int | None

    @property
    def shown(self) -> tuple[Axis, ...]:
        """The axes in the order in which people see them."""
        return tuple(self.axes[axis] for axis in self.order)


def single(model: DistributedModel, observable: int, merging: Merging) -> Single:
    """The coefficients of one output of a model at its present parameters.

    Raises:
        InputError: there is no such output, or see `power`.
    """
    if observable is None:
        raise InputError("observable is None; expected the index of one observable")
    outputs = chosen_outputs(model, observable)
    check_merging(merging)
    (view,) = views(model, outputs)
    plan = layout(view, merging)
    axes = named_axes(view, plan)
    order = sorted(range(len(axes)), key=lambda axis: (axes[axis].feature, axes[axis].gates))
    theta = model.theta.detach().double().cpu().numpy()
    network = coefficient_network([view], plan, theta)
    return Single(network, axes, tuple(order), model.circuit.features, model.memory)


def axes(
    model: DistributedModel, observable: int = 0, *, merging: Merging = "scales"
) -> tuple[Axis, ...]:
    """The axes of the coefficients of an output, by feature and gate.

    Args:
        model: the model.
        observable: which of its observables.
        merging: "scales": uploads of a feature whose frequencies have common sums are one axis;
            "independent": every upload is an axis.

    Raises:
        InputError: see `power`.

    Example:
        >>> from tnqml import Z, DistributedModel, ansatz
        >>> model = DistributedModel(ansatz.brickwork(2, layers=2), Z(0))
        >>> [(axis.name, axis.frequencies) for axis in axes(model)]
        [('x0', (-2.0, -1.0, 0.0, 1.0, 2.0)), ('x1', (-2.0, -1.0, 0.0, 1.0, 2.0))]
    """
    return single(model, observable, merging).shown


def coefficient(
    model: DistributedModel,
    frequencies: Mapping[str, float],
    *,
    observable: int = 0,
    merging: Merging = "scales",
) -> complex:
    """C of f(x) = sum C exp(i sum_a frequency_a x_a) at one frequency on each axis.

    Args:
        model: at its present parameters.
        frequencies: by the name of the axis; 0 on axes that are not named.
        observable: which of its observables.
        merging: as for `axes`.

    Raises:
        InputError: there is no such axis or frequency; see also `power`.
        ContractionTooLarge: the network needs more than the model's memory cap.

    Example:
        >>> from tnqml import Circuit, DistributedModel, Gate, Z
        >>> model = DistributedModel(Circuit(1, [Gate("ry", 0, feature=0)]), Z(0))
        >>> round(coefficient(model, {"x0": 1}).real, 6)  # of cos x
        0.5
    """
    found = single(model, observable, merging)
    chosen = places(found.axes, frequencies)
    given = {axis: np.array([place]) for axis, place in enumerate(chosen)}
    return complex(amplitudes(found.network, given=given, opened=(), memory=found.memory).item())


def marginal(
    model: DistributedModel,
    names: Sequence[str],
    *,
    observable: int = 0,
    merging: Merging = "scales",
) -> Table:
    """The sum of |C|^2 over all axes but those named, at every frequency of these.

    Args:
        model: at its present parameters.
        names: of axes, in the order wanted.
        observable: which of its observables.
        merging: as for `axes`.

    Raises:
        InputError: there is no such axis; see also `power`.
        ContractionTooLarge: the network needs more than the model's memory cap.
    """
    found = single(model, observable, merging)
    known = [axis.name for axis in found.axes]
    if isinstance(names, str) or len(set(names)) != len(names):
        raise InputError(f"names are {names!r}; expected a sequence of distinct names of axes")
    for name in names:
        _check_name(name, found.axes)
    opened = [known.index(name) for name in names]
    values = powers(found.network, given={}, opened=opened, memory=found.memory)[0]
    return Table(tuple(found.axes[axis] for axis in opened), values)


def coefficients(
    model: DistributedModel, observable: int = 0, *, merging: Merging = "scales"
) -> Table:
    """All coefficients C of f(x) = sum C exp(i sum_a frequency_a x_a) of an output.

    Args:
        model: at its present parameters.
        observable: which of its observables.
        merging: as for `axes`.

    Raises:
        InputError: see `power`.
        ContractionTooLarge: they do not fit the model's memory cap; the error says how large they
            are.
    """
    found = single(model, observable, merging)
    values = every_coefficient(found.network, found.order, memory=found.memory)
    return Table(found.shown, values)


def every_coefficient(
    network: CoefficientNetwork,  # of one output
    order: Sequence[int],
    *,
    memory: int | None,
) -> Array:
    """(frequencies of each axis), complex: all coefficients, the axes in the order asked for.

    Raises:
        ContractionTooLarge: they do not fit the memory; the error says how large they are.
    """
    memory = this_machine().memory if memory is None else memory
    count = math.prod(network.sizes)
    if _BYTES_EACH * count > memory:
        seconds = _BYTES_EACH * count / this_machine().step_bandwidth
        advice = f"there are {count:.3g} coefficients; {_SAMPLE}"
        raise ContractionTooLarge(_BYTES_EACH * count, memory, seconds, advice)
    output = [network.axes[axis] for axis in order]
    try:
        plan = contractions.plan(structure(network.leaves, output), memory=memory, expected_calls=1)
    except ContractionTooLarge as error:
        raise ContractionTooLarge(
            error.predicted_bytes, memory, error.predicted_seconds, _SAMPLE
        ) from error
    values = contract(plan, network.leaves, output).astype(np.complex128)
    for axis in range(values.ndim):
        values = _to_exponentials(values, axis)
    return values


def places(known: Sequence[Axis], frequencies: Mapping[str, float]) -> list[int]:
    """For each axis the place of its frequency; that of 0 where none is named.

    Raises:
        InputError: there is no such axis or frequency.
    """
    for name in frequencies:
        _check_name(name, known)
    found = []
    for axis in known:
        wanted = frequencies.get(axis.name, 0.0)
        distances = [abs(wanted - frequency) for frequency in axis.frequencies]
        place = int(np.argmin(distances))
        if not distances[place] <= _NEAR * max(1.0, abs(wanted)):
            shown = ", ".join(f"{frequency:.6g}" for frequency in axis.frequencies)
            raise InputError(f"axis {axis.name!r} has no frequency {wanted!r}; it has {shown}")
        found.append(place)
    return found


def _check_name(name: str, known: Sequence[Axis]) -> None:
    names = [axis.name for axis in sorted(known, key=lambda axis: (axis.feature, axis.gates))]
    if name not in names:
        raise InputError(f"there is no axis {name!r}; this output has {', '.join(names) or 'none'}")


def _to_exponentials(
    values: Array,  # (..., functions of the axis, ...)
    axis: int,
) -> Array:
    """The axis turned from functions 1, cos, sin, ... to frequencies in ascending order."""
    front = np.moveaxis(values, axis, 0)
    turned = np.empty_like(front)
    count = len(front) // 2
    turned[count] = front[0]
    turned[count + 1 :] = 0.5 * (front[1::2] - 1j * front[2::2])
    turned[:count] = (0.5 * (front[1::2] + 1j * front[2::2]))[::-1]
    return np.moveaxis(turned, 0, axis)

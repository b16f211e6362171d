"""How the power of a spectrum is shared: mean and variance, orders, harmonic degrees.

sum_d |C_d|^2 z^order(d) is a polynomial in z; its coefficients, the power at each order, come from
its values at roots of unity, half of which are conjugates of the others (THEORY section 3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contractions import Cost
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.spectrum.frequencies import base
from tnqml.spectrum.groups import grouped, one_of, ratio
from tnqml.spectrum.uploads import Layout, Merging, View, chosen_outputs, named_axes
from tnqml.spectrum.weighted import Weight, route

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Power:
    """The power of outputs, sum |C_d|^2: the mean of f^2 over independent uniform phases.

    Attributes:
        mean: C_0, the mean of f; (observables,), or () for one observable.
        variance: the power at d not 0, of the same shape.
    """

    mean: Array
    variance: Array

    @property
    def total(self) -> Array:
        """Mean of f^2: the square of the mean and the variance."""
        return np.square(self.mean) + self.variance


@dataclass(frozen=True, eq=False)
class Profile:
    """The variance of outputs by order.

    Attributes:
        mean: C_0, the mean of f; (observables,), or () for one observable.
        powers: sum |C_d|^2 over all d of order 1, 2, ...; (observables, orders) or (orders,).
    """

    mean: Array
    powers: Array

    @property
    def variance(self) -> Array:
        """The sum of the powers: the variance of f over independent uniform phases."""
        return np.asarray(self.powers.sum(-1))

    @property
    def shares(self) -> Array:
        """The powers as parts of the variance; NaN for an output that is constant."""
        return ratio(self.powers, self.variance[..., None])

    @property
    def mean_order(self) -> Array:
        """The mean of the order in the shares."""
        return np.asarray(self.shares @ np.arange(1, self.powers.shape[-1] + 1))


def power(
    model: DistributedModel, observable: int | None = None, *, merging: Merging = "scales"
) -> Power:
    """Mean and variance of outputs over the phases of their uploads, by Parseval's identity.

    Args:
        model: at its present parameters.
        observable: which of its observables; all for None.
        merging: "scales": the phases are those of uniform features; "independent": every upload
            has a uniform phase of its own.

    Warns of uploads that change no output of the model.

    Raises:
        InputError: there is no such observable; features are amplitudes, or the strength of a
            channel; a gate is too large for the Pauli picture.
        ContractionTooLarge: the network needs more than the model's memory cap.

    Example:
        >>> from tnqml import Circuit, DistributedModel, Gate, Z
        >>> model = DistributedModel(Circuit(1, [Gate("ry", 0, feature=0)]), Z(0))
        >>> power(model, 0).variance  # of cos x
        array(0.5)
    """
    outputs = chosen_outputs(model, observable)
    means, values = np.zeros(len(outputs)), np.zeros(len(outputs))
    for group in grouped(model, outputs, merging):
        means[group.rows] = group.means()
        weights = feature_weights(group.views[0], group.network.layout, np.ones(1))
        values[group.rows] = group.evaluate(weights)[:, 0]
    variance = np.maximum(values - np.square(means), 0)
    return Power(one_of(means, observable), one_of(variance, observable))


def upload_orders(model: DistributedModel, observable: int | None = None) -> Profile:
    """The variance by upload order: how many uploads have d not 0.

    Every upload has an axis of its own, whatever its feature; this is no order of interaction of
    features, see `feature_orders`. Arguments and errors as for `power`.
    """

    def weights(_: View, plan: Layout, nodes: Array) -> list[Weight]:
        return [_counted((axis,), plan, nodes) for axis in range(len(plan.members))]

    return _profile(model, observable, "independent", lambda _, plan: len(plan.members), weights)


def feature_orders(
    model: DistributedModel, observable: int | None = None, *, merging: Merging = "scales"
) -> Profile:
    """The variance by feature order, the functional ANOVA of f under independent uniform phases.

    The order of a term is how many features it depends on. Uploads of a feature whose frequencies
    have common sums are added up first (equal lambda); with independent frequencies, a feature
    counts if any of its uploads has d not 0. Arguments and errors as for `power`.
    """
    return _profile(model, observable, merging, lambda view, _: len(view.features), feature_weights)


def harmonic_degrees(
    model: DistributedModel, observable: int | None = None, *, merging: Merging = "scales"
) -> Profile:
    """The variance by harmonic degree: the sum over the axes of |frequency|.

    Frequencies are counted in multiples of the largest number of which all of an axis are integer
    multiples; uploads with a common such number share an axis. Arguments and errors as for `power`.

    Raises:
        InputError: the frequencies of one gate are no integer multiples of any number.
    """

    def most(view: View, plan: Layout) -> int:
        return sum(int(rungs[-1]) for rungs in _ladders(view, plan))

    def weights(view: View, plan: Layout, nodes: Array) -> list[Weight]:
        return [
            Weight((axis,), nodes[:, None] ** rungs, (np.eye(len(rungs)),))
            for axis, rungs in enumerate(_ladders(view, plan))
        ]

    return _profile(model, observable, merging, most, weights, commensurate=True)


def cost(
    model: DistributedModel, observable: int | None = None, *, merging: Merging = "scales"
) -> Cost:
    """What `feature_orders` is predicted to cost; nothing is contracted.

    Arguments and errors as for `power`.
    """
    outputs, costs = chosen_outputs(model, observable), []
    for group in grouped(model, outputs, merging):
        nodes = _nodes(len(group.views[0].features))
        weights = feature_weights(group.views[0], group.network.layout, nodes)
        costs.append(route(group.network, weights, memory=model.memory).cost)
    return Cost(
        operations=sum(cost.operations for cost in costs),
        bytes_moved=sum(cost.bytes_moved for cost in costs),
        peak_bytes=max(cost.peak_bytes for cost in costs),
        width=max(cost.width for cost in costs),
        steps=sum(cost.steps for cost in costs),
        slices=max(cost.slices for cost in costs),
        seconds=sum(cost.seconds for cost in costs),
    )


def feature_weights(
    view: View,
    plan: Layout,
    factors: Array,  # (points,) or (points, features of the view)
) -> list[Weight]:
    """Weights that multiply by the factor of each feature that a term depends on."""
    columns = np.broadcast_to(factors.T, (len(view.features), len(factors)))
    return [
        _counted(
            tuple(axis for axis, own in enumerate(plan.features) if own == feature), plan, column
        )
        for feature, column in enumerate(columns)
    ]


def _counted(axes: tuple[int, ...], plan: Layout, factors: Array) -> Weight:
    """1 if all the axes are at frequency 0, and the factor (points,) if not.

    That is (1 - z) prod_a [d_a = 0] + z: the or-tensor of THEORY section 3 as a sum of two terms.
    """
    tables = []
    for axis in axes:
        table = np.ones((2, 1 + len(plan.frequencies[axis])))
        table[0, 1:] = 0
        tables.append(table)
    return Weight(axes, np.stack([1 - factors, factors], 1), tuple(tables))


def _ladders(view: View, plan: Layout) -> list[NDArray[np.int64]]:
    """For each axis its frequencies 0, w_1, ... in multiples of their base."""
    rungs = []
    for axis, frequencies in enumerate(plan.frequencies):
        unit = base(frequencies)
        if frequencies and unit is None:
            named = named_axes(view, plan)[axis]
            raise InputError(
                f"the uploads of feature {named.feature} at gates "
                f"{', '.join(map(str, named.gates))} have frequencies "
                f"{', '.join(f'{f:.6g}' for f in frequencies)}, no integer multiples of any "
                "number; their harmonic degree is not defined"
            )
        multiples = np.rint(np.array(frequencies) / (unit or 1.0)).astype(np.int64)
        rungs.append(np.concatenate([np.zeros(1, np.int64), multiples]))
    return rungs


def _profile(
    model: DistributedModel,
    observable: int | None,
    merging: Merging,
    most: Callable[[View, Layout], int],
    weights: Callable[[View, Layout, Array], list[Weight]],
    *,
    commensurate: bool = False,
) -> Profile:
    """The power at every order, where `weights` multiply a term of order k by node^k."""
    outputs = chosen_outputs(model, observable)
    groups = grouped(model, outputs, merging, commensurate=commensurate)
    highest = max(most(group.views[0], group.network.layout) for group in groups)
    means, powers = np.zeros(len(outputs)), np.zeros((len(outputs), highest))
    for group in groups:
        orders = most(group.views[0], group.network.layout)
        nodes = _nodes(orders)
        values = group.evaluate(weights(group.views[0], group.network.layout, nodes))
        values = np.broadcast_to(values, (len(group.rows), len(nodes)))
        by_order = np.fft.irfft(values.conj(), n=orders + 1, axis=1)
        powers[group.rows, :orders] = np.maximum(by_order[:, 1:], 0)
        means[group.rows] = group.means()
    return Profile(one_of(means, observable), one_of(powers, observable))


def _nodes(orders: int) -> Array:
    """The roots of unity of a polynomial of this degree, without those that are conjugates."""
    count = orders + 1
    return np.asarray(np.exp(2j * np.pi * np.arange(count // 2 + 1) / count))

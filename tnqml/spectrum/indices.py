"""Sobol indices: how much of the variance is due to each feature, alone and in all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnqml.model import DistributedModel
from tnqml.spectrum.groups import grouped, one_of, ratio
from tnqml.spectrum.profiles import feature_weights
from tnqml.spectrum.uploads import Merging, chosen_outputs

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sobol:
    """The variance of outputs by feature.

    Attributes:
        mean: C_0, the mean of f; (observables,), or () for one observable.
        variance: over independent uniform phases, of the same shape.
        main_power: that of the terms of one feature alone; (observables, features) or (features,).
        total_power: that of all terms that depend on a feature; of the same shape.
    """

    mean: Array
    variance: Array
    main_power: Array
    total_power: Array

    @property
    def main(self) -> Array:
        """Main indices: the share of each feature alone; NaN for an output that is constant."""
        return ratio(self.main_power, self.variance[..., None])

    @property
    def total(self) -> Array:
        """Total indices: the share of all that a feature takes part in; NaN as for `main`."""
        return ratio(self.total_power, self.variance[..., None])


def sobol(
    model: DistributedModel, observable: int | None = None, *, merging: Merging = "scales"
) -> Sobol:
    """Main and total Sobol indices of every feature, under independent uniform phases.

    Not under the distribution of any data. Features that an output does not see have 0.

    Args:
        model: at its present parameters.
        observable: which of its observables; all for None.
        merging: as for `feature_orders`.

    Raises:
        InputError: see `power`.
        ContractionTooLarge: the network needs more than the model's memory cap.

    Example:
        >>> from tnqml import Circuit, DistributedModel, Gate, Z
        >>> gates = [Gate("ry", 0, feature=0), Gate("ry", 1, feature=1), Gate("cx", (0, 1))]
        >>> indices = sobol(DistributedModel(Circuit(2, gates), Z(1)), 0)  # of cos x0 cos x1
        >>> indices.main.round(6), indices.total.round(6)
        (array([0., 0.]), array([1., 1.]))
    """
    outputs = chosen_outputs(model, observable)
    means, variance = np.zeros(len(outputs)), np.zeros(len(outputs))
    main, total = np.zeros((2, len(outputs), model.circuit.features))
    for group in grouped(model, outputs, merging):
        means[group.rows] = group.means()
        square = np.square(means[group.rows])
        one = np.eye(len(group.views[0].features))
        kept = np.concatenate([one, 1 - one, np.ones((1, len(one)))])
        weights = feature_weights(group.views[0], group.network.layout, kept)
        values = np.broadcast_to(group.evaluate(weights), (len(group.rows), len(kept)))
        alone, without, whole = np.split(values, [len(one), 2 * len(one)], axis=1)
        variance[group.rows] = np.maximum(whole[:, 0] - square, 0)
        for row, view, ours, others, all_of_it, constant in zip(
            group.rows, group.views, alone, without, whole, square, strict=True
        ):
            main[row, list(view.features)] = np.maximum(ours - constant, 0)
            total[row, list(view.features)] = np.maximum(all_of_it - others, 0)
    return Sobol(
        one_of(means, observable),
        one_of(variance, observable),
        one_of(main, observable),
        one_of(total, observable),
    )

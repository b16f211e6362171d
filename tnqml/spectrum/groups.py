"""Outputs of one structure taken together: one network, one plan, numbers stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contractions import plan as planned
from tnqml.model import DistributedModel
from tnqml.spectrum.network import CoefficientNetwork, coefficient_network
from tnqml.spectrum.tensors import CONES, contract, structure
from tnqml.spectrum.uploads import Merging, View, alike, check_merging, layout, views
from tnqml.spectrum.weighted import Weight, evaluate

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Group:
    """Outputs of one structure.

    Attributes:
        views: what each sees.
        rows: their places among the outputs asked for.
        network: their coefficients.
        memory: cap in bytes.
    """

    views: list[View]
    rows: list[int]
    network: CoefficientNetwork
    memory: int | None

    def evaluate(self, weights: Sequence[Weight]) -> Array:
        """(outputs, points): the weighted sums of |C_d|^2."""
        return evaluate(self.network, weights, memory=self.memory)

    def means(self) -> Array:
        """(outputs,): C_0."""
        zero = dict.fromkeys(self.network.axes, 0)
        leaves = [leaf.fixed(zero) for leaf in self.network.leaves]
        plan = planned(structure(leaves, (CONES,)), memory=self.memory, expected_calls=1)
        return contract(plan, leaves, (CONES,), cones=self.network.cones)


def grouped(
    model: DistributedModel,
    outputs: Sequence[int],
    merging: Merging,
    *,
    commensurate: bool = False,
) -> list[Group]:
    """The outputs by structure, each with its network at the model's parameters."""
    check_merging(merging)
    theta = model.theta.detach().double().cpu().numpy()
    groups = []
    for together in alike(views(model, outputs)):
        plan = layout(together[0], merging, commensurate=commensurate)
        rows = [outputs.index(view.output) for view in together]
        network = coefficient_network(together, plan, theta)
        groups.append(Group(together, rows, network, model.memory))
    return groups


def one_of(values: Array, observable: int | None) -> Array:
    """The values of all outputs, or those of the one asked for."""
    return values if observable is None else np.asarray(values[0])


def ratio(part: Array, whole: Array) -> Array:
    """The part over the whole; NaN where the whole is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))

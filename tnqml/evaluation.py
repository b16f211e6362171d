"""Numbers for the leaves of a network: all of those of one shape at once.

A leaf is its basis times a product of one column of functions for each of its angles. The columns
of those angles that all samples share meet the basis first, then those that each has of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.expansion import Function, columns_of
from tnqml.leaves import Leaf

Array = NDArray[Any]
Key = tuple[str, tuple[Function, ...]]
"""An angle as a leaf reads it: its kind, and the functions of it."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Some of the angles that each leaf of a family reads: those it shares, or its own.

    Attributes:
        keys: of the angles.
        slots: for each of them (leaves,), which angle it is.
    """

    keys: tuple[Key, ...]
    slots: tuple[Tensor, ...]

    def columns(self, angles: Mapping[str, Tensor]) -> Tensor:
        """(leaves, cones, 1 or batch, products of one column of each angle)."""
        parts = [
            columns_of(angles[kind].index_select(0, slots), functions)
            for (kind, functions), slots in zip(self.keys, self.slots, strict=True)
        ]
        return reduce(lambda one, two: (one.unsqueeze(-1) * two.unsqueeze(-2)).flatten(-2), parts)

    @property
    def size(self) -> int:
        """The number of products of columns."""
        return int(np.prod([_width(functions) for _, functions in self.keys]))

    def derivatives(self, wanted: Sequence[int]) -> Array:
        """(wanted, size, size): what takes the columns to their derivatives by some of the keys."""
        return np.stack(
            [
                reduce(
                    np.kron,
                    [
                        _derivative(functions) if place == chosen else np.eye(_width(functions))
                        for place, (_, functions) in enumerate(self.keys)
                    ],
                )
                for chosen in wanted
            ]
        )


@dataclass(frozen=True, eq=False)
class Group:
    """Leaves that differ in nothing but which angles they read.

    Attributes:
        members: which leaves.
        rows: where they stand in their family.
        basis: (products of shared columns, of own columns, entries).
        dims: of a leaf.
    """

    members: tuple[int, ...]
    rows: slice
    basis: Tensor
    dims: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Family:
    """Groups whose leaves read angles of the same keys.

    Attributes:
        shared: what they read of the angles that all samples share.
        own: what they read of those that each sample has of its own.
        groups: in the order of their rows.
    """

    shared: Reading
    own: Reading
    groups: tuple[Group, ...]


class Evaluator:
    """The arrays of leaves at given angles.

    Args:
        leaves: of a network.
        dtype: real or complex dtype of the arrays.
        device: where they are.
        per_sample: every sample has parameters of its own, as it has features.

    Attributes:
        families: the leaves, sorted.
        kinds: of the angles that any leaf reads.
        closed: whether the columns of every angle span their own derivatives.
    """

    def __init__(
        self, leaves: Sequence[Leaf], *, dtype: torch.dtype, device: torch.device, per_sample: bool
    ) -> None:
        self.dtype, self.device, self.per_sample = dtype, device, per_sample
        sorted_out: dict[tuple[Key, ...], dict[object, list[tuple[int, Leaf]]]] = {}
        for number, given in enumerate(leaves):
            leaf = _features_last(given)
            keys = tuple((source.kind, source.functions) for source in leaf.sources)
            alike = leaf.basis.shape, leaf.basis.tobytes()
            sorted_out.setdefault(keys, {}).setdefault(alike, []).append((number, leaf))
        self.families = [
            self._family(keys, list(groups.values())) for keys, groups in sorted_out.items()
        ]
        self.kinds = {kind for keys in sorted_out for kind, _ in keys}
        self.closed = not any(
            "survival" in functions for keys in sorted_out for _, functions in keys
        )

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """For each array the leaves that it holds along its first axis."""
        return tuple(group.members for family in self.families for group in family.groups)

    def arrays(
        self,
        parameter: Tensor,  # (parameter slots, cones, 1, or batch if `per_sample`)
        feature: Tensor,  # (feature slots, cones, batch)
        *,
        samples_last: bool = False,
    ) -> list[Tensor]:
        """One array for each of `stacks`, by operations that autograd can record.

        Of shape (leaves, cones, batch, *dims), or (leaves, cones, *dims, batch) with
        `samples_last`, if they read an angle that each sample has of its own, (leaves, cones,
        *dims) if they read shared ones alone, and (leaves, *dims) if none.
        """
        real = self.dtype.to_real()
        angles = {"parameter": parameter.to(real), "feature": feature.to(real)}
        arrays = []
        for family in self.families:
            shared = family.shared.columns(angles) if family.shared.keys else None
            own = family.own.columns(angles) if family.own.keys else None
            for group in family.groups:
                value, lead = group.basis[0], [len(group.members)]
                if shared is not None:
                    columns = shared[group.rows]
                    rows = columns.reshape(-1, columns.shape[3]).to(self.dtype)
                    value = (rows @ group.basis.flatten(1)).reshape(len(rows), *value.shape)
                    lead = [*columns.shape[:2]]
                if own is not None:
                    columns = own[group.rows].to(self.dtype)
                    value = columns.flatten(0, 1) @ value
                    lead = [*columns.shape[:3]]
                    if samples_last:
                        value = value.transpose(1, 2)
                        arrays.append(value.reshape(*lead[:2], *group.dims, lead[2]))
                        continue
                if not family.shared.keys and not family.own.keys:
                    value = value.expand(*lead, -1)
                arrays.append(value.reshape(*lead, *group.dims))
        return arrays

    def _family(
        self, keys: tuple[Key, ...], groups: Sequence[Sequence[tuple[int, Leaf]]]
    ) -> Family:
        ordered = [leaf for members in groups for _, leaf in members]
        slots = tuple(
            torch.tensor([leaf.sources[k].slot for leaf in ordered], device=self.device)
            for k in range(len(keys))
        )
        count = 0 if self.per_sample else sum(kind == "parameter" for kind, _ in keys)
        shared, own = Reading(keys[:count], slots[:count]), Reading(keys[count:], slots[count:])
        made, start = [], 0
        for members in groups:
            basis = members[0][1].basis
            made.append(
                Group(
                    members=tuple(number for number, _ in members),
                    rows=slice(start, start + len(members)),
                    basis=torch.tensor(
                        basis.reshape(shared.size, own.size, -1), device=self.device
                    ).to(self.dtype),
                    dims=basis.shape[len(keys) :],
                )
            )
            start += len(members)
        return Family(shared, own, tuple(made))


def _features_last(leaf: Leaf) -> Leaf:
    """The leaf with its sources so ordered that parameters come first."""
    order = sorted(range(len(leaf.sources)), key=lambda k: leaf.sources[k].kind == "feature")
    rest = range(len(order), leaf.basis.ndim)
    sources = tuple(leaf.sources[k] for k in order)
    return Leaf(leaf.basis.transpose(*order, *rest), sources, leaf.legs, leaf.place)


def _width(functions: Sequence[Function]) -> int:
    """The number of columns of an angle."""
    return 1 + sum(1 if isinstance(function, str) else 2 for function in functions)


def _derivative(functions: Sequence[Function]) -> Array:
    """(columns, columns): columns times it are their derivatives; see `expansion.columns_of`."""
    matrix = np.zeros((_width(functions), _width(functions)))
    column = 1
    for function in functions:
        if isinstance(function, str):
            matrix[0, column] = 1.0
            column += 1
        else:
            matrix[column + 1, column], matrix[column, column + 1] = -function, function
            column += 2
    return matrix

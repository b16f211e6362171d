"""Numbers for the leaves of a network: all of those of one shape at once.

A leaf is its basis times a product of one column of functions for each of its angles. The columns
of nearly all functions span their own derivatives, so that the derivatives of a leaf are the same
products times another basis, made beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml.expansion import Function, columns_of
from tnqml.leaves import Leaf

_MANY = 64  # samples from which on fewer operations count for more than fewer steps

Array = NDArray[Any]
Key = tuple[str, tuple[Function, ...]]
"""An angle as a leaf reads it: its kind, and the functions of it."""


@dataclass(frozen=True, eq=False)
class _Group:
    """Leaves that differ in nothing but which angles they read.

    Attributes:
        members: which leaves.
        rows: where they stand in their family.
        basis: (products of columns, entries).
        turned: (entries, sources * products of columns), the adjoints of the bases of the
            derivatives; None if a function's derivative is no combination of its columns.
        dims: of a leaf.
    """

    members: tuple[int, ...]
    rows: slice
    basis: Tensor
    turned: Tensor | None
    dims: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Family:
    """Groups whose leaves read angles of the same keys.

    Attributes:
        keys: of the angles, those of features last.
        slots: for each of them (leaves,), which angle it is.
        groups: in the order of their rows.
    """

    keys: tuple[Key, ...]
    slots: tuple[Tensor, ...]
    groups: tuple[_Group, ...]

    def columns(self, angles: dict[str, Tensor]) -> Tensor:
        """(leaves, cones, 1 or batch, products of one column of each angle)."""
        return _outer(
            [
                columns_of(angles[kind].index_select(0, slots), functions)
                for (kind, functions), slots in zip(self.keys, self.slots, strict=True)
            ]
        )

    def values(self, columns: Tensor) -> list[Tensor]:
        """For each group (members, cones, 1 or batch, entries)."""
        values = []
        for group in self.groups:
            own = columns[group.rows]
            rows = own.reshape(-1, own.shape[3]).to(group.basis.dtype)
            values.append((rows @ group.basis).reshape(*own.shape[:3], -1))
        return values

    def pull(
        self, cotangents: Sequence[Tensor | None], columns: Tensor, into: dict[str, Tensor]
    ) -> None:
        """Add to the cotangents of the angles what those of `values` give."""
        count, products = len(self.keys), columns.shape[3]
        weights = columns.new_zeros(*columns.shape[:3], count, products)
        for group, cotangent in zip(self.groups, cotangents, strict=True):
            if cotangent is not None and group.turned is not None:
                rows = cotangent.reshape(-1, cotangent.shape[3]) @ group.turned
                real = rows.real if rows.is_complex() else rows
                weights[group.rows] = real.reshape(*cotangent.shape[:3], count, products)
        found = (weights * columns.unsqueeze(3)).sum(4)
        for place, ((kind, _), slots) in enumerate(zip(self.keys, self.slots, strict=True)):
            own = found[..., place]
            if into[kind].shape[2] != own.shape[2]:
                own = own.sum(2, keepdim=True)
            into[kind].index_add_(0, slots, own)


class Evaluator:
    """The arrays of leaves at given angles.

    Args:
        leaves: of a network.
        dtype: real or complex dtype of the arrays.
        device: where they are.
    """

    def __init__(self, leaves: Sequence[Leaf], *, dtype: torch.dtype, device: torch.device) -> None:
        families: dict[tuple[Key, ...], dict[object, list[tuple[int, Leaf]]]] = {}
        for number, given in enumerate(leaves):
            leaf = _features_last(given)
            keys = tuple((source.kind, source.functions) for source in leaf.sources)
            alike = leaf.basis.shape, leaf.basis.tobytes()
            families.setdefault(keys, {}).setdefault(alike, []).append((number, leaf))
        self._families = [
            _family(keys, list(groups.values()), dtype=dtype, device=device)
            for keys, groups in families.items()
        ]
        self._closed = all(
            group.turned is not None for family in self._families for group in family.groups
        )

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """For each array the leaves that it holds along its first axis."""
        return tuple(group.members for family in self._families for group in family.groups)

    def arrays(
        self,
        parameter: Tensor,  # (parameter slots, cones, 1 or batch)
        feature: Tensor,  # (feature slots, cones, batch)
        *,
        per_sample: bool,
    ) -> list[Tensor]:
        """One array for each of `stacks`; differentiable.

        Of shape (leaves, cones, batch, *dims) if they read a feature or `per_sample` is true,
        (leaves, cones, *dims) if they read parameters alone, and (leaves, *dims) if they have no
        angle. First derivatives are taken in closed form, higher ones and those under `torch.func`
        by autograd.
        """
        angled = [family for family in self._families if family.keys]
        transformed = torch._C._functorch.maybe_current_level() is not None
        if feature.shape[2] > _MANY and not transformed and not per_sample:
            values = iter(_staged(angled, parameter, feature))
        elif self._closed and not transformed:
            values = iter(_Evaluation.apply(angled, parameter, feature))  # type: ignore[no-untyped-call]
        else:
            values = iter(_values(angled, parameter, feature))
        arrays = []
        for family in self._families:
            batched = per_sample or any(kind == "feature" for kind, _ in family.keys)
            for group in family.groups:
                if family.keys:
                    value = next(values)
                    lead = value.shape[: 3 if batched else 2]
                    arrays.append(value.reshape(*lead, *group.dims))
                else:
                    alone = group.basis.reshape(group.dims)
                    arrays.append(alone.expand(len(group.members), *group.dims))
        return arrays


def _features_last(leaf: Leaf) -> Leaf:
    """The leaf with its sources so ordered that what is not batched is multiplied first."""
    order = sorted(range(len(leaf.sources)), key=lambda k: leaf.sources[k].kind == "feature")
    rest = range(len(order), leaf.basis.ndim)
    sources = tuple(leaf.sources[k] for k in order)
    return Leaf(leaf.basis.transpose(*order, *rest), sources, leaf.legs, leaf.place)


def _family(
    keys: tuple[Key, ...],
    groups: Sequence[Sequence[tuple[int, Leaf]]],
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> _Family:
    made, start = [], 0
    for members in groups:
        basis = members[0][1].basis
        turned = _turned(basis, keys)
        made.append(
            _Group(
                members=tuple(number for number, _ in members),
                rows=slice(start, start + len(members)),
                basis=_tensor(_matrix(basis, keys), dtype, device),
                turned=None if turned is None else _tensor(turned, dtype, device),
                dims=basis.shape[len(keys) :],
            )
        )
        start += len(members)
    slots = tuple(
        torch.tensor(
            [leaf.sources[k].slot for members in groups for _, leaf in members], device=device
        )
        for k in range(len(keys))
    )
    return _Family(keys, slots, tuple(made))


def _tensor(array: Array, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(array, device=device).to(dtype)


def _matrix(basis: Array, keys: Sequence[Key]) -> Array:
    """(products of columns, entries)."""
    return basis.reshape(int(np.prod(basis.shape[: len(keys)])), -1)


def _turned(basis: Array, keys: Sequence[Key]) -> Array | None:
    """The adjoints of the bases of the derivatives by each angle, side by side."""
    if any("survival" in functions for _, functions in keys):
        return None
    parts = [np.zeros((_matrix(basis, keys).shape[1], 0))]
    for place, (_, functions) in enumerate(keys):
        derived = np.moveaxis(basis, place, 0)
        moved = np.zeros_like(derived)
        row = 1
        for function in functions:  # which column's entries a column gets when one is derived
            if isinstance(function, str):
                moved[0] += derived[row]
                row += 1
            else:
                moved[row], moved[row + 1] = function * derived[row + 1], -function * derived[row]
                row += 2
        parts.append(_matrix(np.moveaxis(moved, 0, place), keys).conj().T)
    return np.concatenate(parts, 1)


def _staged(families: Sequence[_Family], parameter: Tensor, feature: Tensor) -> list[Tensor]:
    """As `_values`, but what is not batched meets the basis before what is.

    For large batches: fewer operations in more steps, differentiated by autograd.
    """
    angles = {"parameter": parameter, "feature": feature}
    values = []
    for family in families:
        parts = [
            columns_of(angles[kind].index_select(0, slots), functions)
            for (kind, functions), slots in zip(family.keys, family.slots, strict=True)
        ]
        fixed = [part for part in parts if part.shape[2] == 1]
        batched = [part for part in parts if part.shape[2] > 1]
        for group in family.groups:
            members, cones = len(group.members), parameter.shape[1]
            basis, batch = group.basis, 1
            if fixed:
                first = _outer([part[group.rows] for part in fixed])
                count = first.shape[3]
                rows = first.reshape(-1, count).to(basis.dtype)
                basis = (rows @ basis.reshape(count, -1)).reshape(
                    members * cones, -1, basis.shape[1]
                )
            if batched:
                last = _outer([part[group.rows] for part in batched]).to(basis.dtype)
                batch = last.shape[2]
                basis = torch.matmul(last.reshape(members * cones, batch, -1), basis)
            values.append(basis.reshape(members, cones, batch, -1))
    return values


def _outer(parts: Sequence[Tensor]) -> Tensor:
    """(..., products of one column of each part), the first part's most significant."""
    result = parts[0]
    for part in parts[1:]:
        result = (result.unsqueeze(-1) * part.unsqueeze(-2)).flatten(-2)
    return result


def _values(families: Sequence[_Family], parameter: Tensor, feature: Tensor) -> list[Tensor]:
    """For each group (members, cones, 1 or batch, entries), by ordinary operations."""
    angles = {"parameter": parameter, "feature": feature}
    return [value for family in families for value in family.values(family.columns(angles))]


class _Evaluation(torch.autograd.Function):
    """The values of families as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: Any, families: Sequence[_Family], parameter: Tensor, feature: Tensor
    ) -> tuple[Tensor, ...]:
        columns = [
            family.columns({"parameter": parameter, "feature": feature}) for family in families
        ]
        wanted = {"parameter": ctx.needs_input_grad[1], "feature": ctx.needs_input_grad[2]}
        values, fixed = [], []
        for family, own in zip(families, columns, strict=True):
            values += family.values(own)
            if not any(wanted[kind] for kind, _ in family.keys):
                fixed += values[-len(family.groups) :]
        ctx.families = families
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(parameter, feature, *columns)
        ctx.mark_non_differentiable(*fixed)
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        parameter, feature, *columns = ctx.saved_tensors
        wanted = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():
            return None, *_pulled_by_autograd(
                ctx.families, (parameter, feature), wanted, cotangents
            )
        into = {"parameter": torch.zeros_like(parameter), "feature": torch.zeros_like(feature)}
        place = 0
        for family, own in zip(ctx.families, columns, strict=True):
            family.pull(cotangents[place : place + len(family.groups)], own, into)
            place += len(family.groups)
        return None, into["parameter"], into["feature"]


def _pulled_by_autograd(
    families: Sequence[_Family],
    angles: tuple[Tensor, Tensor],
    wanted: Sequence[bool],
    cotangents: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """What `_Evaluation.backward` gives, with a graph of its own for higher derivatives."""
    values = _values(families, *angles)
    pairs = [
        (value, own)
        for value, own in zip(values, cotangents, strict=True)
        if own is not None and value.requires_grad
    ]
    chosen = [own for own, is_wanted in zip(angles, wanted, strict=True) if is_wanted]
    found = iter(
        torch.autograd.grad(
            [value for value, _ in pairs],
            chosen,
            [own for _, own in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(found) if is_wanted else None for is_wanted in wanted]

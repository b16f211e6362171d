"""Numbers for the leaves of a network: all of those of one shape at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tnqml.expansion import Function, columns_of
from tnqml.leaves import Leaf


@dataclass(frozen=True, eq=False)
class _Group:
    """Leaves that differ in nothing but which angles they read."""

    members: tuple[int, ...]
    basis: Tensor  # (functions of source 1, functions of source 2, ..., entries)
    slots: tuple[Tensor, ...]  # for each source (members,)
    kinds: tuple[str, ...]
    functions: tuple[tuple[Function, ...], ...]
    dims: tuple[int, ...]


class Evaluator:
    """The arrays of leaves at given angles.

    Args:
        leaves: of a network.
        dtype: real or complex dtype of the arrays.
        device: where they are.
    """

    def __init__(self, leaves: Sequence[Leaf], *, dtype: torch.dtype, device: torch.device) -> None:
        alike = defaultdict(list)
        for number, leaf in enumerate(leaves):
            # features last: what is not batched is contracted with the basis first
            order = sorted(
                range(len(leaf.sources)), key=lambda k: leaf.sources[k].kind == "feature"
            )
            sources = [leaf.sources[k] for k in order]
            rest = range(len(order), leaf.basis.ndim)
            basis = leaf.basis.transpose(*order, *rest)
            what = tuple((source.kind, source.functions) for source in sources)
            alike[what, basis.shape, basis.tobytes()].append((number, sources, basis))
        self._count = len(leaves)
        self._groups = []
        for (what, shape, _), members in alike.items():
            numbers = torch.tensor(members[0][2], device=device).to(dtype)
            self._groups.append(
                _Group(
                    members=tuple(number for number, _, _ in members),
                    basis=numbers.reshape(*shape[: len(what)], -1),
                    slots=tuple(
                        torch.tensor([sources[k].slot for _, sources, _ in members], device=device)
                        for k in range(len(what))
                    ),
                    kinds=tuple(kind for kind, _ in what),
                    functions=tuple(functions for _, functions in what),
                    dims=tuple(shape[len(what) :]),
                )
            )
        self._complex = dtype.is_complex

    def arrays(
        self,
        parameter: Tensor,  # (parameter slots, cones, 1 or batch)
        feature: Tensor,  # (feature slots, cones, batch)
        *,
        per_sample: bool,
    ) -> list[Tensor]:
        """One array for each leaf.

        Of shape (cones, batch, *dims) if it reads a feature or `per_sample` is true, (cones, *dims)
        if it reads parameters alone, and (*dims) if it has no angle.
        """
        angles = {"parameter": parameter, "feature": feature}
        tables: dict[tuple[str, tuple[Function, ...]], Tensor] = {}
        arrays: list[Tensor | None] = [None] * self._count
        for group in self._groups:
            value = group.basis.unsqueeze(0)
            lead: tuple[int, ...] = ()
            for kind, functions, slots in zip(
                group.kinds, group.functions, group.slots, strict=True
            ):
                table = tables.get((kind, functions))
                if table is None:
                    table = columns_of(angles[kind], functions)
                    tables[kind, functions] = table = (
                        table.to(group.basis.dtype) if self._complex else table
                    )
                value, lead = _contract(table.index_select(0, slots), value, lead)
            if lead and not per_sample and "feature" not in group.kinds:
                lead = lead[:1]
            value = value.reshape(value.shape[0], *lead, *group.dims)
            rows = value.unbind(0) if lead else [value[0]] * len(group.members)
            for member, row in zip(group.members, rows, strict=True):
                arrays[member] = row
        return [array for array in arrays if array is not None]


def _contract(
    functions: Tensor,  # (members, cones, batch, functions)
    value: Tensor,  # (1, functions, ...) or (members, cones * batch of `lead`, functions, ...)
    lead: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    """The first axis of functions in `value` contracted; its leading axes (cones, batch)."""
    members, cones, batch, count = functions.shape
    if not lead:
        entries = value.shape[2:]
        result = functions.reshape(-1, count) @ value.reshape(count, -1)
        return result.reshape(members, cones * batch, *entries), (cones, batch)
    entries = value.shape[3:]
    before = value.reshape(members * cones, lead[1], count, -1)
    rows = functions.reshape(members * cones, batch, count)
    if lead[1] == 1:
        result = torch.bmm(rows, before[:, 0])
    else:
        result = torch.matmul(rows.unsqueeze(2), before).squeeze(2)
    return result.reshape(members, cones * batch, *entries), (cones, batch)

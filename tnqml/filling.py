"""The leaves of a network evaluated where a program keeps its tensors, there and back.

What `Evaluator.arrays` computes by operations that autograd records, in calls on memory of its own,
made once: next to no time is spent beside the arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from contractions import Call, Filling
from tnqml.evaluation import Evaluator, Family, Group, Key, Reading

_KINDS = ("parameter", "feature")


@dataclass(frozen=True)
class LeafSource:
    """The leaves of a network as a program's source.

    Its inputs are parameter angles (slots, cones, 1, or batch if each sample has its own), feature
    angles (slots, cones, batch) and the vectors of selected legs, each (batch, 2).

    Attributes:
        evaluator: of the leaves.
        slots: how many angles of either kind there are.
        cones: how many are stacked.
        batch: samples.
        selectors: how many legs are closed with a vector.
        samples_last: a leaf's axis of samples is its last, not its first after the cones.
    """

    evaluator: Evaluator
    slots: Mapping[str, int]
    cones: int
    batch: int
    selectors: int
    samples_last: bool = False

    @property
    def stacks(self) -> tuple[tuple[int, ...], ...]:
        """For each array the tensors that it holds; the selectors come last."""
        listed = self.evaluator.stacks
        count = sum(map(len, listed))
        return listed + tuple((count + k,) for k in range(self.selectors))

    @property
    def dtype(self) -> torch.dtype:
        """Of the arrays."""
        return self.evaluator.dtype

    @property
    def bindable(self) -> bool:
        """Whether the columns of every angle span their own derivatives."""
        return self.evaluator.closed

    def nbytes(self, *, reverse: bool) -> int:
        """About what `bind` takes beside the stacks."""
        real, item = (dtype.itemsize for dtype in (self.dtype.to_real(), self.dtype))
        total = 0
        for kind, slots in self.slots.items():
            total += 4 * real * slots * self.cones * self.samples(kind)
        for family in self.evaluator.families:
            rows = family.groups[-1].rows.stop * self.cones
            for reading in (family.shared, family.own):
                if reading.keys:
                    entries = rows * self.samples(reading.keys[-1][0]) * reading.size
                    total += entries * (2 * real + item)
                    if reverse:
                        total += entries * (item + real * len(reading.keys))
            if family.shared.keys and family.own.keys:
                middles = sum(
                    len(group.members) * self.cones * group.basis[0].numel()
                    for group in family.groups
                )
                total += item * middles * (2 if reverse else 1)
        return total

    def samples(self, kind: str) -> int:
        """How many of an angle a cone has: one for each sample, or one that all share."""
        return self.batch if kind == "feature" or self.evaluator.per_sample else 1

    def arrays(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """An array for each stack."""
        parameter, feature, *selectors = inputs
        arrays = self.evaluator.arrays(parameter, feature, samples_last=self.samples_last)
        return arrays + [selector.to(self.dtype).unsqueeze(0) for selector in selectors]

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        """Calls that fill the stacks and pull their cotangents back."""
        return _Bound(self, stacks, cotangents).filling()


class _Room:
    """Memory of one device, counted."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.nbytes = 0

    def __call__(self, *shape: int, dtype: torch.dtype) -> Tensor:
        memory = torch.empty(shape, dtype=dtype, device=self._device)
        self.nbytes += memory.nbytes
        return memory


@dataclass
class _Columns:
    """The columns of a reading in memory.

    Attributes:
        reading: what is read.
        real: (rows, samples, products), rows being leaves times cones.
        values: the same in the dtype of the arrays.
        cotangent: of the same shape and dtype.
    """

    reading: Reading
    real: Tensor
    values: Tensor
    cotangent: Tensor | None

    def reads(self, kinds: set[str]) -> bool:
        """Whether angles of these kinds are among what is read."""
        return any(kind in kinds for kind, _ in self.reading.keys)


@dataclass
class _Member:
    """A group in memory: its stack, and what meets the columns that each sample has of its own."""

    group: Group
    stack: Tensor
    cotangent: Tensor | None
    middle: Tensor  # (rows or 1, products of own columns, entries)


@dataclass
class _Bound:
    """A source's calls.

    Attributes:
        source: what is bound.
        stacks: to be filled.
        cotangents: of the stacks; none without a reverse pass.
    """

    source: LeafSource
    stacks: Sequence[Tensor]
    cotangents: Sequence[Tensor]
    _forward: list[Call] = field(default_factory=list)
    _families: list[tuple[Family, _Columns | None, _Columns | None, list[_Member]]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        evaluator = self.source.evaluator
        self._dtype, self._real = evaluator.dtype, evaluator.dtype.to_real()
        self._room = _Room(evaluator.device)
        self._angles, self._gradients = self._per_angle(), self._per_angle()
        self._tables: dict[Key, Tensor] = {}
        number = 0
        for family in evaluator.families:
            shared = self._columns(family, family.shared)
            own = self._columns(family, family.own)
            members = []
            for group in family.groups:
                members.append(self._member(group, number, shared, own))
                number += 1
            self._families.append((family, shared, own, members))

    def _per_angle(self) -> dict[str, Tensor]:
        slots, cones = self.source.slots, self.source.cones
        return {
            kind: self._room(slots[kind], cones, self.source.samples(kind), dtype=self._real)
            for kind in _KINDS
        }

    def filling(self) -> Filling:
        """What a program needs."""
        selected = len(self.stacks) - self.source.selectors
        return Filling(
            inputs=[*self._angles.values(), *self.stacks[selected:]],
            gradients=[*self._gradients.values(), *self.cotangents[selected:]],
            forward=self._forward,
            needed=self._needed,
            reverse=self._reverse,
            nbytes=lambda: self._room.nbytes,
        )

    def _table(self, key: Key) -> Tensor:
        """(slots, cones * samples * columns): the columns of all angles of a kind."""
        if key not in self._tables:
            kind, functions = key
            angles = self._angles[kind].view(-1)
            width = Reading((key,), ()).size
            table = self._room(len(angles), width, dtype=self._real)
            table[:, 0] = 1
            column = 1
            for function in functions:
                if isinstance(function, str):
                    self._forward.append(partial(table[:, column].copy_, angles))
                    column += 1
                    continue
                turned = angles
                if function != 1.0:
                    turned = self._room(len(angles), dtype=self._real)
                    self._forward.append(partial(torch.mul, angles, function, out=turned))
                self._forward.append(partial(torch.cos, turned, out=table[:, column]))
                self._forward.append(partial(torch.sin, turned, out=table[:, column + 1]))
                column += 2
            self._tables[key] = table.view(self.source.slots[kind], -1)
        return self._tables[key]

    def _columns(self, family: Family, reading: Reading) -> _Columns | None:
        if not reading.keys:
            return None
        leaves = family.groups[-1].rows.stop
        rows, samples = leaves * self.source.cones, self.source.samples(reading.keys[-1][0])
        real: Tensor | None = None
        for key, slots in zip(reading.keys, reading.slots, strict=True):
            table = self._table(key)
            part = self._room(leaves, table.shape[1], dtype=self._real)
            self._forward.append(partial(torch.index_select, table, 0, slots, out=part))
            part = part.view(rows, samples, -1)
            if real is None:
                real = part
            else:
                one, two = real.unsqueeze(3), part.unsqueeze(2)
                real = self._room(rows, samples, one.shape[2] * two.shape[3], dtype=self._real)
                product = real.view(rows, samples, one.shape[2], two.shape[3])
                self._forward.append(partial(torch.mul, one, two, out=product))
        assert real is not None  # noqa: S101 - there is a key
        values = real
        if self._dtype.is_complex:
            values = self._room(*real.shape, dtype=self._dtype)
            self._forward.append(partial(values.copy_, real))
        cotangent = self._room(*real.shape, dtype=self._dtype) if self.cotangents else None
        return _Columns(reading, real, values, cotangent)

    def _rows(self, group: Group) -> slice:
        return slice(group.rows.start * self.source.cones, group.rows.stop * self.source.cones)

    def _member(
        self, group: Group, number: int, shared: _Columns | None, own: _Columns | None
    ) -> _Member:
        stack, rows = self.stacks[number], self._rows(group)
        _, products, entries = group.basis.shape
        middle = group.basis
        if shared is None and own is None:
            basis = group.basis.view(1, -1).expand(len(group.members), -1)
            self._forward.append(partial(stack.copy_, basis))
        if shared is not None:
            count = rows.stop - rows.start
            flat = (
                stack.view(count, -1)
                if own is None
                else self._room(count, products * entries, dtype=self._dtype)
            )
            columns = shared.values[rows].squeeze(1)
            self._forward.append(partial(torch.mm, columns, group.basis.flatten(1), out=flat))
            middle = flat.view(count, products, entries)
        if own is not None:
            columns = own.values[rows]
            if self.source.samples_last:
                matrices = middle.transpose(1, 2).expand(len(columns), -1, -1)
                out = stack.view(*matrices.shape[:2], -1)
                self._forward.append(partial(torch.bmm, matrices, columns.transpose(1, 2), out=out))
            else:
                out = stack.view(*columns.shape[:2], -1)
                self._forward.append(_multiply(columns, middle, out))
        return _Member(group, stack, self.cotangents[number] if self.cotangents else None, middle)

    def _needed(self, wanted: Sequence[bool]) -> list[bool]:
        kinds = dict(zip(_KINDS, wanted, strict=False))
        needed = []
        for family in self.source.evaluator.families:
            keys = family.shared.keys + family.own.keys
            needed += [any(kinds[kind] for kind, _ in keys)] * len(family.groups)
        return needed + list(wanted[len(_KINDS) :])

    def _reverse(self, wanted: Sequence[bool]) -> list[Call]:
        kinds = {kind for kind, is_wanted in zip(_KINDS, wanted, strict=False) if is_wanted}
        calls: list[Call] = [self._gradients[kind].zero_ for kind in kinds]
        for _, shared, own, members in self._families:
            wants_shared = shared is not None and shared.reads(kinds)
            for member in members:
                if own is not None:
                    calls += self._pull(member, shared if wants_shared else None, own, kinds)
                elif wants_shared:
                    assert shared is not None  # noqa: S101 - wanted
                    calls += self._pull_shared(member, shared, member.cotangent)
            for columns in (shared, own):
                if columns is not None and columns.reads(kinds):
                    calls += self._pull_columns(columns, kinds)
        return calls

    def _pull(
        self, member: _Member, shared: _Columns | None, own: _Columns, kinds: set[str]
    ) -> list[Call]:
        """Through the product of a group's middle and the columns that each sample has."""
        calls: list[Call] = []
        rows = self._rows(member.group)
        columns = own.values[rows]
        assert member.cotangent is not None  # noqa: S101 - only a reverse pass comes here
        count, samples, _ = columns.shape
        cotangent = member.cotangent.view(count, samples, -1)
        if self.source.samples_last:
            cotangent = member.cotangent.view(count, -1, samples).transpose(1, 2)
        if own.reads(kinds):
            assert own.cotangent is not None  # noqa: S101 - likewise
            calls.append(_multiply(cotangent, member.middle.mH, own.cotangent[rows]))
        if shared is not None:
            pulled = self._room(*member.middle.shape, dtype=self._dtype)
            calls.append(partial(torch.bmm, columns.transpose(1, 2), cotangent, out=pulled))
            calls += self._pull_shared(member, shared, pulled)
        return calls

    def _pull_shared(
        self, member: _Member, shared: _Columns, cotangent: Tensor | None
    ) -> list[Call]:
        """Through the product of a group's basis and the columns that all samples share."""
        assert shared.cotangent is not None  # noqa: S101 - only a reverse pass comes here
        assert cotangent is not None  # noqa: S101 - likewise
        target = shared.cotangent[self._rows(member.group)].squeeze(1)
        back = member.group.basis.flatten(1).mH
        return [partial(torch.mm, cotangent.view(len(target), -1), back, out=target)]

    def _pull_columns(self, columns: _Columns, kinds: set[str]) -> list[Call]:
        """From the columns to the angles that they are functions of."""
        reading = columns.reading
        chosen = [place for place, (kind, _) in enumerate(reading.keys) if kind in kinds]
        products = columns.real.shape[2]
        real = columns.real.view(1, -1, products).expand(len(chosen), -1, -1)
        turn = torch.tensor(reading.derivatives(chosen), device=real.device).to(self._real)
        derived = self._room(*real.shape, dtype=self._real)
        pulled = self._room(*real.shape[:2], dtype=self._real)
        assert columns.cotangent is not None  # noqa: S101 - only a reverse pass comes here
        cotangent = columns.cotangent
        if cotangent.is_complex():
            cotangent = cotangent.real
        calls: list[Call] = [
            partial(torch.bmm, real, turn, out=derived),
            partial(torch.mul, derived, cotangent.view(1, -1, products), out=derived),
            partial(torch.sum, derived, (2,), out=pulled),
        ]
        for row, place in zip(pulled, chosen, strict=True):
            (kind, _), slots = reading.keys[place], reading.slots[place]
            gradient = self._gradients[kind].view(self.source.slots[kind], -1)
            calls.append(partial(gradient.index_add_, 0, slots, row.view(len(slots), -1)))
        return calls


def _multiply(
    rows: Tensor,  # (g, m, k)
    matrices: Tensor,  # (g, k, n), or (1, k, n) for all
    out: Tensor,  # (g, m, n)
) -> Call:
    if len(matrices) == 1 and rows.is_contiguous():
        flat = rows.view(-1, rows.shape[2])
        return partial(torch.mm, flat, matrices[0], out=out.view(-1, out.shape[2]))
    return partial(torch.bmm, rows, matrices.expand(len(rows), -1, -1), out=out)

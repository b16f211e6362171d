"""The tensors of a light cone's network: gates cut into pieces, wired up and fused.

A leaf is a constant basis times functions of angles, so that two leaves can be contracted once and
for all while the angles are still open: what is small and constant is absorbed here, not at every
evaluation.
"""

import itertools
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnqml.expansion import Function, Piece
from tnqml.forms import Form

Array = NDArray[Any]
Pieces = Callable[[Form], tuple[Piece, ...]]
"""A gate's tensors in one of the pictures."""

_LARGEST_LEAF = 6  # legs, hence 64 entries
_MOST_FUNCTIONS = 27


@dataclass(frozen=True)
class Source:
    """An angle that is given at run time.

    Attributes:
        kind: "feature" or "parameter".
        slot: which of the cone's angles of that kind.
        functions: of the angle, beside 1.
    """

    kind: str
    slot: int
    functions: tuple[Function, ...]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A tensor of the network.

    Attributes:
        basis: (functions of each source..., *dims), with one entry of dims for each leg.
        sources: the angles that it depends on.
        legs: its indices.
        place: qubit and time, for sweeps.
    """

    basis: Array
    sources: tuple[Source, ...]
    legs: tuple[int, ...]
    place: tuple[int, int]

    @cached_property
    def functions(self) -> int:
        """The number of products of one function of each source."""
        return math.prod(self.basis.shape[: len(self.sources)])

    def fixed(self, values: Mapping[int, int]) -> "Leaf":
        """The leaf with some of its indices fixed."""
        if values.keys().isdisjoint(self.legs):
            return self
        where = tuple(values.get(leg, slice(None)) for leg in self.legs)
        basis = self.basis[(slice(None),) * len(self.sources) + where]
        legs = tuple(leg for leg in self.legs if leg not in values)
        return Leaf(np.asarray(basis, order="C"), self.sources, legs, self.place)


@dataclass(frozen=True)
class Wired:
    """Leaves, and the legs that stay open at the end of the wires asked for.

    Attributes:
        leaves: the fused tensors.
        open_legs: for each open wire its leg, in the order asked for.
    """

    leaves: tuple[Leaf, ...]
    open_legs: tuple[int, ...]


class _Wires:
    """The current leg of every bit of every qubit."""

    def __init__(self, qubits: int, bits: int) -> None:
        self._fresh = itertools.count()
        self.legs = [[next(self._fresh) for _ in range(bits)] for _ in range(qubits)]

    def new(self) -> int:
        return next(self._fresh)

    def attach(self, pieces: Sequence[Piece], qubits: Sequence[int]) -> list[tuple[int, ...]]:
        """The legs of a gate's pieces; the wires go on behind it."""
        after = {
            (qubit, bit): self.new()
            for qubit, bit in sorted(
                {(q, b) for piece in pieces for q, b, side in piece.legs if side == "out"}
            )
        }
        attached = [
            tuple(
                after[qubit, bit] if side == "out" else self.legs[qubits[qubit]][bit]
                for qubit, bit, side in piece.legs
            )
            for piece in pieces
        ]
        for (qubit, bit), leg in after.items():
            self.legs[qubits[qubit]][bit] = leg
        return attached


def wire(
    gates: Sequence[tuple[Form, tuple[int, ...], str | None, float]],
    pieces: Pieces,
    *,
    initial: Mapping[int, int],
    final: Sequence[Sequence[int | None]],
    places: Sequence[int],
) -> Wired:
    """The fused leaves of a cone.

    Args:
        gates: of a `Cone.key`: (form, qubits, source, number) in order.
        pieces: a gate's tensors in the picture wanted.
        initial: the bits of every wire that start fixed, with their values; the others are summed.
        final: for each qubit, for each bit of its wire, the value that it ends with, or None for
            a leg that stays open.
        places: for each qubit its place in a linear arrangement.
    """
    wires = _Wires(len(final), len(final[0]))
    fixed = {legs[bit]: value for legs in wires.legs for bit, value in initial.items()}
    leaves: list[Leaf] = []
    slots = {"feature": itertools.count(), "parameter": itertools.count()}
    numbers: dict[tuple[Form, int, float], Array] = {}
    for time, (form, qubits, kind, number) in enumerate(gates):
        slot = next(slots[kind]) if kind in slots else -1
        for part, part_qubits in _elementary(form, qubits):
            cut = pieces(part)
            attached = wires.attach(cut, part_qubits)
            for which, (piece, legs) in enumerate(zip(cut, attached, strict=True)):
                place = (places[part_qubits[0]], time)
                if part.has_angle and kind in slots:
                    source = Source(str(kind), slot, piece.functions)
                    leaves.append(Leaf(piece.basis, (source,), legs, place))
                    continue
                if (part, which, number) not in numbers:
                    columns = _columns_at(number, piece.functions)
                    numbers[part, which, number] = np.tensordot(columns, piece.basis, 1)
                leaves.append(Leaf(numbers[part, which, number], (), legs, place))
    open_legs = []
    for qubit, (ends_of_wire, ends) in enumerate(zip(wires.legs, final, strict=True)):
        for leg, end in zip(ends_of_wire, ends, strict=True):
            place = (places[qubit], len(gates))
            if end is None:
                held = fixed.get(leg)
                kept = leg if held is None else wires.new()
                start = np.ones(2) if held is None else np.eye(2)[held]
                leaves.append(Leaf(start, (), (kept,), place))
                open_legs.append(kept)
            elif fixed.setdefault(leg, end) != end:
                leaves.append(Leaf(np.zeros(()), (), (), place))
    return Wired(
        tuple(_fuse([leaf.fixed(fixed) for leaf in leaves], frozenset(open_legs))),
        tuple(open_legs),
    )


def _columns_at(number: float, functions: Sequence[Function]) -> Array:
    """(columns,): what `expansion.columns_of` gives, of a number and outside of torch."""
    columns = [1.0]
    for function in functions:
        if function == "strength":
            columns.append(number)
        elif function == "survival":
            columns.append(math.sqrt(1 - number))
        else:
            columns += [math.cos(function * number), math.sin(function * number)]
    return np.array(columns)


_LONGEST_DENSE_ROTATION = 2


def _elementary(form: Form, qubits: tuple[int, ...]) -> Iterator[tuple[Form, tuple[int, ...]]]:
    """The gate, or for a long Pauli rotation: CX ladders around one RZ, in a turned basis."""
    if form.kind != "pauli" or form.arity <= _LONGEST_DENSE_ROTATION:
        yield form, qubits
        return
    ladder = [(Form("cx", 2), pair) for pair in itertools.pairwise(qubits)]
    yield from _turned(form.word, qubits, _INTO_Z)
    yield from ladder
    yield Form("rz", 1), qubits[-1:]
    yield from reversed(ladder)
    yield from _turned(form.word, qubits, _OUT_OF_Z)


_INTO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
_OUT_OF_Z = {"X": ("h",), "Y": ("h", "s"), "Z": ()}


def _turned(
    word: str, qubits: tuple[int, ...], kinds: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[Form, tuple[int, ...]]]:
    for qubit, letter in zip(qubits, word, strict=True):
        yield from ((Form(kind, 1), (qubit,)) for kind in kinds[letter])


def _fuse(leaves: Sequence[Leaf], output: frozenset[int]) -> list[Leaf]:
    """Contract leaves with neighbours as long as the result stays about as small as they are.

    Two leaves with angles are fused if their product has no more legs than the larger; a constant
    one may add a leg. Legs that nothing else holds are summed on the way.
    """
    alive: dict[int, Leaf] = dict(enumerate(leaves))
    holders: dict[int, set[int]] = defaultdict(set)
    for name, leaf in alive.items():
        for leg in leaf.legs:
            holders[leg].add(name)
    for name, leaf in list(alive.items()):
        alone = tuple(leg for leg in leaf.legs if holders[leg] == {name} and leg not in output)
        alive[name] = _sum_out(leaf, alone)
    products = _Products()
    queue = deque(alive)
    while queue:
        name = queue.popleft()
        if name not in alive:
            continue
        leaf = alive[name]
        joined: dict[int, int] = defaultdict(int)  # ends of legs that a product would lose
        for leg in leaf.legs:
            ends = 2 if len(holders[leg]) == 2 and leg not in output else 1
            for other in holders[leg]:
                joined[other] += ends
        joined.pop(name, None)
        for other in sorted(joined):
            if not _worth_fusing(leaf, alive[other], joined[other]):
                continue
            first, second = sorted((name, other))
            a, b = alive[first], alive.pop(second)
            kept = []
            for leg in dict.fromkeys(a.legs + b.legs):
                holders[leg].discard(second)
                if holders[leg] == {first} and leg in b.legs and leg not in output:
                    del holders[leg]
                else:
                    holders[leg].add(first)
                    kept.append(leg)
            alive[first] = products(a, b, tuple(kept))
            queue.appendleft(first)
            break
    return _without_numbers(list(alive.values()))


def _worth_fusing(a: Leaf, b: Leaf, joined: int) -> bool:
    larger = max(len(a.legs), len(b.legs))
    most = larger if (a.sources and b.sources) or larger >= _LARGEST_LEAF else larger + 1
    fits = len(a.legs) + len(b.legs) - joined <= most
    return fits and a.functions * b.functions <= _MOST_FUNCTIONS


class _Products:
    """Products of leaves; those of the same numbers, as a circuit has many, are made once."""

    def __init__(self) -> None:
        self._made: dict[object, Array] = {}
        self._factors: list[Array] = []  # whose identities stand in the keys

    def __call__(self, a: Leaf, b: Leaf, kept: tuple[int, ...]) -> Leaf:
        """Of two leaves, with the legs `kept`; the others are summed."""
        names = {leg: name for name, leg in enumerate(dict.fromkeys(a.legs + b.legs))}
        ours, theirs, result = ([names[leg] for leg in legs] for legs in (a.legs, b.legs, kept))
        key = id(a.basis), id(b.basis), *ours, None, *theirs, None, *result
        basis = self._made.get(key)
        if basis is None:
            ends = itertools.count(len(names))
            first = [*itertools.islice(ends, len(a.sources))]
            second = [*itertools.islice(ends, len(b.sources))]
            made = np.einsum(
                a.basis, first + ours, b.basis, second + theirs, first + second + result
            )
            basis = self._made[key] = np.asarray(made, order="C")
            self._factors += [a.basis, b.basis]
        return Leaf(basis, a.sources + b.sources, kept, min(a.place, b.place))


def _sum_out(leaf: Leaf, legs: tuple[int, ...]) -> Leaf:
    if not legs:
        return leaf
    axes = tuple(len(leaf.sources) + leaf.legs.index(leg) for leg in legs)
    basis = leaf.basis.sum(axis=axes)
    return Leaf(basis, leaf.sources, tuple(g for g in leaf.legs if g not in legs), leaf.place)


def _without_numbers(leaves: list[Leaf]) -> list[Leaf]:
    """Leaves that are plain numbers multiplied into the first other one."""
    numbers = [leaf for leaf in leaves if not leaf.legs and not leaf.sources]
    rest = [leaf for leaf in leaves if leaf.legs or leaf.sources]
    factor = reduce(lambda product, leaf: product * leaf.basis, numbers, np.ones(()))
    if not rest:
        return [Leaf(factor, (), (), numbers[0].place if numbers else (0, 0))]
    first = rest[0]
    return [Leaf(first.basis * factor, first.sources, first.legs, first.place), *rest[1:]]

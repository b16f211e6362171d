"""The Fourier coefficients of an output as a tensor network with one open index for each axis.

Pauli picture, real numbers: an upload is sum_s f_s(x) B_s with f = (1, cos w x, sin w x, ...), so
leaving s open instead of summing it with f(x) gives the coefficients of the products of these
functions; `exponentials` turns them into those of exp(i w x). A Pauli rotation is turned into an RZ
between Clifford gates, since there s = 0 exactly where the wire's x bit is 0 (THEORY section 3).
"""

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contractions import ContractionTooLarge, this_machine
from tnqml.expansion import Piece, columns_of, pauli_pieces
from tnqml.forms import Form
from tnqml.spectrum.frequencies import adder, size, sums
from tnqml.spectrum.tensors import Leaf, fused
from tnqml.spectrum.uploads import ROTATIONS, Layout, View

Array = NDArray[Any]

_LONGEST_DENSE_ROTATION = 2
_INTO_Z = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
_OUT_OF_Z = {"X": ("h",), "Y": ("h", "s"), "Z": ()}
_LETTERS = {"I": (0, 0), "Z": (0, 1), "X": (1, 0), "Y": (1, 1)}


@dataclass(frozen=True, eq=False)
class CoefficientNetwork:
    """The coefficients of outputs of one structure, stacked.

    Attributes:
        leaves: the tensors.
        layout: the axes.
        axes: for each axis its index, over the real functions of the axis.
        shared: indices that have one value wherever those of the axes have.
        cones: how many outputs are stacked.
    """

    leaves: tuple[Leaf, ...]
    layout: Layout
    axes: tuple[Hashable, ...]
    shared: frozenset[Hashable]
    cones: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of functions of each axis."""
        return tuple(size(frequencies) for frequencies in self.layout.frequencies)

    @cached_property
    def dims(self) -> dict[Hashable, int]:
        """The size of every index."""
        return {
            index: dim
            for leaf in self.leaves
            for index, dim in zip(leaf.indices, leaf.array.shape[1:], strict=True)
        }

    def mirrored(self, leaves: Iterable[Leaf], *, joined: Iterable[int]) -> list[Leaf]:
        """A second copy whose indices are its own, apart from those of the axes joined.

        Args:
            leaves: of the network, all or some.
            joined: the axes on which both copies have the same index.
        """
        same = {self.axes[axis] for axis in joined} | self.shared
        return [
            Leaf(leaf.array, tuple(i if i in same else ("copy", i) for i in leaf.indices))
            for leaf in leaves
        ]

    def part(self, cones: slice) -> "CoefficientNetwork":
        """Some of the outputs."""
        leaves = tuple(
            Leaf(leaf.array[cones] if len(leaf.array) > 1 else leaf.array, leaf.indices)
            for leaf in self.leaves
        )
        count = len(range(self.cones)[cones])
        return CoefficientNetwork(leaves, self.layout, self.axes, self.shared, count)


def coefficient_network(
    views: Sequence[View],
    plan: Layout,
    theta: Array,  # (parameters,)
) -> CoefficientNetwork:
    """The network of outputs of one structure at the parameters given.

    Args:
        views: with equal cone keys and patterns.
        plan: their axes.
        theta: the parameters.

    Raises:
        ContractionTooLarge: the sums of the frequencies of an axis are too many for its tensors.
    """
    first = views[0].cone
    wires = _Wires(len(first.qubits))
    fixed: dict[Hashable, int] = {bits[0]: 0 for bits in wires.legs}  # |0> is made of I and Z
    leaves: list[Leaf] = []
    shared: set[Hashable] = set()
    alone = {members[0] for members in plan.members if len(members) == 1}
    sourced, uploads = itertools.count(), itertools.count()
    for form, qubits, source, number in first.key[0]:
        slot = next(sourced) if source in {"feature", "parameter"} else -1
        upload = next(uploads) if source == "feature" else -1
        angles = np.full(1, number)
        if source == "parameter":
            angles = np.array([v.cone.scales[slot] * theta[v.cone.slots[slot]] for v in views])
        for part, part_qubits in _elementary(form, qubits, is_upload=source == "feature"):
            cut = pauli_pieces(part)
            for piece, legs in zip(cut, wires.attach(cut, part_qubits), strict=True):
                if source == "feature" and piece.functions:
                    leaves.append(_upload(piece, upload, legs, first.scales[slot]))
                    if upload in alone and views[0].uploads[upload].frequencies:
                        shared |= _decided(piece, legs)
                else:
                    leaves.append(_gate(piece, legs, angles))
    ends, ok = _ends(first.key[1], np.array([view.weights for view in views]), wires, fixed)
    leaves = [leaf.fixed(fixed) for leaf in leaves + ends]
    leaves.append(Leaf(np.full(1, float(ok)), ()))
    axes: list[Hashable] = []
    for members in plan.members:
        sets = {k: views[0].uploads[k].frequencies for k in members}
        adders, index = _chain(members, sets)
        leaves += adders
        axes.append(index)
    leaves = fused(leaves, frozenset(axes))
    return CoefficientNetwork(tuple(leaves), plan, tuple(axes), frozenset(shared), len(views))


class _Wires:
    """The current index of the x and the z bit of every qubit."""

    def __init__(self, qubits: int) -> None:
        self._fresh = itertools.count()
        self.legs = [[next(self._fresh), next(self._fresh)] for _ in range(qubits)]

    def attach(self, pieces: Sequence[Piece], qubits: Sequence[int]) -> list[tuple[int, ...]]:
        """The indices of a gate's pieces; the wires go on behind it."""
        ends = dict.fromkeys((q, b) for p in pieces for q, b, side in p.legs if side == "out")
        after = {end: next(self._fresh) for end in ends}
        attached = [
            tuple(
                after[q, b] if side == "out" else self.legs[qubits[q]][b]
                for q, b, side in piece.legs
            )
            for piece in pieces
        ]
        for (q, b), leg in after.items():
            self.legs[qubits[q]][b] = leg
        return attached


def _elementary(
    form: Form, qubits: tuple[int, ...], *, is_upload: bool
) -> Iterator[tuple[Form, tuple[int, ...]]]:
    """The gate, or for an uploading or long Pauli rotation one RZ amid Clifford gates."""
    word = form.word or ROTATIONS.get(form.kind, "")
    if not word or (not is_upload and len(word) <= _LONGEST_DENSE_ROTATION):
        yield form, qubits
        return
    for qubit, letter in zip(qubits, word, strict=True):
        yield from ((Form(kind, 1), (qubit,)) for kind in _INTO_Z[letter])
    ladder = [(Form("cx", 2), pair) for pair in itertools.pairwise(qubits)]
    yield from ladder
    yield Form("rz", 1), qubits[-1:]
    yield from reversed(ladder)
    for qubit, letter in zip(qubits, word, strict=True):
        yield from ((Form(kind, 1), (qubit,)) for kind in _OUT_OF_Z[letter])


def _upload(piece: Piece, number: int, legs: tuple[int, ...], scale: float) -> Leaf:
    """An upload with its functions of the feature as an open index."""
    if not scale:
        return Leaf(_gate(piece, legs, np.zeros(1)).array, legs)
    basis = piece.basis.copy()
    basis[2::2] *= math.copysign(1.0, scale)  # sin(-w x) = -sin(w x)
    return Leaf(basis[None], (("upload", number), *legs))


def _gate(piece: Piece, legs: tuple[int, ...], angles: Array) -> Leaf:
    """A gate at its angles, one for each cone or one for all."""
    if not piece.functions:
        return Leaf(piece.basis, legs)
    columns = columns_of(torch.from_numpy(angles.astype(np.float64)), piece.functions).numpy()
    return Leaf(np.tensordot(columns, piece.basis, 1), legs)


def _decided(piece: Piece, legs: tuple[int, ...]) -> set[Hashable]:
    """The legs that the gate keeps and that have one value for each frequency of the feature."""
    found: set[Hashable] = set()
    for axis, (leg, (_, _, side)) in enumerate(zip(legs, piece.legs, strict=True), start=1):
        if side == "both":
            rows = np.moveaxis(piece.basis, axis, 1).reshape(len(piece.basis), 2, -1)
            present = np.asarray(rows.any(-1))
            waves = present[1::2] | present[2::2]  # a cosine and a sine are one frequency
            if (waves.sum(-1) <= 1).all() and present[0].sum() <= 1:
                found.add(leg)
    return found


def _ends(
    words: tuple[str, ...], weights: Array, wires: _Wires, fixed: dict[Hashable, int]
) -> tuple[list[Leaf], bool]:
    """The observable: Paulis that end the wires, and whether any string can be reached at all.

    Wires that end in one Pauli for all strings are fixed; the others end in a tensor over the
    strings.
    """
    leaves = [Leaf(weights, ("strings",))]  # (cones, strings)
    ok = True
    for qubit, bits in enumerate(wires.legs):
        word = words[qubit] if qubit < len(words) else "I"
        if len(set(word)) > 1:
            tensor = np.zeros((1, len(word), 2, 2))
            for string, letter in enumerate(word):
                tensor[(0, string, *_LETTERS[letter])] = 1
            leaves.append(Leaf(tensor, ("strings", *bits)))
            continue
        for bit, value in zip(bits, _LETTERS[word[0]], strict=True):
            ok = fixed.setdefault(bit, value) == value and ok
    return leaves, ok


def _chain(
    members: Sequence[int], sets: Mapping[int, tuple[float, ...]]
) -> tuple[list[Leaf], Hashable]:
    """The tensors that add the frequencies of uploads up, and the index of the sum."""
    index: Hashable = ("upload", members[0])
    total = sets[members[0]]
    leaves = []
    if not total:  # not an upload at all; its tensor has no index
        leaves.append(Leaf(np.ones((1, 1)), (index,)))
    for member in members[1:]:
        own = sets[member]
        entries = size(sums(total, own)) * size(total) * size(own)
        if 16 * entries * size(total) > this_machine().memory:
            raise ContractionTooLarge(
                16 * entries * size(total),
                this_machine().memory,
                entries / 1e8,
                "the uploads of one feature have too many sums of frequencies; use "
                "merging='independent', or fewer uploads of a feature",
            )
        after: Hashable = ("sum", members[0], member)
        leaves.append(Leaf(adder(total, own)[None], (after, index, ("upload", member))))
        if not own:
            leaves.append(Leaf(np.ones((1, 1)), (("upload", member),)))
        total, index = sums(total, own), after
    return leaves, index

"""Gates as tensors: trigonometric functions of the angle times constant arrays, cut into pieces.

In the Pauli picture a wire carries a Pauli as two bits, (x, z): I = (0, 0), Z = (0, 1),
X = (1, 0), Y = (1, 1), and a gate U is the real transfer matrix R_PQ = Tr(P U Q U^dagger) / 2^k.
In the ket picture a wire carries one bit and a gate is its unitary. Either way a gate is
sum_k f_k(angle) B_k with f = (1, cos w_1 t, sin w_1 t, cos w_2 t, ...) and constant B_k. A noise
channel has a transfer matrix just so, with functions of its strength.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tnqml import channels
from tnqml.forms import Form, spectrum
from tnqml.paulis import pauli_matrix

Array = NDArray[Any]
Leg = tuple[int, int, Literal["in", "out", "both"]]
"""A leg of a gate: which of its qubits, which bit of the wire, and which side of the gate."""
Function = float | channels.Function
"""Of an angle or strength t: a number w stands for the pair cos w t, sin w t."""

_EXACT = 1e-13


@dataclass(frozen=True, eq=False)
class Piece:
    """A tensor of a gate.

    Attributes:
        basis: (columns, *dims) with one entry of dims, always 2, for each leg.
        legs: the legs; a bit that the gate keeps is one leg, "both".
        functions: whose columns follow the 1; empty if the piece does not depend on the angle.
    """

    basis: Array
    legs: tuple[Leg, ...]
    functions: tuple[Function, ...]


_TRANSFER_WORK = 2**31


def fits_pauli_picture(form: Form) -> bool:
    """Whether the transfer matrix of a gate is worth building; long Pauli rotations are cut up."""
    if form.is_channel:
        count = sum(len(pairs) for pairs in form.sandwiches.values())
        return bool(count * 64**form.arity < _TRANSFER_WORK)
    return form.kind == "pauli" or len(spectrum(form)[0]) ** 2 * 64**form.arity < _TRANSFER_WORK


@lru_cache(maxsize=1024)
def pauli_pieces(form: Form) -> tuple[Piece, ...]:
    """The gate in the Pauli picture: real tensors with up to two legs in and out for each qubit."""
    words = ["".join(word) for word in itertools.product("IZXY", repeat=form.arity)]
    paulis = np.stack([pauli_matrix(word) for word in words])
    if form.is_channel:
        return _pieces(form, _channel_columns(form, paulis), bits=2)
    frequencies, operators = spectrum(form)
    terms: dict[float, Array] = {}
    sines: dict[float, Array] = {}
    gaps: dict[float, float] = {}  # those that differ by rounding are one
    for (w, left), (v, right) in itertools.product(
        zip(frequencies.tolist(), operators, strict=True), repeat=2
    ):
        entry = _transfer(left, right, paulis)  # U P U^dagger, one pair of frequencies at a time
        gap = gaps.setdefault(round(abs(w - v), 12), abs(w - v))
        terms[gap] = terms.get(gap, 0) + entry.real
        if gap:
            sines[gap] = sines.get(gap, 0) + math.copysign(1, w - v) * entry.imag
    return _pieces(form, _trigonometric_columns(terms, sines), bits=2)


def _transfer(left: Array, right: Array, paulis: Array) -> Array:
    """Tr(P left Q right^dagger) / 2^k over all pairs of Paulis."""
    inner = left @ paulis @ right.conj().T
    return np.asarray(np.einsum("pij,qji->pq", paulis, inner, optimize=True)) / len(paulis[0])


Columns = dict[Function | None, list[Array]]
"""For each function the arrays of its columns, for None that of the constant 1."""


def _channel_columns(form: Form, paulis: Array) -> Columns:
    return {
        function: [np.sum([_transfer(left, right, paulis) for left, right in pairs], 0).real]
        for function, pairs in form.sandwiches.items()
    }


def _trigonometric_columns(cosines: dict[float, Array], sines: dict[float, Array]) -> Columns:
    columns: Columns = {None: [cosines.get(0.0, np.zeros_like(next(iter(cosines.values()))))]}
    for gap in sorted(cosines):
        pair = [cosines[gap], sines[gap]] if gap else []
        if any(np.abs(array).max() > _EXACT for array in pair):
            columns[gap] = pair
    return columns


@lru_cache(maxsize=1024)
def ket_pieces(form: Form) -> tuple[Piece, ...]:
    """The gate in the ket picture: complex tensors with a leg in and out for each qubit."""
    terms: dict[float, Array] = {}
    sines: dict[float, Array] = {}
    for w, operator in zip(*spectrum(form), strict=True):
        size = abs(float(w))
        terms[size] = terms.get(size, 0) + operator
        if size:
            sines[size] = sines.get(size, 0) - 1j * np.sign(w) * operator
    return _pieces(form, _trigonometric_columns(terms, sines), bits=1)


def _pieces(form: Form, columns: Columns, *, bits: int) -> tuple[Piece, ...]:
    """Stack the columns, make kept bits one leg, and split a product into its factors."""
    shape = (2,) * (2 * bits * form.arity)
    present = [function for function in columns if function is not None]
    basis = np.stack([array.reshape(shape) for arrays in columns.values() for array in arrays])
    basis[np.abs(basis) < _EXACT] = 0
    legs: list[Leg] = [
        (q, b, side) for side in ("out", "in") for q in range(form.arity) for b in range(bits)
    ]
    for qubit, bit in itertools.product(range(form.arity), range(bits)):
        out, into = legs.index((qubit, bit, "out")), legs.index((qubit, bit, "in"))
        moved = np.moveaxis(basis, (out + 1, into + 1), (-2, -1))
        if not moved[..., 0, 1].any() and not moved[..., 1, 0].any():
            basis = np.moveaxis(np.diagonal(moved, axis1=-2, axis2=-1), -1, out + 1)
            legs[out] = (qubit, bit, "both")
            legs.pop(into)
    piece = Piece(np.ascontiguousarray(basis), tuple(legs), tuple(present))
    if form.arity == 2 and not present:
        return _factors(piece) or (piece,)
    return (piece,)


def _factors(piece: Piece) -> tuple[Piece, Piece] | None:
    """A two-qubit tensor as a product of one for each qubit that share the kept bits, if it is."""
    kept = [axis for axis, leg in enumerate(piece.legs) if leg[2] == "both"]
    first, second = (
        [axis for axis, leg in enumerate(piece.legs) if leg[0] == qubit and leg[2] != "both"]
        for qubit in (0, 1)
    )
    if not kept:
        return None
    matrix = piece.basis[0].transpose(kept + first + second)
    matrix = matrix.reshape(2 ** len(kept), 2 ** len(first), 2 ** len(second))
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    if s.shape[1] > 1 and s[:, 1].max() > 1e-12:
        return None
    root = np.sqrt(s[:, :1])
    halves = []
    for part, axes in ((u[:, :, 0] * root, first), (v[:, 0, :] * root, second)):
        basis = part.reshape((1,) + (2,) * (len(kept) + len(axes)))
        halves.append(Piece(basis, tuple(piece.legs[axis] for axis in kept + axes), ()))
    return _tidied(halves[0], halves[1])


def _tidied(first: Piece, second: Piece) -> tuple[Piece, Piece]:
    """Factors scaled to the entries 0, 1, -1 where that is possible, and exactly those."""
    largest = np.abs(first.basis).max()
    scaled = [Piece(p.basis * f, p.legs, ()) for p, f in ((first, 1 / largest), (second, largest))]
    for piece in scaled:
        near = np.round(piece.basis)
        close = np.abs(piece.basis - near) < 1e-12
        piece.basis[close] = near[close]
    return scaled[0], scaled[1]


def columns_of(angles: Tensor, functions: Sequence[Function]) -> Tensor:
    """1 and the functions of angles or strengths, along a new last axis."""
    columns = [torch.ones_like(angles)]
    for function in functions:
        if function == "strength":
            columns.append(angles)
        elif function == "survival":
            columns.append((1 - angles).sqrt())
        else:
            scaled = angles if function == 1.0 else function * angles
            columns += [scaled.cos(), scaled.sin()]
    return torch.stack(columns, -1)


def ket_matrix(form: Form, angle: Tensor, *, dtype: torch.dtype) -> Tensor:
    """(batch, 2^k, 2^k): a gate's unitary at each angle; a gate without one has a batch of 1."""
    speeds, operators = _spectrum_on(form, angle.dtype, dtype, angle.device)
    if not form.has_angle:
        return operators
    phases = angle[:, None] * speeds
    weights = torch.complex(phases.cos(), -phases.sin())
    matrices: Tensor = torch.tensordot(weights, operators, 1)
    return matrices


@lru_cache(maxsize=256)
def _spectrum_on(
    form: Form, real: torch.dtype, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Frequencies and operators of a gate, as tensors."""
    frequencies, operators = spectrum(form)
    with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
        return (
            torch.tensor(frequencies, dtype=real, device=device),
            torch.tensor(operators, dtype=dtype, device=device),
        )

"""Promise problems split between Alice and Bob: instances from a seed or from arrays, checked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError

ALICE = "alice"
BOB = "bob"
TOLERANCE = 1e-9

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SubspaceInstance:
    """Vector in Subspace: Alice's unit vector lies in Bob's subspace H, or is orthogonal to it.

    Args:
        vector: of unit length, Alice's.
        basis: orthonormal columns that span H, of half the dimension, Bob's.

    Raises:
        InputError: the shapes do not fit, the dimension is odd, the vector is not of unit length,
            the basis not orthonormal, or the promise is broken (each to 1e-9), and by how much.

    Source: Kremer 1995; Raz, STOC 1999.
    """

    vector: Real  # (N,)
    basis: Real  # (N, N / 2)

    def __post_init__(self) -> None:
        vector, basis = _unit(self.vector, "Alice's vector"), _array(self.basis, "Bob's basis", 2)
        size = len(vector)
        check_even(size, "the dimension")
        if basis.shape != (size, size // 2):
            raise InputError(
                f"Bob's basis has shape {basis.shape} and Alice's vector {size} entries; expected "
                f"({size}, {size // 2}): half as many orthonormal columns as dimensions"
            )
        off = float(np.abs(basis.T @ basis - np.eye(size // 2)).max())
        if off > TOLERANCE:
            raise InputError(
                f"Bob's basis is not orthonormal: an inner product is off by {off:.3g}; expected "
                f"at most {TOLERANCE:g}; orthonormalise it, for instance by numpy.linalg.qr"
            )
        inside, outside = _parts(vector, basis)
        if min(inside, outside) > TOLERANCE:
            raise InputError(
                f"the promise is broken: Alice's vector has a part of length {inside:.3g} in the "
                f"subspace and {outside:.3g} orthogonal to it; expected one of them to be 0, and "
                f"the smaller is off by {min(inside, outside):.3g}"
            )
        _set(self, vector=vector, basis=basis)

    @property
    def size(self) -> int:
        """N, the dimension."""
        return len(self.vector)

    @property
    def answer(self) -> int:
        """1 where the vector lies in the subspace, -1 where it is orthogonal to it."""
        inside, outside = _parts(self.vector, self.basis)
        return 1 if inside > outside else -1


@dataclass(frozen=True, eq=False)
class MatchingInstance:
    """Hidden Matching: Alice holds bits, Bob a perfect matching of their places.

    A relation: any edge (i, j) of the matching with x_i xor x_j is right.

    Args:
        bits: 0 or 1 each, an even number of them, Alice's.
        edges: pairs that cover every place once, Bob's.

    Raises:
        InputError: the bits are not 0 or 1 or of odd number, or the edges are no perfect matching
            (and how many places they miss or repeat).

    Source: Bar-Yossef, Jayram, Kerenidis, STOC 2004.
    """

    bits: NDArray[np.uint8]  # (N,)
    edges: NDArray[np.int64]  # (N / 2, 2)

    def __post_init__(self) -> None:
        bits, edges = np.array(self.bits), np.array(self.edges)
        if bits.ndim != 1 or not np.isin(bits, (0, 1)).all():
            raise InputError(f"Alice's bits have shape {bits.shape}; expected a row of 0 and 1")
        check_even(len(bits), "the number of bits")
        if edges.shape != (len(bits) // 2, 2) or edges.dtype.kind not in "iu":
            raise InputError(
                f"Bob's edges have shape {edges.shape} and type {edges.dtype} for {len(bits)} "
                f"bits; expected integers of shape ({len(bits) // 2}, 2)"
            )
        missed = len(np.setdiff1d(np.arange(len(bits)), edges))
        if missed:
            raise InputError(
                f"the promise is broken: Bob's edges are no perfect matching, {missed} of "
                f"{len(bits)} places are in none; expected each place once"
            )
        _set(self, bits=bits.astype(np.uint8), edges=edges.astype(np.int64))

    @property
    def size(self) -> int:
        """N, the number of bits."""
        return len(self.bits)

    def accepts(self, edge: tuple[int, int], parity: int) -> bool:
        """Whether this edge is in the matching, either way round, and has this parity."""
        matched = np.sort(self.edges, axis=1) == np.sort(edge)
        first, second = edge
        return bool(matched.all(1).any()) and int(self.bits[first] ^ self.bits[second]) == parity


@dataclass(frozen=True, eq=False)
class LinearInstance:
    """Linear classification: Alice's unit vector x, Bob's unit weights w, |x . w| >= margin.

    Args:
        data: x, Alice's.
        weights: w, Bob's.
        margin: gamma, in (0, 1].

    Raises:
        InputError: the lengths differ, a vector is not of unit length, the margin is out of its
            range, or the promise is broken (each to 1e-9), and by how much.
    """

    data: Real  # (N,)
    weights: Real  # (N,)
    margin: float

    def __post_init__(self) -> None:
        data, weights = _unit(self.data, "Alice's data"), _unit(self.weights, "Bob's weights")
        check_margin(self.margin)
        if len(data) != len(weights):
            raise InputError(
                f"Alice's data has {len(data)} entries and Bob's weights {len(weights)}; expected "
                "as many of both"
            )
        product = float(data @ weights)
        if abs(product) < self.margin - TOLERANCE:
            raise InputError(
                f"the promise is broken: |x . w| is {abs(product):.6g}, short of the margin "
                f"{self.margin:.6g} by {self.margin - abs(product):.3g}"
            )
        _set(self, data=data, weights=weights)

    @property
    def size(self) -> int:
        """N, the dimension."""
        return len(self.data)

    @property
    def answer(self) -> int:
        """The sign of x . w, 1 or -1."""
        return 1 if self.data @ self.weights > 0 else -1


def subspace_instance(size: int, *, seed: int, answer: int | None = None) -> SubspaceInstance:
    """A random instance: H uniform (Haar), the vector uniform in H or in its complement.

    Args:
        size: N, even, at least 2.
        seed: of everything that is drawn.
        answer: 1 for a vector in H, -1 for one orthogonal to it; by default a fair coin decides.
    """
    check_even(size, "the dimension")
    generator = np.random.default_rng(seed)
    value = _answer(answer, generator)
    basis, _ = np.linalg.qr(generator.standard_normal((size, size // 2)))
    vector = basis @ generator.standard_normal(size // 2)
    if value < 0:
        vector = generator.standard_normal(size)
        for _ in range(2):  # the second time removes what rounding left of the first
            vector = vector - basis @ (basis.T @ vector)
            vector /= np.linalg.norm(vector)
    return SubspaceInstance(vector / np.linalg.norm(vector), basis)


def subspace_from_projector(
    vector: ArrayLike,  # (N,)
    projector: ArrayLike,  # (N, N)
) -> SubspaceInstance:
    """The instance whose subspace is the range of an orthogonal projector.

    Raises:
        InputError: the matrix is no orthogonal projector of half rank, and by how much; or as
            `SubspaceInstance` raises.
    """
    matrix = _array(projector, "Bob's projector", 2)
    if matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"Bob's projector has shape {matrix.shape}; expected a square matrix")
    off = float(max(np.abs(matrix - matrix.T).max(), np.abs(matrix @ matrix - matrix).max()))
    rank = float(np.trace(matrix))
    if off > TOLERANCE or abs(rank - len(matrix) / 2) > 1e-6:
        raise InputError(
            f"Bob's matrix is off a symmetric projector by {off:.3g} and has trace {rank:.6g}; "
            f"expected at most {TOLERANCE:g} and the trace {len(matrix) / 2:g}"
        )
    _, columns = np.linalg.eigh(matrix)
    return SubspaceInstance(np.array(vector), columns[:, len(matrix) // 2 :])


def matching_instance(size: int, *, seed: int) -> MatchingInstance:
    """A random instance: uniform bits, a uniform perfect matching of N places, N even."""
    check_even(size, "the number of bits")
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2, size, dtype=np.uint8)
    return MatchingInstance(bits, generator.permutation(size).reshape(-1, 2))


def linear_instance(
    size: int, *, margin: float, seed: int, answer: int | None = None
) -> LinearInstance:
    """A random instance with |x . w| equal to the margin, the hardest that the promise allows.

    Args:
        size: N, at least 2.
        margin: gamma, in (0, 1].
        seed: of everything that is drawn.
        answer: the sign of x . w; by default a fair coin decides.
    """
    check_count(size, "the dimension", least=2)
    check_margin(margin)
    generator = np.random.default_rng(seed)
    value = _answer(answer, generator)
    pair, _ = np.linalg.qr(generator.standard_normal((size, 2)))
    weights = value * margin * pair[:, 0] + np.sqrt(1 - margin**2) * pair[:, 1]
    return LinearInstance(pair[:, 0], weights / np.linalg.norm(weights), margin)


def check_even(size: int, what: str) -> None:
    """Refuse a number that is not an even integer of at least 2."""
    check_count(size, what, least=2)
    if size % 2:
        raise InputError(f"{what} is {size}; expected an even number")


def check_margin(margin: float) -> None:
    """Refuse a margin outside (0, 1]."""
    if not 0 < margin <= 1:
        raise InputError(f"the margin is {margin!r}; expected a number above 0 and at most 1")


def _answer(answer: int | None, generator: np.random.Generator) -> int:
    if answer not in {None, 1, -1}:
        raise InputError(f"answer is {answer!r}; expected 1, -1 or None")
    return int(generator.choice((1, -1))) if answer is None else answer


def _array(given: ArrayLike, what: str, axes: int) -> Real:
    array = np.array(given, dtype=np.float64)
    if array.ndim != axes or not array.size or not np.isfinite(array).all():
        raise InputError(
            f"{what} has shape {array.shape} and {np.count_nonzero(~np.isfinite(array))} entries "
            f"that are not finite; expected {axes} axes and finite numbers"
        )
    return array


def _unit(given: ArrayLike, what: str) -> Real:
    vector = _array(given, what, 1)
    off = abs(float(np.linalg.norm(vector)) - 1)
    if off > TOLERANCE:
        raise InputError(f"{what} is off unit length by {off:.3g}; expected at most {TOLERANCE:g}")
    return vector


def _parts(vector: Real, basis: Real) -> tuple[float, float]:
    """Lengths of the vector's parts in the span of the basis and orthogonal to it."""
    inside = basis @ (basis.T @ vector)
    return float(np.linalg.norm(inside)), float(np.linalg.norm(vector - inside))


def _set(instance: object, **arrays: NDArray[np.generic]) -> None:
    """Put checked copies, which nobody can change, into a frozen instance."""
    for name, array in arrays.items():
        array.setflags(write=False)
        object.__setattr__(instance, name, array)

"""Forms of gates: what a gate does, apart from where it acts and at which angle."""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnqml import channels
from tnqml.errors import CircuitError
from tnqml.paulis import PAULIS, Complex, pauli_matrix

_ONE = np.diag([0, 1]).astype(np.complex128)
_UNITARY_TOLERANCE = 1e-8


def _controlled(unitary: Complex) -> Complex:
    return np.asarray(np.kron(np.diag([1, 0]), np.eye(2)) + np.kron(_ONE, unitary))


def _phase(factor: complex) -> Complex:
    return np.array([[1, 0], [0, factor]], dtype=np.complex128)


_FIXED: dict[str, Complex] = {
    "h": (PAULIS["X"] + PAULIS["Z"]) / math.sqrt(2),
    "x": PAULIS["X"],
    "y": PAULIS["Y"],
    "z": PAULIS["Z"],
    "s": _phase(1j),
    "sdg": _phase(-1j),
    "t": _phase(np.exp(0.25j * np.pi)),
    "tdg": _phase(np.exp(-0.25j * np.pi)),
    "sx": (np.eye(2) * (1 + 1j) + PAULIS["X"] * (1 - 1j)) / 2,
    "sxdg": (np.eye(2) * (1 - 1j) + PAULIS["X"] * (1 + 1j)) / 2,
    "cx": _controlled(PAULIS["X"]),
    "cy": _controlled(PAULIS["Y"]),
    "cz": _controlled(PAULIS["Z"]),
    "swap": np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]],
    "iswap": np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]] * np.array([[1], [1j], [1j], [1]]),
}
"""Gates without an angle, by name: their unitary."""


def _projected(pauli: Complex) -> Complex:
    """A Pauli on the second qubit where the first is 1."""
    return np.asarray(np.kron(_ONE, pauli))


_GENERATORS: dict[str, Complex] = {
    "rx": PAULIS["X"] / 2,
    "ry": PAULIS["Y"] / 2,
    "rz": PAULIS["Z"] / 2,
    "p": -_ONE,
    "crx": _projected(PAULIS["X"]) / 2,
    "cry": _projected(PAULIS["Y"]) / 2,
    "crz": _projected(PAULIS["Z"]) / 2,
    "cp": -_projected(_ONE),
    "rxx": pauli_matrix("XX") / 2,
    "ryy": pauli_matrix("YY") / 2,
    "rzz": pauli_matrix("ZZ") / 2,
}
"""Gates exp(-i angle G) with an angle, by name: their generator G."""

KINDS = (*_FIXED, *_GENERATORS, "pauli", "diagonal", "unitary")
"""The names of unitary gates that `Gate` knows; `CHANNELS` are the others."""


@dataclass(frozen=True)
class Form:
    """What a gate does, apart from where it acts and at which angle; hashable.

    Attributes:
        kind: the gate's name.
        arity: number of qubits.
        word: the Pauli word of a Pauli rotation, else empty.
        values: the bytes of the array that a dense or diagonal gate, a Pauli or Kraus channel was
            given, else empty.
    """

    kind: str
    arity: int
    word: str = ""
    values: bytes = field(default=b"", repr=False)

    def __hash__(self) -> int:
        """Computed once: circuits look forms up again and again."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.arity, self.word, self.values))

    @property
    def is_channel(self) -> bool:
        """Whether this is a noise channel rather than a unitary."""
        return self.kind in channels.CHANNELS

    @property
    def has_angle(self) -> bool:
        """Whether it takes an angle, or a channel's strength."""
        return (
            self.kind in _GENERATORS
            or self.kind in {"pauli", "diagonal"}
            or self.kind in channels.WITH_STRENGTH
        )

    @property
    def array(self) -> NDArray[np.float64] | Complex:
        """The array given: phases of a diagonal gate, matrix of a dense one.

        Or the probabilities of a Pauli channel (4^k,), the operators of a Kraus channel
        (operators, 2^k, 2^k).
        """
        if self.kind in {"diagonal", "pauli_channel"}:
            return np.frombuffer(self.values, dtype=np.float64)
        size = 2**self.arity
        shape = (-1, size, size) if self.kind == "kraus" else (size, size)
        return np.frombuffer(self.values, dtype=np.complex128).reshape(shape)

    @property
    def sandwiches(self) -> Mapping[channels.Function | None, list[channels.Sandwich]]:
        """Of a channel; see `channels.sandwiches`."""
        array = self.array if self.values else np.empty(0)
        return channels.sandwiches(self.kind, self.arity, np.asarray(array, np.complex128))

    def unitary(self, angle: float = 0.0) -> Complex:
        """The gate's matrix at an angle, of shape (2^arity, 2^arity).

        Raises:
            CircuitError: it is a channel.
        """
        frequencies, projectors = spectrum(self)
        phases = np.exp(-1j * angle * frequencies)
        return np.asarray(np.tensordot(phases, projectors, 1))


@lru_cache(maxsize=512)
def spectrum(form: Form) -> tuple[NDArray[np.float64], Complex]:
    """Frequencies w_j and operators E_j with U(angle) = sum_j exp(-i angle w_j) E_j.

    For a gate with an angle these are the distinct eigenvalues of its generator and the projectors
    on their eigenspaces; a gate without one has the single frequency 0 and E_0 = U.

    Raises:
        CircuitError: it is a channel, which has no unitary.
    """
    if form.is_channel:
        raise CircuitError(f"{form.kind!r} is a noise channel; it has no unitary and no inverse")
    if not form.has_angle:
        matrix = form.array if form.kind == "unitary" else _FIXED[form.kind]
        return np.zeros(1), np.asarray(matrix, dtype=np.complex128)[None]
    if form.kind == "diagonal":
        values, vectors = np.asarray(form.array, dtype=np.float64), np.eye(2**form.arity)
    else:
        generator = pauli_matrix(form.word) / 2 if form.kind == "pauli" else _GENERATORS[form.kind]
        values, vectors = np.linalg.eigh(generator)
        values = np.round(values, 12)
    frequencies, which = np.unique(values, return_inverse=True)
    projectors = np.stack(
        [vectors[:, which == j] @ vectors[:, which == j].conj().T for j in range(len(frequencies))]
    ).astype(np.complex128)
    return frequencies, projectors


_AXIS_ARITY = 4


@lru_cache(maxsize=512)
def axes(form: Form) -> tuple[str | None, ...]:
    """For each qubit the Pauli that the gate commutes with there ("Z" for a control), or None."""
    if form.kind == "diagonal":
        return ("Z",) * form.arity
    if form.kind == "pauli":
        return tuple(form.word)
    if form.arity > _AXIS_ARITY:
        return (None,) * form.arity
    if form.is_channel:
        pairs = itertools.chain(*form.sandwiches.values())
        operators = np.stack([operator for pair in pairs for operator in pair])
    else:
        operators = spectrum(form)[1]

    def axis(qubit: int) -> str | None:
        for letter in "ZXY":
            word = "I" * qubit + letter + "I" * (form.arity - qubit - 1)
            pauli = pauli_matrix(word)
            if np.allclose(operators @ pauli, pauli @ operators, atol=1e-12):
                return letter
        return None

    return tuple(axis(qubit) for qubit in range(form.arity))


def _array(values: ArrayLike, dtype: type[np.generic], expected: str) -> NDArray[Any]:
    try:
        return np.array(values).astype(dtype, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise CircuitError(f"expected {expected}, got an array that is not: {error}") from error


def _word(word: str, arity: int) -> str:
    if len(word) != arity or set(word) - set("XYZ"):
        raise CircuitError(
            f"Pauli word {word!r} for {arity} qubits; expected {arity} letters of X, Y, Z"
        )
    return word


def _phases(given: ArrayLike, arity: int) -> NDArray[Any]:
    real = _array(given, np.float64, f"{2**arity} finite reals") + 0.0
    if real.shape != (2**arity,) or not np.isfinite(real).all():
        raise CircuitError(
            f"phases of shape {real.shape} for {arity} qubits; expected {2**arity} finite reals"
        )
    return np.asarray(real)


def _unitary(given: ArrayLike, arity: int) -> NDArray[Any]:
    dense = _array(given, np.complex128, f"a complex matrix of {2**arity} rows")
    if dense.shape != (2**arity, 2**arity):
        raise CircuitError(
            f"matrix of shape {dense.shape} for {arity} qubits; expected ({2**arity}, {2**arity})"
        )
    deviation = np.abs(dense @ dense.conj().T - np.eye(2**arity)).max()
    if not deviation <= _UNITARY_TOLERANCE:
        raise CircuitError(
            f"matrix is not unitary: U U^dagger differs from 1 by {deviation:.3g}; expected at "
            f"most {_UNITARY_TOLERANCE:g}"
        )
    return dense


def _distribution(given: ArrayLike, arity: int) -> NDArray[Any]:
    shares = _array(given, np.float64, f"{4**arity} probabilities")
    if shares.shape != (4**arity,) or not (shares >= 0).all():
        raise CircuitError(
            f"probabilities of shape {shares.shape} for {arity} qubits; expected {4**arity} "
            "numbers of at least 0"
        )
    off = abs(float(shares.sum()) - 1)
    if not off <= _UNITARY_TOLERANCE:
        raise CircuitError(
            f"the channel is not trace preserving: its probabilities sum to {shares.sum():.6g}, "
            f"off 1 by {off:.3g}; expected at most {_UNITARY_TOLERANCE:g}"
        )
    return shares


def _trace_preserving(given: ArrayLike, arity: int) -> NDArray[Any]:
    operators = _array(given, np.complex128, f"complex matrices of {2**arity} rows")
    if operators.ndim != 3 or operators.shape[1:] != (2**arity, 2**arity) or not len(operators):
        raise CircuitError(
            f"Kraus operators of shape {operators.shape} for {arity} qubits; expected "
            f"(operators, {2**arity}, {2**arity}) with at least one"
        )
    total = np.einsum("jba,jbc->ac", operators.conj(), operators)
    off = np.abs(total - np.eye(2**arity)).max()
    if not off <= _UNITARY_TOLERANCE:
        raise CircuitError(
            f"the channel is not trace preserving: sum K^dagger K differs from 1 by {off:.3g}; "
            f"expected at most {_UNITARY_TOLERANCE:g}"
        )
    return operators


_CHECKS: dict[str, tuple[str, Callable[[Any, int], NDArray[Any]]]] = {
    "diagonal": ("phases", _phases),
    "unitary": ("matrix", _unitary),
    "pauli_channel": ("probabilities", _distribution),
    "kraus": ("kraus", _trace_preserving),
}
"""For kinds that are given by an array, its name and what checks it."""


@lru_cache(maxsize=4096)
def plain_form(kind: str, arity: int) -> Form:
    """The form of a gate or channel that is given no array.

    Raises:
        CircuitError: it needs one, or acts on another number of qubits.
    """
    return make_form(kind, arity, dict.fromkeys(("word", *(name for name, _ in _CHECKS.values()))))


def make_form(kind: str, arity: int, given: Mapping[str, Any]) -> Form:
    """The form of a gate or channel on so many qubits.

    Args:
        kind: one of `KINDS` or `CHANNELS`.
        arity: the number of qubits.
        given: word, phases, matrix, probabilities and kraus, or None each.

    Raises:
        CircuitError: what the kind needs is missing or not well formed, or something else is given.
    """
    wanted, check = ("word", None) if kind == "pauli" else _CHECKS.get(kind, (None, None))
    for name, value in given.items():
        if name == wanted and value is None:
            raise CircuitError(f"gate {kind!r} needs {name}=...")
        if name != wanted and value is not None:
            raise CircuitError(f"{name} has no effect on gate {kind!r}; leave it out")
    if check is not None:
        return Form(kind, arity, values=check(given[str(wanted)], arity).tobytes())
    if wanted is not None:
        return Form(kind, arity, word=_word(given[wanted], arity))
    own = 1 if kind in channels.ONE_QUBIT else _arity(kind)
    if own not in {None, arity}:
        raise CircuitError(f"gate {kind!r} acts on {own} qubit(s), got {arity}")
    return Form(kind, arity)


def _arity(kind: str) -> int | None:
    """The number of qubits of a gate that needs no array; None where any will do."""
    matrix = _FIXED.get(kind, _GENERATORS.get(kind))
    return None if matrix is None else len(matrix).bit_length() - 1

"""Gates: what acts, on which qubits, at whose place, and where its angle comes from."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tnqml.errors import CircuitError

Complex = NDArray[np.complex128]

PAULIS: dict[str, Complex] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}

_ONE = np.diag([0, 1]).astype(np.complex128)
_UNITARY_TOLERANCE = 1e-8


def pauli_matrix(word: str) -> Complex:
    """The Kronecker product of Paulis, qubit 0 first (most significant).

    Example:
        >>> pauli_matrix("ZX").real.astype(int).tolist()
        [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, -1, 0]]
    """
    matrix = np.eye(1, dtype=np.complex128)
    for letter in word:
        matrix = np.asarray(np.kron(matrix, PAULIS[letter]))
    return matrix


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
"""The names that `Gate` knows."""


@dataclass(frozen=True)
class Form:
    """What a gate does, apart from where it acts and at which angle; hashable.

    Attributes:
        kind: the gate's name.
        arity: number of qubits.
        word: the Pauli word of a Pauli rotation, else empty.
        values: the bytes of the array that a dense or diagonal gate was given, else empty.
    """

    kind: str
    arity: int
    word: str = ""
    values: bytes = field(default=b"", repr=False)

    @property
    def has_angle(self) -> bool:
        """Whether the gate takes an angle."""
        return self.kind in _GENERATORS or self.kind in {"pauli", "diagonal"}

    @property
    def array(self) -> NDArray[np.float64] | Complex:
        """The array given: phases of a diagonal gate, matrix of a dense one."""
        if self.kind == "diagonal":
            return np.frombuffer(self.values, dtype=np.float64)
        return np.frombuffer(self.values, dtype=np.complex128).reshape(2**self.arity, -1)

    def unitary(self, angle: float = 0.0) -> Complex:
        """The gate's matrix at an angle, of shape (2^arity, 2^arity)."""
        frequencies, projectors = spectrum(self)
        phases = np.exp(-1j * angle * frequencies)
        return np.asarray(np.tensordot(phases, projectors, 1))


@lru_cache(maxsize=512)
def spectrum(form: Form) -> tuple[NDArray[np.float64], Complex]:
    """Frequencies w_j and operators E_j with U(angle) = sum_j exp(-i angle w_j) E_j.

    For a gate with an angle these are the distinct eigenvalues of its generator and the projectors
    on their eigenspaces; a gate without one has the single frequency 0 and E_0 = U.
    """
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
    operators = spectrum(form)[1]

    def axis(qubit: int) -> str | None:
        for letter in "ZXY":
            word = "I" * qubit + letter + "I" * (form.arity - qubit - 1)
            pauli = pauli_matrix(word)
            if np.allclose(operators @ pauli, pauli @ operators, atol=1e-12):
                return letter
        return None

    return tuple(axis(qubit) for qubit in range(form.arity))


@dataclass(frozen=True)
class Gate:
    """One gate of a circuit.

    Args:
        kind: one of `KINDS`. With an angle: rx, ry, rz, p (phase), crx, cry, crz, cp, rxx, ryy,
            rzz, "pauli" (exp(-i angle P/2) for the word P given as `word`) and "diagonal"
            (diag(exp(-i angle phases_j))). "unitary" is the dense `matrix`. Rotations are
            exp(-i angle G / 2).
        qubits: the qubit, or the qubits, first named first in the gate's matrix (control first).
        party: whose gate it is.
        feature: the angle is `scale` times this entry of the input.
        parameter: the angle is `scale` times this entry of the parameters.
        angle: the angle in radians, where it is a number (then `scale` does not apply).
        scale: factor on a feature or parameter.
        word: Pauli word of X, Y and Z, one letter a qubit, for kind "pauli".
        phases: real array (2^k,), for kind "diagonal". Beyond 3 qubits only the state-vector route
            takes it.
        matrix: unitary array (2^k, 2^k), for kind "unitary". Beyond 5 qubits only the state-vector
            route takes it.

    Raises:
        CircuitError: anything of this does not fit together.

    Example:
        >>> Gate("rz", 0, feature=3, party="alice").axes
        ('Z',)
    """

    form: Form
    qubits: tuple[int, ...]
    party: str | None
    source: Literal["feature", "parameter", "angle"] | None
    slot: int
    value: float

    def __init__(
        self,
        kind: str,
        qubits: int | Sequence[int],
        *,
        party: str | None = None,
        feature: int | None = None,
        parameter: int | None = None,
        angle: float | None = None,
        scale: float = 1.0,
        word: str | None = None,
        phases: ArrayLike | None = None,
        matrix: ArrayLike | None = None,
    ) -> None:
        if kind not in KINDS:
            raise CircuitError(f"unknown gate {kind!r}; the gates are {', '.join(KINDS)}")
        if party is not None and not isinstance(party, str):
            raise CircuitError(f"gate {kind!r} has the party {party!r}; expected a name or None")
        places = _qubits(kind, qubits)
        form = _form(kind, len(places), word=word, phases=phases, matrix=matrix)
        given = {"feature": feature, "parameter": parameter, "angle": angle}
        named = [name for name, value in given.items() if value is not None]
        if form.has_angle and len(named) != 1:
            raise CircuitError(
                f"gate {kind!r} takes its angle from exactly one of feature, parameter or angle; "
                f"got {' and '.join(named) or 'none'}"
            )
        if not form.has_angle and named:
            raise CircuitError(f"gate {kind!r} has no angle, but {named[0]} was given")
        source = named[0] if named else None
        slot = -1
        if source in {"feature", "parameter"}:
            slot = _index(kind, source, given[source])
        if not isinstance(scale, Real) or not isinstance(angle, Real | None):
            raise CircuitError(f"gate {kind!r} has a scale or angle that is no real number")
        if source != "angle" and source is not None:
            value = float(scale)
        elif scale != 1.0:
            raise CircuitError(f"scale of gate {kind!r} has no effect without feature or parameter")
        else:
            value = float(angle or 0.0)
        if not math.isfinite(value):
            raise CircuitError(f"gate {kind!r} has the angle or scale {value}; expected a number")
        for name, content in (
            ("form", form),
            ("qubits", places),
            ("party", party),
            ("source", source),
            ("slot", slot),
            ("value", value),
        ):
            object.__setattr__(self, name, content)

    @property
    def kind(self) -> str:
        """The gate's name."""
        return self.form.kind

    @property
    def axes(self) -> tuple[str | None, ...]:
        """For each of its qubits the Pauli that it commutes with there, or None."""
        return axes(self.form)

    def angle(self, features: Sequence[float], parameters: Sequence[float]) -> float:
        """The angle in radians at an input and parameters (0 for a gate without one)."""
        if self.source == "feature":
            return self.value * float(features[self.slot])
        if self.source == "parameter":
            return self.value * float(parameters[self.slot])
        return self.value

    def moved(self, qubits: Sequence[int]) -> Self:
        """The same gate on other qubits."""
        return self._with(qubits=tuple(qubits))

    def shifted(self, *, features: int = 0, parameters: int = 0) -> Self:
        """The same gate, reading its feature or parameter so many places further on."""
        step = {"feature": features, "parameter": parameters}.get(self.source or "", 0)
        return self._with(slot=self.slot + step)

    def dagger(self) -> Self:
        """The inverse gate."""
        if self.form.has_angle:
            return self._with(value=-self.value)
        matrix = self.form.unitary().conj().T
        if np.array_equal(matrix, self.form.unitary()):
            return self
        form = Form("unitary", self.form.arity, values=matrix.tobytes())
        return self._with(form=form)

    def _with(self, **changes: object) -> Self:
        gate = object.__new__(type(self))
        for name in ("form", "qubits", "party", "source", "slot", "value"):
            object.__setattr__(gate, name, changes.get(name, getattr(self, name)))
        return gate


def _qubits(kind: str, qubits: int | Sequence[int]) -> tuple[int, ...]:
    listed = list(qubits) if isinstance(qubits, Iterable) else [qubits]
    if not listed:
        raise CircuitError(f"gate {kind!r} names no qubit")
    for qubit in listed:
        if isinstance(qubit, bool) or not isinstance(qubit, int | np.integer) or qubit < 0:
            raise CircuitError(f"gate {kind!r} names the qubit {qubit!r}; expected 0, 1, 2, ...")
    places = tuple(int(qubit) for qubit in listed)
    if len(set(places)) != len(places):
        raise CircuitError(f"gate {kind!r} names a qubit twice: {places}")
    return places


def _index(kind: str, source: str, value: float | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise CircuitError(f"gate {kind!r} has {source}={value!r}; expected an index 0, 1, 2, ...")
    return int(value)


def _array(values: ArrayLike, dtype: type[np.generic], expected: str) -> NDArray[Any]:
    try:
        return np.array(values).astype(dtype, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise CircuitError(f"expected {expected}, got an array that is not: {error}") from error


def _form(
    kind: str,
    arity: int,
    *,
    word: str | None,
    phases: ArrayLike | None,
    matrix: ArrayLike | None,
) -> Form:
    wanted = {"pauli": "word", "diagonal": "phases", "unitary": "matrix"}.get(kind)
    for name, value in (("word", word), ("phases", phases), ("matrix", matrix)):
        if name == wanted and value is None:
            raise CircuitError(f"gate {kind!r} needs {name}=...")
        if name != wanted and value is not None:
            raise CircuitError(f"{name} has no effect on gate {kind!r}; leave it out")
    if word is not None:
        if len(word) != arity or set(word) - set("XYZ"):
            raise CircuitError(
                f"Pauli word {word!r} for {arity} qubits; expected {arity} letters of X, Y, Z"
            )
        return Form(kind, arity, word=word)
    if phases is not None:
        real = _array(phases, np.float64, f"{2**arity} finite reals") + 0.0
        if real.shape != (2**arity,) or not np.isfinite(real).all():
            raise CircuitError(
                f"phases of shape {real.shape} for {arity} qubits; expected {2**arity} finite reals"
            )
        return Form(kind, arity, values=real.tobytes())
    if matrix is not None:
        dense = _array(matrix, np.complex128, f"a complex matrix of {2**arity} rows")
        if dense.shape != (2**arity, 2**arity):
            raise CircuitError(
                f"matrix of shape {dense.shape} for {arity} qubits; expected "
                f"({2**arity}, {2**arity})"
            )
        deviation = np.abs(dense @ dense.conj().T - np.eye(2**arity)).max()
        if not deviation <= _UNITARY_TOLERANCE:
            raise CircuitError(
                f"matrix is not unitary: U U^dagger differs from 1 by {deviation:.3g}; expected "
                f"at most {_UNITARY_TOLERANCE:g}"
            )
        return Form(kind, arity, values=dense.tobytes())
    known = _FIXED[kind] if kind in _FIXED else _GENERATORS[kind]
    if known.shape[0] != 2**arity:
        raise CircuitError(
            f"gate {kind!r} acts on {known.shape[0].bit_length() - 1} qubit(s), got {arity}"
        )
    return Form(kind, arity)

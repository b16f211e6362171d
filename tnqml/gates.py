"""Gates: what acts, on which qubits, at whose place, and where its angle comes from."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from tnqml import channels
from tnqml.errors import CircuitError
from tnqml.forms import KINDS, Form, axes, make_form, plain_form

_MOST = 2**62  # so that sums of indices fit 64 bits


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate or noise channel of a circuit.

    Args:
        kind: one of `KINDS` or `CHANNELS`. With an angle: rx, ry, rz, p (phase), crx, cry, crz,
            cp, rxx, ryy, rzz, "pauli" (exp(-i angle P/2) for the word P given as `word`) and
            "diagonal" (diag(exp(-i angle phases_j))). "unitary" is the dense `matrix`. Rotations
            are exp(-i angle G / 2). Channels with a strength in [0, 1]: depolarising, dephasing,
            amplitude_damping, "pauli_channel" (with `probabilities`); "kraus" (with `kraus`) has
            none. `channels.sandwiches` defines them.
        qubits: the qubit, or the qubits, first named first in the gate's matrix (control first).
        party: whose gate it is.
        feature: the angle is `scale` times this entry of the input.
        parameter: the angle is `scale` times this entry of the parameters.
        angle: the angle in radians, where it is a number (then `scale` does not apply).
        strength: the same for a channel. At strength 1 amplitude damping has no derivative.
        scale: factor on a feature or parameter.
        word: Pauli word of X, Y and Z, one letter a qubit, for kind "pauli".
        phases: real array (2^k,), for kind "diagonal". Beyond 3 qubits only the state-vector route
            takes it.
        matrix: unitary array (2^k, 2^k), for kind "unitary". Beyond 5 qubits only the state-vector
            route takes it.
        probabilities: real array (4^k,) that sums to 1, for kind "pauli_channel": of the words
            counted as digits I, X, Y, Z.
        kraus: complex array (operators, 2^k, 2^k), for kind "kraus", preserving the trace.

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
        strength: float | None = None,
        scale: float = 1.0,
        word: str | None = None,
        phases: ArrayLike | None = None,
        matrix: ArrayLike | None = None,
        probabilities: ArrayLike | None = None,
        kraus: ArrayLike | None = None,
    ) -> None:
        if kind not in KINDS and kind not in channels.CHANNELS:
            raise CircuitError(
                f"unknown gate {kind!r}; the gates are {', '.join(KINDS)}, the channels "
                f"{', '.join(channels.CHANNELS)}"
            )
        _check_party(kind, party)
        places = _qubits(kind, qubits)
        arrays = {
            "word": word,
            "phases": phases,
            "matrix": matrix,
            "probabilities": probabilities,
            "kraus": kraus,
        }
        if all(array is None for array in arrays.values()):
            form = plain_form(kind, len(places))
        else:
            form = make_form(kind, len(places), arrays)
        number = "strength" if form.is_channel else "angle"
        misnamed = {"strength": angle, "angle": strength}[number]
        if misnamed is not None:
            raise CircuitError(f"{kind!r} takes {number}=..., not the other of angle and strength")
        angle = strength if form.is_channel else angle
        given = {"feature": feature, "parameter": parameter, "angle": angle}
        named = [name for name, value in given.items() if value is not None]
        if form.has_angle and len(named) != 1:
            raise CircuitError(
                f"gate {kind!r} takes its {number} from exactly one of feature, parameter or "
                f"{number}; got {' and '.join(named) or 'none'}"
            )
        if not form.has_angle and named:
            raise CircuitError(f"gate {kind!r} has no {number}, but {named[0]} was given")
        source = named[0] if named else None
        slot = -1
        if source in {"feature", "parameter"}:
            slot = _index(kind, source, given[source])
        if not isinstance(scale, Real) or not isinstance(angle, Real | None):
            raise CircuitError(f"gate {kind!r} has a scale or {number} that is no real number")
        if source != "angle" and source is not None:
            value = float(scale)
        elif scale != 1.0:
            raise CircuitError(f"scale of gate {kind!r} has no effect without feature or parameter")
        else:
            value = float(angle or 0.0)
        if not math.isfinite(value):
            raise CircuitError(
                f"gate {kind!r} has the {number} or scale {value}; expected a number"
            )
        if form.is_channel and source == "angle" and not 0 <= value <= 1:
            raise CircuitError(f"channel {kind!r} has the strength {value}; expected 0 to 1")
        self._set(form, places, party, source, slot, value)

    @property
    def kind(self) -> str:
        """The gate's name."""
        return self.form.kind

    @property
    def axes(self) -> tuple[str | None, ...]:
        """For each of its qubits the Pauli that it commutes with there, or None."""
        return axes(self.form)

    def angle(self, features: Sequence[float], parameters: Sequence[float]) -> float:
        """The angle in radians, or strength, at an input and parameters (0 for a gate without)."""
        if self.source == "feature":
            return self.value * float(features[self.slot])
        if self.source == "parameter":
            return self.value * float(parameters[self.slot])
        return self.value

    def moved(self, qubits: Sequence[int]) -> Self:
        """The same gate on other qubits, as many.

        Raises:
            CircuitError: they are not as many, or no distinct qubits.
        """
        places = _qubits(self.kind, qubits)
        if len(places) != self.form.arity:
            raise CircuitError(
                f"gate {self.kind!r} acts on {self.form.arity} qubit(s), got {len(places)}"
            )
        return self.copied(places, slot=self.slot, value=self.value)

    def owned_by(self, party: str | None) -> Self:
        """The same gate in the hands of another party, or of nobody."""
        _check_party(self.kind, party)
        copy = object.__new__(type(self))
        return copy._set(self.form, self.qubits, party, self.source, self.slot, self.value)

    def shifted(self, *, features: int = 0, parameters: int = 0) -> Self:
        """The same gate, reading its feature or parameter so many places further on."""
        step = {"feature": features, "parameter": parameters}.get(self.source or "", 0)
        slot = self.slot + step
        if step:
            slot = _index(self.kind, str(self.source), slot)
        return self.copied(self.qubits, slot=slot, value=self.value)

    def reading_feature(self, slot: int) -> Self:
        """The same gate with its angle or strength read from a feature of the input.

        With the scale that it has; where its angle was a number, with a scale of 1.

        Raises:
            CircuitError: it has no angle or strength, or the slot is no index.
        """
        if not self.form.has_angle:
            raise CircuitError(f"gate {self.kind!r} has no angle or strength to be read")
        copy = object.__new__(type(self))
        slot = _index(self.kind, "feature", slot)
        scale = 1.0 if self.source == "angle" else self.value
        return copy._set(self.form, self.qubits, self.party, "feature", slot, scale)

    def copied(self, qubits: tuple[int, ...], *, slot: int, value: float) -> Self:
        """A gate of the same form, party and source; nothing is checked.

        Args:
            qubits: where it acts.
            slot: the feature or parameter that it reads, or -1.
            value: its scale, or its angle or strength where that is a number.
        """
        copy = object.__new__(type(self))
        return copy._set(self.form, qubits, self.party, self.source, slot, value)

    def dagger(self) -> Self:
        """The inverse gate.

        Raises:
            CircuitError: it is a channel.
        """
        if self.form.has_angle and not self.form.is_channel:
            return self.copied(self.qubits, slot=self.slot, value=-self.value)
        matrix = self.form.unitary().conj().T
        if np.array_equal(matrix, self.form.unitary()):
            return self
        form = Form("unitary", self.form.arity, values=matrix.tobytes())
        copy = object.__new__(type(self))
        return copy._set(form, self.qubits, self.party, self.source, self.slot, self.value)

    def _set(
        self,
        form: Form,
        qubits: tuple[int, ...],
        party: str | None,
        source: Literal["feature", "parameter", "angle"] | None,
        slot: int,
        value: float,
    ) -> Self:
        put = object.__setattr__
        put(self, "form", form)
        put(self, "qubits", qubits)
        put(self, "party", party)
        put(self, "source", source)
        put(self, "slot", slot)
        put(self, "value", value)
        return self


def _check_party(kind: str, party: object) -> None:
    if party is not None and not isinstance(party, str):
        raise CircuitError(f"gate {kind!r} has the party {party!r}; expected a name or None")


def _qubits(kind: str, qubits: int | Sequence[int]) -> tuple[int, ...]:
    listed = list(qubits) if isinstance(qubits, Iterable) else [qubits]
    if not listed:
        raise CircuitError(f"gate {kind!r} names no qubit")
    for qubit in listed:
        if not _is_index(qubit):
            raise CircuitError(
                f"gate {kind!r} names the qubit {qubit!r}; expected 0, 1, 2, ... below 2^62"
            )
    places = tuple(int(qubit) for qubit in listed)
    if len(set(places)) != len(places):
        raise CircuitError(f"gate {kind!r} names a qubit twice: {places}")
    return places


def _index(kind: str, source: str, value: float | None) -> int:
    if value is None or not _is_index(value):
        raise CircuitError(
            f"gate {kind!r} has {source}={value!r}; expected an index 0, 1, 2, ... below 2^62"
        )
    return int(value)


def _is_index(value: object) -> bool:
    """Whether it is an integer from 0 up, below `_MOST`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return False
    return bool(0 <= value < _MOST)

"""Light cones: the gates that an observable can feel, brought to a form that equal cones share."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tnqml.circuit import Circuit
from tnqml.forms import Form
from tnqml.gates import Gate
from tnqml.sequence import GateSequence, Integers

_Touch = tuple[int, str | None, int]

_PAULI_ROTATIONS = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ"}


class Wires:
    """What stands where on the wires of a circuit.

    Attributes:
        gates: of the circuit.
        last: for each qubit the position of its last gate, or -1.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.gates = circuit.gates
        wire = self.gates.qubits
        gate = np.repeat(np.arange(len(self.gates)), self.gates.arities)
        order = np.argsort(wire, kind="stable")
        along, ordered = wire[order], gate[order]
        is_first = np.diff(along, prepend=-1) > 0
        self._before = np.empty_like(gate)  # in the order of `GateSequence.qubits`
        self._before[order] = np.where(is_first, -1, np.roll(ordered, 1))
        last = np.full(circuit.qubits, -1)
        last[along] = ordered  # the last of equal places is the one that stays
        self.last: list[int] = last.tolist()
        self._touches: dict[int, tuple[_Touch, ...]] = {}

    def touches(self, position: int) -> tuple[_Touch, ...]:
        """For each qubit of a gate: which, along what, and the gate before it on its wire or -1."""
        known = self._touches.get(position)
        if known is None:
            axes = self.gates.prototypes.gates[self.gates.which[position]].axes
            own = slice(self.gates.starts[position], self.gates.starts[position + 1])
            qubits, before = self.gates.qubits[own].tolist(), self._before[own].tolist()
            known = self._touches[position] = tuple(zip(qubits, axes, before, strict=True))
        return known


def light_cone(wires: Wires, letters: Mapping[int, str], *, marginal: bool = False) -> list[int]:
    """The gates that change the expectation of a Pauli string: their positions, ascending.

    Going back from the observable, a gate is dropped if it commutes with all that stands after it:
    because it shares no qubit with it, because on each shared qubit both lie in the algebra of one
    and the same Pauli (a CZ before a Z), or because it is a Pauli rotation that commutes with the
    string as a whole while nothing else has acted. The cost is that of the cone, not the circuit.

    Args:
        wires: of the circuit.
        letters: the Pauli of each qubit of the string.
        marginal: keep what any product of some of the letters can feel, not only all of them.
    """
    axis: dict[int, str | None] = dict(letters)
    string: Mapping[int, str] | None = None if marginal else letters
    queued = {wires.last[qubit] for qubit in letters} - {-1}
    heap = sorted(-position for position in queued)
    kept: list[int] = []
    while heap:
        position = -heapq.heappop(heap)
        touches = wires.touches(position)
        passes = all(
            qubit not in axis or (own is not None and axis[qubit] == own)
            for qubit, own, _ in touches
        )
        dropped = passes or (
            string is not None and _commutes_as_word(wires.gates[position], string)
        )
        if not dropped:
            kept.append(position)
            string = None
        for qubit, own, before in touches:
            if dropped and qubit not in axis:
                continue
            if not dropped:
                axis[qubit] = own if axis.get(qubit, own) == own else None
            if before >= 0 and before not in queued:
                queued.add(before)
                heapq.heappush(heap, -before)
    return kept[::-1]


def _commutes_as_word(gate: Gate, string: Mapping[int, str]) -> bool:
    """Whether a Pauli rotation commutes with a Pauli string: they clash on an even number."""
    word = gate.form.word or _PAULI_ROTATIONS.get(gate.kind)
    if word is None:
        return False
    clashes = sum(
        qubit in string and string[qubit] != letter
        for qubit, letter in zip(gate.qubits, word, strict=True)
    )
    return clashes % 2 == 0


_Key = tuple[tuple[tuple[Form, tuple[int, ...], str | None, float], ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Cone:
    """A light cone with its qubits counted anew; translated copies of one cone are equal in `key`.

    Attributes:
        key: gates (form, qubits, kind of source, number) and the letters of the string; all of the
            structure and nothing of which feature, parameter or qubit it is.
        slots: for each gate with a feature or parameter, which entry it reads.
        scales: and the factor on it.
        qubits: which qubit of the circuit each qubit of the cone is.
        gates: the gates as they stand in the circuit, in the order of `key`.
        order: where each of them stood among the gates that `canonical` was given.
    """

    key: _Key
    slots: Integers
    scales: NDArray[np.float64]
    qubits: tuple[int, ...]
    gates: GateSequence
    order: Integers


_SYMMETRIC = {"cz", "swap", "iswap", "cp", "rxx", "ryy", "rzz"}


def _named(gate: Gate, names: Mapping[int, int]) -> tuple[int, ...]:
    """A gate's qubits by name, sorted where their order makes no difference."""
    named = tuple(names[qubit] for qubit in gate.qubits)
    return tuple(sorted(named)) if gate.kind in _SYMMETRIC else named


@dataclass(frozen=True)
class _Arrangement:
    """How a cone was brought to its canonical form, apart from where it lies."""

    key: _Key
    order: Integers
    met: tuple[int, ...]


Known = dict[object, _Arrangement]
"""Arrangements by what translated cones of one circuit have in common."""


def canonical(
    gates: Sequence[Gate], letters: Mapping[int, str], *, known: Known | None = None
) -> Cone:
    """The cone with gates in an order, and qubits with names, that depend on structure alone.

    The walk starts at the string's qubits and goes back in time, taking the gates of each wire as
    soon as nothing later is in their way; qubits are counted as they are met.

    Args:
        gates: in order.
        letters: of the string.
        known: arrangements of other cones, so that translated ones of the same circuit need no
            walk; added to.
    """
    start = min(letters, default=0)
    sequence = GateSequence.of(gates)
    what: object = None
    arrangement = None
    if known is not None:
        numbers = np.where(sequence.reads("angle"), sequence.values, 0.0)
        what = (
            sequence.prototypes,  # that the kinds are of
            sequence.kinds.tobytes(),
            (sequence.qubits - start).tobytes(),
            numbers.tobytes(),
            tuple([(qubit - start, letter) for qubit, letter in letters.items()]),
        )
        arrangement = known.get(what)
    if arrangement is None:
        arrangement = _arranged(sequence, letters, start)
        if known is not None:
            known[what] = arrangement
    ordered = sequence.select(arrangement.order)
    sourced = ordered.reads("parameter") | ordered.reads("feature")
    return Cone(
        key=arrangement.key,
        slots=ordered.slots[sourced],
        scales=ordered.values[sourced],
        qubits=tuple([qubit + start for qubit in arrangement.met]),
        gates=ordered,
        order=arrangement.order,
    )


def _arranged(gates: Sequence[Gate], letters: Mapping[int, str], start: int) -> _Arrangement:
    wires: dict[int, list[int]] = {qubit: [] for qubit in letters}
    for position, gate in enumerate(gates):
        for qubit in gate.qubits:
            wires.setdefault(qubit, []).append(position)
    names = {qubit: name for name, qubit in enumerate(letters)}
    met = list(letters)
    backwards: list[int] = []
    while len(backwards) < len(gates):
        for qubit in met:  # grows while it is walked
            while wires[qubit]:
                gate = gates[wires[qubit][-1]]
                for other in gate.qubits:
                    if other not in names:
                        names[other] = len(met)
                        met.append(other)
                position = wires[qubit][-1]
                if any(wires[other][-1] != position for other in gate.qubits):
                    break
                backwards.append(position)
                for other in gate.qubits:
                    wires[other].pop()
    order = tuple(reversed(backwards))
    parts = tuple(
        (
            gates[position].form,
            _named(gates[position], names),
            gates[position].source,
            gates[position].value if gates[position].source == "angle" else 0.0,
        )
        for position in order
    )
    return _Arrangement(
        key=(parts, tuple(letters.values())),
        order=np.array(order, dtype=np.int64),
        met=tuple(qubit - start for qubit in met),
    )

"""Light cones: the gates that an observable can feel, brought to a form that equal cones share."""

import heapq
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tnqml.circuit import Circuit
from tnqml.forms import Form
from tnqml.gates import Gate

_PAULI_ROTATIONS = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ"}


class Wires:
    """For each qubit of a circuit the positions of its gates, in order."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.positions: list[list[int]] = [[] for _ in range(circuit.qubits)]
        for position, gate in enumerate(circuit.gates):
            for qubit in gate.qubits:
                self.positions[qubit].append(position)


def light_cone(wires: Wires, letters: Mapping[int, str], *, marginal: bool = False) -> list[Gate]:
    """The gates, in order, that change the expectation of a Pauli string.

    Going back from the observable, a gate is dropped if it commutes with all that stands after it:
    because it shares no qubit with it, because on each shared qubit both lie in the algebra of one
    and the same Pauli (a CZ before a Z), or because it is a Pauli rotation that commutes with the
    string as a whole while nothing else has acted. The cost is that of the cone, not the circuit.

    Args:
        wires: of the circuit.
        letters: the Pauli of each qubit of the string.
        marginal: keep what any product of some of the letters can feel, not only all of them.
    """
    gates = wires.circuit.gates
    axis: dict[int, str | None] = dict(letters)
    string: Mapping[int, str] | None = None if marginal else letters
    heap: list[int] = []
    queued: set[int] = set()

    def queue_before(position: int, qubit: int) -> None:
        places = wires.positions[qubit]
        count = bisect_left(places, position)
        if count and places[count - 1] not in queued:
            queued.add(places[count - 1])
            heapq.heappush(heap, -places[count - 1])

    kept: list[int] = []
    for qubit in letters:
        queue_before(len(gates), qubit)
    while heap:
        position = -heapq.heappop(heap)
        gate = gates[position]
        passed = [qubit for qubit in gate.qubits if qubit in axis]
        if not (_commutes(gate, axis) or (string is not None and _commutes_as_word(gate, string))):
            kept.append(position)
            string = None
            passed = list(gate.qubits)
            for qubit, own in zip(gate.qubits, gate.axes, strict=True):
                axis[qubit] = own if axis.get(qubit, own) == own else None
        for qubit in passed:
            queue_before(position, qubit)
    return [gates[position] for position in reversed(kept)]


def _commutes(gate: Gate, axis: Mapping[int, str | None]) -> bool:
    """Whether on every shared qubit gate and operator lie in the algebra of the same Pauli."""
    return all(
        qubit not in axis or (own is not None and axis[qubit] == own)
        for qubit, own in zip(gate.qubits, gate.axes, strict=True)
    )


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


@dataclass(frozen=True)
class Cone:
    """A light cone with its qubits counted anew; translated copies of one cone are equal in `key`.

    Attributes:
        key: gates (form, qubits, kind of source, number) and the letters of the string; all of the
            structure and nothing of which feature, parameter or qubit it is.
        slots: for each gate with a feature or parameter, which entry it reads.
        scales: and the factor on it.
        qubits: which qubit of the circuit each qubit of the cone is.
        gates: the gates as they stand in the circuit, in the order of `key`.
    """

    key: tuple[tuple[tuple[Form, tuple[int, ...], str | None, float], ...], tuple[str, ...]]
    slots: tuple[int, ...]
    scales: tuple[float, ...]
    qubits: tuple[int, ...]
    gates: tuple[Gate, ...]


_SYMMETRIC = {"cz", "swap", "iswap", "cp", "rxx", "ryy", "rzz"}


def _named(gate: Gate, names: Mapping[int, int]) -> tuple[int, ...]:
    """A gate's qubits by name, sorted where their order makes no difference."""
    named = tuple(names[qubit] for qubit in gate.qubits)
    return tuple(sorted(named)) if gate.kind in _SYMMETRIC else named


def canonical(gates: Sequence[Gate], letters: Mapping[int, str]) -> Cone:
    """The cone with gates in an order, and qubits with names, that depend on structure alone.

    The walk starts at the string's qubits and goes back in time, taking the gates of each wire as
    soon as nothing later is in their way; qubits are counted as they are met.
    """
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
    ordered = tuple(gates[position] for position in reversed(backwards))
    sourced = [gate for gate in ordered if gate.source in {"feature", "parameter"}]
    return Cone(
        key=(
            tuple(
                (
                    gate.form,
                    _named(gate, names),
                    gate.source,
                    gate.value if gate.source == "angle" else 0.0,
                )
                for gate in ordered
            ),
            tuple(letters.values()),
        ),
        slots=tuple(gate.slot for gate in sourced),
        scales=tuple(gate.value for gate in sourced),
        qubits=tuple(met),
        gates=ordered,
    )

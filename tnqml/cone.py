"""Light cones: the gates that an observable can feel, brought to a form that equal cones share."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tnqml.circuit import Circuit
from tnqml.forms import Form
from tnqml.gates import Gate
from tnqml.sequence import GateSequence, Integers

_Touch = tuple[int, str | None, int]

_FEW, _AT_ONCE = 2, 1 << 20  # touches
_PATIENCE, _WORTHWHILE = 32, 4  # walks, copies
_PAULI_ROTATIONS = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ"}


class Wires:
    """What stands where on the wires of a circuit.

    Attributes:
        gates: of the circuit.
        last: for each qubit the position of its last gate, or -1.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.gates = circuit.gates
        # a "touch" is a gate on one of its qubits, counted as in `GateSequence.qubits`
        wire = self.gates.qubits
        self._gate = np.repeat(np.arange(len(self.gates)), self.gates.arities)
        self._along = np.argsort(wire, kind="stable")  # touches wire by wire, in time
        self._rank = np.empty_like(self._along)
        self._rank[self._along] = np.arange(len(wire))
        self._ends = np.cumsum(np.bincount(wire, minlength=circuit.qubits))
        ordered = self._gate[self._along]
        is_first = np.diff(wire[self._along], prepend=-1) > 0
        self._before = np.empty_like(self._gate)
        self._before[self._along] = np.where(is_first, -1, np.roll(ordered, 1))
        last = np.full(circuit.qubits, -1)
        last[wire[self._along]] = ordered  # the last of equal places is the one that stays
        self.last: list[int] = last.tolist()
        self._touches: dict[int, tuple[_Touch, ...]] = {}

    @cached_property
    def _kinds_and_numbers(self) -> tuple[Integers, NDArray[np.float64]]:
        """For each gate its kind, and the number that it holds."""
        fixed = np.where(self.gates.reads("angle"), self.gates.values, 0.0)
        return self.gates.kinds, fixed

    def copies(self, visited: Sequence[int], shifts: Integers) -> tuple[Integers, Integers]:
        """Which moves of some gates along the wires find the same gates again, and where.

        They do if all gates are of the same kinds, hold the same numbers, name their qubits in the
        same order, and have on each of their wires as many gates behind them and, like them, some
        or none before.

        Args:
            visited: positions of the gates, at least one.
            shifts: (moves,) how many qubits further.

        Returns:
            Those moves by number (copies,), and the positions found (copies, gates).
        """
        lengths = self.gates.arities[list(visited)]
        firsts = np.cumsum(lengths) - lengths
        which = np.repeat(np.arange(len(visited)), lengths)
        local = np.arange(len(which)) - firsts[which]
        touches = self.gates.starts[list(visited)][which] + local
        found, moves = [], []
        at_once = max(1, _AT_ONCE // len(touches))
        for start in range(0, len(shifts), at_once):
            rows = np.arange(start, min(start + at_once, len(shifts)))
            few = slice(_FEW)  # where most of those that differ do so
            rows = rows[self._moved(touches[few], local[few], shifts[rows])[1]]
            gates, same = self._moved(touches, local, shifts[rows])
            rows, gates = rows[same], gates[same]
            agree = (gates == gates[:, firsts][:, which]).all(1)
            moves.append(rows[agree])
            found.append(gates[agree][:, firsts])
        return np.concatenate(moves), np.concatenate(found)

    def _moved(
        self, touches: Integers, local: Integers, shifts: Integers
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """The gates that stand where touches are moved to, and whether each move finds alike."""
        qubit = self.gates.qubits[touches]
        behind = self._ends[qubit] - self._rank[touches]
        moved = qubit + shifts[:, None]
        inside = (moved >= 0) & (moved < len(self.last))
        moved = np.where(inside, moved, 0)
        place = self._ends[moved] - behind
        inside &= place >= np.where(moved > 0, self._ends[moved - 1], 0)
        others = self._along[np.where(inside, place, 0)]
        gates, mine = self._gate[others], self._gate[touches]
        same = inside & (others - self.gates.starts[gates] == local)
        same &= (self._before[others] < 0) == (self._before[touches] < 0)
        for column in self._kinds_and_numbers:
            same &= column[gates] == column[mine]
        return gates, same.all(1)

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
    return _walk(wires, letters, marginal=marginal)[1]


def _walk(
    wires: Wires, letters: Mapping[int, str], *, marginal: bool = False
) -> tuple[list[int], list[int]]:
    """The gates that are met on the way back, in that order, and those of them that are kept."""
    axis: dict[int, str | None] = dict(letters)
    string: Mapping[int, str] | None = None if marginal else letters
    queued = {wires.last[qubit] for qubit in letters} - {-1}
    heap = sorted(-position for position in queued)
    visited: list[int] = []
    kept: list[int] = []
    while heap:
        position = -heapq.heappop(heap)
        visited.append(position)
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
    return visited, kept[::-1]


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
        positions: where each of its gates stands, in the order of `key`: in the circuit if
            `light_cones` made it, else among the gates that `canonical` was given.
    """

    key: _Key
    slots: Integers
    scales: NDArray[np.float64]
    qubits: tuple[int, ...]
    positions: Integers


_SYMMETRIC = {"cz", "swap", "iswap", "cp", "rxx", "ryy", "rzz"}


def _named(gate: Gate, names: Mapping[int, int]) -> tuple[int, ...]:
    """A gate's qubits by name, sorted where their order makes no difference."""
    named = tuple(names[qubit] for qubit in gate.qubits)
    return tuple(sorted(named)) if gate.kind in _SYMMETRIC else named


def canonical(gates: Sequence[Gate], letters: Mapping[int, str]) -> Cone:
    """The cone with gates in an order, and qubits with names, that depend on structure alone.

    The walk starts at the string's qubits and goes back in time, taking the gates of each wire as
    soon as nothing later is in their way; qubits are counted as they are met.

    Args:
        gates: in order; `Cone.positions` are among them.
        letters: of the string.
    """
    sequence = GateSequence.of(gates)
    wires: dict[int, list[int]] = {qubit: [] for qubit in letters}
    for position, gate in enumerate(sequence):
        for qubit in gate.qubits:
            wires.setdefault(qubit, []).append(position)
    names = {qubit: name for name, qubit in enumerate(letters)}
    met = list(letters)
    backwards: list[int] = []
    while len(backwards) < len(sequence):
        for qubit in met:  # grows while it is walked
            while wires[qubit]:
                gate = sequence[wires[qubit][-1]]
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
    order = np.array(backwards[::-1], dtype=np.int64)
    ordered = sequence.select(order)
    parts = tuple(
        (
            gate.form,
            _named(gate, names),
            gate.source,
            gate.value if gate.source == "angle" else 0.0,
        )
        for gate in ordered
    )
    sourced = _is_sourced(ordered)
    return Cone(
        key=(parts, tuple(letters.values())),
        slots=ordered.slots[sourced],
        scales=ordered.values[sourced],
        qubits=tuple(met),
        positions=order,
    )


def light_cones(circuit: Circuit, strings: Sequence[Mapping[int, str]]) -> list[dict[int, Cone]]:
    """The light cones of Pauli strings: for each structure, those of its strings by number.

    One of translated copies is walked and brought to its canonical form; the others are found all
    at once by moving its gates along the wires. Where Pauli rotations commute as words, a cone may
    differ from the one of `light_cone`: what may be dropped depends on the order of far gates.

    Args:
        circuit: their gates are of.
        strings: for each the Pauli of each of its qubits, ascending, at least one.
    """
    wires = Wires(circuit)
    alike: dict[object, list[int]] = defaultdict(list)
    for number, letters in enumerate(strings):
        first = min(letters)
        pattern = [(q - first, letter, wires.last[q] < 0) for q, letter in letters.items()]
        alike[tuple(pattern)].append(number)
    found: dict[_Key, dict[int, Cone]] = defaultdict(dict)
    for same in alike.values():
        waiting, fruitless = np.array(same), 0
        starts = np.array([min(strings[number]) for number in same])
        while len(waiting):
            letters = strings[waiting[0]]
            visited, kept = _walk(wires, letters)
            cone = canonical(wires.gates.select(kept), letters)
            moves, places = np.zeros(1, np.int64), np.array([visited], dtype=np.int64)
            if not visited:
                moves, places = np.arange(len(waiting)), np.zeros((len(waiting), 0), np.int64)
            elif fruitless < _PATIENCE or fruitless.bit_count() == 1:  # rarer as none are found
                moves, places = wires.copies(visited, starts - starts[0])
            fruitless = fruitless + 1 if len(moves) < _WORTHWHILE else 0
            column = {position: place for place, position in enumerate(visited)}
            positions = places[:, [column[kept[place]] for place in cone.positions]]
            copies = _copied(cone, wires.gates, (starts - starts[0])[moves], positions)
            found[cone.key] |= dict(zip(waiting[moves].tolist(), copies, strict=True))
            waiting, starts = np.delete(waiting, moves), np.delete(starts, moves)
    ordered = [dict(sorted(cones.items())) for cones in found.values()]
    return sorted(ordered, key=lambda cones: next(iter(cones)))


def _copied(
    cone: Cone,
    gates: GateSequence,
    shifts: Integers,  # (copies,)
    positions: Integers,  # (copies, gates of the cone)
) -> list[Cone]:
    """The same cone so many qubits further, of gates at other positions."""
    sourced = positions[:, _is_sourced(gates.select(positions[0]))]
    slots, scales = gates.slots[sourced], gates.values[sourced]
    qubits = (np.array(cone.qubits) + shifts[:, None]).tolist()
    return [
        Cone(cone.key, slots[k], scales[k], tuple(qubits[k]), positions[k])
        for k in range(len(shifts))
    ]


def _is_sourced(gates: GateSequence) -> NDArray[np.bool_]:
    """(gates,): whether each reads a feature or a parameter."""
    return gates.reads("parameter") | gates.reads("feature")

"""Circuits: gates in order, each with its party, and what crosses between the parties."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Literal

import numpy as np

from tnqml.errors import CircuitError
from tnqml.forms import Form
from tnqml.gates import Gate
from tnqml.observables import Observable
from tnqml.sequence import GateSequence

Split = Literal["layers", "qubits"]


@dataclass(frozen=True)
class Message:
    """One quantum message of one run: which qubits cross from whom to whom."""

    sender: str
    receiver: str
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Circuit:
    """An immutable sequence of gates on |0...0> or on amplitude-encoded data.

    Args:
        qubits: their number.
        gates: in the order in which they act.
        amplitudes: if positive, the initial state is the vector of the first so many features,
            zero-padded to 2^qubits and normalised; else it is |0...0>.
        split: how the parties share the register. "layers": the whole register crosses whenever
            the next gate belongs to another party. "qubits": a qubit crosses when its next gate
            belongs to another party than its last.

    Raises:
        CircuitError: a gate acts outside the register, or the amplitudes do not fit into it.

    Example:
        >>> gates = [Gate("rz", 0, feature=0, party="alice"), Gate("cz", (0, 1), party="bob")]
        >>> Circuit(2, gates).messages()
        (Message(sender='alice', receiver='bob', qubits=(0, 1)),)
    """

    qubits: int
    gates: GateSequence
    amplitudes: int
    split: Split

    def __init__(
        self,
        qubits: int,
        gates: Iterable[Gate],
        *,
        amplitudes: int = 0,
        split: Split = "layers",
    ) -> None:
        for count, what, least in ((qubits, "qubits", 1), (amplitudes, "amplitudes", 0)):
            if isinstance(count, bool) or not isinstance(count, Integral) or count < least:
                raise CircuitError(
                    f"a circuit has {count!r} {what}; expected an integer of at least {least}"
                )
        if split not in ("layers", "qubits"):
            raise CircuitError(f"split is {split!r}; expected 'layers' or 'qubits'")
        if math.log2(max(amplitudes, 1)) > qubits:
            raise CircuitError(
                f"{amplitudes} amplitudes do not fit {qubits} qubits; expected 0 to 2^{qubits}"
            )
        sequence = GateSequence.of(gates)
        outside = sequence.qubits >= qubits
        if outside.any():
            position = int(np.searchsorted(sequence.starts, outside.argmax(), side="right")) - 1
            gate = sequence[position]
            raise CircuitError(
                f"gate {position} ({gate.kind}) acts on qubit {max(gate.qubits)}; the circuit has "
                f"qubits 0 to {qubits - 1}"
            )
        object.__setattr__(self, "qubits", int(qubits))
        object.__setattr__(self, "gates", sequence)
        object.__setattr__(self, "amplitudes", int(amplitudes))
        object.__setattr__(self, "split", split)

    @cached_property
    def features(self) -> int:
        """Length of an input: one more than the last feature that is read."""
        return max(self._read("feature"), self.amplitudes)

    @cached_property
    def parameters(self) -> int:
        """Number of parameters: one more than the last that is read."""
        return self._read("parameter")

    def _read(self, source: Literal["feature", "parameter"]) -> int:
        """One more than the last feature or parameter that a gate reads."""
        return int(self.gates.slots[self.gates.reads(source)].max(initial=-1)) + 1

    @property
    def forms(self) -> Counter[Form]:
        """The forms of its gates, and how many gates have each."""
        return self.gates.forms

    @cached_property
    def channels(self) -> tuple[Gate, ...]:
        """The gates that are noise channels."""
        if not any(form.is_channel for form in self.forms):
            return ()
        return tuple(gate for gate in self.gates if gate.form.is_channel)

    @property
    def noisy(self) -> bool:
        """Whether any of the gates is a noise channel."""
        return bool(self.channels)

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties, in order of first appearance."""
        return self.gates.parties

    def time_steps(self) -> tuple[tuple[Gate, ...], ...]:
        """The gates by time step, each as early as its qubits allow; their number is the depth."""
        free = [0] * self.qubits
        steps: list[list[Gate]] = []
        for gate in self.gates:
            start = max(free[qubit] for qubit in gate.qubits)
            if start == len(steps):
                steps.append([])
            steps[start].append(gate)
            for qubit in gate.qubits:
                free[qubit] = start + 1
        return tuple(map(tuple, steps))

    def __add__(self, other: "Circuit") -> "Circuit":
        """This circuit followed by another on the same register."""
        if not isinstance(other, Circuit):
            return NotImplemented
        if other.qubits != self.qubits or other.split != self.split or other.amplitudes:
            raise CircuitError(
                f"cannot append a circuit of {other.qubits} qubits, split by {other.split} and "
                f"with {other.amplitudes} amplitudes to one of {self.qubits} qubits split by "
                f"{self.split}; expected the same register, and amplitudes only in the first"
            )
        return Circuit(
            self.qubits, self.gates + other.gates, amplitudes=self.amplitudes, split=self.split
        )

    def on_amplitudes(self, amplitudes: int) -> "Circuit":
        """The same gates acting on amplitude-encoded data instead of |0...0>.

        Features that gates read keep their places; the state is read from the first `amplitudes`.
        """
        return Circuit(self.qubits, self.gates, amplitudes=amplitudes, split=self.split)

    def check(self, observable: Observable) -> None:
        """Refuse an observable on a qubit that the circuit does not have."""
        if not isinstance(observable, Observable):
            raise CircuitError(
                f"got {type(observable).__name__} {observable!r} as an observable; expected an "
                "Observable such as Z(0)"
            )
        if observable.qubits and observable.qubits[-1] >= self.qubits:
            raise CircuitError(
                f"observable {observable} acts on qubit {observable.qubits[-1]}; the circuit has "
                f"qubits 0 to {self.qubits - 1}"
            )

    def messages(self) -> tuple[Message, ...]:
        """The messages of one run, read off the labels; unlabelled gates act wherever they are.

        Under a qubit split, qubits that cross the same way one after another, in the order of the
        gates, share a message.
        """
        if self.split == "layers":
            return _layer_messages(self.gates, tuple(range(self.qubits)))
        return _qubit_messages(self.gates)

    def cone_messages(self, gates: Sequence[Gate], measured: Sequence[int]) -> tuple[Message, ...]:
        """The messages that the gates of a light cone alone would need.

        Only qubits that have been acted on and will be again, or are measured, count.

        Args:
            gates: of a light cone, in order.
            measured: the qubits of its observable.
        """
        if self.split == "qubits":
            return _qubit_messages(gates)
        first: dict[int, int] = {}
        last = dict.fromkeys(measured, len(gates))
        for position, gate in enumerate(gates):
            for qubit in gate.qubits:
                first.setdefault(qubit, position)
                last[qubit] = max(last.get(qubit, 0), position)
        messages = _layer_messages(gates, ())
        needed = [
            tuple(sorted(qubit for qubit in first if first[qubit] < position <= last[qubit]))
            for position in _handovers(gates)
        ]
        return tuple(
            Message(message.sender, message.receiver, qubits)
            for message, qubits in zip(messages, needed, strict=True)
            if qubits
        )


def crossings(circuit: Circuit) -> dict[int, tuple[int, ...]]:
    """By the position of a gate, the qubits that cross to its party just before it."""
    if circuit.split == "layers":
        return dict.fromkeys(_handovers(circuit.gates), tuple(range(circuit.qubits)))
    owner: dict[int, str] = {}
    crossed: dict[int, tuple[int, ...]] = {}
    for position, gate in enumerate(circuit.gates):
        if gate.party is not None:
            moved = [q for q in gate.qubits if owner.get(q, gate.party) != gate.party]
            if moved:
                crossed[position] = tuple(moved)
            owner |= dict.fromkeys(gate.qubits, gate.party)
    return crossed


def _handovers(gates: Sequence[Gate]) -> list[int]:
    """Positions of the gates before which the register changes hands."""
    crossings, holder = [], None
    for position, gate in enumerate(gates):
        if gate.party is not None:
            if holder is not None and gate.party != holder:
                crossings.append(position)
            holder = gate.party
    return crossings


def _layer_messages(gates: Sequence[Gate], register: tuple[int, ...]) -> tuple[Message, ...]:
    messages, holder = [], next((g.party for g in gates if g.party is not None), "")
    for position in _handovers(gates):
        receiver = gates[position].party or ""
        messages.append(Message(holder, receiver, register))
        holder = receiver
    return tuple(messages)


def _qubit_messages(gates: Sequence[Gate]) -> tuple[Message, ...]:
    """Qubits that change owner; those that follow each other the same way go in one message."""
    owner: dict[int, str] = {}
    batches: list[tuple[str, str, list[int]]] = []
    for gate in gates:
        if gate.party is None:
            continue
        for qubit in gate.qubits:
            holder = owner.get(qubit, gate.party)
            if holder != gate.party:
                if not batches or batches[-1][:2] != (holder, gate.party):
                    batches.append((holder, gate.party, []))
                batches[-1][2].append(qubit)
            owner[qubit] = gate.party
    return tuple(Message(sender, to, tuple(qubits)) for sender, to, qubits in batches)

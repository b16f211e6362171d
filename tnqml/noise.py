"""Noise put into a circuit: a channel after every gate, on every wire, or on every message."""

from collections.abc import Sequence
from typing import Literal

from tnqml.circuit import Circuit, crossings
from tnqml.errors import CircuitError
from tnqml.gates import Gate

Where = Literal["gates", "wires", "messages"]


def noisy(circuit: Circuit, channel: Gate, *, on: Where) -> Circuit:
    """The circuit with copies of a channel in it; their strength may be a number or a parameter.

    Args:
        circuit: its gates stay as they are.
        channel: a noise channel; the qubits that it names do not matter, only how many.
        on: "gates": after every gate, a one-qubit channel on each of its qubits, a larger one after
            the gates of as many qubits. "wires": in every time step (gates as early as they can
            be) on every qubit, idle or not. "messages": on every qubit that crosses from one party
            to another (`Circuit.messages`).

    Raises:
        CircuitError: it is no channel, or acts on more than one qubit of wires or messages.

    Example:
        >>> gates = [Gate("h", 0, party="alice"), Gate("cz", (0, 1), party="bob")]
        >>> lossy = noisy(Circuit(2, gates), Gate("dephasing", 0, strength=0.1), on="messages")
        >>> [(gate.kind, gate.qubits) for gate in lossy.gates]
        [('h', (0,)), ('dephasing', (0,)), ('dephasing', (1,)), ('cz', (0, 1))]
    """
    if not isinstance(channel, Gate) or not channel.form.is_channel:
        raise CircuitError(f"{channel!r} is no noise channel, such as Gate('dephasing', 0, ...)")
    if on not in {"gates", "wires", "messages"}:
        raise CircuitError(f"on is {on!r}; expected 'gates', 'wires' or 'messages'")
    if on != "gates" and channel.form.arity != 1:
        raise CircuitError(
            f"channel {channel.kind!r} acts on {channel.form.arity} qubits; on {on} it must act on "
            "one"
        )
    if on == "gates":
        gates = [part for gate in circuit.gates for part in (gate, *_after(gate, channel))]
    elif on == "messages":
        gates = []
        sent = crossings(circuit)
        for position, gate in enumerate(circuit.gates):
            gates += [channel.moved([qubit]) for qubit in sent.get(position, ())]
            gates.append(gate)
    else:
        gates = _on_wires(circuit, channel)
    return Circuit(circuit.qubits, gates, amplitudes=circuit.amplitudes, split=circuit.split)


def _after(gate: Gate, channel: Gate) -> Sequence[Gate]:
    if channel.form.arity == 1:
        return [channel.moved([qubit]) for qubit in gate.qubits]
    return [channel.moved(gate.qubits)] if gate.form.arity == channel.form.arity else []


def _on_wires(circuit: Circuit, channel: Gate) -> list[Gate]:
    every = [channel.moved([qubit]) for qubit in range(circuit.qubits)]
    return [gate for step in circuit.time_steps() for gate in (*step, *every)]

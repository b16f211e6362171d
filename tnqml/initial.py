"""Initial parameters."""

import math
from typing import Literal

import torch
from torch import Tensor

from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.gates import Gate

Initial = Literal["uniform", "small", "identity"]

_SMALL = 0.1


def initial_parameters(
    circuit: Circuit, how: Initial, *, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """Angles (parameters,) in radians, and strengths of channels.

    Args:
        circuit: whose parameters they are.
        how: "uniform" over a full turn; "small", normal with standard deviation 0.1; or
            "identity": every gate that meets its own mirror image starts as the inverse of it (its
            partner being uniform), all others start at 0, so that a circuit of mirrored blocks
            (`ansatz.mirrored`) is the identity (Grant, Wossnig, Ostaszewski, Benedetti 2019).
            Strengths start between 0 and 0.1, or at 0 for "identity".
        dtype: of the result.
        generator: of the random numbers.
    """
    count = circuit.parameters
    if how == "small":
        angles = _SMALL * torch.randn(count, dtype=dtype, generator=generator)
        return _with_strengths(angles, circuit)
    uniform = 2 * math.pi * torch.rand(count, dtype=dtype, generator=generator)
    if how == "uniform":
        return _with_strengths(uniform, circuit)
    if how != "identity":
        raise InputError(f"init is {how!r}; expected 'uniform', 'small' or 'identity'")
    angles = torch.zeros(count, dtype=dtype)
    for first, second in _mirror_images(circuit):
        if first.slot != second.slot and second.value:
            angles[first.slot] = uniform[first.slot]
            angles[second.slot] = -first.value * uniform[first.slot] / second.value
    return angles


def _with_strengths(angles: Tensor, circuit: Circuit) -> Tensor:
    """Angles whose entries that are strengths of channels are brought to between 0 and 0.1."""
    for gate in circuit.channels:
        if gate.source == "parameter" and gate.value:
            share = float(angles[gate.slot].abs()) % 1.0
            angles[gate.slot] = _SMALL * share / gate.value
    return angles


def _mirror_images(circuit: Circuit) -> list[tuple[Gate, Gate]]:
    """Pairs of parametrised gates that face each other with nothing left between them."""
    stacks: list[list[Gate]] = [[] for _ in range(circuit.qubits)]
    pairs: list[tuple[Gate, Gate]] = []
    seen: set[int] = set()
    for gate in circuit.gates:
        tops = {id(stacks[q][-1]) if stacks[q] else None for q in gate.qubits}
        before = stacks[gate.qubits[0]][-1] if stacks[gate.qubits[0]] else None
        cancels = (
            before is not None
            and tops == {id(before)}
            and before.qubits == gate.qubits
            and _inverse_of(before, gate)
            and not {before.slot, gate.slot} & seen - {-1}
        )
        if before is not None and cancels:
            if gate.source == "parameter":
                pairs.append((before, gate))
                seen |= {before.slot, gate.slot}
            for qubit in gate.qubits:
                stacks[qubit].pop()
        else:
            for qubit in gate.qubits:
                stacks[qubit].append(gate)
    return pairs


def _inverse_of(first: Gate, second: Gate) -> bool:
    """Whether the second gate undoes the first, or can with a parameter of its own."""
    if first.source != second.source:
        return False
    if first.form.is_channel or second.form.is_channel:
        return False
    if first.source == "parameter":
        return first.form == second.form and first.slot != second.slot
    inverse = first.dagger()
    if first.form.has_angle:
        return (inverse.form, inverse.value, first.slot) == (second.form, second.value, second.slot)
    return bool(abs(inverse.form.unitary() - second.form.unitary()).max() < 1e-12)

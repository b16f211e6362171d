"""The state-vector route: batches of full states, for narrow circuits."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from contractions import Cost, Machine
from tnqml.circuit import Circuit
from tnqml.expansion import ket_matrix
from tnqml.gates import Gate
from tnqml.observables import String


def complex_dtype(dtype: torch.dtype) -> torch.dtype:
    """The complex dtype of the same precision as a real one."""
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def initial_state(circuit: Circuit, features: Tensor) -> Tensor:
    """(batch, 2^qubits): |0...0>, or the data normalised; `features` is (batch, features)."""
    batch, size = len(features), 2**circuit.qubits
    dtype = complex_dtype(features.dtype)
    if not circuit.amplitudes:
        state = torch.zeros(batch, size, dtype=dtype, device=features.device)
        state[:, 0] = 1
        return state
    vector = features[:, : circuit.amplitudes]
    vector = vector / vector.detach().abs().amax(1, keepdim=True)  # or its norm may overflow
    vector = vector / torch.linalg.vector_norm(vector, dim=1, keepdim=True)
    return torch.nn.functional.pad(vector, (0, size - circuit.amplitudes)).to(dtype)


def apply(
    gate: Gate,
    state: Tensor,  # (batch, 2^qubits)
    angle: Tensor,  # (batch,) or (1,)
) -> Tensor:
    """The state after one gate."""
    batch, size = state.shape
    count, arity = size.bit_length() - 1, gate.form.arity
    view = state.reshape(batch, *(2,) * count)
    axes = [qubit + 1 for qubit in gate.qubits]
    front = view.movedim(axes, list(range(1, arity + 1))).reshape(batch, 2**arity, -1)
    if gate.kind == "diagonal":
        phases = torch.tensor(gate.form.array, dtype=angle.dtype, device=state.device)
        turned = torch.polar(torch.ones_like(angle[:, None] * phases), -angle[:, None] * phases)
        front = turned.to(state.dtype).unsqueeze(2) * front
    else:
        front = ket_matrix(gate.form, angle, dtype=state.dtype) @ front
    back = front.reshape(batch, *(2,) * count).movedim(list(range(1, arity + 1)), axes)
    return back.reshape(batch, size)


def run(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,) or (batch, parameters)
    features: Tensor,  # (batch, features)
) -> Tensor:
    """(batch, 2^qubits): the state after the circuit."""
    state = initial_state(circuit, features)
    none = features.new_zeros(1)
    for gate in circuit.gates:
        angle = none + gate.value if gate.form.has_angle else none
        if gate.source == "feature":
            angle = gate.value * features[:, gate.slot]
        elif gate.source == "parameter":
            angle = gate.value * parameters[..., gate.slot].reshape(-1)
        state = apply(gate, state, angle)
    return state


def expectations(state: Tensor, strings: Sequence[String]) -> Tensor:
    """(strings, batch): the expectation of each Pauli string in a state (batch, 2^qubits)."""
    count = state.shape[1].bit_length() - 1
    index = torch.arange(state.shape[1], device=state.device)
    probabilities = state.abs().square()
    values = []
    for string in strings:
        flips = signs = 0
        for qubit, letter in string:
            bit = 1 << (count - 1 - qubit)
            flips |= bit if letter in "XY" else 0
            signs |= bit if letter in "YZ" else 0
        sign = (1 - 2 * parity(index & signs)).to(probabilities.dtype)
        if flips:
            # P|j> = i^(number of Y) (-1)^(signs . j) |j xor flips>
            turned = state.conj() * state[:, index ^ flips]
            phase = (-1j) ** sum(letter == "Y" for _, letter in string)
            values.append(((turned * sign).sum(1) * phase).real)
        else:
            values.append(probabilities @ sign)
    return torch.stack(values) if values else probabilities.new_zeros(0, len(state))


def parity(numbers: Tensor) -> Tensor:
    """The parity of the set bits of integers up to 2^62."""
    for shift in (32, 16, 8, 4, 2, 1):
        numbers = numbers ^ (numbers >> shift)
    return numbers & 1


def cost(
    circuit: Circuit,
    *,
    strings: int,
    batch: int,
    dtype: torch.dtype,
    gradient: bool,
    machine: Machine,
) -> Cost:
    """What a batch is predicted to cost; a reverse pass keeps the state after every gate."""
    name = str(complex_dtype(dtype)).removeprefix("torch.")
    entries = float(batch) * 2.0**circuit.qubits
    operations = sum(8 * entries * 2**gate.form.arity for gate in circuit.gates)
    moved = machine.itemsize(name) * entries * (4 * len(circuit.gates) + 2 * strings)
    steps = 5 * len(circuit.gates) + 3 * strings
    passes = 3 if gradient else 1
    held = 2 * len(circuit.gates) + strings + 4 if gradient else 6
    return Cost(
        operations=passes * operations,
        bytes_moved=passes * moved,
        peak_bytes=int(min(held * entries * machine.itemsize(name), 2.0**62)),
        width=math.log2(entries),
        steps=steps,
        slices=1,
        seconds=passes
        * (
            max(operations / machine.flops[name], moved / machine.bandwidth)
            + steps * machine.step_seconds
        ),
    )

"""The state-vector route: batches of full states, for narrow circuits."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from contractions import Cost, this_machine
from tnqml.circuit import Circuit
from tnqml.expansion import ket_matrix
from tnqml.gates import Gate
from tnqml.observables import String

_SHORT_ROW = 8  # entries in a row up to which a larger matrix on whole rows is faster
_LONG_ROW = 32
_MOVES, _STEPS = 3, 12  # how often a gate reads or writes the state, and its operations: measured
_NEW, _NEW_MOVES = 2**25, 13  # bytes above which a gate's result is in new memory, and moves then


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
    if gate.kind == "diagonal":
        phases = torch.tensor(gate.form.array, dtype=angle.dtype, device=state.device)
        turned = torch.polar(torch.ones_like(angle[:, None] * phases), -angle[:, None] * phases)
        return apply_diagonal(turned.to(state.dtype), state, gate.qubits)
    matrix = ket_matrix(gate.form, angle, dtype=state.dtype)
    if all(axis == "Z" for axis in gate.axes):
        return apply_diagonal(matrix.diagonal(dim1=1, dim2=2), state, gate.qubits)
    return apply_matrix(matrix, state, gate.qubits)


def apply_diagonal(
    entries: Tensor,  # (batch or 1, 2^k)
    state: Tensor,  # (batch, 2^qubits)
    qubits: Sequence[int],
) -> Tensor:
    """The state after a diagonal matrix on some of its qubits."""
    batch, size = state.shape
    count, arity = size.bit_length() - 1, len(qubits)
    order = sorted(range(arity), key=lambda place: qubits[place])
    entries = entries.reshape(-1, *(2,) * arity).permute(0, *(place + 1 for place in order))
    places = [qubits[place] for place in order]
    gaps = [2 ** (last - first - 1) for first, last in pairwise((-1, *places, count))]
    shape, factor = [batch], [len(entries)]
    for gap in gaps[:-1]:
        shape += [gap, 2]
        factor += [1, 2]
    if gaps[-1] < _LONG_ROW:  # short rows are made longer by repeating the entries
        repeats = min(gaps[-2], _LONG_ROW)
        shape[-2:] = [gaps[-2] // repeats, repeats, 2]
        factor[-2:] = [1, repeats, 2]
        entries = entries.unsqueeze(-2).expand(*entries.shape[:-1], repeats, 2)
    scale = entries.reshape(*factor, 1)
    return (scale * state.reshape(*shape, gaps[-1])).reshape(batch, size)


def apply_matrix(
    matrix: Tensor,  # (batch or 1, 2^k, 2^k)
    state: Tensor,  # (batch, 2^qubits)
    qubits: Sequence[int],
) -> Tensor:
    """The state after a matrix on some of its qubits."""
    batch, size = state.shape
    count, arity = size.bit_length() - 1, len(qubits)
    first, width = qubits[0], matrix.shape[1]
    if list(qubits) == list(range(first, first + arity)):  # neighbours: nothing is moved
        left, right = 2**first, 2 ** (count - first - arity)
        if right >= _SHORT_ROW:
            view = state.reshape(batch, left, width, right)
            return (matrix.unsqueeze(1) @ view).reshape(batch, size)
        before = 2 if width * right == 2 and left > 1 else 1
        matrix = _between_identities(matrix, before, right)
        return (state.reshape(batch, -1, matrix.shape[1]) @ matrix.mT).reshape(batch, size)
    view = state.reshape(batch, *(2,) * count)
    axes = [qubit + 1 for qubit in qubits]
    front = view.movedim(axes, list(range(1, arity + 1))).reshape(batch, width, -1)
    back = (matrix @ front).reshape(batch, *(2,) * count).movedim(list(range(1, arity + 1)), axes)
    return back.reshape(batch, size)


def _between_identities(
    matrix: Tensor,  # (batch, d, d)
    before: int,
    after: int,
) -> Tensor:
    """(batch, before d after, before d after): the Kronecker product with identities."""
    one = torch.eye(before, dtype=matrix.dtype, device=matrix.device)
    two = torch.eye(after, dtype=matrix.dtype, device=matrix.device)
    width = before * matrix.shape[1] * after
    return torch.einsum("pq,bij,rs->bpirqjs", one, matrix, two).reshape(-1, width, width)


def run(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,) or (batch, parameters)
    features: Tensor,  # (batch, features)
) -> Tensor:
    """(batch, 2^qubits): the state after the circuit."""
    state = initial_state(circuit, features)
    for gate, angle in angles(circuit, parameters, features):
        state = apply(gate, state, angle)
    return state


def angles(circuit: Circuit, parameters: Tensor, features: Tensor) -> Iterator[tuple[Gate, Tensor]]:
    """Each gate with its angle or strength, (batch,) or (1,)."""
    none = features.new_zeros(1)
    for gate in circuit.gates:
        angle = none + gate.value if gate.form.has_angle else none
        if gate.source == "feature":
            angle = gate.value * features[:, gate.slot]
        elif gate.source == "parameter":
            angle = gate.value * parameters[..., gate.slot].reshape(-1)
        yield gate, angle


def expectations(state: Tensor, strings: Sequence[String]) -> Tensor:
    """(strings, batch): the expectation of each Pauli string in a state (batch, 2^qubits)."""
    index = torch.arange(state.shape[1], device=state.device)
    probabilities = state.abs().square()
    values = []
    for string in strings:
        flips, sign, phase = action(string, state.shape[1], index)
        if flips:
            turned = state * state[:, index ^ flips].conj()
            values.append(((turned * sign).sum(1) * phase).real)
        else:
            values.append(probabilities @ sign.to(probabilities.dtype))
    return torch.stack(values) if values else probabilities.new_zeros(0, len(state))


def action(string: String, size: int, index: Tensor) -> tuple[int, Tensor, complex]:
    """What P does: P|j> = phase * sign_j |j xor flips>, as (flips, sign (size,), phase)."""
    count = size.bit_length() - 1
    flips = signs = 0
    for qubit, letter in string:
        bit = 1 << (count - 1 - qubit)
        flips |= bit if letter in "XY" else 0
        signs |= bit if letter in "YZ" else 0
    phase = 1j ** sum(letter == "Y" for _, letter in string)
    return flips, 1 - 2 * parity(index & signs), phase


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
    device: torch.device,
) -> Cost:
    """What a batch is predicted to cost; a reverse pass keeps the state after every gate.

    Of a noisy circuit it is the density matrix that runs.
    """
    machine = this_machine(device)
    name = str(complex_dtype(dtype)).removeprefix("torch.")
    copies = 2 if circuit.noisy else 1  # a gate acts on the ket and on the bra
    gates = copies * len(circuit.gates)
    entries = float(batch) * 2.0 ** (copies * circuit.qubits)
    operations = copies * sum(
        8 * entries * count * 2**form.arity for form, count in circuit.forms.items()
    )
    size = machine.itemsize(name) * entries
    moves = _NEW_MOVES if device.type == "cpu" and size > _NEW else _MOVES
    moved = size * (moves * gates + 2 * strings)
    steps = _STEPS * gates + 3 * strings
    passes = 3 if gradient else 1
    held = 2 * gates + strings + 4 if gradient else 6
    return Cost(
        operations=passes * operations,
        bytes_moved=passes * moved,
        peak_bytes=int(min(held * size, 2.0**62)),
        width=math.log2(entries),
        steps=steps,
        slices=1,
        seconds=passes
        * (
            max(operations / machine.flops[name], moved / machine.bandwidth)
            + steps * machine.step_seconds
        ),
    )

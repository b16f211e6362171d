"""Amplitudes <bits|phi(x)> and overlaps <phi(x)|phi(x')> in the ket picture."""

import torch
from torch import Tensor

from contractions import Scaled, this_machine
from tnqml import statevector
from tnqml.circuit import Circuit
from tnqml.cone import canonical
from tnqml.errors import CircuitError
from tnqml.gates import Gate
from tnqml.network import CLOSED, OPEN, ConeNetwork, Task

_STATE_SECONDS = 0.05


def amplitudes(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,)
    features: Tensor,  # (batch, features)
    bits: Tensor,  # (batch, qubits) of 0 and 1
    *,
    memory: int | None = None,
) -> Scaled:
    """(batch,) complex: the amplitude of each sample's bit string, as mantissa and logarithm.

    Raises:
        CircuitError: the circuit is noisy.
        ContractionTooLarge: the network of the whole circuit exceeds the memory cap.
    """
    if _use_state(circuit, features, memory):
        state = statevector.run(circuit, parameters, features)
        places = torch.arange(circuit.qubits - 1, -1, -1, device=bits.device)
        index = (bits.to(torch.int64) << places).sum(1, keepdim=True)
        return Scaled.of(state.gather(1, index)[:, 0])
    network = ConeNetwork(
        [canonical(circuit.gates, dict.fromkeys(range(circuit.qubits), OPEN))], picture="ket"
    )
    task = _task(parameters, features, selected=True, memory=memory)
    selectors = torch.nn.functional.one_hot(bits.to(torch.int64), 2).to(task.dtype).unbind(1)
    return _first(network.run(parameters, features, task=task, selectors=selectors))


def overlaps(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,)
    features: Tensor,  # (batch, features)
    others: Tensor,  # (batch, features)
    *,
    memory: int | None = None,
) -> Scaled:
    """(batch,) complex: <phi(features)|phi(others)> row by row, as mantissa and logarithm.

    It is the amplitude of |0...0> after the circuit on `others` and its inverse on `features`;
    gates after the last upload on their qubits cancel and are left out.

    Raises:
        CircuitError: the circuit is noisy.
        ContractionTooLarge: the network exceeds the memory cap.
    """
    if _use_state(circuit, features, memory):
        one = statevector.run(circuit, parameters, features)
        two = statevector.run(circuit, parameters, others)
        return Scaled.of((one.conj() * two).sum(1))
    network = overlap_network(circuit)
    task = _task(parameters, features, selected=False, memory=memory)
    return _first(network.run(parameters, torch.cat([others, features], 1), task=task))


def overlap_network(circuit: Circuit) -> ConeNetwork:
    """The network whose value is one overlap: the circuit, then its inverse.

    Its inputs, 2 features in a row, are those of the state on the right, then those of the state
    on the left. Gates after the last upload on their qubits cancel and are left out.
    """
    gates = _up_to_uploads(circuit)
    back = [gate.dagger().shifted(features=circuit.features) for gate in reversed(gates)]
    closed = dict.fromkeys(range(circuit.qubits), CLOSED)
    return ConeNetwork([canonical(gates + back, closed)], picture="ket")


def _use_state(circuit: Circuit, features: Tensor, memory: int | None) -> bool:
    """Whether full states are quick, or the only way; refuses a circuit without a pure state."""
    if circuit.noisy:
        raise CircuitError(
            "a noisy circuit has no amplitudes and no overlaps, its state being mixed; leave out "
            "its channels, or ask for probabilities"
        )
    cost = statevector.cost(
        circuit,
        strings=0,
        batch=len(features),
        dtype=features.dtype,
        gradient=True,
        device=features.device,
    )
    limit = this_machine(features.device).memory if memory is None else memory
    return bool(circuit.amplitudes) or (cost.peak_bytes <= limit and cost.seconds < _STATE_SECONDS)


def _task(parameters: Tensor, features: Tensor, *, selected: bool, memory: int | None) -> Task:
    return Task(
        statevector.complex_dtype(features.dtype),
        gradient=parameters.requires_grad or features.requires_grad,
        selected=selected,
        scaled=True,
        memory=memory,
        device=features.device,
    )


def _up_to_uploads(circuit: Circuit) -> list[Gate]:
    """The gates without those that no upload follows or shares a qubit with."""
    kept: list[Gate] = []
    held: set[int] = set()
    for gate in reversed(circuit.gates):
        if gate.source == "feature" or held & set(gate.qubits):
            held |= set(gate.qubits)
            kept.append(gate)
    return kept[::-1]


def _first(result: tuple[Tensor, Tensor | None]) -> Scaled:
    value, log_scale = result
    assert log_scale is not None  # noqa: S101 - the task was scaled
    return Scaled(value[0], log_scale[0])

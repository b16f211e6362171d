"""Probabilities of bit strings, and bit strings drawn from them."""

import operator
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from contractions import ContractionTooLarge, this_machine
from tnqml import density, statevector
from tnqml.circuit import Circuit
from tnqml.cone import Wires, canonical, light_cone
from tnqml.errors import InputError
from tnqml.network import OPEN, ConeNetwork, Task
from tnqml.routes import fits_pauli_route

MOST_MARGINAL_QUBITS = 12

_STATE_SECONDS = 0.05
_SHOT_BYTES = 32  # a uniform number, its place and what finds it


def probabilities(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,)
    features: Tensor,  # (batch, features)
    *,
    qubits: Sequence[int] | int,
    memory: int | None = None,
) -> Tensor:
    """(batch, 2^k): the joint distribution of k qubits, the first named most significant.

    From the full state where that is quick, else from the light cone of the qubits alone, as the
    expectations of all 2^k products of Z on them, at any width of the circuit.

    Raises:
        InputError: qubits repeat, do not exist, or are more than 12 of a circuit too wide for a
            state vector.
        ContractionTooLarge: neither the state nor the light cone fits the memory cap.
    """
    listed = _integers(qubits)
    if not listed or len(set(listed)) != len(listed):
        raise InputError(f"qubits are {tuple(listed)}; expected at least one, each once")
    if min(listed) < 0 or max(listed) >= circuit.qubits:
        raise InputError(
            f"qubits are {tuple(listed)}; the circuit has qubits 0 to {circuit.qubits - 1}"
        )
    limit = this_machine(features.device).memory if memory is None else memory
    cost = statevector.cost(
        circuit,
        strings=0,
        batch=len(features),
        dtype=features.dtype,
        gradient=False,
        device=features.device,
    )
    fits, local = cost.peak_bytes <= limit, fits_pauli_route(circuit)
    if fits and (cost.seconds < _STATE_SECONDS or len(listed) > MOST_MARGINAL_QUBITS or not local):
        return _from_state(circuit, parameters, features, listed)
    if len(listed) > MOST_MARGINAL_QUBITS:
        raise InputError(
            f"{len(listed)} qubits of a circuit of {circuit.qubits}, too wide for a state vector "
            f"({cost.peak_bytes / 2**30:.3g} GiB); name at most {MOST_MARGINAL_QUBITS} qubits"
        )
    try:
        return _from_cone(circuit, parameters, features, listed, memory=memory)
    except ContractionTooLarge:
        if fits:
            return _from_state(circuit, parameters, features, listed)
        raise


def _integers(qubits: Any) -> list[int]:
    given: list[Any]
    if isinstance(qubits, Integral) or getattr(qubits, "ndim", 1) == 0:
        given = [qubits]
    elif isinstance(qubits, Iterable) and not isinstance(qubits, set | frozenset | dict):
        given = list(qubits)
    else:
        raise InputError(f"qubits are {qubits!r:.60}; expected an integer or a sequence of them")
    try:
        listed = [operator.index(qubit) for qubit in given]
    except TypeError:
        listed = None
    if listed is None or any(isinstance(qubit, bool) for qubit in given):
        raise InputError(f"qubits are {tuple(given)}; expected integers")
    return listed


def _from_state(
    circuit: Circuit, parameters: Tensor, features: Tensor, qubits: Sequence[int]
) -> Tensor:
    if circuit.noisy:
        whole = density.probabilities(circuit, parameters, features)
    else:
        whole = statevector.run(circuit, parameters, features).abs().square()
    grid = whole.reshape(-1, *(2,) * circuit.qubits)
    rest = [qubit + 1 for qubit in range(circuit.qubits) if qubit not in set(qubits)]
    kept = grid.permute(0, *(qubit + 1 for qubit in qubits), *rest)
    return kept.reshape(len(features), 2 ** len(qubits), -1).sum(2)


def _from_cone(
    circuit: Circuit,
    parameters: Tensor,
    features: Tensor,
    qubits: Sequence[int],
    *,
    memory: int | None,
) -> Tensor:
    kept = light_cone(Wires(circuit), dict.fromkeys(qubits, "Z"), marginal=True)
    network = ConeNetwork([canonical(circuit.gates.select(kept), dict.fromkeys(qubits, OPEN))])
    gradient = parameters.requires_grad or features.requires_grad
    task = Task(features.dtype, gradient=gradient, memory=memory, device=features.device)
    values, _ = network.run(parameters, features, task=task)
    distribution = values[0]
    for axis in range(1, len(qubits) + 1):  # p(bits) = 2^-k sum_z (-1)^(bits . z) <Z^z>
        one, z = distribution.unbind(axis)
        distribution = torch.stack([(one + z) / 2, (one - z) / 2], axis)
    return distribution.reshape(len(features), -1)


def draw(
    distribution: Tensor,  # (batch, 2^k)
    *,
    shots: int,
    generator: torch.Generator,
    memory: int | None = None,
) -> Tensor:
    """(batch, shots, k) of 0 and 1: bit strings drawn from each row.

    Raises:
        InputError: there is no shot, or more than fit the memory cap.
    """
    if shots < 1:
        raise InputError(f"shots is {shots}; expected at least 1")
    count = distribution.shape[1].bit_length() - 1
    limit = this_machine(distribution.device).memory if memory is None else memory
    each = len(distribution) * (_SHOT_BYTES + 2 * count)
    if shots * each > limit:
        raise InputError(
            f"shots is {shots}, which takes {shots * each / 2**30:.3g} GiB for a batch of "
            f"{len(distribution)}, more than the cap of {limit / 2**30:.3g} GiB; draw at most "
            f"{limit // each} at a time, each time with another seed"
        )
    cumulative = distribution.detach().double().clamp(min=0).cumsum(1)
    uniform = torch.rand(
        len(distribution), shots, dtype=torch.float64, generator=generator, device=generator.device
    ).to(distribution.device)
    index = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)
    index = index.clamp(max=distribution.shape[1] - 1)
    bits = [(index >> place & 1).to(torch.uint8) for place in reversed(range(count))]
    return torch.stack(bits, 2)

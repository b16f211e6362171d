"""Density matrices in full, for narrow noisy circuits: the state-vector route on twice the qubits.

rho is held as a vector of 2n qubits, the ket's first and the bra's after them, so that a unitary
acts on its qubits and, conjugated, on the same qubits n further on.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tnqml import statevector
from tnqml.circuit import Circuit
from tnqml.expansion import columns_of
from tnqml.forms import Form
from tnqml.observables import String


def run(
    circuit: Circuit,
    parameters: Tensor,  # (parameters,) or (batch, parameters)
    features: Tensor,  # (batch, features)
) -> Tensor:
    """(batch, 2^qubits, 2^qubits): the density matrix after the circuit."""
    ket = statevector.initial_state(circuit, features)
    rho = (ket.unsqueeze(2) * ket.conj().unsqueeze(1)).flatten(1)
    for gate, angle in statevector.angles(circuit, parameters, features):
        bra = [qubit + circuit.qubits for qubit in gate.qubits]
        if gate.form.is_channel:
            both = superoperator(gate.form, angle, dtype=rho.dtype)
            rho = statevector.apply_matrix(both, rho, [*gate.qubits, *bra])
        else:
            rho = statevector.apply(gate, rho, angle)
            rho = statevector.apply(gate.moved(bra), rho.conj(), angle).conj()
    return rho.reshape(len(rho), ket.shape[1], -1)


def superoperator(
    form: Form,
    strength: Tensor,  # (batch,) or (1,)
    *,
    dtype: torch.dtype,
) -> Tensor:
    """(batch, 4^k, 4^k): a channel on the qubits of the ket followed by those of the bra."""
    functions = tuple(function for function in form.sandwiches if function is not None)
    parts = [
        np.sum([np.kron(left, right.conj()) for left, right in pairs], 0)
        for pairs in form.sandwiches.values()
    ]
    weights = columns_of(strength, functions).to(dtype)
    result: Tensor = torch.tensordot(weights, torch.tensor(np.stack(parts)).to(weights), 1)
    return result


def expectations(
    rho: Tensor,  # (batch, 2^qubits, 2^qubits)
    strings: Sequence[String],
) -> Tensor:
    """(strings, batch): Tr(P rho) for each Pauli string."""
    index = torch.arange(rho.shape[1], device=rho.device)
    values = []
    for string in strings:
        flips, sign, phase = statevector.action(string, rho.shape[1], index)
        entries = rho[:, index, index ^ flips]
        values.append(((entries * sign).sum(1) * phase).real)
    return torch.stack(values) if values else rho.real.new_zeros(0, len(rho))


def probabilities(circuit: Circuit, parameters: Tensor, features: Tensor) -> Tensor:
    """(batch, 2^qubits): of each bit string."""
    rho = run(circuit, parameters, features)
    return rho.diagonal(dim1=1, dim2=2).real.clamp(min=0)

"""Models with a feature a qubit whose output sees every upload, at any depth; and a linear one.

In a shallow circuit the light cone grows with the depth, and with it the number of uploads. Here
it does not: a block before, between and after the upload layers is deep enough that every cone is
full, so that depth is the only thing that changes (THEORY section 3).
"""

from collections.abc import Iterator
from typing import cast

from tnqml import Circuit, DistributedModel, Gate, Observable, Z, ansatz

_HAAR_AT_MOST = 5  # qubits of a unitary that the Pauli picture takes


def full_cone(
    name: str, qubits: int, *, layers: int, frequencies: str, seed: int
) -> DistributedModel:
    """A model with n L uploads in the cone of its output Z on the middle qubit.

    Args:
        name: "haar", "brickwork" or "all-to-all": the blocks between the upload layers. A brickwork
            block has n/2 + 1 layers, one of all-to-all gates two.
        qubits: n; upload layer l turns qubit q by lambda_l x_q.
        layers: L.
        frequencies: of the lambda, as for `ansatz.upload_frequencies`.
        seed: of blocks or parameters.
    """
    import torch

    kind = cast("ansatz.Frequencies", frequencies)
    scales = ansatz.upload_frequencies(layers, 1, kind=kind)[:, 0]
    blocks = _blocks(name, qubits, seed)
    gates = list(next(blocks))
    for scale in scales:
        gates += [
            Gate("rz", qubit, feature=qubit, scale=float(scale), party="alice")
            for qubit in range(qubits)
        ]
        gates += next(blocks)
    model = DistributedModel(Circuit(qubits, gates), Z(qubits // 2), dtype=torch.float64, seed=seed)
    (cone,) = model.light_cones()
    assert cone.uploads == qubits * layers  # noqa: S101 - the promise of this function
    return model


def _blocks(name: str, qubits: int, seed: int) -> Iterator[list[Gate]]:
    """Blocks one after another, each with parameters or a unitary of its own."""
    if name == "haar":
        if qubits > _HAAR_AT_MOST:
            raise ValueError(f"{qubits} qubits; Haar blocks go up to {_HAAR_AT_MOST}")
        import numpy as np
        from scipy.stats import unitary_group

        generator = np.random.default_rng(seed)
        while True:
            matrix = np.reshape(
                unitary_group.rvs(2**qubits, random_state=generator), (2**qubits, -1)
            )
            yield [Gate("unitary", range(qubits), matrix=matrix, party="alice")]
    if name == "brickwork":
        block = ansatz.brickwork(qubits, layers=qubits // 2 + 1, uploads=0, start="zero")
    else:
        graph = ansatz.all_to_all(qubits)
        block = ansatz.from_graph(graph, layers=2, uploads=0, start="zero")
    count = 0
    while True:
        yield [gate.shifted(parameters=count) for gate in block.gates]
        count += block.parameters


def linear(qubits: int, *, layers: int, seed: int) -> DistributedModel:
    """A sum over features of a cosine and a sine of each: one frequency a feature at any depth.

    Every qubit is turned by its feature and L times by parameters, alone; the output is the sum of
    all Z.
    """
    import torch

    gates = [Gate("ry", qubit, parameter=qubit, party="alice") for qubit in range(qubits)]
    gates += [Gate("rz", qubit, feature=qubit, party="alice") for qubit in range(qubits)]
    for layer in range(1, layers + 1):
        for turn, kind in enumerate(("ry", "rz")):
            first = qubits * (2 * layer - 1 + turn)
            gates += [
                Gate(kind, qubit, parameter=first + qubit, party="bob") for qubit in range(qubits)
            ]
    output: Observable = Z(0)
    for qubit in range(1, qubits):
        output = output + Z(qubit)
    return DistributedModel(Circuit(qubits, gates), output, dtype=torch.float64, seed=seed)

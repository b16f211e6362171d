"""The other measures of expressivity for one brickwork model."""

from typing import Any

from studies.expressivity.cell import Cell
from studies.study import Row

_KERNEL_DRAWS = 4
_FISHER_DRAWS = 3
_PAIRS_PER_DRAW = 8


def measure(cell: Cell) -> list[Row]:
    """Expressibility, entanglement, gradients, Fisher information and kernel, with intervals.

    Plain brickwork layers, each with its uploads, so that depth adds uploads and mixing together.
    """
    import torch

    from tnqml import DistributedModel, Z, ansatz, parity
    from tnqml.expressivity import (
        CutEntropy,
        Estimate,
        Expressibility,
        FisherInformation,
        GradientVariance,
        KernelSpectrum,
        uniform,
    )

    circuit = ansatz.brickwork(cell.qubits, layers=cell.layers)
    inputs = uniform(circuit.features)
    generator = torch.Generator().manual_seed(cell.seed)
    one = DistributedModel(circuit, Z(cell.qubits // 2), dtype=torch.float64)
    both = DistributedModel(
        circuit, [Z(cell.qubits // 2), parity(range(cell.qubits))], dtype=torch.float64
    )
    every = DistributedModel(
        circuit, [Z(qubit) for qubit in range(cell.qubits)], dtype=torch.float64
    )
    row: dict[str, Any] = {
        "cone_uploads": one.light_cones()[0].uploads,
        "parameters": circuit.parameters,
    }

    def add(name: str, estimate: Estimate) -> None:
        row.update(
            {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        )

    pairs = Expressibility(inputs, pairs=_PAIRS_PER_DRAW * cell.draws, bins=40, spacing="haar")
    add("divergence", pairs.run(one, generator).divergence)
    entropy = CutEntropy(inputs, draws=cell.draws).run(one, generator)
    add("cut_entropy", entropy.mean)
    row["cut_entropy_haar"] = entropy.haar
    for name, found in zip(
        ("local", "global"),
        GradientVariance(inputs, draws=cell.draws).run(both, generator),
        strict=True,
    ):
        add(f"log_variance_{name}", found.log_variance)
    fisher = FisherInformation(inputs, points=2 * circuit.parameters, draws=_FISHER_DRAWS)
    add("fisher_rank", fisher.run(every, generator).rank)
    kernel = KernelSpectrum(inputs, points=4**cell.qubits + 16, draws=_KERNEL_DRAWS)
    spectrum = kernel.run(one, generator)
    add("kernel_rank", spectrum.rank)
    add("kernel_effective", spectrum.effective_rank)
    return [row]

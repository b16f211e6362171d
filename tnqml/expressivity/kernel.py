"""The spectrum of the fidelity kernel of a model."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.expressivity.draws import (
    Inputs,
    at,
    check_inputs,
    check_model,
    point_count,
    points,
    random_parameters,
)
from tnqml.expressivity.estimate import Estimate, check_confidence, mean
from tnqml.expressivity.forecast import Forecast, calls, factorisations, started
from tnqml.expressivity.jacobian import generic
from tnqml.expressivity.span import Rank, check_tolerance, rank_of
from tnqml.expressivity.states import Way, check_pure, fidelity_matrix, gram_way
from tnqml.model import DistributedModel


@dataclass(frozen=True, eq=False)
class KernelResult:
    """The fidelity kernel over random parameters.

    Attributes:
        eigenvalues: (draws, points) of K / points, falling; they sum to 1.
        rank: the largest rank found, which is that of almost all parameters.
        ranks: at every draw.
        effective_rank: the mean over the draws of exp(entropy of the eigenvalues), with Student's
            interval.
    """

    eigenvalues: NDArray[np.float64]
    rank: Estimate
    ranks: tuple[Rank, ...]
    effective_rank: Estimate


@dataclass(frozen=True)
class KernelSpectrum:
    """Eigenvalues of K_ij = |<phi(theta, x_i)|phi(theta, x_j)>|^2 at random theta; a `Measure`.

    K is the Gram matrix of the density matrices, so its rank is how many of them are linearly
    independent: at most 4^n, and what a kernel method with this model has to learn with (Schuld
    2021). Gates after the last upload do not change it.

    Args:
        inputs: the points x_i, or where each draw of theta gets points of its own from.
        points: how many are drawn.
        draws: of theta.
        tolerance: of the rank, on eigenvalues against the largest; rounding leaves 1e-15.
        confidence: of the interval.
    """

    inputs: Inputs
    points: int = 128
    draws: int = 8
    tolerance: float = 1e-12
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.points, "points")
        check_count(self.draws, "draws", least=2)
        check_tolerance(self.tolerance)
        check_confidence(self.confidence)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        return self._forecast(self._way(model))

    def _way(self, model: DistributedModel) -> Way:
        check_model(model)
        check_pure(model)
        return gram_way(model, point_count(self.inputs, self.points))

    def _forecast(self, way: Way) -> Forecast:
        size = point_count(self.inputs, self.points)
        shape = f"{self.draws} kernels of {size} x {size}"
        return calls(way.cost, self.draws, f"{shape} by {way.words}") + factorisations(
            [(size, size)] * self.draws, work="their spectra"
        )

    def run(self, model: DistributedModel, generator: torch.Generator) -> KernelResult:
        """The spectrum of the kernel."""
        way = self._way(model)
        started(self, self._forecast(way), generator)
        spectra, ranks = [], []
        for parameters in random_parameters(model, self.draws, generator):
            x = points(model, self.inputs, self.points, generator)
            kernel = fidelity_matrix(at(model, parameters), x, way=way).cpu().numpy()
            eigenvalues = np.linalg.eigvalsh(kernel)[::-1].clip(min=0) / len(x)
            spectra.append(eigenvalues)
            ranks.append(rank_of(eigenvalues**0.5, tolerance=self.tolerance**0.5))
        size = len(x)
        fixed = isinstance(self.inputs, torch.Tensor)  # on given points there can be no more
        most = size if fixed else 4**model.circuit.qubits
        return KernelResult(
            eigenvalues=np.stack(spectra),
            rank=generic(ranks, size, most),
            ranks=tuple(ranks),
            effective_rank=mean(
                np.array([rank.effective for rank in ranks]), confidence=self.confidence
            ),
        )

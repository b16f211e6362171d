"""Expressibility: how close the states of a model are to Haar-random ones."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.expressivity.draws import (
    Inputs,
    check_inputs,
    check_model,
    random_inputs,
    random_parameters,
)
from tnqml.expressivity.estimate import Estimate, Samples, check_confidence, mean
from tnqml.expressivity.forecast import Forecast, calls, started
from tnqml.expressivity.states import Way, check_pure, log_fidelities, pair_way
from tnqml.model import DistributedModel

Spacing = Literal["fidelity", "haar"]

_SMALL = math.log(1e-9)
_WIDEST_BY_FIDELITY = 16


@dataclass(frozen=True)
class ExpressibilityResult:
    """How far the fidelities of a model's states are from those of Haar-random states.

    Attributes:
        divergence: the binned Kullback-Leibler divergence in nats; 0 for Haar-random states.
        frame_potentials: E[F^t] for t = 1, 2, ..., each as a ratio to its Haar value, which is the
            least possible: 1 for a t-design.
        log_fidelities: (pairs,) what they are made of.
    """

    divergence: Estimate
    frame_potentials: tuple[Estimate, ...]
    log_fidelities: Samples


@dataclass(frozen=True)
class Expressibility:
    """KL divergence of the fidelities from (d-1)(1-F)^(d-2), and frame potentials; a `Measure`.

    F = |<phi(theta, x)|phi(theta', x)>|^2 for independent uniform theta, theta' and one x for both
    (Sim, Johnson, Aspuru-Guzik 2019). Frame potential t is the mean of F^t; Haar
    states have t! (d-1)! / (t+d-1)!.

    The divergence is that of the binned distributions, less the bias (k-1)/2m of m pairs in k
    filled bins (Miller 1955); its interval is normal, the variance by the delta method to second
    order, var(ln(p/q))/m + (k-1)/(2 m^2), so that it stays right at divergence 0 (derived in
    tests/tnqml/test_expressivity_expressibility.py). None of the three goes below 0.

    Args:
        inputs: x, drawn anew for each pair.
        pairs: of states.
        bins: of the histogram.
        spacing: "fidelity": bins of equal width in F, as published figures have; "haar": bins that
            Haar states fill equally, to be used beyond about four qubits, where nearly all
            fidelities fall into the first bin of equal width.
        orders: frame potentials up to this t.
        confidence: of the intervals.
    """

    inputs: Inputs
    pairs: int = 2000
    bins: int = 75
    spacing: Spacing = "fidelity"
    orders: int = 2
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.pairs, "pairs", least=2)
        check_count(self.bins, "bins", least=2)
        check_count(self.orders, "orders")
        check_confidence(self.confidence)
        if self.spacing not in {"fidelity", "haar"}:
            raise InputError(f"spacing is {self.spacing!r}; expected 'fidelity' or 'haar'")

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        return self._forecast(self._way(model))

    def _way(self, model: DistributedModel) -> Way:
        check_model(model, parameters=True)
        check_pure(model)
        if self.spacing == "fidelity" and model.circuit.qubits > _WIDEST_BY_FIDELITY:
            raise InputError(
                f"bins of equal width in the fidelity cannot tell states of {model.circuit.qubits} "
                f"qubits apart; use spacing='haar' beyond {_WIDEST_BY_FIDELITY} qubits"
            )
        return pair_way(model, self.pairs)

    def _forecast(self, way: Way) -> Forecast:
        return calls(way.cost, 1, f"{self.pairs} overlaps by {way.words}")

    def run(self, model: DistributedModel, generator: torch.Generator) -> ExpressibilityResult:
        """Divergence and frame potentials."""
        way = self._way(model)
        started(self, self._forecast(way), generator)
        x = random_inputs(model, self.inputs, self.pairs, generator)
        one = random_parameters(model, self.pairs, generator)
        two = random_parameters(model, self.pairs, generator)
        logs = log_fidelities(model, x, (one, two), way=way).cpu().numpy()
        qubits = model.circuit.qubits
        return ExpressibilityResult(
            divergence=divergence_from_haar(
                logs,
                qubits=qubits,
                bins=self.bins,
                spacing=self.spacing,
                confidence=self.confidence,
            ),
            frame_potentials=tuple(
                mean(
                    np.exp(order * logs - log_haar_potential(qubits, order=order)),
                    confidence=self.confidence,
                )
                for order in range(1, self.orders + 1)
            ),
            log_fidelities=logs,
        )


def log_haar_potential(qubits: int, *, order: int) -> float:
    """Logarithm of the frame potential of Haar-random states, t! (d-1)! / (t+d-1)!, d = 2^qubits.

    Example:
        >>> round(math.exp(log_haar_potential(1, order=2)), 6)  # 1/3
        0.333333
    """
    log_d = qubits * math.log(2)
    return sum(
        math.log(k) - (log_d + math.log1p((k - 1) * math.exp(-log_d))) for k in range(1, order + 1)
    )


def haar_cumulative(
    log_fidelity: NDArray[np.float64],  # (pairs,)
    *,
    qubits: int,
) -> NDArray[np.float64]:
    """(pairs,): the share of Haar-random fidelities below each, 1 - (1-F)^(d-1), at any width."""
    log_size = math.log(2**qubits - 1)
    tiny = log_fidelity < _SMALL  # ln(1-F) = -F, and d may be beyond floating point
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        power = np.exp(np.float64(log_size))
        exponent = power * np.log1p(-np.minimum(np.exp(log_fidelity), 1.0))
        return -np.expm1(np.where(tiny, -np.exp(log_fidelity + log_size), exponent))


def divergence_from_haar(
    log_fidelities: NDArray[np.float64],  # (pairs,)
    *,
    qubits: int,
    bins: int,
    spacing: Spacing = "fidelity",
    confidence: float = 0.95,
) -> Estimate:
    """The binned divergence of fidelities from Haar-random ones; see `Expressibility`."""
    from scipy.stats import norm

    if spacing == "haar":
        shares = haar_cumulative(log_fidelities, qubits=qubits)
        log_expected = np.full(bins, -math.log(bins))
    else:
        shares = np.minimum(np.exp(log_fidelities), 1.0)
        log_expected = _log_equal_width(qubits, bins)
    filled = np.bincount(np.minimum((shares * bins).astype(int), bins - 1), minlength=bins)
    pairs, some = len(log_fidelities), filled > 0
    observed = filled[some] / pairs
    surprise = np.log(observed) - log_expected[some]
    plain = float(observed @ surprise)
    freedom = int(some.sum()) - 1
    centre = plain - freedom / (2 * pairs)
    variance = float(observed @ (surprise - plain) ** 2) / pairs + freedom / (2 * pairs**2)
    reach = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance)
    value, low, high = (max(0.0, end) for end in (centre, centre - reach, centre + reach))
    return Estimate(value, low, high, "normal", confidence)


def _log_equal_width(qubits: int, bins: int) -> NDArray[np.float64]:
    """Logarithm of the share of Haar-random fidelities in each of the bins of equal width."""
    places = np.arange(bins)
    with np.errstate(divide="ignore"):  # the upper edge of the last bin is F = 1
        ratio = np.log((bins - 1 - places) / (bins - places))
    power = 2.0**qubits - 1
    return power * np.log1p(-places / bins) + np.log(-np.expm1(power * ratio))

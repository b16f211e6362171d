"""Entanglement of a model's final states: across a cut, and of single qubits with all others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.expressivity.draws import (
    Inputs,
    check_inputs,
    check_model,
    lifted,
    random_inputs,
    random_parameters,
)
from tnqml.expressivity.estimate import Estimate, Samples, check_confidence, mean
from tnqml.expressivity.forecast import Forecast, calls, factorisations, started, values
from tnqml.expressivity.states import check_pure, final_states, state_cost
from tnqml.model import DistributedModel
from tnqml.observables import X, Y, Z


@dataclass(frozen=True, eq=False)
class EntanglementResult:
    """Entanglement over random inputs and parameters.

    Attributes:
        mean: with Student's interval over the draws.
        haar: the mean over Haar-random states, to compare with.
        samples: (draws,).
    """

    mean: Estimate
    haar: float
    samples: Samples = field(repr=False)


@dataclass(frozen=True)
class CutEntropy:
    """Entropy of entanglement across a cut of the qubits, in ebits; a `Measure`.

    -Tr rho log2 rho of the final state of the qubits on one side, at random x and theta. For
    models whose state vector fits; `MeyerWallach` takes any width.

    Args:
        inputs: x, drawn anew for each draw.
        qubits: on one side; by default `party_cut`.
        draws: of x and theta together.
        confidence: of the interval.
    """

    inputs: Inputs
    qubits: Sequence[int] | None = None
    draws: int = 200
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.draws, "draws", least=2)
        check_confidence(self.confidence)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost.

        Raises:
            ContractionTooLarge: a state vector does not fit the memory cap.
        """
        check_model(model)
        check_pure(model)
        side = _side(model.circuit, self.qubits)
        shape = (2 ** len(side), 2 ** (model.circuit.qubits - len(side)))
        return calls(
            state_cost(model, self.draws), 1, f"{self.draws} state vectors"
        ) + factorisations(
            [shape] * self.draws, work=f"as many Schmidt decompositions {shape}", real=False
        )

    def run(self, model: DistributedModel, generator: torch.Generator) -> EntanglementResult:
        """The entropy across the cut."""
        started(self, self.forecast(model), generator)
        side = _side(model.circuit, self.qubits)
        count = model.circuit.qubits
        x = random_inputs(model, self.inputs, self.draws, generator)
        parameters = random_parameters(model, self.draws, generator)
        entropies = torch.cat(
            [cut_entropy(states, side) for states in final_states(model, x, parameters)]
        )
        samples = entropies.cpu().numpy()
        return EntanglementResult(
            mean=mean(samples, confidence=self.confidence),
            haar=page_entropy(len(side), count - len(side)),
            samples=samples,
        )


def party_cut(circuit: Circuit) -> tuple[int, ...]:
    """The qubits on the first party's side.

    Under a qubit split those that the first party is the first to act on. Under a layer split the
    whole register changes hands and no cut belongs to the parties: the first half.
    """
    if circuit.split == "layers":
        return tuple(range(circuit.qubits // 2))
    owner: dict[int, str] = {}
    for gate in circuit.gates:
        if gate.party is not None:
            for qubit in gate.qubits:
                owner.setdefault(qubit, gate.party)
    first = circuit.parties[0] if circuit.parties else None
    return tuple(sorted(qubit for qubit, party in owner.items() if party == first))


def _side(circuit: Circuit, qubits: Sequence[int] | None) -> tuple[int, ...]:
    side = party_cut(circuit) if qubits is None else tuple(qubits)
    inside = all(isinstance(q, int) and 0 <= q < circuit.qubits for q in side)
    if not inside or len(set(side)) != len(side) or not 0 < len(side) < circuit.qubits:
        raise InputError(
            f"qubits {side} are no side of a cut; expected some but not all of the qubits 0 to "
            f"{circuit.qubits - 1}, each once"
        )
    return side


def cut_entropy(
    states: Tensor,  # (rows, 2^qubits)
    side: Sequence[int],
) -> Tensor:
    """(rows,): the entropy of entanglement in ebits between some qubits and the others."""
    count = states.shape[1].bit_length() - 1
    others = [qubit for qubit in range(count) if qubit not in set(side)]
    grid = states.reshape(-1, *(2,) * count)
    order = [0, *(qubit + 1 for qubit in (*side, *others))]
    matrices = grid.permute(order).reshape(len(states), 2 ** len(side), -1)
    weights = torch.linalg.svdvals(matrices).square()
    nats: Tensor = torch.special.entr(weights).sum(1)
    return nats / math.log(2)


def page_entropy(qubits: int, others: int) -> float:
    """The mean entropy in ebits between so many qubits and others of a Haar-random state.

    sum_{k=n+1}^{mn} 1/k - (m-1)/(2n) in nats, m <= n the dimensions (Page 1993).

    Example:
        >>> round(page_entropy(1, 1), 6)  # 1/3 nat
        0.480898
    """
    from scipy.special import digamma

    small, large = 2.0 ** min(qubits, others), 2.0 ** max(qubits, others)
    nats = digamma(small * large + 1) - digamma(large + 1) - (small - 1) / (2 * large)
    return float(nats / math.log(2))


@dataclass(frozen=True)
class MeyerWallach:
    """Q = 2 (1 - mean over qubits of Tr rho_q^2), at any width; a `Measure`.

    0 for product states, 1 where every qubit is maximally mixed (Meyer, Wallach 2002, in the form
    of Brennen 2003). From the Paulis of every qubit: Tr rho_q^2 = (1 + <X>^2 + <Y>^2 + <Z>^2)/2.

    Args:
        inputs: x, drawn anew for each draw.
        draws: of x and theta together.
        confidence: of the interval.
    """

    inputs: Inputs
    draws: int = 200
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        check_inputs(self.inputs)
        check_count(self.draws, "draws", least=2)
        check_confidence(self.confidence)

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost."""
        return self._forecast(_bloch(model))

    def _forecast(self, bloch: DistributedModel) -> Forecast:
        return values(bloch, rows=self.draws, times=1)

    def run(self, model: DistributedModel, generator: torch.Generator) -> EntanglementResult:
        """The Meyer-Wallach measure."""
        bloch = _bloch(model)
        started(self, self._forecast(bloch), generator)
        x = random_inputs(model, self.inputs, self.draws, generator)
        parameters = random_parameters(model, self.draws, generator)
        with torch.no_grad():
            vectors = bloch(torch.cat([x, parameters], 1))
        qubits = model.circuit.qubits
        samples = (1 - vectors.square().sum(1) / qubits).cpu().numpy()
        return EntanglementResult(
            mean=mean(samples, confidence=self.confidence),
            haar=(2.0**qubits - 2) / (2.0**qubits + 1),
            samples=samples,
        )


def _bloch(model: DistributedModel) -> DistributedModel:
    """The lifted model with the three Paulis of every qubit as outputs."""
    check_model(model)
    check_pure(model)
    paulis = [pauli(qubit) for qubit in range(model.circuit.qubits) for pauli in (X, Y, Z)]
    return lifted(model, paulis)

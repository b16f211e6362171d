"""Final states of narrow models, and fidelities between states of models of any width."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from contractions import ContractionTooLarge, Cost, this_machine
from tnqml import statevector
from tnqml.amplitudes import overlap_network
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.expressivity.draws import parameters_as_features
from tnqml.model import DistributedModel
from tnqml.network import ConeNetwork, Task

_AMPLITUDES_AT_ONCE = 2**20
_ALWAYS_BY_STATE = 12


def check_pure(model: DistributedModel) -> None:
    """Refuse a model whose state is mixed."""
    if model.circuit.noisy:
        raise InputError(
            "the circuit is noisy and its state mixed; this measure is about pure states, so leave "
            "out the channels"
        )


def state_cost(model: DistributedModel, rows: int) -> Cost:
    """The predicted cost of `final_states`.

    Raises:
        ContractionTooLarge: a single state does not fit the memory cap.
    """
    at_once = min(rows, _at_once(model.circuit))
    one = statevector.cost(
        model.circuit,
        strings=0,
        batch=at_once,
        dtype=torch.float64,
        gradient=False,
        device=torch.device("cpu"),
    )
    memory = this_machine().memory if model.memory is None else model.memory
    if one.peak_bytes > memory:
        raise ContractionTooLarge(
            one.peak_bytes,
            memory,
            one.seconds,
            f"this is for one state vector of {model.circuit.qubits} qubits; use fewer qubits, or "
            "raise the model's `memory`",
        )
    parts = -(-rows // at_once)
    return replace(
        one,
        operations=parts * one.operations,
        bytes_moved=parts * one.bytes_moved,
        seconds=parts * one.seconds,
        slices=parts,
    )


def _at_once(circuit: Circuit) -> int:
    return max(1, _AMPLITUDES_AT_ONCE >> circuit.qubits)


def final_states(
    model: DistributedModel,
    x: Tensor,  # (rows, features)
    parameters: Tensor,  # (rows, parameters) or (parameters,)
) -> Iterator[Tensor]:
    """The final states in complex128, (rows at once, 2^qubits) by turns, as many as fit a cache."""
    at_once = _at_once(model.circuit)
    for start in range(0, len(x), at_once):
        cut = slice(start, start + at_once)
        own = parameters[cut] if parameters.ndim > 1 else parameters
        with torch.no_grad():  # not around the yield, which would switch it off for the caller
            states = statevector.run(model.circuit, own, x[cut])
        yield states


@dataclass(frozen=True)
class Way:
    """How fidelities are computed, and at what predicted cost.

    Attributes:
        cost: of all of them.
        network: whose value is one overlap, or None where state vectors are cheaper.
    """

    cost: Cost
    network: ConeNetwork | None

    @property
    def words(self) -> str:
        """For people."""
        return "state vectors" if self.network is None else "contraction"


def pair_way(model: DistributedModel, pairs: int) -> Way:
    """How `log_fidelities` computes so many.

    Raises:
        ContractionTooLarge: neither state vectors nor the network fit the memory cap.
    """
    circuit = parameters_as_features(model.circuit)
    return _way(model, circuit, states=2 * pairs, pairs=pairs)


def gram_way(model: DistributedModel, rows: int) -> Way:
    """How `fidelity_matrix` computes the fidelities of so many inputs.

    Raises:
        ContractionTooLarge: neither state vectors nor the network fit the memory cap.
    """
    return _way(model, model.circuit, states=rows, pairs=max(1, rows * (rows - 1) // 2))


def _way(model: DistributedModel, circuit: Circuit, *, states: int, pairs: int) -> Way:
    try:
        by_state = state_cost(model, states)
    except ContractionTooLarge:
        if circuit.amplitudes:
            raise
        return _by_network(model, circuit, pairs)
    if circuit.qubits <= _ALWAYS_BY_STATE or circuit.amplitudes:
        return Way(by_state, None)
    try:
        other = _by_network(model, circuit, pairs)
    except ContractionTooLarge:
        return Way(by_state, None)
    return other if other.cost.seconds < by_state.seconds else Way(by_state, None)


def _by_network(model: DistributedModel, circuit: Circuit, pairs: int) -> Way:
    """The network of `amplitudes.overlaps`, kept so that cost and values come from one."""
    network = overlap_network(circuit)
    return Way(network.cost(batch=pairs, task=_task(model)), network)


def _task(model: DistributedModel) -> Task:
    return Task(torch.complex128, scaled=True, memory=model.memory)


def _contracted(
    network: ConeNetwork,
    model: DistributedModel,
    parameters: Tensor,  # (parameters,)
    rows: Tensor,  # (pairs, 2 features): the inputs of both states
) -> Tensor:
    """(pairs,): ln of the fidelities by contraction."""
    with torch.no_grad():
        value, log_scale = network.run(parameters, rows, task=_task(model))
    assert log_scale is not None  # noqa: S101 - the task was scaled
    return 2 * (value[0].abs().log() + log_scale[0])


def log_fidelities(
    model: DistributedModel,
    x: Tensor,  # (pairs, features)
    parameters: tuple[Tensor, Tensor],  # both (pairs, parameters)
    *,
    way: Way,
) -> Tensor:
    """(pairs,): ln |<phi(theta, x)|phi(theta', x)>|^2 row by row, at any width."""
    one, two = parameters
    if way.network is not None:
        return _contracted(way.network, model, x.new_zeros(0), torch.cat([x, two, x, one], 1))
    states = zip(final_states(model, x, one), final_states(model, x, two), strict=True)
    return 2 * torch.cat([(left.conj() * right).sum(1).abs().log() for left, right in states])


def fidelity_matrix(
    model: DistributedModel,
    x: Tensor,  # (rows, features)
    *,
    way: Way,
) -> Tensor:
    """(rows, rows): |<phi(x_i)|phi(x_j)>|^2 at the model's own parameters, in float64."""
    parameters = model.theta.detach()
    if way.network is None:
        states = torch.cat(list(final_states(model, x, parameters)))
        return (states.conj() @ states.T).abs().square()
    kernel = torch.eye(len(x), dtype=torch.float64, device=x.device)
    first, second = torch.triu_indices(len(x), len(x), 1)
    if len(first):
        logs = _contracted(way.network, model, parameters, torch.cat([x[second], x[first]], 1))
        kernel[first, second] = kernel[second, first] = logs.exp()
    return kernel

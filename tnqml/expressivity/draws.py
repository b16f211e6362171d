"""Random inputs and parameters, and models at them."""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tnqml.checks import check_count
from tnqml.circuit import Circuit
from tnqml.errors import InputError
from tnqml.initial import initial_parameters
from tnqml.model import DistributedModel
from tnqml.observables import Observable

Sampler = Callable[[int, torch.Generator], Tensor]
"""(count, generator) -> (count, features): independent inputs."""

Inputs = Tensor | Sampler
"""Given inputs (rows, features), or where to draw them from.

A measure that averages over inputs draws from given ones with replacement, so that its mean and
interval are those of the given distribution; a measure on points takes all of them.
"""

TURN = 2 * math.pi


def uniform(features: int, *, high: float = TURN) -> Sampler:
    """A sampler of independent inputs, each feature uniform over [0, high).

    Example:
        >>> uniform(3)(2, torch.Generator().manual_seed(0)).shape
        torch.Size([2, 3])
    """
    check_count(features, "features", least=0)
    if not math.isfinite(high) or high <= 0:
        raise InputError(f"high is {high!r}; expected a positive number")

    def draw(count: int, generator: torch.Generator) -> Tensor:
        return high * torch.rand(count, features, dtype=torch.float64, generator=generator)

    return draw


def check_inputs(inputs: Inputs) -> None:
    """Refuse what is neither a batch of inputs nor a sampler."""
    if isinstance(inputs, Tensor):
        if inputs.ndim != 2 or len(inputs) == 0:
            raise InputError(f"inputs have shape {tuple(inputs.shape)}; expected (rows, features)")
    elif not callable(inputs):
        raise InputError(
            f"inputs are a {type(inputs).__name__}; expected a tensor (rows, features) or a "
            "sampler such as uniform(features)"
        )


def check_model(model: DistributedModel, *, parameters: bool = False) -> None:
    """Refuse what is no model, or has no parameters where a measure needs them."""
    if not isinstance(model, DistributedModel):
        raise InputError(f"got a {type(model).__name__}; expected a DistributedModel")
    if parameters and not model.circuit.parameters:
        raise InputError("the model has no parameters; this measure is about them")


def random_parameters(model: DistributedModel, count: int, generator: torch.Generator) -> Tensor:
    """(count, parameters) in float64: each row as `init="uniform"` draws it."""
    rows = [
        initial_parameters(model.circuit, "uniform", dtype=torch.float64, generator=generator)
        for _ in range(count)
    ]
    return torch.stack(rows).to(model.theta.device)


def random_inputs(
    model: DistributedModel,
    inputs: Inputs,
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """(count, features) in float64: drawn by the sampler, or rows given, with replacement."""
    if isinstance(inputs, Tensor):
        rows = torch.randint(len(inputs), (count,), generator=generator)
        return _checked(model, inputs.index_select(0, rows.to(inputs.device)))
    return _checked(model, inputs(count, generator), count)


def points(
    model: DistributedModel,
    inputs: Inputs,
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """(points, features) in float64: all rows given, or `count` from the sampler."""
    if isinstance(inputs, Tensor):
        return _checked(model, inputs)
    return _checked(model, inputs(count, generator), count)


def point_count(inputs: Inputs, count: int) -> int:
    """How many points `points` gives."""
    return len(inputs) if isinstance(inputs, Tensor) else count


def _checked(model: DistributedModel, x: Tensor, count: int | None = None) -> Tensor:
    if count is not None and (not isinstance(x, Tensor) or x.ndim != 2 or len(x) != count):
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise InputError(f"the sampler gave {shape}; expected ({count}, {model.circuit.features})")
    return in_double(model).check_input(x.to(model.theta.device))


def at(
    model: DistributedModel,
    parameters: Tensor,  # (parameters,)
) -> DistributedModel:
    """The model in float64 at other parameters; it shares the plans, the given one stays as is."""
    moved = copy.copy(model)
    moved._parameters = dict(model._parameters)  # a copy of a module shares it
    moved.theta = nn.Parameter(parameters.detach().to(torch.float64))
    return moved


def in_double(model: DistributedModel) -> DistributedModel:
    """The model in float64, at the parameters that it has; see `at`."""
    return at(model, model.theta)


def lifted(
    model: DistributedModel, observables: Sequence[Observable] | None = None
) -> DistributedModel:
    """The model in float64 whose inputs are (features, parameters) in one row.

    So every row of a batch has parameters of its own, in all that a model can do. Its observables
    are the model's, as a sequence, or those given.
    """
    return DistributedModel(
        parameters_as_features(model.circuit),
        observables or model.observables,
        dtype=torch.float64,
        route=model.wanted_route,
        memory=model.memory,
    ).to(model.theta.device)


def parameters_as_features(circuit: Circuit) -> Circuit:
    """The circuit that reads its parameters from the end of the input."""
    gates = [
        gate.reading_feature(circuit.features + gate.slot) if gate.source == "parameter" else gate
        for gate in circuit.gates
    ]
    return Circuit(circuit.qubits, gates, amplitudes=circuit.amplitudes, split=circuit.split)

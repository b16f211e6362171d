"""Regression on planted interactions of order 1 to 5, by models of a given depth."""

import math
import warnings
from typing import TYPE_CHECKING

from studies.expressivity.cell import Cell
from studies.study import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tnqml import Circuit

    Array = NDArray[np.float64]

ORDERS = (1, 2, 3, 4, 5)
ROWS = 200
_TEST_ROWS = 1000
_STEPS = 40
_RIDGE = 1e-3
_SOLVED = 1e-3  # share of the variance; no further start is tried
_MOST_STARTS = 1000  # seeds of starts of two cells differ
_NETWORK_STEPS = 500


def measure(cell: Cell) -> list[Row]:
    """A row for each interaction order: R^2 on new data of the model and its two controls.

    The model: brickwork layers, Z on every qubit, a trained weight for each and a constant. The
    controls read cosine and sine of every feature: a linear model, and a network with one hidden
    layer and as many parameters as the model, to within half a hidden unit. Model and network start
    equally often, the best start on the training data counts.
    """
    import torch

    from tnqml import DistributedModel, Z, ansatz
    from tnqml.expressivity import planted

    circuit = ansatz.brickwork(cell.qubits, layers=cell.layers)
    outputs = [Z(qubit) for qubit in range(cell.qubits)]
    cones = DistributedModel(circuit, outputs).light_cones()
    parameters = circuit.parameters + cell.qubits + 1
    units = hidden_units(parameters, inputs=2 * cell.qubits)
    found: list[Row] = []
    for order in (order for order in ORDERS if order <= cell.qubits):
        target = planted(cell.qubits, {order: 1}, seed=cell.seed)
        x, y = target.data(ROWS + _TEST_ROWS, generator=torch.Generator().manual_seed(cell.seed))
        read, values = torch.cat([x.cos(), x.sin()], 1).numpy(), y.numpy()
        found.append(
            {
                "order": order,
                "r2": _train(circuit, x, y, starts=cell.draws, seed=cell.seed),
                "r2_linear": _linear(read, values),
                "r2_network": _network(
                    read, values, units=units, starts=cell.draws, seed=cell.seed
                ),
                "parameters": parameters,
                "network_parameters": units * (2 * cell.qubits + 2) + 1,
                "cone_uploads": max(cone.uploads for cone in cones),
                "cone_features": max(len(cone.features) for cone in cones),
            }
        )
    return found


def hidden_units(parameters: int, *, inputs: int) -> int:
    """The hidden units with which a network has about as many parameters; at least one.

    Example:
        >>> hidden_units(56, inputs=10)  # 61 parameters
        5
    """
    return max(1, round((parameters - 1) / (inputs + 2)))


def _train(
    circuit: "Circuit",
    x: "Tensor",  # (rows, features), the training data first
    y: "Tensor",  # (rows,)
    *,
    starts: int,
    seed: int,
) -> float:
    """R^2 on new data of the best of several starts by training error.

    L-BFGS on the circuit's parameters, the readout being solved for at each of them (variable
    projection: Golub, Pereyra 1973).
    """
    import torch

    from tnqml import DistributedModel, Z

    outputs = [Z(qubit) for qubit in range(circuit.qubits)]
    wanted = y[:ROWS]

    def columns(model: "DistributedModel", points: "Tensor") -> "Tensor":
        return torch.cat([model(points), points.new_ones(len(points), 1)], 1)

    def readout(design: "Tensor") -> "Tensor":
        penalty = _RIDGE * torch.eye(design.shape[1], dtype=design.dtype)
        solution: Tensor = torch.linalg.solve(design.T @ design + penalty, design.T @ wanted)
        return solution

    def loss(model: "DistributedModel") -> "Tensor":
        design = columns(model, x[:ROWS])
        return (design @ readout(design) - wanted).square().mean()

    best, score = math.inf, math.nan
    for start in range(starts):
        model = DistributedModel(
            circuit, outputs, dtype=torch.float64, seed=_MOST_STARTS * seed + start
        )
        optimiser = torch.optim.LBFGS(
            model.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe"
        )

        def closure(
            model: "DistributedModel" = model, optimiser: torch.optim.LBFGS = optimiser
        ) -> float:
            optimiser.zero_grad()
            value = loss(model)
            value.backward()  # type: ignore[no-untyped-call]
            return float(value.detach())

        with torch.enable_grad():
            optimiser.step(closure)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            reached = float(loss(model))
            if reached < best:
                predicted = columns(model, x[ROWS:]) @ readout(columns(model, x[:ROWS]))
                error = (predicted - y[ROWS:]).square().mean() / y[ROWS:].var(correction=0)
                best, score = reached, 1 - float(error)
        if best < _SOLVED * float(wanted.var()):
            break
    return score


def _linear(
    x: "Array",  # (rows, inputs)
    y: "Array",  # (rows,)
) -> float:
    from sklearn.linear_model import LinearRegression

    return float(LinearRegression().fit(x[:ROWS], y[:ROWS]).score(x[ROWS:], y[ROWS:]))


def _network(
    x: "Array",  # (rows, inputs)
    y: "Array",  # (rows,)
    *,
    units: int,
    starts: int,
    seed: int,
) -> float:
    """R^2 on new data of the best start by training error."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a network stopped early still counts
        fits = [
            MLPRegressor(
                hidden_layer_sizes=(units,),
                activation="tanh",
                solver="lbfgs",
                alpha=0.0,
                max_iter=_NETWORK_STEPS,
                max_fun=10 * _NETWORK_STEPS,
                random_state=_MOST_STARTS * seed + start,
            ).fit(x[:ROWS], y[:ROWS])
            for start in range(starts)
        ]
    best = max(fits, key=lambda fit: fit.score(x[:ROWS], y[:ROWS]))
    return float(best.score(x[ROWS:], y[ROWS:]))

"""Regression on planted interactions of order 1 to 5, by models of a given depth."""

import cmath
import itertools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studies.expressivity.cell import Cell
from studies.expressivity.fitting import best_fit
from studies.study import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tnqml import Circuit, DistributedModel
    from tnqml.expressivity import Term
    from tnqml.spectrum import Table

    Array = NDArray[np.float64]

ORDERS = (1, 2, 3, 4, 5)
ROWS = 200
_TEST_ROWS = 1000
_SPECTRA = 2  # random parameters whose spectra are looked at
_MOST_STARTS = 1000  # seeds of starts of two cells differ
_NETWORK_STEPS = 500


def measure(cell: Cell) -> list[Row]:
    """A row for each interaction order: R^2 on new data of the model and its two controls.

    The model: brickwork layers (`circuit`), Z on every qubit, a trained weight for each and a
    constant. The controls read cosine and sine of every feature: a linear model, and a network with
    one hidden layer and as many parameters as the model, to within half a hidden unit. Model and
    network start equally often, the best start on the training data counts.
    """
    import torch

    from tnqml import DistributedModel, Z
    from tnqml.expressivity import planted

    drawn = circuit(cell)
    outputs = [Z(qubit) for qubit in range(cell.qubits)]

    def starts() -> list[DistributedModel]:
        return [
            DistributedModel(
                drawn, outputs, dtype=torch.float64, seed=_MOST_STARTS * cell.seed + start
            )
            for start in range(cell.draws)
        ]

    cones = starts()[0].light_cones()
    parameters = drawn.parameters + cell.qubits + 1
    units = hidden_units(parameters, inputs=2 * cell.qubits)
    inside = held(starts()[:_SPECTRA])
    found: list[Row] = []
    for order in (order for order in ORDERS if order <= cell.qubits):
        target = planted(cell.qubits, {order: 1}, seed=cell.seed)
        x, y = target.data(ROWS + _TEST_ROWS, generator=torch.Generator().manual_seed(cell.seed))
        read, values = torch.cat([x.cos(), x.sin()], 1).numpy(), y.numpy()
        fit = best_fit(starts(), x, y, rows=ROWS)
        found.append(
            {
                "order": order,
                "r2": fit.test,
                "r2_train": fit.train,
                "starts": fit.starts,
                "r2_linear": _linear(read, values),
                "r2_network": _network(
                    read, values, units=units, starts=cell.draws, seed=cell.seed
                ),
                "term_share": inside.share(target.terms[0]),
                "order_share": float(inside.orders[order - 1])
                if order <= len(inside.orders)
                else 0.0,
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


def circuit(cell: Cell) -> "Circuit":
    """Brickwork whose features turn by RY and whose layers end with a rotation.

    The turn by a parameter that follows a feature sets its phase, and the one behind the last CZ
    lets an output see both sides of it. Without them, as in the two-party brickwork of the other
    tasks, products such as cos x_3 cos x_4 are in the spectrum at no depth.
    """
    from tnqml import ansatz

    return ansatz.brickwork(
        cell.qubits,
        layers=cell.layers,
        uploads=1 if cell.model == "brickwork" else cell.layers,
        parties=("alice", "bob", "charlie"),
        encoding="angle",
        start="zero",
    )


@dataclass(frozen=True)
class Held:
    """What the spectra of a circuit at random parameters hold.

    Attributes:
        tables: (parameters, outputs): all coefficients, and the variance of the output.
        orders: (orders,): the largest share of the variance that any output has at each order.
    """

    tables: "tuple[tuple[Table, float], ...]"
    orders: "Array"

    def share(self, term: "Term") -> float:
        """The largest share of an output's variance that is in the term; 0 if none holds it."""
        shares = [
            _inner(table, term) ** 2 / variance for table, variance in self.tables if variance > 0
        ]
        return float(max(shares, default=0.0)) / term.weight**2


def held(models: "list[DistributedModel]") -> Held:
    """The spectra of all outputs of the models."""
    import numpy as np

    from tnqml import spectrum

    tables, orders = [], []
    for model in models:
        profile = spectrum.feature_orders(model)
        orders.append(np.nan_to_num(profile.shares).max(0))
        tables += [
            (spectrum.coefficients(model, output), float(profile.variance[output]))
            for output in range(len(model.observables))
        ]
    return Held(tuple(tables), np.max(orders, 0))


def _inner(table: "Table", term: "Term") -> float:
    """The mean of output times term over independent uniform phases, from the coefficients."""
    known = {axis.feature: axis for axis in table.axes}
    if not set(term.features) <= set(known):
        return 0.0
    total = 0j
    for signs in itertools.product((1, -1), repeat=len(term.features)):
        place = {known[k].name: sign for k, sign in zip(term.features, signs, strict=True)}
        turn = sum(sign * phase for sign, phase in zip(signs, term.phases, strict=True))
        total += table.at(place) * cmath.exp(1j * turn)
    return term.weight * 2 ** (-len(term.features) / 2) * total.real


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

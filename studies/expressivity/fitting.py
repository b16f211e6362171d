"""Least squares by the model with a trained readout, from several starts."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tnqml import DistributedModel

    Array = NDArray[np.float64]

_RIDGE = 0.03  # penalty on each weight of the readout, as a residual; keeps them of order 1
_EVALUATIONS = 60
_STEP = 1e-3  # relative; below it a start has arrived
_SOLVED = 1e-3  # share of the variance; no further start is tried


@dataclass(frozen=True)
class Fit:
    """The best of several starts by its error on the training data.

    Attributes:
        train: R^2 on the training data.
        test: R^2 on new data.
        starts: how many were made.
    """

    train: float
    test: float
    starts: int


def best_fit(
    models: "list[DistributedModel]",
    x: "Tensor",  # (rows, features), the training data first
    y: "Tensor",  # (rows,)
    *,
    rows: int,
) -> Fit:
    """The fit of sum_q w_q f_q(x) + b to the first `rows`, tested on the others.

    Args:
        models: one for each start, at its initial parameters; they are changed.
        x: inputs.
        y: targets.
        rows: of the training data.
    """
    wanted, held_out = y[:rows].numpy(), y[rows:].numpy()
    best = Fit(-math.inf, math.nan, 0)
    for start, model in enumerate(models, start=1):
        weights = _levenberg_marquardt(model, x[:rows], wanted)
        train = _score(_columns(model, x[:rows]) @ weights, wanted)
        if train > best.train:
            best = Fit(train, _score(_columns(model, x[rows:]) @ weights, held_out), start)
        best = Fit(best.train, best.test, start)
        if best.train > 1 - _SOLVED:
            break
    return best


def _levenberg_marquardt(
    model: "DistributedModel",
    x: "Tensor",  # (rows, features)
    wanted: "Array",  # (rows,)
) -> "Array":
    """(outputs + 1,): weights and constant; the model's parameters are set.

    Parameters and readout together, in a trust region (More 1978). A target that the model holds
    has residual 0, and there the steps converge quadratically, as those of gradients do not.
    """
    import numpy as np
    import torch
    from scipy.optimize import least_squares

    outputs = len(model.observables)
    penalty = _RIDGE * np.eye(outputs + 1)[:outputs]

    latest: dict[bytes, Array] = {}  # residuals and their derivatives are asked for by turns

    def at(point: "Array") -> tuple["Array", "Array"]:
        theta = point[: -outputs - 1]
        if theta.tobytes() not in latest:
            with torch.no_grad():
                model.theta.copy_(torch.as_tensor(theta))
            latest.clear()
            latest[theta.tobytes()] = _columns(model, x)
        return latest[theta.tobytes()], point[-outputs - 1 :]

    def residuals(point: "Array") -> "Array":
        columns, weights = at(point)
        return np.concatenate([columns @ weights - wanted, penalty @ weights])

    def derivatives(point: "Array") -> "Array":
        columns, weights = at(point)
        slopes = np.einsum("rqp,q->rp", model.jacobian(x).numpy(), weights[:-1])
        above = np.concatenate([slopes, columns], 1)
        below = np.concatenate([np.zeros((outputs, slopes.shape[1])), penalty], 1)
        return np.concatenate([above, below])

    columns = _columns(model, x)
    start = np.linalg.lstsq(
        np.concatenate([columns, penalty]), np.append(wanted, np.zeros(outputs)), rcond=None
    )[0]
    found = least_squares(
        residuals,
        np.append(model.theta.detach().numpy(), start),
        derivatives,
        max_nfev=_EVALUATIONS,
        xtol=_STEP,
    )
    _, weights = at(found.x)
    return weights


def _columns(model: "DistributedModel", x: "Tensor") -> "Array":
    """(rows, outputs + 1): the outputs and a constant."""
    import numpy as np
    import torch

    with torch.no_grad():
        values = model(x).numpy()
    return np.concatenate([values, np.ones((len(values), 1))], 1)


def _score(predicted: "Array", wanted: "Array") -> float:
    return 1 - float(((predicted - wanted) ** 2).mean() / wanted.var())

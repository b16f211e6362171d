"""What a measure is predicted to cost, and the interface that every measure has."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import torch

from contractions import Cost, this_machine
from tnqml.errors import InputError
from tnqml.expressivity.estimate import RESAMPLES
from tnqml.model import DistributedModel
from tnqml.network import Task

_LOG = logging.getLogger(__name__)
_LINEAR_ALGEBRA = 0.4  # of the matrix-multiply rate, as factorisations of some hundred rows reach
_ITEMSIZE = 8
_STEPS_PER_RESAMPLE = 5
_STEPS_BEFORE = 1500  # drawing, building and looking up plans, however few the evaluations
_STEPS_BEFORE_EACH = 1500  # and for each observable

Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True)
class Forecast:
    """What a measure is predicted to cost on this machine.

    Attributes:
        seconds: predicted time of all evaluations, and of what precedes them for each measure and
            each observable, as measured on brickwork of 3 to 8 qubits; below a second right to a
            factor of some 5. The search for a plan of a network never met before, and networks of
            many qubits, built once in `forecast` and once in `run`, take seconds more.
        peak_bytes: the most memory that the model or a factorisation holds at once.
        work: what is done, in words.

    Example:
        >>> print(Forecast(1.0, 2_000_000, "100 states") + Forecast(0.5, 10, "a factorisation"))
        1.5 s predicted, 2 MB: 100 states, a factorisation
    """

    seconds: float
    peak_bytes: int
    work: str

    def __add__(self, other: "Forecast") -> "Forecast":
        return Forecast(
            self.seconds + other.seconds,
            max(self.peak_bytes, other.peak_bytes),
            f"{self.work}, {other.work}",
        )

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.seconds:.3g} s predicted, {self.peak_bytes / 1e6:.3g} MB: {self.work}"


class Measure(Protocol[Result_co]):
    """A measure of expressivity: a frozen dataclass of its settings.

    Laws, which one suite holds for every measure: `forecast` runs nothing of the model; `run` logs
    that forecast, at level INFO, before its first evaluation, computes in float64, changes neither
    the model nor the global random state, and gives the same numbers for the same seed.
    """

    def forecast(self, model: DistributedModel) -> Forecast:
        """What `run` is predicted to cost, before anything runs."""

    def run(self, model: DistributedModel, generator: torch.Generator) -> Result_co:
        """The estimates, each with its interval."""


def started(measure: object, forecast: Forecast, generator: torch.Generator) -> None:
    """Log the forecast of a measure that is about to run; refuse a generator of another kind."""
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        where = f" on {generator.device}" if isinstance(generator, torch.Generator) else ""
        raise InputError(
            f"generator is a {type(generator).__name__}{where}; expected a torch.Generator on the "
            "cpu, as torch.Generator().manual_seed(0) makes"
        )
    _LOG.info("%s: %s", type(measure).__name__, forecast)


def calls(cost: Cost, times: float, work: str) -> Forecast:
    """The forecast of so many evaluations of one cost, one after another."""
    before = _STEPS_BEFORE * this_machine().step_seconds
    return Forecast(before + times * cost.seconds, cost.peak_bytes, work)


def values(model: DistributedModel, *, rows: int, times: int, gradient: bool = False) -> Forecast:
    """The forecast of evaluating a model on so many rows, so many times."""
    what = "values and gradients" if gradient else "values"
    choice = model.cost(batch=rows, gradient=gradient)
    forecast = calls(choice.cost, times, f"{times} x {rows} rows of {what}")
    return _with_planning(forecast, model) if choice.planned else forecast


def jacobians(model: DistributedModel, *, rows: int, times: int) -> Forecast:
    """The forecast of the derivatives sample by sample of a model, so many times."""
    choice = model.cost(batch=rows)
    route = choice.route
    task = Task(model.dtype, gradient=True, per_sample=True, memory=model.memory)
    cost = model.route(route).cost(batch=rows, task=task)
    # a cost with gradient is a value and one reverse pass of twice its time; the state vector takes
    # a reverse pass for every observable, the Pauli picture one for all
    passes = (1 + 2 * len(model.observables)) / 3 if route == "state" else 1.0
    forecast = calls(cost, passes * times, f"{times} x {rows} rows of the Jacobian")
    return _with_planning(forecast, model) if choice.planned else forecast


def _with_planning(forecast: Forecast, model: DistributedModel) -> Forecast:
    """With the time of building networks and comparing the routes."""
    steps = _STEPS_BEFORE_EACH * len(model.observables)
    return replace(forecast, seconds=forecast.seconds + steps * this_machine().step_seconds)


def factorisations(shapes: Iterable[tuple[int, int]], *, work: str, real: bool = True) -> Forecast:
    """The forecast of the singular values of dense matrices of these shapes."""
    machine = this_machine()
    operations, largest = 0.0, 0
    for rows, columns in shapes:
        low, high = sorted((rows, columns))
        operations += (4 * high - 4 * low / 3) * low**2  # Golub, Van Loan 2013, section 8.6
        largest = max(largest, rows * columns)
    rate = _LINEAR_ALGEBRA * machine.flops["float64" if real else "complex128"]
    size = _ITEMSIZE * (1 if real else 2)
    return Forecast(operations * (1 if real else 4) / rate, 2 * size * largest, work)


def regressions(shapes: Iterable[tuple[int, int]], *, work: str) -> Forecast:
    """The forecast of linear regressions by normal equations on designs of these shapes."""
    operations, largest = 0.0, 0
    for rows, columns in shapes:
        low, high = sorted((rows, columns))  # with fewer rows than columns the dual is solved
        operations += 2 * high * low**2 + low**3 / 3
        largest = max(largest, rows * columns)
    rate = _LINEAR_ALGEBRA * this_machine().flops["float64"]
    return Forecast(operations / rate, 3 * _ITEMSIZE * largest, work)


def resampling() -> Forecast:
    """The forecast of one bootstrap of some hundred draws."""
    steps = RESAMPLES * _STEPS_PER_RESAMPLE
    return Forecast(steps * this_machine().step_seconds, 0, "a bootstrap")

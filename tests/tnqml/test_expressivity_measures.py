"""The laws that every measure of expressivity holds."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from tnqml import Circuit, DistributedModel, Gate, X, Z, ansatz
from tnqml.errors import InputError
from tnqml.expressivity import (
    CutEntropy,
    EffectiveDimension,
    Expressibility,
    FeaturesNeeded,
    FisherInformation,
    FunctionSpan,
    GradientVariance,
    JacobianRank,
    KernelSpectrum,
    MeyerWallach,
    uniform,
)

INPUTS = uniform(3)
FREQUENCIES = np.random.default_rng(0).integers(-2, 3, size=(24, 3)).astype(float)
MEASURES = [
    FunctionSpan(INPUTS, most=20),
    JacobianRank(INPUTS, points=6, draws=2),
    FisherInformation(INPUTS, points=6, draws=3),
    EffectiveDimension(INPUTS, data=100, points=6, draws=3),
    Expressibility(INPUTS, pairs=20, bins=5),
    CutEntropy(INPUTS, draws=5),
    MeyerWallach(INPUTS, draws=5),
    GradientVariance(INPUTS, draws=5),
    KernelSpectrum(INPUTS, points=6, draws=2),
    FeaturesNeeded(INPUTS, FREQUENCIES, repeats=2, held_out=20),
]
PURE = (Expressibility, CutEntropy, MeyerWallach, KernelSpectrum)
NAMES = [type(measure).__name__ for measure in MEASURES]


@pytest.fixture
def model():
    circuit = ansatz.brickwork(3, layers=2)
    return DistributedModel(circuit, [Z(0), X(2)], seed=1)


def numbers(result):
    """All numbers in a result, in order."""
    if isinstance(result, np.ndarray):
        return result.ravel().tolist()
    if isinstance(result, list | tuple):
        return [number for entry in result for number in numbers(entry)]
    if hasattr(result, "__dict__"):
        return numbers(list(vars(result).values()))
    return [result]


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_same_seed_same_numbers_and_nothing_else_changes(measure, model):
    before = model.theta.detach().clone()
    state = torch.random.get_rng_state()
    first, again, other = (
        numbers(measure.run(model, torch.Generator().manual_seed(seed))) for seed in (7, 7, 8)
    )
    assert first == again
    if not isinstance(measure, FunctionSpan | JacobianRank):  # ranks are the same for all
        assert first != other
    assert torch.equal(model.theta, before)
    assert model.theta.dtype == torch.float32
    assert model.theta.requires_grad
    assert model.theta.grad is None
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_the_forecast_is_said_before_anything_runs(measure, model, monkeypatch, caplog):
    def forbidden(*_, **__):
        raise AssertionError("ran")

    forecast = measure.forecast(model)
    assert forecast.seconds > 0
    assert forecast.peak_bytes > 0
    assert forecast.work in str(forecast)
    for name in ("check_input", "forward", "jacobian", "scaled"):
        monkeypatch.setattr(DistributedModel, name, forbidden)
    monkeypatch.setattr("tnqml.statevector.run", forbidden)
    monkeypatch.setattr("tnqml.network.ConeNetwork.run", forbidden)
    assert measure.forecast(model) == forecast
    with caplog.at_level(logging.INFO, logger="tnqml"), pytest.raises(AssertionError, match="ran"):
        measure.run(model, torch.Generator().manual_seed(0))
    assert type(measure).__name__ in caplog.messages[0]
    assert str(forecast) in caplog.messages[0]


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_more_work_has_a_larger_forecast(measure, model):
    field = next(name for name in ("most", "draws", "pairs", "held_out") if hasattr(measure, name))
    more = replace(measure, **{field: 8 * getattr(measure, field)})
    assert more.forecast(model).seconds > measure.forecast(model).seconds


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_wrong_models_generators_and_inputs_are_refused(measure, model):
    with pytest.raises(InputError, match="DistributedModel"):
        measure.run(torch.nn.Linear(3, 1), torch.Generator())
    with pytest.raises(InputError, match=r"torch\.Generator"):
        measure.run(model, np.random.default_rng(0))
    for inputs in (torch.zeros(20, 4), uniform(4)):
        with pytest.raises(InputError, match=r"expected \(batch, 3\)"):
            replace(measure, inputs=inputs).run(model, torch.Generator())
    with pytest.raises(InputError, match="sampler gave"):
        replace(measure, inputs=lambda count, _: torch.zeros(count + 1, 3)).run(
            model, torch.Generator()
        )
    for inputs in (torch.zeros(3), torch.zeros(0, 3), "phases"):
        with pytest.raises(InputError, match="inputs"):
            replace(measure, inputs=inputs)


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_given_inputs_are_taken(measure, model):
    inputs = torch.linspace(0, 6, 60, dtype=torch.float64).reshape(20, 3)
    found = numbers(replace(measure, inputs=inputs).run(model, torch.Generator().manual_seed(0)))
    assert found
    assert found != numbers(measure.run(model, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("draws", 0),
        ("draws", 2.5),
        ("pairs", True),
        ("points", 0),
        ("most", 1),
        ("bins", 1),
        ("orders", 0),
        ("repeats", 1),
        ("held_out", 1),
        ("tolerance", 0.0),
        ("confidence", 1.0),
        ("spacing", "equal"),
        ("data", 1),
        ("data", 10),
        ("gamma", 0.0),
        ("gamma", 1.5),
        ("error", 1.0),
        ("parameter", -1),
        ("ridge", 0.0),
        ("frequencies", np.zeros(3)),
        ("frequencies", np.full((9, 3), np.nan)),
    ],
)
def test_settings_that_cannot_be_measured_are_refused(field, value):
    holders = [measure for measure in MEASURES if hasattr(measure, field)]
    assert holders
    for measure in holders:
        with pytest.raises(InputError):
            replace(measure, **{field: value})


@pytest.mark.parametrize(
    "measure", [m for m in MEASURES if isinstance(m, PURE)], ids=lambda m: type(m).__name__
)
def test_mixed_states_are_refused_where_pure_ones_are_meant(measure, model):
    noise = Gate("depolarising", 0, strength=0.1)
    noisy = Circuit(3, (*model.circuit.gates, noise))
    with pytest.raises(InputError, match="noisy"):
        measure.run(DistributedModel(noisy, Z(0)), torch.Generator())


@pytest.mark.parametrize(
    "kind",
    [JacobianRank, FisherInformation, Expressibility, GradientVariance],
    ids=lambda kind: kind.__name__,
)
def test_a_model_without_parameters_is_refused_where_they_are_measured(kind):
    fixed = DistributedModel(Circuit(1, [Gate("ry", 0, feature=0)]), Z(0))
    with pytest.raises(InputError, match="no parameters"):
        kind(uniform(1)).run(fixed, torch.Generator())

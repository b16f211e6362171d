"""Classical inference: rounded states between the parties, bits counted, error measured."""

from functools import partial

import numpy as np
import pytest
import torch
from isolation import assert_isolated
from scipy.stats import linregress

from tnqml import DistributedModel, InputError, X, Z, ansatz, reference
from tnqml.protocols.inference import quantised
from tnqml.protocols.inference.quantised import coded, decoded, infer_classically

OBSERVABLE = Z(1) + 0.5 * X(2)


def brick(seed=1):
    circuit = ansatz.brickwork(6, layers=2)
    model = DistributedModel(circuit, [Z(0), OBSERVABLE], dtype=torch.float64, seed=seed)
    return model, np.linspace(0.1, 2, 6)


def test_messages_and_error():
    found = {bits: [] for bits in (1, 4, 7, 10, 52)}
    for seed in range(10):
        model, x = brick(seed)
        theta = model.theta.detach().numpy()
        truth = reference.expectation(model.circuit, OBSERVABLE, theta, x)
        for bits, errors in found.items():
            estimate = infer_classically(model, x, bits=bits, observable=1)
            assert estimate.exact == pytest.approx(truth, abs=1e-12)
            assert estimate.error == abs(estimate.value - estimate.exact)
            assert estimate.ledger.bits == 3 * 2 * 2**6 * bits
            assert (estimate.ledger.qubits, estimate.ledger.rounds) == (0, 3)
            errors.append(estimate.error)
    errors = {bits: np.sqrt(np.mean(np.square(each))) for bits, each in found.items()}
    assert errors[52] < 1e-13
    middle = (4, 7, 10)
    slope = linregress(middle, np.log2([errors[bits] for bits in middle])).slope
    assert -1.2 < slope < -0.8  # a bit more halves the error
    assert errors[1] > errors[4]


def test_coding():
    generator = np.random.default_rng(0)
    state = generator.normal(size=(32, 2)) @ np.array([1, 1j])
    state /= np.linalg.norm(state)
    for bits, dtype in ((1, np.uint8), (8, np.uint8), (9, np.uint16), (33, np.uint64)):
        codes = coded(state, bits=bits)
        assert codes.dtype == dtype
        assert int(codes.max()) < 2**bits
        back = decoded(codes, bits=bits)
        assert np.linalg.norm(back) == pytest.approx(1, abs=1e-12)
        step = 2 * np.abs(state.view(float)).max() / 2**bits
        assert np.abs(back - state).max() < 2 * step


def test_parties_apart(monkeypatch):
    model, x = brick()
    spoiled = {}
    for party in model.circuit.parties:
        own = [g.slot for g in model.circuit.gates if g.party == party and g.source == "parameter"]
        other, _ = brick()
        keep = torch.isin(torch.arange(len(other.theta)), torch.tensor(own))
        other.theta.data[~keep] = torch.nan
        spoiled[party] = other
    assert any(g.source == "feature" and g.party == "alice" for g in model.circuit.gates)

    def run(model):
        return infer_classically(model, x, bits=5, observable=1)

    calls = {party: partial(run, other) for party, other in spoiled.items()}
    result = assert_isolated(monkeypatch, quantised, lambda: run(model), corrupted=calls)
    assert result.results["bob"] == run(model).value


def test_processes_give_the_same_estimate():
    model, x = brick()
    apart = infer_classically(model, x, bits=3, processes=True)
    assert apart == infer_classically(model, x, bits=3)


def test_bad_input():
    model, x = brick()
    for bits in (0, -1, 1.5, 53):
        with pytest.raises(InputError, match=f"bits of a number (is|are) {bits}"):
            infer_classically(model, x, bits=bits)
    with pytest.raises(InputError, match="observable is 2"):
        infer_classically(model, x, bits=3, observable=2)
    wide = DistributedModel(ansatz.brickwork(23, layers=1), Z(0))
    with pytest.raises(InputError, match="23 qubits"):
        infer_classically(wide, np.ones(23), bits=3)

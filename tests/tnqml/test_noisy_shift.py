"""Parameter shift over noisy links: exact for the noisy circuit, biased for the noiseless one."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from tnqml import DistributedModel, Gate, InputError, Z, ansatz, noisy, pauli
from tnqml.protocols.execution.holders import holder
from tnqml.protocols.execution.links import dephasing, depolarising, erasure
from tnqml.protocols.execution.parties import run_parties
from tnqml.protocols.gradients.estimate import gradient_trials, parameter_shift
from tnqml.protocols.gradients.noisy_shift import noisy_shift_role
from tnqml.protocols.gradients.plans import layout_of

SUM = 0.6 * Z(1) - 0.8 * pauli("XZ", (0, 2))


def small_model(observable, *, parties=("alice", "bob"), layers=1):
    circuit = ansatz.brickwork(3, layers=layers, parties=parties)
    return DistributedModel(circuit, observable, dtype=torch.float64, seed=5)


def row(model):
    return np.random.default_rng(0).uniform(-1, 1, model.circuit.features)


def exact(model, x, link=None):
    """The derivatives, of the circuit with a channel on every qubit of every message."""
    circuit = model.circuit
    if link is not None:
        channel = Gate(link.kind, 0, strength=link.strength)
        circuit = noisy(circuit, channel, on="messages")
    other = DistributedModel(circuit, model.observables, dtype=torch.float64, seed=5)
    assert torch.equal(other.theta, model.theta)
    return other.jacobian(torch.tensor(x)[None])[0, 0].numpy()


@pytest.mark.parametrize("link", [depolarising(0.2), dephasing(0.3)])
@pytest.mark.parametrize(
    ("observable", "parties", "layers"),
    [(Z(1), ("alice", "bob"), 2), (SUM, ("alice", "bob", "carol"), 1)],
)
def test_the_mean_is_the_derivative_of_the_noisy_circuit(link, observable, parties, layers):
    model = small_model(observable, parties=parties, layers=layers)
    x, repetitions = row(model), 150
    found = gradient_trials(
        model, x, method="shift", repetitions=repetitions, copies=40, seed=3, links=link
    )
    means, truth = found.values.mean(0), exact(model, x, link)
    spread = found.values.std(0, ddof=1)
    errors = np.maximum(spread / np.sqrt(repetitions), 1e-9)
    assert (np.abs(means - truth) <= 4.5 * errors).all()
    # the spread that a run reports is the spread of the runs
    reported = np.sqrt((found.standard_errors**2).mean(0))
    np.testing.assert_allclose(reported, spread, rtol=0.3, atol=1e-9)
    # the noiseless derivatives are another matter
    away = np.abs(exact(model, x) - truth)
    assert away.max() > 0.1
    far = away.argmax()
    assert abs(means[far] - exact(model, x)[far]) > 8 * errors[far]


def test_one_link_each():
    model = small_model(Z(1), parties=("alice", "bob", "carol"))
    x, links = row(model), [None, depolarising(0.5)]
    found = gradient_trials(
        model, x, method="shift", repetitions=100, copies=40, seed=1, links=links
    )
    errors = np.maximum(found.values.std(0) / 10, 1e-9)
    both = exact(model, x, depolarising(0.5))
    last = np.abs(found.values.mean(0) - both) / errors
    assert last.max() > 6  # less noise than on both messages
    again = gradient_trials(
        model, x, method="shift", repetitions=100, copies=40, seed=1, links=depolarising(0.5)
    )
    errors = np.maximum(again.values.std(0) / 10, 1e-9)
    assert (np.abs(again.values.mean(0) - both) <= 4.5 * errors).all()


def test_bounds_hold_for_the_noisy_derivatives():
    model, link, runs = small_model(Z(1)), depolarising(0.15), 40
    x = row(model)
    truth, missed = exact(model, x, link), 0
    for seed in range(runs):
        found = parameter_shift(model, x, error=0.4, failure=0.2, seed=seed, links=link)
        missed += bool((np.abs(found.values - truth) > 0.4).any())
    assert missed <= binom.ppf(1 - 1e-4, runs, 0.2)


def test_the_ledger_is_that_of_noiseless_links():
    model = small_model(SUM, layers=2)
    x = row(model)
    clean = parameter_shift(model, x, copies=6, seed=1)
    found = parameter_shift(model, x, copies=6, seed=1, links=dephasing(0.1))
    assert found.ledger == clean.ledger
    assert found.copies == clean.copies
    np.testing.assert_array_equal(found.half_widths, clean.half_widths)
    still = parameter_shift(model, x, copies=2000, seed=2, links=depolarising(0.0))
    assert (np.abs(still.values - exact(model, x)) < 5 * still.standard_errors).all()


def test_a_party_needs_its_own_numbers_only():
    model = small_model(SUM, parties=("alice", "bob", "carol"), layers=2)
    circuit, layout, x = model.circuit, layout_of(model), row(model)
    theta = model.theta.detach().numpy()
    copies, links = (4,) * len(layout.terms), (dephasing(0.3),) * (len(layout.parties) - 1)

    def role(party, *, alone):
        features, parameters = x.copy(), theta.copy()
        if alone:
            own = {
                source: [g.slot for g in circuit.gates if g.party == party and g.source == source]
                for source in ("feature", "parameter")
            }
            features[np.setdiff1d(np.arange(len(x)), own["feature"])] = np.nan
            parameters[np.setdiff1d(np.arange(len(theta)), own["parameter"])] = np.nan
            assert np.isnan(parameters).any()
        known = holder(circuit, party, parameters=parameters, features=features)
        return lambda: noisy_shift_role(known, layout, copies, links, seed=3, repetitions=2)

    whole, apart = (
        run_parties({party: role(party, alone=alone) for party in circuit.parties})
        for alone in (False, True)
    )
    assert apart.ledger == whole.ledger
    for party in circuit.parties:
        np.testing.assert_array_equal(apart.results[party], whole.results[party])
        assert np.isfinite(whole.results[party]).all()
        assert whole.results[party].any()


def test_processes_give_the_same():
    model = small_model(Z(1))
    x = row(model)
    here = parameter_shift(model, x, copies=5, seed=4, links=depolarising(0.2))
    there = parameter_shift(model, x, copies=5, seed=4, links=depolarising(0.2), processes=True)
    np.testing.assert_array_equal(here.values, there.values)
    assert here.ledger == there.ledger


def test_bad_input():
    model = small_model(Z(1))
    x = row(model)
    with pytest.raises(InputError, match="erasure loses copies"):
        parameter_shift(model, x, copies=2, seed=0, links=erasure(0.1))
    with pytest.raises(InputError, match="3 links for 1 messages"):
        parameter_shift(model, x, copies=2, seed=0, links=[None] * 3)
    with pytest.raises(InputError, match="more than 67108864 amplitudes"):
        parameter_shift(model, x, copies=10**7, seed=0, links=dephasing(0.1))
    for method in ("blocks", "shadows"):
        with pytest.raises(InputError, match="only 'shift' runs over noisy links"):
            gradient_trials(
                model,
                x,
                method=method,
                repetitions=1,
                copies=2,
                seed=0,
                links=dephasing(0.1),
            )

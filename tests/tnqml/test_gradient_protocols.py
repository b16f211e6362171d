"""The gradient protocols against exact derivatives, their ledgers by hand, their isolation."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from tnqml import (
    Circuit,
    DistributedModel,
    Gate,
    InputError,
    X,
    Z,
    ansatz,
    pauli,
    projector,
)
from tnqml.protocols.execution.holders import holder
from tnqml.protocols.execution.parties import Receive, run_parties
from tnqml.protocols.gradients.estimate import (
    gradient_by_blocks,
    gradient_by_shadows,
    gradient_trials,
    parameter_shift,
)
from tnqml.protocols.gradients.hybrid import hybrid_role, measure_shadows, measure_words
from tnqml.protocols.gradients.plans import layout_of, shadow_tomography_bound
from tnqml.protocols.gradients.shift import shift_role
from tnqml.protocols.ledger import Entry

METHODS = {
    "shift": parameter_shift,
    "blocks": gradient_by_blocks,
    "shadows": gradient_by_shadows,
}


def small_model(observable=None, *, parties=("alice", "bob"), layers=2, qubits=3, seed=5):
    circuit = ansatz.brickwork(qubits, layers=layers, parties=parties)
    return DistributedModel(
        circuit, observable or Z(1), dtype=torch.float64, route="state", seed=seed
    )


def row(model, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, model.circuit.features)


def exact(model, x):
    return model.jacobian(torch.tensor(x)[None])[0, 0].numpy()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "observable", [Z(1), projector(2), 0.5 * Z(0) - 0.7 * X(1) + 0.3 * pauli("YZ", (1, 2))]
)
def test_estimates_are_unbiased_with_the_errors_that_they_state(method, observable):
    model = small_model(observable)
    x = row(model)
    trials = gradient_trials(model, x, method=method, repetitions=400, copies=40, seed=7)
    truth = exact(model, x)
    deviation = trials.values.std(0, ddof=1)
    assert (deviation > 0).all()
    scores = (trials.values.mean(0) - truth) / (deviation / math.sqrt(400))
    assert np.abs(scores).max() < norm.isf(0.0005 / len(truth))
    stated = np.sqrt((trials.standard_errors**2).mean(0))
    np.testing.assert_allclose(stated, deviation, rtol=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_every_derivative_is_within_the_error_at_the_stated_probability(method):
    model = small_model()
    x = row(model, 3)
    trials = gradient_trials(
        model, x, method=method, repetitions=200, error=0.3, failure=0.2, seed=11
    )
    worst = np.abs(trials.values - exact(model, x)).max(1)
    assert (trials.half_widths <= 0.3).all()
    assert (trials.half_widths > 0.29).all()  # no more copies than the bound asks for
    assert (worst > 0.3).mean() <= 0.2
    assert np.quantile(worst, 0.8) > 0.1  # and no zero error, that would come of no sampling


@pytest.mark.parametrize("method", METHODS)
def test_shared_parameters_controlled_and_diagonal_gates(method):
    gates = [
        Gate("h", 0, party="alice"),
        Gate("rx", 1, parameter=0, scale=0.5, party="alice"),
        Gate("crx", (0, 1), parameter=1, party="alice"),
        Gate("cp", (1, 2), parameter=2, party="bob"),
        Gate("ry", 2, parameter=0, scale=-1.3, party="bob"),
        Gate("diagonal", (0, 1), phases=[0.3, -0.2, 0.9, 0.1], parameter=3, party="bob"),
        Gate("h", 1, party="bob"),
        Gate("pauli", (0, 1, 2), word="XYX", parameter=4, party="alice"),
        Gate("rzz", (0, 2), parameter=5, party="alice"),
        Gate("rx", 0, feature=0, party="alice"),
    ]
    circuit = Circuit(3, gates)
    model = DistributedModel(circuit, Z(0) + X(2), dtype=torch.float64, route="state", seed=2)
    x = np.array([0.4])
    estimate = METHODS[method](model, x, error=0.1, failure=0.05, seed=4)
    assert (np.abs(estimate.values - exact(model, x)) <= estimate.half_widths).all()
    assert (estimate.half_widths <= 0.1).all()
    scores = (estimate.values - exact(model, x)) / estimate.standard_errors
    assert np.abs(scores).max() < 4


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    model = small_model(layers=1)
    for protocol in METHODS.values():
        one, two, other = (
            protocol(model, row(model), copies=20, seed=seed).values for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, two)
        assert (one != other).any()


# copies and ledgers, by hand


def test_copies_follow_hoeffding_and_bernstein():
    model = small_model()  # 12 parameters in 4 blocks of weight-1 words
    x = row(model)
    log = math.log(2 * 12 / 0.1)
    shift = parameter_shift(model, x, error=0.2, seed=0)
    assert shift.copies == 2 * 12 * math.ceil(log / 0.04)
    blocks = gradient_by_blocks(model, x, error=0.2, seed=0)
    assert blocks.copies == 4 * math.ceil(2 * log / 0.04)
    local = gradient_by_shadows(model, x, error=0.2, seed=0)
    assert local.copies == 4 * math.ceil(2 * log * (3 + (3 + 1) * 0.2 / 3) / 0.04)
    chosen = gradient_by_blocks(model, x, copies=500, seed=0)
    assert chosen.copies == 4 * 500
    np.testing.assert_allclose(chosen.half_widths, math.sqrt(2 * log / 500))


def test_weights_of_the_observable_enter_squared():
    x = row(small_model())
    for protocol in (parameter_shift, gradient_by_blocks):
        whole = protocol(small_model(Z(1)), x, error=0.1, seed=0).copies
        half = protocol(small_model(projector(1)), x, error=0.1, seed=0).copies
        triple = protocol(small_model(Z(1) - 2 * X(0)), x, error=0.1, seed=0).copies
        assert half == pytest.approx(whole / 4, rel=0.01)
        assert triple == pytest.approx(9 * whole, rel=0.01)


def test_ledger_of_the_hybrid_state_by_hand():
    model = small_model(parties=("alice", "bob", "carol"), layers=1)
    for protocol in (gradient_by_blocks, gradient_by_shadows):
        found = protocol(model, row(model), copies=10, seed=0).ledger
        assert found.entries == (
            Entry(1, "alice", "bob", "qubit", 3, copies=30, purpose="state"),
            Entry(2, "bob", "carol", "qubit", 3, copies=30, purpose="state"),
            Entry(3, "carol", "bob", "qubit", 4, copies=20, purpose="hybrid state"),
            Entry(4, "bob", "alice", "qubit", 4, copies=10, purpose="hybrid state"),
        )
        assert found.qubits == 2 * 30 * 3 + 20 * 4 + 10 * 4


def test_copies_do_not_go_back_beyond_the_first_block():
    gates = [
        Gate("h", 0, party="alice"),
        Gate("cz", (0, 1), party="bob"),
        Gate("rx", 0, parameter=0, party="alice"),
        Gate("cz", (0, 1), party="bob"),
        Gate("h", 1, party="alice"),
    ]
    model = DistributedModel(Circuit(2, gates), X(0), dtype=torch.float64)
    ledger = gradient_by_blocks(model, np.zeros(0), copies=7, seed=0).ledger
    assert [(entry.sender, entry.size, entry.copies) for entry in ledger] == [
        *[("alice", 2, 7), ("bob", 2, 7), ("alice", 2, 7), ("bob", 2, 7)],
        *[("alice", 3, 7), ("bob", 3, 7)],
    ]


def test_ledger_of_parameter_shift_by_hand():
    model = small_model(parties=("alice", "bob", "carol"), layers=1)
    found = parameter_shift(model, row(model), copies=10, seed=0).ledger
    assert found.entries == (
        Entry(1, "alice", "bob", "qubit", 3, copies=2 * 9 * 10, purpose="state"),
        Entry(2, "bob", "carol", "qubit", 3, copies=2 * 9 * 10, purpose="state"),
        # of 3 parameters each, two circuits with counts from 0 to 10: 4 bits
        Entry(3, "carol", "alice", "bit", 3 * 2 * 4, purpose="counts"),
        Entry(3, "carol", "bob", "bit", 3 * 2 * 4, purpose="counts"),
    )


# isolation


def recorded(role, received, sent):
    """The role, its messages noted."""
    program, answer = role(), None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as end:
            return end.value
        answer = yield step
        if isinstance(step, Receive):
            received.append(np.array(answer))
        else:
            sent.append(step)


def replayed(role, received):
    """What a role sends and returns when the messages are those given, and nobody else is there."""
    program, answer, inbox, sent = role(), None, iter(received), []
    while True:
        try:
            step = program.send(answer)
        except StopIteration as end:
            return sent, end.value
        answer = next(inbox) if isinstance(step, Receive) else sent.append(step)


@pytest.mark.parametrize("begin", ["shift", "words", "shadows"])
def test_a_party_needs_only_its_own_numbers_and_the_messages(begin):
    model = small_model(parties=("alice", "bob", "carol"), layers=2)
    circuit, layout = model.circuit, layout_of(model)
    theta, x = model.theta.detach().numpy(), row(model)

    def role_of(party, parameters, features):
        own = holder(circuit, party, parameters=parameters, features=features)
        options = {"seed": 3, "repetitions": 2}
        if begin == "shift":
            return lambda: shift_role(own, layout, (8,) * len(layout.terms), **options)
        measures = measure_words if begin == "words" else measure_shadows
        copies = (8,) * len(layout.blocks)
        return lambda: hybrid_role(own, layout, copies, measures=measures, **options)

    received = {party: [] for party in circuit.parties}
    sent = {party: [] for party in circuit.parties}
    roles = {
        party: (lambda p=party: recorded(role_of(p, theta, x), received[p], sent[p]))
        for party in circuit.parties
    }
    run = run_parties(roles)
    for party in circuit.parties:
        own = {gate.slot for gate in circuit.gates if gate.party == party and gate.slot >= 0}
        features = x if party == "alice" else np.full_like(x, np.nan)  # hers alone
        mine = [
            gate.slot
            for gate in circuit.gates
            if gate.party == party and gate.source == "parameter"
        ]
        parameters = np.full_like(theta, np.nan)
        parameters[mine] = theta[mine]
        assert own
        assert np.isnan(parameters).any()
        messages, result = replayed(role_of(party, parameters, features), received[party])
        np.testing.assert_array_equal(result, run.results[party])
        assert np.isfinite(result).all()
        assert len(messages) == len(sent[party])
        for message, wanted in zip(messages, sent[party], strict=True):
            np.testing.assert_array_equal(message.payload, wanted.payload)


@pytest.mark.slow
def test_two_processes_give_the_same_estimate_and_ledger():
    model = small_model(layers=1)
    x = row(model)
    here = parameter_shift(model, x, copies=30, seed=6)
    apart = parameter_shift(model, x, copies=30, seed=6, processes=True)
    np.testing.assert_array_equal(apart.values, here.values)
    assert apart.ledger == here.ledger


# bad input


@pytest.mark.parametrize("protocol", METHODS.values())
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"error": 0.0}, "error is 0.0; expected a number between 0 and 1"),
        ({"error": 1.0}, "error is 1.0"),
        ({"error": float("nan")}, "error is nan"),
        ({"error": 0.1, "failure": 0.0}, "failure is 0.0"),
        ({"error": 0.1, "failure": 1.5}, "failure is 1.5"),
        ({"copies": 10, "failure": 1.0}, "failure is 1.0"),
        ({"copies": 0}, "copies is 0; expected an integer of at least 1"),
        ({"copies": 2.5}, "copies is 2.5"),
        ({}, "error is None and copies is None; expected one of them"),
        ({"error": 0.1, "copies": 5}, "expected one of them"),
        ({"copies": 5, "seed": -1}, "seed is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(protocol, options, message):
    model = small_model(layers=1)
    with pytest.raises(InputError, match=message):
        protocol(model, row(model), **({"seed": 0} | options))


def refused_models():
    rotation = [Gate("rx", 0, parameter=0, party="alice"), Gate("cz", (0, 1), party="bob")]
    noisy = [*rotation, Gate("dephasing", 0, strength=0.1, party="bob")]
    return [
        (Circuit(2, [Gate("rx", 0, parameter=0, party="alice")]), Z(0), "name 1 parties"),
        (Circuit(2, [Gate("rx", 0, parameter=0)]), Z(0), "name 0 parties"),
        (Circuit(2, rotation, split="qubits"), Z(0), "split by qubits"),
        (Circuit(2, [*rotation[1:], Gate("h", 0, party="alice")]), Z(0), "no parameter"),
        (Circuit(2, rotation), [Z(0), Z(1)], "2 observables"),
        (Circuit(2, rotation), pauli({}), "constant"),
        (
            Circuit(2, [Gate("rx", 0, parameter=0, scale=0.0, party="alice"), rotation[1]]),
            Z(0),
            "scale 0",
        ),
        (Circuit(2, noisy), Z(0), "noise channel"),
    ]


@pytest.mark.parametrize(("circuit", "observable", "message"), refused_models())
def test_models_that_do_not_fit_are_refused(circuit, observable, message):
    model = DistributedModel(circuit, observable, dtype=torch.float64)
    with pytest.raises(InputError, match=message):
        gradient_by_blocks(model, np.zeros(circuit.features), copies=5, seed=0)


def test_an_input_of_another_shape_is_refused():
    model = small_model()
    for x in (np.zeros(2), np.zeros((1, 3)), [0.0, np.nan, 0.0]):
        with pytest.raises(InputError, match="x"):
            parameter_shift(model, x, copies=5, seed=0)


def test_an_unknown_method_lists_the_known():
    model = small_model()
    with pytest.raises(InputError, match="shift, blocks, shadows"):
        gradient_trials(model, row(model), method="adjoint", repetitions=1, copies=5, seed=0)


def test_the_tomography_bound_is_its_formula():
    bound = shadow_tomography_bound(2**12, 64, cuts=4, error=0.5, failure=0.25)
    assert bound == pytest.approx(12 * 6**2 * 4 * 2**4)
    for wrong in ({"cuts": 0}, {"error": 0.0}, {"failure": 1.0}):
        with pytest.raises(InputError):
            shadow_tomography_bound(16, 4, **({"cuts": 1, "error": 0.5, "failure": 0.5} | wrong))

"""Amplitude estimation: registers rotate as the formula says, estimates meet error and failure."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from tnqml import Circuit, DistributedModel, Gate, InputError, X, Y, Z, ansatz, pauli, projector
from tnqml.protocols.execution.holders import holder, holders, turns
from tnqml.protocols.execution.readout import basis_gates, measured
from tnqml.protocols.inference.amplitude_estimation import (
    Passage,
    estimate_hits,
    evolved,
    infer_by_amplitude_estimation,
)
from tnqml.protocols.inference.estimation_schedule import (
    Schedule,
    decision_schedule,
    estimation_schedule,
    frequencies_up_to,
)
from tnqml.protocols.inference.likelihood import log_likelihood, most_likely, signs
from tnqml.protocols.streams import stream
from tnqml.reference import expectation, full_matrix, small_matrix

THREE = ("alice", "bob", "carol")


def make(observables, *, qubits=3, layers=2, parties=("alice", "bob"), seed=2):
    circuit = ansatz.brickwork(qubits, layers=layers, parties=parties)
    return DistributedModel(circuit, observables, dtype=torch.float64, seed=seed)


def passage_of(model, schedule, index=0):
    order = tuple(turn.party for turn in turns(model.circuit))
    ((_, string),) = model.observables[index].terms
    return Passage(order, string, model.circuit.qubits, schedule)


def exact(model, x, index=0):
    theta = model.theta.detach().numpy()
    return expectation(model.circuit, model.observables[index], theta, x)


def rotation(angle):
    """A model of two parties and one qubit with f = cos(angle)."""
    gates = [
        Gate("ry", 0, feature=0, party="alice"),
        Gate("ry", 0, angle=angle, party="bob"),
    ]
    return DistributedModel(Circuit(1, gates), Z(0), dtype=torch.float64)


def chance(model, state, string):
    """P(outcome 1) of the string, from dense matrices."""
    for gate in basis_gates(string):
        state = full_matrix(small_matrix(gate, 0.0), gate.qubits, model.circuit.qubits) @ state
    bits = np.arange(len(state))
    odd = np.zeros(len(state), dtype=int)
    for qubit, _ in string:
        odd ^= (bits >> (model.circuit.qubits - 1 - qubit)) & 1
    return float(np.sum(np.abs(state[odd == 0]) ** 2))


@pytest.mark.parametrize("observable", [Z(1), X(0), Y(2), pauli("XYZ"), -1.0 * pauli("ZZ", (0, 2))])
@pytest.mark.parametrize("parties", [("alice", "bob"), THREE])
def test_registers_rotate_as_the_formula_says(observable, parties):
    model = make(observable, parties=parties)
    x = np.random.default_rng(3).uniform(0, 3, 3)
    ((weight, string),) = observable.terms
    powers = (0, 1, 2, 5, 11)
    registers = evolved(holders(model, x), passage_of(model, Schedule(powers, (1,) * 5)))
    f = exact(model, x) / weight
    theta = math.asin(math.sqrt((1 + f) / 2))
    for power, register in zip(powers, registers, strict=True):
        expected = math.sin((2 * power + 1) * theta) ** 2
        assert chance(model, register, string) == pytest.approx(expected, abs=1e-10)


def test_amplitude_encoded_data_is_reflected_about():
    circuit = ansatz.brickwork(3, layers=1, uploads=0).on_amplitudes(7)
    model = DistributedModel(circuit, pauli("YX", (1, 2)), dtype=torch.float64, seed=1)
    x = np.random.default_rng(5).normal(size=7)
    ((_, string),) = model.observables[0].terms
    (register,) = evolved(holders(model, x), passage_of(model, Schedule((4,), (1,))))
    theta = math.asin(math.sqrt((1 + exact(model, x)) / 2))
    assert chance(model, register, string) == pytest.approx(math.sin(9 * theta) ** 2, abs=1e-10)


@pytest.mark.parametrize("parties", [("alice", "bob"), THREE])
def test_the_ledger_counts_every_pass(parties):
    model = make(Z(1), parties=parties)
    x = np.zeros(3)
    schedule = Schedule((0, 1, 4), (9, 5, 2))
    passage = passage_of(model, schedule)
    _, ledger = estimate_hits(holders(model, x), passage, seed=1)
    messages = len(model.circuit.messages())
    assert schedule.passes == 9 + 5 * 3 + 2 * 9
    assert ledger.qubits == 3 * messages * schedule.passes
    assert ledger.bits == 0
    assert ledger.rounds == messages * (2 * 4 + 1) == len(ledger)
    assert [entry.round for entry in ledger] == list(range(1, ledger.rounds + 1))
    copies = [entry.copies for entry in ledger]
    assert copies == [16] * messages + [7] * 2 * messages + [2] * 6 * messages
    assert ledger.by_purpose("qubit") == {
        "prepare": 3 * messages * 16,
        "back": 3 * messages * (5 + 2 * 4),
        "forth": 3 * messages * (5 + 2 * 4),
    }
    for entry, message in zip(ledger, model.circuit.messages(), strict=False):
        assert (entry.sender, entry.receiver) == (message.sender, message.receiver)
    back = ledger[messages]
    last = model.circuit.messages()[-1]
    assert (back.sender, back.receiver, back.purpose) == (last.receiver, last.sender, "back")


def test_the_roles_measure_the_evolved_registers():
    model = make(Y(2))
    x = np.array([0.3, 1.0, 2.0])
    passage = passage_of(model, Schedule((0, 2, 3), (20, 10, 5)))
    hits, _ = estimate_hits(holders(model, x), passage, seed=7, run=0)
    generator = stream(7, 0, 0)
    again = [
        int(
            (
                measured(register[None], passage.string, shots=n, generator=generator)[:, 2] == 0
            ).sum()
        )
        for register, n in zip(evolved(holders(model, x), passage), (20, 10, 5), strict=True)
    ]
    assert hits.tolist() == again


@pytest.mark.parametrize("processes", [False, True])
def test_a_party_needs_its_own_numbers_only(processes):
    model = make(Z(1), layers=2)
    circuit = model.circuit
    x, theta = np.array([0.3, 1.0, 2.0]), model.theta.detach().numpy()
    apart = {}
    for party in circuit.parties:
        own = {
            source: {g.slot for g in circuit.gates if g.party == party and g.source == source}
            for source in ("feature", "parameter")
        }
        features, parameters = x.copy(), theta.copy()
        features[[k for k in range(len(x)) if k not in own["feature"]]] = np.nan
        parameters[[k for k in range(len(theta)) if k not in own["parameter"]]] = np.nan
        assert np.isnan(parameters).any()
        apart[party] = holder(circuit, party, parameters=parameters, features=features)
    passage = passage_of(model, Schedule((0, 1, 3), (20, 10, 5)))
    hits, ledger = estimate_hits(holders(model, x), passage, seed=3)
    again, same = estimate_hits(apart, passage, seed=3, processes=processes)
    np.testing.assert_array_equal(again, hits)
    assert same == ledger


@pytest.mark.parametrize("failure", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("error", [0.7, 0.3, 0.2, 0.12])
def test_plain_copies_meet_the_failure_exactly(error, failure):
    schedule = estimation_schedule(error=error, failure=failure)
    assert schedule.powers == (0,)  # repeated powers take more passes here
    (shots,) = schedule.shots
    counts = np.arange(shots + 1)
    for f in np.linspace(-1, 1, 81):
        off = np.abs(2 * counts / shots - 1 - f) > error
        assert binom.pmf(counts[off], shots, (1 + f) / 2).sum() <= failure * 1.05


@pytest.mark.parametrize(
    ("error", "failure", "runs"),
    [(0.1, 0.3, 60), (0.07, 0.1, 60), (0.03, 0.1, 60), (0.03, 0.01, 40)],
)
def test_the_error_is_met_in_repeated_runs(error, failure, runs):
    # outcomes of registers that one-qubit parties really evolved, at values all over [-1, 1]
    schedule = estimation_schedule(error=error, failure=failure)
    values = np.concatenate([[-1, 0, 1], np.random.default_rng(1).uniform(-1, 1, 9)])
    misses, outside = [], []
    for f in values:
        model = rotation(math.acos(f))
        registers = evolved(holders(model, [0.0]), passage_of(model, schedule))
        generator = np.random.default_rng(int(1e6 * (f + 1)))
        counts = np.stack(
            [
                (measured(state[None], ((0, "Z"),), shots=runs * shots, generator=generator) == 0)
                .reshape(runs, shots)
                .sum(1)
                for state, shots in zip(registers, schedule.shots, strict=True)
            ],
            axis=1,
        )
        found = [most_likely(schedule, hits, failure=failure) for hits in counts]
        misses.append(sum(abs(likely.value - f) > error for likely in found))
        outside += [
            not likely.interval[0] - 1e-9 <= f <= likely.interval[1] + 1e-9 for likely in found
        ]
    assert max(misses) <= binom.ppf(1 - 1e-4, runs, failure)
    assert sum(misses) <= failure * runs * len(values)  # on average far below what is allowed
    assert sum(outside) <= binom.ppf(1 - 1e-3, len(outside), 1.3 * failure)  # asymptotic coverage


def test_passes_grow_as_one_over_the_error():
    errors = np.array([0.04, 0.02, 0.01, 0.005])
    passes = [estimation_schedule(error=float(error)).passes for error in errors]
    slope, _ = np.polyfit(np.log(1 / errors), np.log(passes), 1)
    assert 0.9 < slope < 1.25
    assert passes[-1] < 0.15 * norm.isf(0.05) ** 2 / errors[-1] ** 2  # plain copies


def test_an_inference_meets_its_error():
    model = make([Z(1), projector(2), 0.5 * X(0) - 0.3 * pauli({1: "Y", 2: "Z"})], qubits=4)
    x = np.linspace(0, 1, 4)
    for index in range(3):
        estimate = infer_by_amplitude_estimation(
            model, x, seed=5, error=0.03, failure=0.01, observable=index
        )
        f = exact(model, x, index)
        assert abs(estimate.value - f) <= 0.03
        assert estimate.interval[0] <= estimate.value <= estimate.interval[1]
        assert estimate.interval[0] <= f <= estimate.interval[1]
        passes = sum(schedule.passes for schedule in estimate.schedules)
        assert estimate.ledger.qubits == 4 * 3 * passes
    assert len(estimate.schedules) == 2  # the terms of the sum, side by side
    rounds = max(schedule.powers[-1] for schedule in estimate.schedules)
    assert estimate.ledger.rounds == 3 * (2 * rounds + 1)
    alone = infer_by_amplitude_estimation(model, x, seed=5, error=0.06, observable=0)
    half = infer_by_amplitude_estimation(model, x, seed=5, error=0.03, observable=1)
    assert half.schedules == alone.schedules  # a projector is (1 + Z)/2


def test_the_total_of_a_sum_is_split_at_the_least_cost():
    weights = np.array([0.5, 0.3, 0.05])
    errors = 0.03 / (np.sqrt(weights) * np.sqrt(weights).sum())
    assert weights @ errors == pytest.approx(0.03)
    for other in np.random.default_rng(0).dirichlet([3, 3, 3], 50) * 0.03:
        assert np.sum(1 / errors) <= np.sum(1 / (other / weights)) + 1e-9


@given(st.integers(1, 400), st.sampled_from([1.5, 2.0, 3.0]))
def test_frequencies_are_odd_and_neighbours_coprime(largest, ratio):
    largest += 1 - largest % 2
    found = frequencies_up_to(largest, ratio=ratio)
    assert found[0] == 1
    assert found[-1] == largest
    assert all(number % 2 for number in found)
    for low, high in itertools.pairwise(found):
        assert low < high
        assert math.gcd(low, high) == 1


def test_the_likelihood_peaks_at_the_truth_for_expected_counts():
    schedule = Schedule((0, 1, 3, 8), (4000, 4000, 4000, 4000))
    for f in (-0.9, -0.2, 0.05, 0.7):
        phi = math.acos(-f)
        chances = (1 - np.cos(schedule.frequencies * phi)) / 2
        hits = np.round(4000 * chances).astype(int)
        likely = most_likely(schedule, hits, failure=0.1)
        assert likely.value == pytest.approx(f, abs=1e-3)
        # the interval of a Gaussian peak: 1.645 / sqrt(Fisher information on phi)
        side = norm.isf(0.05) / math.sqrt(4000 * np.sum(schedule.frequencies**2))
        low, high = (math.acos(-end) for end in likely.interval)
        assert (high - low) / 2 == pytest.approx(side, rel=0.05)
        values = log_likelihood(schedule, hits, np.array([phi, phi + 3 * side]))
        assert values[0] > values[1]


def test_ties_are_decided_by_a_coin():
    schedule = Schedule((0,), (2,))
    decided = signs(schedule, np.ones((400, 1), dtype=int), margin=0.3, seed=1)
    assert set(decided.tolist()) == {-1, 1}
    assert 150 < (decided == 1).sum() < 250
    clear = signs(schedule, np.array([[2], [0]]), margin=0.3, seed=1)
    assert clear.tolist() == [1, -1]


def test_bad_input():
    model = make([Z(1), 0.5 * Z(0) + 0.5 * Z(0) - 1.0 * Z(0)])
    x = np.zeros(3)
    for options, message in (
        ({"error": 0.0}, "error is 0.0"),
        ({"error": 1.0}, "error is 1.0"),
        ({"failure": 1.5}, "failure is 1.5"),
        ({"observable": 2}, "observable is 2"),
        ({"observable": 1}, "is the constant 0"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(InputError, match=message):
            infer_by_amplitude_estimation(model, x, **{"seed": 0, **options})
    with pytest.raises(InputError, match="expected one input"):
        infer_by_amplitude_estimation(model, np.zeros((2, 3)), seed=0)
    one = make(Z(0), parties=("alice",))
    with pytest.raises(InputError, match="at least two"):
        infer_by_amplitude_estimation(one, x, seed=0)
    with pytest.raises(InputError, match="margin is 0"):
        decision_schedule(margin=0)
    for powers, shots in (((), ()), ((0, 1), (1,)), ((0,), (1, 1)), ((1, 0), (1, 1)), ((0,), (0,))):
        with pytest.raises(InputError, match="expected a"):
            Schedule(powers, shots)
    schedule = Schedule((0, 1), (3, 3))
    with pytest.raises(InputError, match="one for each of 2 powers"):
        most_likely(schedule, np.array([1]), failure=0.1)
    with pytest.raises(InputError, match="from 1 to 4"):
        most_likely(schedule, np.array([1, 4]), failure=0.1)

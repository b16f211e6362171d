"""Groups of terms read off one bit string: ranges, means, coverage, and fewer copies."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from tnqml import Circuit, DistributedModel, Gate, Observable, Z, ansatz, pauli, reference
from tnqml.protocols.execution.links import Ensemble, depolarising
from tnqml.protocols.execution.readout import readout, tally
from tnqml.protocols.inference.bounded import (
    FixedBounded,
    StoppingBounded,
    empirical_bernstein,
    hoeffding,
)
from tnqml.protocols.inference.infer import infer
from tnqml.protocols.stopping import Stopping, Tally, shots_needed

EVERY_Z = sum(Z(qubit) for qubit in range(4))
CHAIN = sum(pauli("ZZ", (qubit, qubit + 1)) for qubit in range(3))
MIXED = 0.5 * Z(0) - 0.7 * pauli("X", (1,)) + pauli("YZ", (2, 0)) + 0.4 * pauli("X", (0,))
CORNER = 0.25 * (Z(0) + Z(1) + pauli("ZZ", (0, 1))) + Observable([(0.25, ())])  # |00><00|


def dense(observable, qubits):
    """The observable as a matrix."""
    letters = {
        "X": np.array([[0, 1], [1, 0]]),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1, -1]),
    }
    total = np.zeros((2**qubits, 2**qubits), dtype=complex)
    for weight, string in observable.terms:
        matrix = np.ones((1, 1))
        for qubit in range(qubits):
            matrix = np.kron(matrix, letters.get(dict(string).get(qubit), np.eye(2)))
        total += weight * matrix
    return total


def random_observable(generator, *, qubits=4, terms=6):
    return Observable(
        (
            float(generator.normal()),
            tuple(
                (qubit, str(letter))
                for qubit, letter in enumerate(generator.choice(list("IXYZ"), qubits))
                if letter != "I"
            ),
        )
        for _ in range(terms)
    )


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_groups_split_the_terms_and_know_their_ranges(seed):
    observable = random_observable(np.random.default_rng(seed))
    own = readout(observable)
    rest = {string: weight for weight, string in observable.terms if string}
    assert {string: weight for weight, string in own.terms} == rest
    for group in own.groups:
        letters = dict(group.string)
        assert all(letters[qubit] == letter for _, word in group.terms for qubit, letter in word)
        bits = np.array(list(itertools.product((0, 1), repeat=len(group.string))), dtype=np.uint8)
        sums = group.sums(bits)
        # by dense eigenvalues: the group's terms commute
        values = np.linalg.eigvalsh(dense(Observable(group.terms), 4))
        assert group.low == pytest.approx(values.min(), abs=1e-9)
        assert group.high == pytest.approx(values.max(), abs=1e-9)
        repeated = np.repeat(np.sort(sums), 16 // len(sums))
        np.testing.assert_allclose(repeated, np.sort(values), atol=1e-9)
        shares = group.shares(bits)
        assert shares.min() == pytest.approx(0, abs=1e-12)
        assert shares.max() == pytest.approx(1, abs=1e-12)
        if group.two_valued:
            assert set(shares.round(12)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("observable", "groups", "scale", "two_valued"),
    [
        (Z(2), 1, 1.0, True),
        (EVERY_Z, 1, 4.0, False),
        (CHAIN, 1, 3.0, False),
        (MIXED, 2, 2.6, False),
        (CORNER, 1, 0.5, True),
        (Z(0) + pauli("X", (0,)), 2, 2.0, True),
    ],
)
def test_scale_and_kind(observable, groups, scale, two_valued):
    own = readout(observable)
    assert (len(own.groups), own.two_valued) == (groups, two_valued)
    assert own.scale == pytest.approx(scale)


def test_ranges_of_many_qubits():
    many = readout(sum(Z(qubit) for qubit in range(300)))
    assert len(many.groups) == 1
    assert many.scale == pytest.approx(300)
    assert len(readout(sum(Z(q) for q in range(300)), together=12).groups) == 25
    ring = sum(pauli("ZZ", (qubit, (qubit + 1) % 20)) for qubit in range(20))
    assert readout(ring).scale == pytest.approx(20)  # a bound, as too many hang together


@pytest.mark.parametrize("observable", [EVERY_Z, MIXED, CORNER])
def test_shares_have_the_mean_and_the_variance_of_the_state(observable):
    generator, copies = np.random.default_rng(3), 40_000
    state = generator.normal(size=16) + 1j * generator.normal(size=16)
    state /= np.linalg.norm(state)
    own = readout(observable)
    seen = tally(own, Ensemble(state[None], np.array([copies])), generator=generator)
    exact = float((state.conj() @ dense(observable, 4) @ state).real)
    squares = 0.0
    for group in own.groups:
        matrix = (dense(Observable(group.terms), 4) - group.low * np.eye(16)) / (2 * group.half)
        squares += group.half / own.scale * float((state.conj() @ matrix @ matrix @ state).real)
    assert seen.count == copies
    error = 2 * own.scale / math.sqrt(copies)
    assert abs(own.value(seen.total / copies) - exact) < 4 * error / 2
    assert seen.squares / copies == pytest.approx(squares, abs=4 / math.sqrt(copies))


def test_groups_are_drawn_by_their_ranges():
    own = readout(MIXED)
    drawn = own.drawn(60_000, generator=np.random.default_rng(1))
    expected = np.array([group.half for group in own.groups]) / own.scale
    assert chisquare(np.bincount(drawn), 60_000 * expected).pvalue > 1e-4


def brick(observable):
    circuit = ansatz.brickwork(4, layers=2)
    model = DistributedModel(circuit, observable, dtype=torch.float64, seed=2)
    x = torch.linspace(0.2, 2, 4, dtype=torch.float64)
    exact = reference.expectation(circuit, model.observables[0], model.theta.detach().numpy(), x)
    return model, x, exact


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("observable", [EVERY_Z, CHAIN, MIXED, CORNER])
def test_error_and_interval_hold_as_often_as_promised(observable, adaptive):
    model, x, exact = brick(observable)
    wanted, runs = 0.2, 40
    far = missed = 0
    for seed in range(runs):
        found = infer(model, x, seed=seed, error=wanted, failure=0.2, adaptive=adaptive)
        low, high = found.interval
        far += abs(found.value - exact) > wanted
        missed += not low <= exact <= high
        assert low <= found.value <= high
        if adaptive:
            assert high - low <= 2 * wanted + 1e-9
    assert max(far, missed) <= binom.ppf(1 - 1e-4, runs, 0.2)


def test_a_sum_takes_fewer_copies_than_its_range_says():
    qubits, error = 12, 0.1
    circuit = ansatz.brickwork(qubits, layers=2)
    total = sum(Z(qubit) for qubit in range(qubits))
    model = DistributedModel(circuit, total, dtype=torch.float64, seed=2)
    x = torch.linspace(0.2, 2, qubits, dtype=torch.float64)
    exact = model(x[None]).item()
    one_by_one = Stopping(error / (2 * qubits), 0.1)  # a term for each copy: two-valued outcomes
    found = infer(model, x, seed=1, error=error, adaptive=True)
    assert abs(found.value - exact) < error
    assert found.shots < 0.75 * one_by_one.most
    states = sum(entry.copies for entry in found.ledger if entry.purpose == "state")
    assert states == 3 * found.shots
    assert StoppingBounded(error / (2 * qubits), 0.1).most == one_by_one.most  # never more
    # the range of a fixed number of copies, and what their outcomes show
    fixed = infer(model, x, seed=1, error=0.2)
    assert fixed.shots == shots_needed(error=0.2, failure=0.1, scale=qubits)
    low, high = fixed.interval
    assert high - low < 0.75 * 2 * 0.2
    # a corner of the cube has two thirds of the range that its weights add up to
    model, x, _ = brick(CORNER)
    assert infer(model, x, seed=1).shots == shots_needed(error=0.05, failure=0.1, scale=0.5)


def test_links_engine_and_processes_read_groups_too():
    model, x, _ = brick(EVERY_Z)
    here = infer(model, x, seed=5, shots=300, links=depolarising(0.1))
    assert infer(model, x, seed=5, shots=300, links=depolarising(0.1), processes=True) == here
    gates = [Gate("ry", qubit, angle=0.4 * qubit, party="alice") for qubit in range(2)]
    gates += [Gate("ry", qubit, angle=0.4 * qubit, party="bob") for qubit in range(2, 5)]
    gates += [Gate("cz", (1, 2), party="bob")]
    circuit = Circuit(5, gates, split="qubits")
    wide = DistributedModel(circuit, [sum(Z(q) for q in range(5)), pauli("ZZZ", (0, 3, 4))])
    exact = sum(math.cos(0.4 * qubit) for qubit in range(5))
    found = infer(wide, torch.zeros(0), seed=1, shots=4000)
    assert found.mode == "engine"
    assert abs(found.value - exact) < 4.5 * 5 / math.sqrt(4000)
    # bit by bit, or the one parity that a product asks for
    outcomes = [entry for entry in found.ledger if entry.purpose == "outcome"]
    assert sum(entry.size * entry.copies for entry in outcomes) in {3 * 4000, 4 * 4000}
    parity = infer(wide, torch.zeros(0), seed=1, shots=50, observable=1)
    assert parity.ledger.bits == 50


@pytest.mark.parametrize("mean", [0.02, 0.5])
def test_bounded_goals_keep_their_promise(mean):
    generator, runs = np.random.default_rng(4), 200
    goal, missed, far, counts = StoppingBounded(0.005, 0.2), 0, 0, []
    for _ in range(runs):
        seen = Tally()
        while wanted := goal.wanted(seen):
            seen += Tally.of(
                generator.beta(20 * mean, 20 * (1 - mean), wanted), generator=generator
            )
        low, high = goal.interval(seen)
        assert high - low <= 2 * goal.error + 1e-12
        missed += not low <= mean <= high
        far += abs(goal.estimate(seen) - mean) > goal.error
        counts.append(seen.count)
    assert max(missed, far) <= binom.ppf(1 - 1e-4, runs, goal.failure)
    assert max(counts) < 0.7 * goal.most
    coin = Tally(0)
    while wanted := goal.wanted(coin):
        coin += Tally.of((generator.random(wanted) < 0.5).astype(float), generator=generator)
    assert coin.count == goal.most
    fixed = FixedBounded(100, 0.2)
    assert fixed.wanted(Tally(40)) == 60


def test_half_widths_are_those_of_the_papers():
    rng = np.random.default_rng(0)
    shares = rng.random(50)
    log = math.log(2 / 0.05)  # one side at half of the failure
    expected = math.sqrt(2 * shares.var(ddof=1) * log / 50) + 7 * log / (3 * 49)
    assert empirical_bernstein(Tally.of(shares, generator=rng), failure=0.1) == pytest.approx(
        expected
    )
    width = hoeffding(200, failure=0.1)
    assert 2 * math.exp(-2 * 200 * width**2) == pytest.approx(0.1)
    assert empirical_bernstein(Tally(1, 1, 0.5, 0.25), failure=0.1) == 1.0

"""Bounds on what copies reveal, and attacks that run, against integrals and measured outcomes."""

import math

import numpy as np
import pytest
from scipy.stats import chisquare, ks_2samp, unitary_group

from tnqml.errors import InputError
from tnqml.protocols.privacy import attacks, prior_attacks
from tnqml.protocols.privacy import bounds as privacy

PAULI_KETS = [
    np.array([1, 1]) / np.sqrt(2),
    np.array([1, -1]) / np.sqrt(2),
    np.array([1, 1j]) / np.sqrt(2),
    np.array([1, -1j]) / np.sqrt(2),
    np.array([1, 0]),
    np.array([0, 1]),
]


def real_vectors(count, size, seed):
    rows = np.random.default_rng(seed).standard_normal((count, size))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("dimension", [2, 3, 8, 50])
@pytest.mark.parametrize("copies", [0, 1, 2, 7, 300])
def test_identical_copies_bits_are_those_of_the_symmetric_subspace(dimension, copies):
    bits = privacy.identical_copies_bits(dimension, copies=copies)
    assert bits == pytest.approx(math.log2(math.comb(dimension + copies - 1, copies)), abs=1e-9)
    assert bits <= copies * math.log2(dimension) + 1e-9


def test_identical_copies_bits_do_not_overflow():
    assert privacy.identical_copies_bits(2**1000, copies=1) == 1000
    two = privacy.identical_copies_bits(2**1000, copies=2)  # C(d + 1, 2) = d (d + 1)/2
    assert two == pytest.approx(1999)
    count, copies = 150_001, 200_000
    exact = math.log2(math.comb(count + copies - 1, copies))
    found = privacy.identical_copies_bits(count, copies=copies)
    assert found == pytest.approx(exact, rel=1e-12)


def test_holevo_doubles_with_entanglement():
    assert privacy.holevo_bits(5, copies=7) == 35
    assert privacy.holevo_bits(5, copies=7, entangled=True) == 70


def test_copies_for_fidelity_invert_the_bound():
    assert privacy.copies_for_fidelity(64, fidelity=0.5) == 62
    copies = privacy.copies_for_fidelity(100, fidelity=0.9)
    assert (copies + 1) / (copies + 100) == pytest.approx(0.9)
    assert privacy.copies_for_fidelity(4, fidelity=0.1) == 0


@pytest.mark.parametrize(("dimension", "copies"), [(2, 1), (3, 2), (4, 5)])
def test_best_fidelity_is_the_average_of_the_covariant_measurement(dimension, copies):
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((400_000, dimension, 2)) @ [1, 1j]
    overlaps = np.abs(rows[:, 0]) ** 2 / (np.abs(rows) ** 2).sum(1)  # with the first basis state
    likely = overlaps**copies  # density of the guess, up to a factor
    integral = (likely * overlaps).sum() / likely.sum()
    bound = privacy.best_fidelity(dimension, copies=copies)
    assert integral == pytest.approx(bound, abs=0.004)
    # and the factor makes the elements sum to the identity of the symmetric subspace
    assert likely.mean() * math.comb(dimension + copies - 1, copies) == pytest.approx(1, abs=0.01)


def test_collective_guesses_are_distributed_as_by_rejection():
    dimension, copies = 3, 2
    state = attacks.haar_state(dimension, seed=3)
    drawn = np.stack([attacks.collective_guess(state, copies=copies, seed=k) for k in range(2000)])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-12)
    generator = np.random.default_rng(4)
    haar = generator.standard_normal((40_000, dimension, 2)) @ [1, 1j]
    haar /= np.linalg.norm(haar, axis=1, keepdims=True)
    kept = haar[generator.random(len(haar)) < np.abs(haar @ state.conj()) ** (2 * copies)]
    for feature in (
        lambda rows: np.abs(rows @ state.conj()) ** 2,
        lambda rows: np.abs(rows[:, 0]) ** 2,
        lambda rows: np.abs(rows @ [1, 1, 1j]) ** 2,
    ):
        assert ks_2samp(feature(drawn), feature(kept)).pvalue > 0.01


@pytest.mark.parametrize(("dimension", "copies"), [(2, 0), (4, 1), (16, 16), (64, 500)])
def test_collective_guesses_reach_the_bound(dimension, copies):
    found = []
    for seed in range(800):
        state = attacks.haar_state(dimension, seed=seed)
        guess = attacks.collective_guess(state, copies=copies, seed=seed + 10_000)
        found.append(attacks.fidelity(guess, state))
    error = np.std(found) / np.sqrt(len(found))
    bound = privacy.best_fidelity(dimension, copies=copies)
    assert abs(np.mean(found) - bound) < 4 * error


@pytest.mark.parametrize("dimension", [2, 4, 9])
def test_one_basis_measurement_of_real_vectors_reaches_their_bound(dimension):
    rows = real_vectors(100_000, dimension, seed=1)
    generator = np.random.default_rng(2)
    read = (np.cumsum(rows**2, 1) < generator.random(len(rows))[:, None]).sum(1)
    fidelities = rows[np.arange(len(rows)), np.minimum(read, dimension - 1)] ** 2
    bound = privacy.best_fidelity_of_real(dimension)
    assert fidelities.mean() == pytest.approx(bound, abs=0.005)
    assert bound > privacy.best_fidelity(dimension, copies=1)


def test_no_measurement_of_one_real_copy_with_any_guess_beats_its_bound():
    """E[<x|m>^2 <x|g>^2] by fourth moments, for random m and g, against d E[x_1^4]."""
    size = 3
    rows = real_vectors(200_000, size, seed=5)
    moments = np.einsum("ka,kb,kc,kd->abcd", rows, rows, rows, rows) / len(rows)
    for seed in range(20):
        m, g = (attacks.haar_state(size, seed=2 * seed + part) for part in (0, 1))
        value = np.einsum("abcd,a,b,c,d->", moments, m.conj(), m, g.conj(), g).real
        aligned = np.einsum("abcd,a,b,c,d->", moments, m.conj(), m, m.conj(), m).real
        formula = (1 + abs(np.vdot(m, g)) ** 2 + abs(m @ g) ** 2) / (size * (size + 2))
        assert value == pytest.approx(formula, abs=2e-3)
        assert size * max(value, aligned) < privacy.best_fidelity_of_real(size) + 6e-3


def test_covariant_kets_are_outcomes_of_random_bases():
    state = attacks.haar_state(4, seed=0)
    kets = attacks.covariant_kets(state, copies=4000, seed=1)
    generator = np.random.default_rng(2)
    read = []
    for unitary in unitary_group.rvs(4, size=4000, random_state=generator):
        probabilities = np.abs(unitary.conj().T @ state) ** 2
        read.append(unitary[:, generator.choice(4, p=probabilities / probabilities.sum())])
    read = np.stack(read)
    for probe in (state, np.array([1, 1j, 0, 0]) / np.sqrt(2)):
        overlaps = [np.abs(rows @ probe.conj()) ** 2 for rows in (kets, read)]
        assert ks_2samp(*overlaps).pvalue > 0.01


def test_local_kets_have_the_probabilities_of_whole_registers():
    state = attacks.haar_state(4, seed=7)
    products = np.stack([np.kron(a, b) for a in PAULI_KETS for b in PAULI_KETS])
    kets = attacks.local_kets(state, copies=9000, seed=8)
    overlaps = np.abs(kets @ products.T.conj()) ** 2
    which = overlaps.argmax(1)
    np.testing.assert_allclose(overlaps.max(1), 1, atol=1e-12)
    expected = 9000 / 9 * np.abs(products.conj() @ state) ** 2
    assert chisquare(np.bincount(which, minlength=36), expected).pvalue > 0.01


@pytest.mark.parametrize("measured", [attacks.covariant_kets, attacks.local_kets])
def test_the_likeliest_state_is_found_and_stays_under_the_bound(measured):
    found = []
    for seed in range(30):
        state = attacks.haar_state(8, seed=seed)
        kets = measured(state, copies=200, seed=seed + 100)
        guess = attacks.likeliest_state(kets)

        def likelihood(vector, kets=kets):
            return np.log(np.abs(kets.conj() @ vector)).sum()

        assert likelihood(guess) > likelihood(state)
        found.append(attacks.fidelity(guess, state))
    bound = privacy.best_fidelity(8, copies=200)
    assert 0.9 < np.mean(found) < bound


def test_the_posterior_is_bayes_rule():
    candidates = real_vectors(5, 4, seed=1)
    kets = attacks.local_kets(candidates[2].astype(complex), copies=3, seed=2)
    chances = [np.prod([abs(np.vdot(ket, row)) ** 2 for ket in kets]) for row in candidates]
    np.testing.assert_allclose(
        prior_attacks.posterior(kets, candidates), chances / np.sum(chances), atol=1e-12
    )


def test_guesses_maximise_the_mean_fidelity_with_what_is_likely():
    candidates = real_vectors(6, 8, seed=3)
    kets = attacks.local_kets(candidates[0].astype(complex), copies=4, seed=4)
    weights = prior_attacks.posterior(kets, candidates)
    for guess, chance in (
        (prior_attacks.listed_guess(kets, candidates), weights),
        (prior_attacks.blind_guess(candidates), np.full(6, 1 / 6)),
    ):
        best = chance @ (candidates @ guess) ** 2
        assert np.linalg.norm(guess) == pytest.approx(1)
        for other in (*candidates, *real_vectors(200, 8, seed=5)):
            assert chance @ (candidates @ other) ** 2 <= best + 1e-12


def test_an_image_on_the_list_is_found_from_enough_copies_and_the_bits_stay_under_holevo():
    candidates = real_vectors(32, 8, seed=6)
    for copies in (1, 2, 40):
        learned = []
        for seed in range(160):
            truth = seed % len(candidates)
            kets = attacks.local_kets(candidates[truth].astype(complex), copies=copies, seed=seed)
            weights = prior_attacks.posterior(kets, candidates)
            learned.append(prior_attacks.learned_bits(weights, truth))
        error = np.std(learned) / np.sqrt(len(learned))
        bound = min(5, privacy.identical_copies_bits(8, copies=copies))
        assert np.mean(learned) < bound + 3 * error
        assert np.mean(learned) > (4 if copies == 40 else 0)


def test_the_fitted_guess_uses_the_prior_and_beats_the_blind_one():
    generator = np.random.default_rng(9)
    scales = 2.0 ** -np.arange(16)
    rows = generator.standard_normal((330, 16)) * scales
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    examples, new = rows[:300], rows[300:]
    blind = prior_attacks.blind_guess(examples)
    fitted, without, blinds = [], [], []
    for seed, row in enumerate(new):
        kets = attacks.local_kets(row.astype(complex), copies=16, seed=seed)
        fitted.append((prior_attacks.fitted_guess(kets, examples) @ row) ** 2)
        without.append(attacks.fidelity(attacks.likeliest_state(kets), row.astype(complex)))
        blinds.append((blind @ row) ** 2)
    assert np.mean(fitted) > np.mean(blinds) + 0.05
    assert np.mean(fitted) > np.mean(without) + 0.1
    assert np.mean(fitted) > privacy.best_fidelity(16, copies=16)


def test_the_fitted_guess_is_a_maximum_of_its_density():
    from sklearn.covariance import ledoit_wolf

    examples = real_vectors(100, 4, seed=10) * [1, 0.5, 0.3, 0.2]
    examples /= np.linalg.norm(examples, axis=1, keepdims=True)
    kets = attacks.local_kets(examples[0].astype(complex), copies=30, seed=11)
    inverse = np.linalg.inv(ledoit_wolf(examples, assume_centered=True)[0])

    def density(u):
        u = u / np.linalg.norm(u)
        return 2 * np.log(np.abs(kets.conj() @ u)).sum() - 2 * np.log(u @ inverse @ u)

    guess = prior_attacks.fitted_guess(kets, examples)
    generator = np.random.default_rng(12)
    for _ in range(200):
        assert density(guess + 0.01 * generator.standard_normal(4)) < density(guess) + 1e-6


def test_same_seed_same_outcomes():
    state = attacks.haar_state(8, seed=1)
    for measured in (attacks.covariant_kets, attacks.local_kets):
        np.testing.assert_array_equal(
            measured(state, copies=5, seed=2), measured(state, copies=5, seed=2)
        )
        assert not np.array_equal(
            measured(state, copies=5, seed=2), measured(state, copies=5, seed=3)
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: privacy.holevo_bits(0, copies=1), "qubits of a message is 0"),
        (lambda: privacy.best_fidelity(4, copies=-1), "copies is -1"),
        (lambda: privacy.best_fidelity(1, copies=1), "dimension is 1"),
        (lambda: privacy.copies_for_fidelity(4, fidelity=1.0), "fidelity is 1.0"),
        (lambda: attacks.local_kets(np.ones(4) / 2, copies=0, seed=0), "copies is 0"),
        (lambda: attacks.local_kets(np.ones(3), copies=1, seed=0), "power of two"),
        (lambda: attacks.fidelity(np.ones(2), np.ones(4)), "same shape"),
        (lambda: prior_attacks.posterior(np.ones((1, 4)), np.ones((2, 3))), r"\(K, N\)"),
        (
            lambda: prior_attacks.posterior(np.eye(2)[:1].astype(complex), np.eye(2)[1:]),
            "none of 1 candidates",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()

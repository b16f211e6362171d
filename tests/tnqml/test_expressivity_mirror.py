"""The classical mirror against models whose whole spectrum is known."""

import itertools
import math

import numpy as np
import pytest
import torch

from tnqml import DistributedModel, Z, ansatz
from tnqml.errors import InputError
from tnqml.expressivity import FeaturesNeeded, Mirror, relative_error, uniform
from tnqml.expressivity.mirror import distinct_draws
from tnqml.spectrum import sample


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spectrum(model: DistributedModel, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (terms, features) and coefficients of a model of integer frequencies, by FFT."""
    features, size = model.circuit.features, 2 * degree + 1
    phases = 2 * math.pi * np.arange(size) / size
    grid = np.array(list(itertools.product(phases, repeat=features)))
    with torch.no_grad():
        values = model(torch.tensor(grid)).numpy().reshape((size,) * features)
    coefficients = np.fft.fftn(values).ravel() / size**features
    steps = np.fft.fftfreq(size, 1 / size)
    return np.array(list(itertools.product(steps, repeat=features))), coefficients


@pytest.fixture(scope="module")
def small():
    model = DistributedModel(ansatz.brickwork(3, layers=2), Z(1), dtype=torch.float64, seed=2)
    return model, *spectrum(model, 2)


def values(model, x):
    with torch.no_grad():
        return model(x)


def test_with_all_frequencies_the_mirror_is_the_model(small):
    model, frequencies, coefficients = small
    x = uniform(3)(200, seeded(0))
    direct = (np.exp(1j * x.numpy() @ frequencies.T) @ coefficients).real
    np.testing.assert_allclose(direct, values(model, x), atol=1e-12)  # the FFT has them all
    mirror = Mirror(frequencies)
    assert mirror.distinct == (5**3 - 1) // 2
    train, test = uniform(3)(600, seeded(1)), uniform(3)(200, seeded(2))
    fitted = mirror.fit(train, values(model, train))
    np.testing.assert_allclose(fitted.predict(test), values(model, test), rtol=0, atol=1e-8)
    assert fitted.score(test, values(model, test)) > 1 - 1e-12


def test_incommensurate_frequencies_too():
    circuit = ansatz.haar(1, layers=2, seed=3)
    model = DistributedModel(circuit, Z(0), dtype=torch.float64)
    phases = [gate.form.array * gate.value for gate in circuit.gates if gate.source == "feature"]
    steps = [np.subtract.outer(own, own).ravel() for own in phases]
    frequencies = np.array([[a + b] for a, b in itertools.product(*steps)])
    mirror = Mirror(frequencies)
    assert 2 * mirror.distinct + 1 == 9
    draw = uniform(1, high=200.0)
    train, test = draw(100, seeded(0)), draw(50, seeded(1))
    fitted = mirror.fit(train, values(model, train))
    np.testing.assert_allclose(fitted.predict(test), values(model, test), rtol=0, atol=1e-8)


def test_what_is_missing_is_the_error(small):
    model, frequencies, coefficients = small
    power = np.abs(coefficients) ** 2
    order = np.argsort(-power)
    kept = frequencies[order[:12]]
    rows = {tuple(row) for row in np.concatenate([kept, -kept])}
    missing = [tuple(row) not in rows for row in frequencies]
    expected = math.sqrt(power[missing].sum() / power[frequencies.any(1)].sum())
    train, test = uniform(3)(4000, seeded(3)), uniform(3)(2000, seeded(4))
    fitted = Mirror(kept).fit(train, values(model, train))
    found = relative_error(fitted.predict(test), values(model, test).numpy())
    assert 0.05 < expected < 0.9
    assert found == pytest.approx(expected, rel=0.1)


def test_repeated_draws_weigh_more_as_in_ridge_on_all_of_them():
    generator = np.random.default_rng(0)
    draws = generator.integers(-1, 2, size=(9, 2)).astype(float)
    draws = np.concatenate([draws[draws.any(1)], [[0.0, 1.0]] * 3])
    x, y = generator.uniform(0, 6, (30, 2)), generator.normal(size=(30, 2))
    found = Mirror(draws, ridge=0.1).fit(x, y).predict(x)
    phases = x @ draws.T  # every draw with its own columns
    design = np.concatenate([np.cos(phases), np.sin(phases)], 1) / math.sqrt(len(draws))
    centred, targets = design - design.mean(0), y - y.mean(0)
    weights = np.linalg.solve(
        centred.T @ centred + 0.1 * 30 * np.eye(design.shape[1]), centred.T @ targets
    )
    np.testing.assert_allclose(found, centred @ weights + y.mean(0), atol=1e-10)
    assert Mirror(draws).distinct < len(draws)


def test_signs_and_rounding_make_no_difference():
    rows = np.array([[0.0, -1.0], [0.0, 1.0 + 1e-12], [-2.0, 1.0], [2.0, -1.0], [0.0, -0.0]])
    first, counts = distinct_draws(rows)
    assert (first.tolist(), counts.tolist()) == ([0, 2, 4], [2, 2, 1])
    assert Mirror(rows).distinct == 2


def test_the_features_needed_are_those_that_the_spectrum_says(small):
    model, frequencies, coefficients = small
    power = np.abs(coefficients) ** 2
    drawn = np.random.default_rng(5).choice(len(power), 1200, p=power / power.sum())
    draws, repeats, error = frequencies[drawn], 3, 0.3
    measure = FeaturesNeeded(uniform(3), draws, error=error, repeats=repeats)
    found = measure.run(model, seeded(6))
    assert found.reached == repeats

    variance = power[frequencies.any(1)].sum()
    least = []
    moving = draws[draws.any(1)]
    share = {
        frozenset({tuple(row), tuple(0 - row)}): 2 * each / variance
        for row, each in zip(frequencies, power, strict=True)
        if row.any()
    }
    for part in (moving[k::repeats] for k in range(repeats)):
        seen = dict.fromkeys(frozenset({tuple(row), tuple(0 - row)}) for row in part)
        left = 1 - np.cumsum([share[row] for row in seen])
        least.append(int((left > error**2).sum()) + 1)
    expected = math.exp(np.mean(np.log(least)))
    assert found.frequencies.value == pytest.approx(expected, rel=0.15)
    assert found.frequencies.low <= expected <= found.frequencies.high * 1.15
    for curve in found.curves:
        reached = [size for size, each in curve if each <= error]
        short = [size for size, each in curve if each > error]
        assert max(short) < min(reached) <= 1.05 * max(short) + 1


def test_what_is_not_reached_is_open(small):
    model, frequencies, _ = small
    few = frequencies[frequencies.any(1)][:6]
    found = FeaturesNeeded(uniform(3), few, error=0.01, repeats=2).run(model, seeded(0))
    assert found.reached == 0
    assert found.frequencies.value == found.frequencies.high == math.inf
    assert found.frequencies.low == min(curve[-1][0] for curve in found.curves)


def test_given_inputs_are_held_out_in_part(small):
    model, frequencies, _ = small
    inputs = uniform(3)(800, seeded(0))
    moving, generator = frequencies[frequencies.any(1)], np.random.default_rng(0)
    both = [generator.permutation(moving) for _ in range(2)]
    draws = np.stack(both, 1).reshape(-1, 3)  # dealt by turns: each repeat has all
    found = FeaturesNeeded(inputs, draws, error=1e-6, repeats=2).run(model, seeded(1))
    assert found.reached == 2
    assert found.frequencies.high <= 62.001


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [
        (np.zeros((4, 3)), np.zeros(4), "x has shape"),
        (np.zeros((4, 2)), np.zeros(5), "y has shape"),
        (np.zeros((4, 2)), np.zeros((4, 1, 1)), "y has shape"),
        (np.full((4, 2), np.nan), np.zeros(4), "x has an entry"),
        (np.zeros((4, 2)), np.full(4, np.inf), "y has an entry"),
        (np.zeros((0, 2)), np.zeros(0), "x has shape"),
    ],
)
def test_data_that_do_not_fit_are_refused(x, y, word):
    with pytest.raises(InputError, match=word):
        Mirror(np.ones((1, 2))).fit(x, y)


def test_other_bad_input(small):
    model, _, _ = small
    with pytest.raises(InputError, match="all frequencies are 0"):
        Mirror(np.zeros((2, 1))).fit(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(InputError, match="constant"):
        relative_error(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="shapes"):
        relative_error(np.zeros(3), np.ones((3, 1)))
    with pytest.raises(InputError, match="one column for each feature"):
        FeaturesNeeded(uniform(3), np.ones((9, 2))).forecast(model)
    with pytest.raises(InputError, match="draw more"):
        FeaturesNeeded(uniform(3), np.zeros((9, 3))).forecast(model)
    with pytest.raises(InputError, match="more draws"):
        FeaturesNeeded(uniform(3), np.ones((3, 3)), repeats=4)


def test_draws_of_the_spectrum_feed_the_mirror():
    """64 qubits, 18 uploads in the cone: nobody lists 3^18 terms, draws alone reach the error."""
    circuit = ansatz.brickwork(64, layers=3)
    model = DistributedModel(circuit, Z(31), dtype=torch.float64, seed=4)
    assert model.light_cones()[0].uploads == 18
    with pytest.warns(UserWarning, match="add nothing"):
        draws = sample(model, 800, seed=0).features
    assert draws.shape == (800, 64)
    found = FeaturesNeeded(uniform(64), draws, error=0.5, repeats=2).run(model, seeded(0))
    assert found.reached == 2
    assert 4 < found.frequencies.value < 60
    generator = np.random.default_rng(0)
    elsewhere = generator.permuted(draws, axis=1)  # the same numbers on other pixels
    lost = FeaturesNeeded(uniform(64), elsewhere, error=0.5, repeats=2).run(model, seeded(0))
    assert lost.reached == 0

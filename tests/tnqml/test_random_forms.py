"""Forms of sketches by rotation invariance: as those of rows and vectors that are really drawn."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tnqml import InputError
from tnqml.protocols import dequantise, quantise, sketch_message
from tnqml.protocols.inference.quadratic import QuadraticForm, form_by_signs
from tnqml.protocols.problems.random_forms import (
    as_read,
    kept_forms,
    signed_estimates,
    sketched_forms,
)
from tnqml.protocols.streams import stream


@pytest.mark.parametrize("value", [0.35, -1.0, 0.0])
@pytest.mark.parametrize("bits", [1, 4])
def test_sketched_forms_have_the_distribution_of_the_protocol(value, bits):
    size, numbers, trials = 8, 5, 3000
    reflection = np.diag([1.0] * 4 + [-1.0] * 4)
    vector = np.zeros(size)
    vector[[1, 6]] = np.sqrt([(1 + value) / 2, (1 - value) / 2])
    exact = []
    for seed in range(trials):
        codes = sketch_message(vector, numbers=numbers, bits=bits, seed=seed)
        rows = stream(seed, 0).standard_normal((numbers, size))
        sketch = dequantise(codes, bits=bits) @ rows
        exact.append(sketch @ reflection @ sketch)
    forms, energy = sketched_forms(
        np.full(trials, value),
        size=size,
        numbers=numbers,
        bits=bits,
        generator=np.random.default_rng(5),
    )
    assert ks_2samp(exact, forms, method="asymp").pvalue > 1e-4
    if bits == 1:
        np.testing.assert_allclose(energy, numbers / 4)


@pytest.mark.parametrize("value", [0.35, -1.0, 0.0])
@pytest.mark.parametrize(("size", "numbers"), [(8, 5), (2, 2), (4, 30)])
def test_signed_estimates_have_the_distribution_of_the_protocol(value, size, numbers):
    trials = 2000
    vector = np.zeros(size)
    vector[[0, -1]] = np.sqrt([(1 + value) / 2, (1 - value) / 2])
    form = QuadraticForm(vector, np.diag(np.repeat([1.0, -1.0], size // 2)))
    exact = [form_by_signs(form, numbers=numbers, seed=seed).value for seed in range(trials)]
    fast = signed_estimates(
        np.full(trials, value), size=size, numbers=numbers, generator=np.random.default_rng(8)
    )
    assert ks_2samp(exact, fast, method="asymp").pvalue > 1e-4
    assert abs(fast.mean() - value) < 5 * fast.std() / np.sqrt(trials)


@pytest.mark.parametrize("value", [0.35, -1.0])
@pytest.mark.parametrize(("size", "numbers", "bits"), [(8, 3, 2), (8, 8, 1), (2, 1, 3)])
def test_kept_forms_have_the_distribution_of_random_instances(value, size, numbers, bits):
    trials, exact = 3000, []
    generator = np.random.default_rng(size + numbers)
    for _ in range(trials):
        frame, _ = np.linalg.qr(generator.standard_normal((size, size)))
        signs = np.repeat([1.0, -1.0], size // 2)
        parts = generator.standard_normal((2, size // 2))
        parts /= np.linalg.norm(parts, axis=1, keepdims=True)
        weights = np.sqrt([(1 + value) / 2, (1 - value) / 2])
        vector = frame @ (weights[:, None] * parts).reshape(-1)
        kept = np.argsort(-np.abs(vector))[:numbers]
        sent = np.zeros(size)
        sent[kept] = dequantise(quantise(vector[kept], bits=bits), bits=bits)
        exact.append([sent @ (frame * signs) @ frame.T @ sent, sent @ sent])
    drawn = kept_forms(
        np.full(trials, value), size=size, numbers=numbers, bits=bits, generator=generator
    )
    for column, found in enumerate(drawn):
        true, fast = np.round(np.array(exact)[:, column], 9), np.round(found, 9)
        assert ks_2samp(true, fast, method="asymp").pvalue > 1e-4


def test_numbers_are_read_as_the_sketch_sends_them():
    projections = np.random.default_rng(0).standard_normal((3, 6))
    for bits in (1, 3, 8):
        read = as_read(projections, bits=bits)
        step = 2.0 ** (1 - bits)
        scaled = projections / np.abs(projections).max(1, keepdims=True)
        assert np.abs(read - scaled).max() <= step / 2 + 1e-12
        assert len(np.unique(np.round(read / step - 0.5, 9) % 1)) == 1


def test_bad_input():
    generator = np.random.default_rng(0)
    for function in (sketched_forms, kept_forms):
        with pytest.raises(InputError, match=r"values of a form reach 1\.5"):
            function(np.array([1.5]), size=4, numbers=2, bits=1, generator=generator)
        with pytest.raises(InputError, match="dimension is 5"):
            function(np.array([0.5]), size=5, numbers=2, bits=1, generator=generator)
        with pytest.raises(InputError, match="projections or coefficients is 0"):
            function(np.array([0.5]), size=4, numbers=0, bits=1, generator=generator)
    with pytest.raises(InputError, match="9 coefficients of 4"):
        kept_forms(np.array([0.5]), size=4, numbers=9, bits=1, generator=generator)

"""Patches of the photographs and the classifiers, against the pixels and by hand."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from studies.data import classifiers, examples, photographs
from studies.errors import CellError
from tnqml import reference


def grey_values():
    return [image @ np.array([0.299, 0.587, 0.114]) for image in load_sample_images().images]


@pytest.mark.parametrize("content", ["grey", "texture"])
@pytest.mark.parametrize("side", photographs.SIDES)
def test_patches_are_unit_rows_of_both_classes(side, content):
    drawn = photographs.patches(side * side, count=20, seed=1, content=content)
    assert drawn.x.shape == (20, side * side)
    np.testing.assert_allclose(np.linalg.norm(drawn.x, axis=1), 1, atol=1e-12)
    assert drawn.y.sum() == 10
    again = photographs.patches(side * side, count=20, seed=1, content=content)
    np.testing.assert_array_equal(drawn.x, again.x)
    other = photographs.patches(side * side, count=20, seed=2, content=content)
    assert not np.array_equal(drawn.x, other.x)


def test_training_and_test_patches_come_from_bands_with_a_gap():
    for label, image in enumerate(grey_values()):
        windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8))
        flat = windows.reshape(-1, 64)
        lengths = 8 * flat.std(1)
        for part, first in (("train", 0), ("test", 80)):
            drawn = photographs.patches(64, count=12, seed=3, part=part, content="texture")
            patches = drawn.x[drawn.y == label]
            same = np.abs(flat @ patches.T - lengths[:, None]) < 1e-7  # where parallel
            for column in same.T:
                lefts = np.flatnonzero(column & (lengths > 1e-3)) % windows.shape[1]
                assert (((lefts - first) % 160 >= 8) & ((lefts - first) % 160 <= 64)).any()


def test_all_test_patches_together_are_tiles_that_do_not_overlap():
    most = photographs.most_test_patches(1024)
    drawn = photographs.patches(1024, count=most, seed=0, part="test", content="texture")
    for label, image in enumerate(grey_values()):
        tiles = [
            image[top : top + 32, left : left + 32].reshape(-1)
            for top in range(0, 427 - 31, 32)
            for start in range(88, 640, 160)
            for left in (start, start + 32)
        ]
        centred = np.stack(tiles) - np.mean(tiles, axis=1, keepdims=True)
        expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        found = drawn.x[drawn.y == label]
        assert len(found) == len(expected)
        products = found @ expected.T  # a permutation where each patch is one tile
        np.testing.assert_array_equal(np.sort(products.argmax(1)), np.arange(len(expected)))
        np.testing.assert_allclose(products.max(1), 1, atol=1e-12)


def test_grey_vectors_keep_every_pixel_but_the_first():
    drawn = photographs.patches(16, count=2, seed=5, part="test")
    training = np.stack(grey_values())[
        :, :, (np.arange(640) % 160 >= 8) & (np.arange(640) % 160 < 72)
    ]
    for x, label in zip(drawn.x, drawn.y, strict=True):
        pixels = x[1:] / x[0] * np.sqrt(15) * training.std() + training.mean()
        image = grey_values()[label]
        windows = np.lib.stride_tricks.sliding_window_view(image, (4, 4)).reshape(-1, 16)
        assert np.abs(windows[:, 1:] - pixels).max(1).min() < 1e-9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 25, "count": 2}, "25 pixels"),
        ({"size": 16, "count": 3}, "even number"),
        ({"size": 1024, "count": 210, "part": "test"}, "at most 208"),
        ({"size": 16, "count": 2, "part": "all"}, "'train' or 'test'"),
        ({"size": 16, "count": 2, "content": "colour"}, "'grey' or 'texture'"),
        ({"size": 16, "count": 13568, "part": "test", "content": "texture"}, "with any texture"),
    ],
)
def test_bad_patches_are_refused(given, message):
    with pytest.raises(CellError, match=message):
        photographs.patches(**{"seed": 0} | given)


def test_linear_scores_are_those_of_weights_and_bias_on_standardised_features():
    split = examples.cancer(seed=0)
    found = classifiers.linear(split)
    z = split.test.x[:, 1:31] / split.test.x[:, :1]
    lengths = np.sqrt(1 + (z**2).sum(1))
    scores = (z @ found.weights[1:31] + found.weights[0]) / lengths
    np.testing.assert_allclose(found.scores, scores, atol=1e-12)
    assert found.weights[31] == 0
    assert found.accuracy.rate == np.mean((scores > 0) == split.test.y)
    assert found.accuracy.rate > 0.9
    assert found.above_chance


def test_digits_lose_no_pixel():
    from sklearn.datasets import load_digits

    assert not load_digits().data[:, 0].any()
    split = examples.digits(seed=0)
    assert split.train.x.shape == (249, 64)
    assert classifiers.linear(split).accuracy.rate > 0.95


def test_linear_instances_promise_their_own_margin():
    split = photographs.split(16, train=200, test=50, seed=0)
    found = classifiers.linear(split)
    instances = classifiers.linear_instances(split)
    assert [instance.margin for instance in instances] == pytest.approx(np.abs(found.scores))
    assert [instance.answer for instance in instances] == list(np.sign(found.scores))


def test_a_linear_classifier_of_textures_is_near_chance_and_a_compositional_one_is_not():
    split = photographs.split(16, train=2000, test=1000, seed=0, content="texture")
    assert classifiers.linear(split).accuracy.rate < 0.55
    trained = classifiers.compositional(split, steps=40)
    assert trained.above_chance
    assert trained.accuracy.rate > 0.58


def test_compositional_scores_are_values_of_the_model_by_dense_algebra():
    split = photographs.split(16, train=200, test=20, seed=0)
    trained = classifiers.compositional(split, steps=5)
    assert trained.model.circuit.parties == ("alice", "bob")
    assert len(trained.model.circuit.messages()) == 3
    (observable,) = trained.model.observables
    assert sum(abs(weight) for weight, string in observable.terms if string) == pytest.approx(1)
    theta = trained.model.theta.detach().numpy()
    values = [
        float(reference.expectation(trained.model.circuit, observable, theta, row))
        for row in split.test.x
    ]
    np.testing.assert_allclose(trained.scores, values, atol=2e-6)

"""Streams of one seed are apart: an instance or a model of the seed shares none with a protocol."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch

from tnqml import DistributedModel, Z, ansatz, protocols
from tnqml.protocols.inference.quadratic import QuadraticForm, form_by_projections, form_by_signs
from tnqml.protocols.privacy import attacks
from tnqml.protocols.problems import ensembles, linear_estimation
from tnqml.protocols.problems.sketches import sketch_message
from tnqml.protocols.streams import stream, torch_seed

SEED = 7


def linear():
    return protocols.linear_instance(16, margin=0.5, seed=SEED, answer=1)


def subspace():
    return protocols.subspace_instance(16, seed=SEED, answer=1)


def matching():
    return protocols.matching_instance(16, seed=SEED)


def state():
    return attacks.haar_state(16, seed=SEED)


def form():
    generator = np.random.default_rng(SEED)
    vector = generator.standard_normal(16)
    return QuadraticForm(vector / np.linalg.norm(vector), np.eye(16) / 2)


def model():
    return DistributedModel(ansatz.brickwork(4, layers=1), Z(1), dtype=torch.float64, seed=SEED)


def haar():
    return DistributedModel(
        ansatz.haar(4, layers=1, seed=SEED), Z(1), dtype=torch.float64, seed=SEED
    )


def estimated(protocol, **given):
    return lambda made: protocol(made, np.full(made.circuit.features, 0.3), **given)


RUNS = {
    "signs": (linear, partial(protocols.linear_by_signs, numbers=4)),
    "projections": (linear, partial(protocols.linear_by_projections, numbers=4, bits=8)),
    "ancilla": (linear, partial(protocols.linear_by_ancilla, copies=4)),
    "amplitudes": (linear, linear_estimation.linear_by_amplitude_estimation),
    "many amplitudes": (
        linear,
        lambda instance, *, seed: linear_estimation.linear_success(
            [instance],
            [linear_estimation.decision_schedule(margin=0.5)],
            margin=0.5,
            trials=5,
            seed=seed,
        ),
    ),
    "subspace sketch": (subspace, partial(protocols.subspace_by_signs, numbers=4)),
    "subspace gradient": (subspace, protocols.subspace_by_gradient),
    "subspace state": (subspace, protocols.subspace_by_state),
    "subspace states": (
        subspace,
        lambda instance, *, seed: ensembles.subspace_states(instance.basis, trials=4, seed=seed),
    ),
    "matching": (matching, partial(protocols.matching_by_bits, count=4)),
    "form by signs": (form, partial(form_by_signs, numbers=4)),
    "form by projections": (form, partial(form_by_projections, numbers=4, bits=8)),
    "local bases": (state, partial(attacks.local_kets, copies=4)),
    "covariant": (state, partial(attacks.covariant_kets, copies=4)),
    "shots": (haar, lambda made, *, seed: estimated(protocols.infer, shots=9, seed=seed)(made)),
    "shift": (
        model,
        lambda made, *, seed: estimated(protocols.parameter_shift, copies=3, seed=seed)(made),
    ),
    "blocks": (
        model,
        lambda made, *, seed: estimated(protocols.gradient_by_blocks, copies=3, seed=seed)(made),
    ),
    "shadows": (
        model,
        lambda made, *, seed: estimated(protocols.gradient_by_shadows, copies=3, seed=seed)(made),
    ),
}


@pytest.fixture
def opened(monkeypatch):
    """The streams that are opened, numpy's by their state at the beginning, torch's by the seed."""
    found = []
    original = np.random.default_rng

    def default_rng(seed=None):
        generator = original(seed)
        found.append(("numpy", generator.bit_generator.state["state"]["state"]))
        return generator

    class Recorder(torch.Generator):
        def manual_seed(self, seed):
            found.append(("torch", int(seed)))
            return super().manual_seed(seed)

    monkeypatch.setattr(np.random, "default_rng", default_rng)
    monkeypatch.setattr(torch, "Generator", Recorder)
    return found


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_protocol_shares_no_stream_with_its_instance(name, opened):
    make, run = RUNS[name]
    made = make()
    before = set(opened)
    assert before
    opened.clear()
    run(made, seed=SEED)
    assert opened
    assert not before & set(opened)


def test_streams_are_apart_even_where_tags_are_zeros():
    tags = [
        *itertools.product(range(3)),
        *itertools.product(range(3), repeat=2),
        *itertools.product(range(2), repeat=3),
    ]
    drawn = [stream(SEED, *tag).random() for tag in tags]
    drawn += [np.random.default_rng(SEED).random(), stream(SEED + 1, 0).random()]
    assert len(set(drawn)) == len(drawn)
    assert len({torch_seed(SEED, *tag) for tag in tags}) == len(tags)
    assert stream(SEED, 1, 2).random() == stream(SEED, 1, 2).random()


def test_rows_do_not_know_the_instance_of_their_seed():
    # x and the first rows once came of the same normal numbers: cosines are then far from 0
    cosines = []
    for seed in range(300):
        instance = protocols.linear_instance(4, margin=0.5, seed=seed, answer=1)
        whole = [
            sketch_message(unit, numbers=2, bits=40, seed=seed)[0] > 2**39 for unit in np.eye(4)
        ]
        signs = 2.0 * np.array(whole) - 1
        cosines.append(signs @ np.sign(instance.data) / 4)
    assert abs(np.mean(cosines)) < 4 * np.std(cosines) / np.sqrt(300)
    assert np.mean(np.square(cosines)) == pytest.approx(1 / 4, abs=4 * 0.22 / np.sqrt(300))

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from tnqml import Circuit, DistributedModel, Gate, InputError, X, Z, ansatz
from tnqml.protocols.inference.quadratic import (
    QuadraticForm,
    form_by_coefficients,
    form_by_projections,
    form_by_signs,
    form_by_vector,
    form_error,
    quadratic_form,
)


def random_form(size, *, seed):
    generator = np.random.default_rng(seed)
    frame = ortho_group.rvs(size, random_state=generator)
    matrix = frame @ np.diag(np.where(np.arange(size) % 2, 1.0, -1.0)) @ frame.T
    vector = generator.normal(size=size)
    return QuadraticForm(vector / np.linalg.norm(vector), (matrix + matrix.T) / 2)


@pytest.mark.parametrize(
    "protocol",
    [
        partial(form_by_signs, numbers=40),
        partial(form_by_projections, numbers=40, bits=2),
        partial(form_by_projections, numbers=40, bits=8),
        partial(form_by_projections, numbers=40, bits=1),
    ],
)
def test_sketches_are_unbiased(protocol):
    form = random_form(8, seed=2)
    error = form_error(protocol, form, trials=3000, seed=1)
    assert abs(error.bias) < 4 * error.root_mean_square / np.sqrt(3000)


@pytest.mark.parametrize("protocol", [form_by_signs, partial(form_by_projections, bits=10)])
def test_the_error_falls_as_one_over_the_numbers_below_the_dimension(protocol):
    form = random_form(64, seed=3)
    few = form_error(partial(protocol, numbers=6), form, trials=1500, seed=2)
    more = form_error(partial(protocol, numbers=24), form, trials=1500, seed=2)
    ratio = few.root_mean_square / more.root_mean_square
    assert 3.3 < ratio < 5.2
    mean = np.sqrt(2 / np.pi) if protocol is form_by_signs else 1.0
    expected = np.sqrt(2 * 64) / (mean**2 * 6)  # sqrt(2 Tr O^2) / (c^2 k)
    assert 0.75 < few.root_mean_square / expected < 1.35


def test_all_coefficients_are_the_whole_vector_and_right():
    form = random_form(16, seed=5)
    assert abs(form_by_coefficients(form, numbers=16, bits=40).value - form.value) < 1e-9
    assert abs(form_by_vector(form, bits=40).value - form.value) < 1e-9
    coarse = abs(form_by_vector(form, bits=3).value - form.value)
    fine = abs(form_by_vector(form, bits=12).value - form.value)
    assert fine < coarse


def test_what_each_protocol_sends():
    form = random_form(16, seed=6)
    assert form_by_signs(form, numbers=7, seed=0).ledger.bits == 7
    assert form_by_projections(form, numbers=7, bits=5, seed=0).ledger.bits == 35
    assert form_by_coefficients(form, numbers=3, bits=5).ledger.bits == 3 * (4 + 5)
    assert form_by_vector(form, bits=5).ledger.bits == 80


def test_two_processes_give_the_same():
    form = random_form(8, seed=7)
    here = form_by_signs(form, numbers=9, seed=3)
    there = form_by_signs(form, numbers=9, seed=3, processes=True)
    assert here == there


@pytest.mark.parametrize("observable", [0, 1, 2])
def test_the_form_of_a_model_is_its_expectation(observable):
    circuit = ansatz.brickwork(3, layers=2, uploads=0, parties=("bob",), start="zero")
    circuit = circuit.on_amplitudes(7)
    observables = [Z(1), 0.5 * X(0) - 0.25 * Z(2), X(2)]
    model = DistributedModel(circuit, observables, dtype=torch.float64, seed=4)
    x = np.random.default_rng(1).normal(size=7)
    form = quadratic_form(model, x, observable=observable)
    expected = float(model(torch.tensor(x)[None]).detach()[0, observable])
    assert abs(form.value - expected) < 1e-12


@pytest.mark.parametrize(
    ("vector", "matrix", "message"),
    [
        (np.ones(4) / 2, np.eye(3), r"expected \(N,\) and \(N, N\)"),
        (np.ones(4), np.eye(4), "off unit length by 1"),
        (np.ones(4) / 2, np.triu(np.ones((4, 4))) / 4, "off symmetric by 0.25"),
        (np.ones(4) / 2, 1.5 * np.eye(4), "exceeds 1 by 0.5"),
        (np.ones(4) / 2, np.full((4, 4), np.nan), "not finite"),
    ],
)
def test_a_bad_form_is_refused(vector, matrix, message):
    with pytest.raises(InputError, match=message):
        QuadraticForm(vector, matrix)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda form: form_by_signs(form, numbers=1, seed=0), "at least 2"),
        (lambda form: form_by_projections(form, numbers=4, bits=0, seed=0), "bits of a number"),
        (lambda form: form_by_coefficients(form, numbers=9, bits=3), "at least 9"),
        (lambda form: form_by_coefficients(form, numbers=0, bits=3), "at least 1"),
        (lambda form: form_by_vector(form, bits=0), "bits of a number"),
        (lambda form: form_error(form_by_signs, form, trials=1, seed=0), "trials is 1"),
    ],
)
def test_bad_options_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(random_form(8, seed=0))


def test_a_model_that_is_no_quadratic_form_is_refused():
    x = np.ones(4)
    uploads = DistributedModel(ansatz.brickwork(2, layers=1), Z(0))
    with pytest.raises(InputError, match="reads features"):
        quadratic_form(uploads, x)
    gates = [Gate("ry", 0, parameter=0, party="bob"), Gate("ry", 0, parameter=1, party="alice")]
    two = DistributedModel(Circuit(2, gates, amplitudes=4), Z(0))
    with pytest.raises(InputError, match="belong to"):
        quadratic_form(two, x)
    one = DistributedModel(Circuit(2, gates[:1], amplitudes=4), 2.0 * Z(0))
    with pytest.raises(InputError, match="norm 2"):
        quadratic_form(one, x)
    with pytest.raises(InputError, match="shape"):
        quadratic_form(one, np.ones(3))

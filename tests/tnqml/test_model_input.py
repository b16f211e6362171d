"""Bad input to models: one clear error each, before any work."""

import math

import numpy as np
import pytest
import torch

from contractions import ContractionTooLarge
from tnqml import (
    Circuit,
    CircuitError,
    DistributedModel,
    Gate,
    InputError,
    Observable,
    RouteError,
    TnqmlError,
    Z,
    ansatz,
    parity,
    pauli,
)

CIRCUIT = ansatz.brickwork(4, layers=1)


@pytest.fixture(params=["pauli", "state", "auto"])
def model(request, monkeypatch):
    made = DistributedModel(CIRCUIT, [Z(0), Z(1)], route=request.param)

    def work(*_, **__):
        raise AssertionError("work was done on bad input")

    monkeypatch.setattr(made, "_values", work)
    monkeypatch.setattr(made, "_choose", work)
    return made


def with_entry(value, *, row=1, column=2):
    x = torch.zeros(3, 4)
    x[row, column] = value
    return x


BAD = [
    (torch.zeros(3, 5), r"shape \(3, 5\); expected \(batch, 4\)"),
    (torch.zeros(3, 3), r"shape \(3, 3\); expected \(batch, 4\)"),
    (torch.zeros(4), r"shape \(4,\); expected \(batch, 4\)"),
    (torch.zeros(2, 3, 4), r"shape \(2, 3, 4\)"),
    (torch.zeros(()), r"shape \(\)"),
    (torch.zeros(0, 4), "empty batch"),
    (with_entry(math.nan), r"x\[1, 2\] is nan; expected finite"),
    (with_entry(math.inf), r"x\[1, 2\] is inf; expected finite"),
    (with_entry(-math.inf), r"x\[1, 2\] is -inf; expected finite"),
    (torch.tensor([[math.inf, -math.inf, 0, 0]]), r"x\[0, 0\] is inf"),
    (torch.zeros(3, 4, dtype=torch.int64), r"torch.int64; expected real floating point"),
    (torch.zeros(3, 4, dtype=torch.bool), "torch.bool"),
    (torch.zeros(3, 4, dtype=torch.complex64), "torch.complex64; expected real"),
    (np.zeros((3, 4)), "x is a ndarray; expected a torch tensor"),
    ([[0.0] * 4], "x is a list"),
    (None, "x is a NoneType"),
    (torch.zeros(3, 4, device="meta"), "x is on meta, the model on cpu"),
    # finite where it is, but not in the model's precision
    (torch.full((1, 4), 1e300, dtype=torch.float64), "finite"),
]


@pytest.mark.parametrize("call", ["__call__", "scaled", "jacobian"])
@pytest.mark.parametrize(("x", "message"), BAD)
def test_a_bad_batch_is_refused_before_any_work(model, x, message, call):
    with pytest.raises(InputError, match=message) as caught:
        getattr(model, call)(x)
    assert isinstance(caught.value, TnqmlError)
    assert isinstance(caught.value, ValueError)


def test_large_numbers_whose_sum_overflows_are_fine():
    model = DistributedModel(CIRCUIT, Z(0))
    x = torch.full((2, 4), 3e38)
    assert torch.isfinite(model.check_input(x)).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(dtype):
    model = DistributedModel(CIRCUIT, Z(0))
    x = torch.tensor([[0.5, -1.0, 2.0, 0.25]], dtype=dtype)
    assert model(x).dtype == torch.float32
    torch.testing.assert_close(model(x), model(x.float()))


def test_wanted_derivatives_are_known():
    with pytest.raises(InputError, match="wanted is 'x'; expected 'parameters' or 'features'"):
        DistributedModel(CIRCUIT, Z(0)).jacobian(torch.zeros(1, 4), wanted="x")


def test_a_zero_vector_is_no_state():
    circuit = Circuit(2, [Gate("ry", 0, feature=3)], amplitudes=3)
    model = DistributedModel(circuit, Z(0))
    x = torch.ones(4, 4)
    x[2, :3] = 0
    for call in (model, model.scaled, model.jacobian):
        with pytest.raises(InputError, match="row 2 of x is zero in its 3 amplitudes"):
            call(x)
    # a vector that is zero in the model's precision is none either
    tiny = torch.full((1, 4), 1e-300, dtype=torch.float64)
    with pytest.raises(InputError, match="row 0 of x is zero"):
        model(tiny)


@pytest.mark.parametrize(
    ("observables", "error", "message"),
    [
        (Z(4), CircuitError, "Z4 acts on qubit 4; the circuit has qubits 0 to 3"),
        ([Z(0), parity([1, 9])], CircuitError, "acts on qubit 9"),
        ([], InputError, "at least one observable"),
        (["Z"], CircuitError, "expected an Observable"),
        ([Z(0), None], CircuitError, "expected an Observable"),
    ],
)
@pytest.mark.parametrize("route", ["auto", "pauli", "state"])
def test_bad_observables_are_refused(observables, error, message, route):
    with pytest.raises(error, match=message):
        DistributedModel(CIRCUIT, observables, route=route)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"route": "mps"}, RouteError, "unknown route 'mps'; the routes are auto, pauli, state"),
        ({"dtype": torch.complex64}, InputError, "dtype is torch.complex64"),
        ({"dtype": torch.float16}, InputError, "expected torch.float32 or torch.float64"),
        ({"init": "zeros"}, InputError, "init is 'zeros'; expected 'uniform', 'small'"),
        ({"memory": 0}, TnqmlError, "memory"),
        ({"expected_calls": 0}, TnqmlError, "expected_calls is 0; expected an integer from 1"),
        ({"expected_calls": 10**400}, TnqmlError, "expected an integer from 1 to 10"),
        ({"expected_calls": True}, TnqmlError, "expected_calls is True"),
        ({"expected_calls": 1e4}, TnqmlError, "expected_calls is 10000.0"),
        ({"memory": -1}, TnqmlError, "memory"),
        ({"memory": True}, InputError, "memory is True; expected an integer of at least 1"),
        ({"seed": 1.5}, InputError, "seed is 1.5; expected an integer from 0"),
        ({"seed": -1}, InputError, "seed is -1"),
        ({"dtype": "float32"}, InputError, "dtype is 'float32'; expected torch.float32"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        DistributedModel(CIRCUIT, Z(0), **options)


def test_a_gate_too_large_for_the_pauli_picture_is_refused_at_once():
    circuit = ansatz.haar(7, layers=1, seed=0)
    with pytest.raises(RouteError, match=r"on 7 qubits is too large.*route='state'"):
        DistributedModel(circuit, Z(0), route="pauli")
    assert DistributedModel(circuit, Z(0)).cost(batch=1).route == "state"


@pytest.mark.parametrize("route", ["auto", "pauli", "state"])
@pytest.mark.parametrize("batch", [0, -3])
def test_a_cost_needs_a_batch(route, batch):
    with pytest.raises(InputError, match=f"batch is {batch}; expected an integer of at least 1"):
        DistributedModel(CIRCUIT, Z(0), route=route).cost(batch=batch)


@pytest.mark.parametrize("route", ["auto", "pauli", "state"])
def test_more_memory_than_the_cap_is_refused_with_numbers(route):
    circuit = ansatz.brickwork(30, layers=6)
    model = DistributedModel(circuit, Z(15), route=route, memory=10_000)
    x = torch.zeros(2, 30)
    for call in (model, model.jacobian):
        with pytest.raises(ContractionTooLarge, match=r"needs .* [KMG]iB .*memory cap") as caught:
            call(x)
        assert caught.value.predicted_bytes > caught.value.memory == 10_000
        assert caught.value.predicted_seconds > 0


def test_a_state_far_too_wide_is_refused():
    model = DistributedModel(ansatz.brickwork(100, layers=1), Z(50), route="state")
    with pytest.raises(ContractionTooLarge, match=r"100 qubits by state vector.*use route='pauli'"):
        model(torch.zeros(1, 100))


def test_amplitude_data_too_wide_for_a_state_is_refused():
    model = DistributedModel(Circuit(60, [], amplitudes=4), Z(50))
    with pytest.raises(ContractionTooLarge, match="60 qubits"):
        model(torch.ones(1, 4))


def test_a_model_prints_what_it_is():
    text = repr(DistributedModel(CIRCUIT, [Z(0), Observable([(1.0, ())])]))
    for part in ("4 qubits", "4 features", "8 parameters", "2 observables", "alice and bob"):
        assert part in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.amplitudes(torch.zeros(1, 4), [0] * 4), "bits are a list"),
        (lambda m: m.qasm(np.zeros(4)), "x is ndarray; expected a torch tensor"),
        (lambda m: m.qasm(torch.zeros(1, 4)), r"x is \(1, 4\); expected a torch tensor"),
        (lambda m: m.sample(torch.zeros(1, 4), shots=2, seed=True), "seed is True"),
        (lambda m: m.cost(batch=True), "batch is True"),
        (lambda m: m.probabilities(torch.zeros(1, 4), qubits=[True]), "expected integers"),
        (lambda m: m.probabilities(torch.zeros(1, 4), qubits=[0.5]), "expected integers"),
        (lambda m: m.probabilities(torch.zeros(1, 4), qubits=[-1]), "has qubits 0 to 3"),
        (lambda m: m.probabilities(torch.zeros(1, 4), qubits=1.0), "expected an integer or a seq"),
        (lambda m: m.probabilities(torch.zeros(1, 4), qubits={1, 0}), "expected an integer or a"),
        (lambda m: m.jacobian(torch.zeros(1, 4), wanted=[]), r"wanted is \[\]"),
        (lambda m: DistributedModel(m.circuit, Z(0), memory="1GB"), "memory is '1GB'"),
        (lambda _: DistributedModel(None, Z(0)), "the circuit is a NoneType"),
    ],
)
def test_wrong_kinds_of_arguments_are_named(call, message):
    model = DistributedModel(ansatz.brickwork(4, layers=1), Z(0))
    assert model.cost(batch=np.int64(3)) == model.cost(batch=3)
    with pytest.raises(InputError, match=message):
        call(model)


def test_an_unknown_route_is_not_another():
    with pytest.raises(RouteError, match="route 'z' is no way to run"):
        DistributedModel(CIRCUIT, Z(0)).route("z")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pauli("X", 0), "Pauli word 'X' on qubits 0; expected a sequence"),
        (lambda: parity(3), "a parity over 3; expected several qubits"),
        (lambda: Circuit(2, [], split=[]), r"split is \[\]"),
    ],
)
def test_one_where_several_are_expected_is_named(make, message):
    with pytest.raises(CircuitError, match=message):
        make()


def test_qubits_may_be_a_tensor_and_weights_be_divided():
    model = DistributedModel(CIRCUIT, Z(0) / 2)
    x = torch.zeros(1, CIRCUIT.features)
    one, two = (model.sample(x, shots=3, seed=0, qubits=q) for q in (torch.arange(2), [0, 1]))
    assert torch.equal(one, two)
    assert model.observables[0] == 0.5 * Z(0)


@pytest.mark.parametrize("observable", [Z(0), Observable([(1.0, ())])])
@pytest.mark.parametrize("route", ["auto", "pauli", "state"])
def test_what_depends_on_no_parameter_has_a_gradient_of_zeros(route, observable):
    gates = [Gate("ry", 0, feature=0), Gate("rx", 1, parameter=0)]
    model = DistributedModel(Circuit(2, gates), observable, route=route)
    model(torch.rand(3, 1)).sum().backward()
    torch.testing.assert_close(model.theta.grad, torch.zeros(1), rtol=0, atol=1e-6)
    large = torch.full((3, 1), 3e38)  # their sum is infinite
    assert model(large).isfinite().all()


@pytest.mark.parametrize("observables", [3, None])
def test_what_is_no_observable_is_refused(observables):
    with pytest.raises(InputError, match=r"the observables are a .*; expected an Observable"):
        DistributedModel(CIRCUIT, observables)


def test_numpy_integers_are_integers():
    model = DistributedModel(CIRCUIT, Z(0), seed=np.int64(1), memory=np.int64(1 << 30))
    plain = DistributedModel(CIRCUIT, Z(0), seed=1)
    assert torch.equal(model.theta, plain.theta)
    x = torch.zeros(1, CIRCUIT.features)
    drawn = model.sample(x, shots=np.int32(4), seed=np.int64(2), qubits=np.arange(2))
    assert torch.equal(drawn, plain.sample(x, shots=4, seed=2, qubits=[0, 1]))


@pytest.mark.parametrize(
    ("string", "message"),
    [
        (((1, "Z"), (1, "X")), "which names a qubit twice"),
        (((1, "Z"), (1, "Z")), "which names a qubit twice"),
        ((0, "Z"), "expected pairs of a qubit and a letter"),
        (3, "expected pairs of a qubit and a letter"),
    ],
)
def test_a_string_that_is_not_well_formed_is_refused(string, message):
    with pytest.raises(CircuitError, match=message):
        Observable([(1.0, string)])


def test_the_order_of_a_string_makes_no_difference():
    assert Observable([(1.0, ((2, "Z"), (0, "X")))]) == pauli({0: "X", 2: "Z"})

"""One suite for every route; the dense reference, which shares no code with them, is the oracle."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch
from random_circuits import (
    ANGLED,
    angles,
    central,
    random_circuit,
    random_gate,
    random_observables,
    reference_values,
    small_state,
)
from routes import ROUTES, assert_close, batch_of, model_of, on_every_route, oracle, slopes
from torch.func import functional_call

from tnqml import (
    KINDS,
    Circuit,
    Gate,
    Observable,
    X,
    Y,
    Z,
    ansatz,
    parity,
    pauli,
    projector,
    reference,
)


@pytest.mark.parametrize("seed", range(8))
def test_the_quick_oracle_equals_the_reference(seed):
    qubits = 1 + seed % 4
    amplitudes = 2**qubits - 1 if seed > 3 else 0
    circuit = random_circuit(seed, qubits=qubits, gates=40, amplitudes=amplitudes)
    theta, x = angles(seed, circuit.parameters), angles(seed + 1, circuit.features)
    expected = reference.state(circuit, theta, x)
    np.testing.assert_allclose(small_state(circuit, theta, x), expected, atol=1e-13)
    observables = random_observables(seed, qubits)
    values = [reference.expectation(circuit, observable, theta, x) for observable in observables]
    np.testing.assert_allclose(
        reference_values(circuit, observables, theta, x[None])[0], values, atol=1e-13
    )


@cache
def dense_values(seed, qubits, gates):
    """The values of a random circuit by the dense reference itself, on one input."""
    circuit, observables = (
        random_circuit(seed, qubits=qubits, gates=gates),
        random_observables(seed, qubits),
    )
    theta, x = angles(seed, circuit.parameters), angles(seed + 1, 1, circuit.features)
    return [reference.expectation(circuit, one, theta, x[0]) for one in observables]


CASES = [(seed, 1 + seed % 6, 12 + seed) for seed in range(24)] + [(100, 7, 45)]
LARGE = [(101, 8, 45), (102, 9, 35), (103, 10, 35)]


@on_every_route
@pytest.mark.parametrize(
    ("seed", "qubits", "gates"),
    CASES + [pytest.param(*case, marks=pytest.mark.slow) for case in LARGE],
)
def test_random_circuits(route, seed, qubits, gates):
    circuit = random_circuit(seed, qubits=qubits, gates=gates)
    model = model_of(circuit, random_observables(seed, qubits), route, seed=seed)
    x = batch_of(circuit, 1, seed=seed)
    result = model(x)
    assert result.dtype == torch.float64
    assert_close(result, np.array([dense_values(seed, qubits, gates)]), 1e-10)
    more = batch_of(circuit, 3, seed=seed + 50)
    assert_close(model(more), oracle(model, more), 1e-10)


@on_every_route
@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_in_single_precision(route, seed):
    circuit = random_circuit(seed, qubits=5, gates=30)
    model = model_of(circuit, random_observables(seed, 5), route, seed=seed, dtype=torch.float32)
    x = batch_of(circuit, 3, seed=seed, dtype=torch.float32)
    result = model(x)
    assert result.dtype == torch.float32
    assert_close(result, oracle(model, x), 1e-5)


def around(gate, *, qubits=3):
    """A gate between two layers that leave no symmetry for it to hide behind."""
    first = [
        Gate(kind, qubit, angle=0.3 + 0.4 * qubit)
        for kind in ("ry", "rx")
        for qubit in range(qubits)
    ]
    links = [Gate("cx", (qubit, qubit + 1)) for qubit in range(qubits - 1)]
    last = [
        Gate(kind, qubit, angle=1.1 - 0.3 * qubit)
        for kind in ("rx", "ry")
        for qubit in range(qubits)
    ]
    return Circuit(qubits, [*first, *links, gate, *last])


@on_every_route
@pytest.mark.parametrize(
    ("kind", "source"),
    [(kind, source) for kind in ANGLED for source in ("feature", "parameter", "angle")]
    + [(kind, None) for kind in KINDS if kind not in ANGLED],
)
def test_every_gate_with_every_source(route, kind, source):
    observables = [parity(range(3)), X(1), pauli("YZX", (2, 0, 1))]
    generator = np.random.default_rng(list(f"{kind} {source}".encode()))
    gate = random_gate(kind, generator, qubits=3, features=2, parameters=2, source=source)
    model = model_of(around(gate), observables, route)
    x = batch_of(model.circuit, 2)
    assert_close(model(x), oracle(model, x), 1e-12)
    x = x[:1]
    assert_close(model.jacobian(x), slopes(model, x, "parameters"), 1e-9)
    assert_close(model.jacobian(x, wanted="features"), slopes(model, x, "features"), 1e-9)


@on_every_route
@pytest.mark.parametrize(
    "observable",
    [
        X(0),
        Y(1),
        Z(2),
        projector(3),
        pauli("XYZ", (3, 1, 0)),
        pauli("YYYY"),
        parity(range(4)),
        0.3 * Z(0) + 2.0 * X(1) - Y(3) + pauli("XX", (0, 2)),
        sum(Z(qubit) for qubit in range(4)),
        Observable([(0.25, ())]) - 1.5 * pauli("ZX", (0, 1)),
        projector(0) + projector(1),
        0.0 * Z(0) + X(1),
    ],
    ids=str,
)
def test_every_observable(route, observable):
    circuit = random_circuit(7, qubits=4, gates=40)
    model = model_of(circuit, observable, route, seed=7)
    x = batch_of(circuit, 3, seed=7)
    assert model(x).shape == (3,)
    assert_close(model(x), oracle(model, x)[:, 0], 1e-12)


@on_every_route
@pytest.mark.parametrize("seed", range(6))
def test_gradients_equal_central_differences_of_the_reference(route, seed):
    circuit = random_circuit(seed + 40, qubits=3, gates=22, features=2, parameters=4)
    model = model_of(circuit, random_observables(seed, 3), route, seed=seed)
    x = batch_of(circuit, 2, seed=seed)
    assert_close(model.jacobian(x), slopes(model, x, "parameters"), 1e-9)
    assert_close(model.jacobian(x, wanted="features"), slopes(model, x, "features"), 1e-9)


@on_every_route
@pytest.mark.parametrize("seed", range(4))
def test_the_jacobian_equals_autograd_row_by_row(route, seed):
    circuit = random_circuit(seed + 60, qubits=5, gates=30)
    model = model_of(circuit, random_observables(seed, 5), route, seed=seed)
    x = batch_of(circuit, 3, seed=seed).requires_grad_()
    values = model(x)
    assert values.requires_grad
    parameters, features = model.jacobian(x), model.jacobian(x, wanted="features")
    assert not parameters.requires_grad
    assert not features.requires_grad
    assert parameters.shape == (3, 3, circuit.parameters)
    assert features.shape == (3, 3, circuit.features)
    for row, output in itertools.product(range(3), range(3)):
        by_theta, by_x = torch.autograd.grad(
            values[row, output], (model.theta, x), retain_graph=True
        )
        assert_close(parameters[row, output], by_theta, 1e-12)
        assert_close(features[row, output], by_x[row], 1e-12)
        others = [other for other in range(3) if other != row]
        assert not by_x[others].any()


@on_every_route
@pytest.mark.parametrize("seed", range(4))
def test_the_routes_agree_with_their_gradients(route, seed):
    circuit = random_circuit(seed + 80, qubits=8, gates=60, features=5, parameters=12)
    observables = random_observables(seed, 8)
    other = ROUTES[1 - ROUTES.index(route)]
    models = [model_of(circuit, observables, name, seed=seed) for name in (route, other)]
    x = batch_of(circuit, 4, seed=seed)
    assert_close(models[0](x), models[1](x), 1e-11)
    for wanted in ("parameters", "features"):
        assert_close(
            models[0].jacobian(x, wanted=wanted), models[1].jacobian(x, wanted=wanted), 1e-11
        )


@on_every_route
@pytest.mark.parametrize("seed", range(4))
def test_scaled_equals_plain_with_its_gradient(route, seed):
    circuit = random_circuit(seed + 90, qubits=5, gates=30)
    model = model_of(circuit, random_observables(seed, 5), route, seed=seed)
    x = batch_of(circuit, 3, seed=seed).requires_grad_()
    mantissa, log_scale = model.scaled(x)
    scale = log_scale.exp()
    assert mantissa.shape == log_scale.shape == (3, 3)
    assert not log_scale.requires_grad
    plain = model(x)
    assert_close(mantissa * scale, plain, 1e-12)
    ours = torch.autograd.grad((mantissa * scale.detach()).sum(), (model.theta, x))
    theirs = torch.autograd.grad(plain.sum(), (model.theta, x))
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other, 1e-11)


@on_every_route
def test_scaled_of_one_observable_alone(route):
    circuit = random_circuit(95, qubits=3, gates=15)
    model = model_of(circuit, Z(0), route)
    x = batch_of(circuit, 4)
    mantissa, log_scale = model.scaled(x)
    assert mantissa.shape == log_scale.shape == (4,)
    assert_close(mantissa * log_scale.exp(), model(x), 1e-12)


@on_every_route
@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd])
def test_torch_func_jacobians(route, transform):
    circuit = random_circuit(17, qubits=4, gates=30)
    model = model_of(circuit, random_observables(1, 4), route)
    x = batch_of(circuit, 3)

    def value(theta, x):
        return functional_call(model, {"theta": theta}, (x,))

    theta = model.theta.detach()
    assert_close(transform(value)(theta, x), model.jacobian(x), 1e-12)
    by_x = transform(value, 1)(theta, x)
    expected = model.jacobian(x, wanted="features")
    assert_close(torch.stack([by_x[row, :, row] for row in range(3)]), expected, 1e-12)


@on_every_route
def test_torch_func_grad_and_vmap(route):
    circuit = random_circuit(18, qubits=4, gates=30)
    model = model_of(circuit, X(0) + parity(range(4)), route)
    x = batch_of(circuit, 3)
    theta = model.theta.detach()

    def value(theta, row):
        return functional_call(model, {"theta": theta}, (row.unsqueeze(0),))[0]

    expected = model.jacobian(x)[:, 0]
    for row in range(3):
        assert_close(torch.func.grad(value)(theta, x[row]), expected[row], 1e-12)
    each = torch.func.vmap(torch.func.grad(value), in_dims=(None, 0))(theta, x)
    assert_close(each, expected, 1e-12)
    thetas = torch.stack([theta, 2 * theta])
    values = torch.func.vmap(value, in_dims=(0, None))(thetas, x[0])
    slow = torch.stack([value(one, x[0]) for one in thetas])
    assert_close(values, slow, 1e-12)


@on_every_route
def test_second_derivatives(route):
    circuit = random_circuit(19, qubits=3, gates=20, parameters=3)
    model = model_of(circuit, Z(0) + X(1), route)
    x = batch_of(circuit, 1)
    theta = model.theta.detach().clone()
    hessian = torch.func.hessian(lambda t: functional_call(model, {"theta": t}, (x,))[0])(theta)

    def slope(given):
        with torch.no_grad():
            model.theta.copy_(torch.tensor(given))
        return model.jacobian(x)[0, 0].numpy()

    assert_close(hessian, central(slope, theta.numpy()), 1e-8)


@on_every_route
def test_several_observables_or_one(route):
    circuit = random_circuit(21, qubits=3, gates=20)
    x = batch_of(circuit, 5)
    one, listed = model_of(circuit, Z(0), route), model_of(circuit, [Z(0)], route)
    several = model_of(circuit, (Z(0), X(1), Z(0)), route)
    assert one(x).shape == (5,)
    assert listed(x).shape == (5, 1)
    assert several(x).shape == (5, 3)
    assert one.jacobian(x).shape == listed.jacobian(x).shape == (5, 1, circuit.parameters)
    assert_close(several(x)[:, 0], one(x), 1e-13)
    assert_close(several(x)[:, 2], one(x), 1e-13)
    assert_close(several.jacobian(x)[:, :1], one.jacobian(x), 1e-12)


@on_every_route
def test_the_batch_does_not_matter(route):
    circuit = random_circuit(22, qubits=4, gates=25)
    model = model_of(circuit, [Z(0), pauli("XY", (1, 2))], route)
    x = batch_of(circuit, 9)
    whole = model(x)
    assert_close(torch.cat([model(x[k : k + 1]) for k in range(9)]), whole, 1e-13)
    assert_close(torch.cat([model(x[:5]), model(x[5:])]), whole, 1e-13)


@on_every_route
def test_qubits_without_gates(route):
    circuit = Circuit(5, [Gate("ry", 2, feature=0), Gate("cx", (2, 4))])
    observables = [Z(0), X(0), Y(3), Z(4), pauli("ZZ", (1, 4)), pauli("XZ", (1, 4)), projector(3)]
    model = model_of(circuit, observables, route)
    x = batch_of(circuit, 3)
    assert_close(model(x), oracle(model, x), 1e-14)
    cosine = x[:, 0].cos()
    zero = torch.zeros(3, dtype=torch.float64)
    columns = [zero + 1, zero, zero, cosine, cosine, zero, zero + 1]
    assert_close(model(x), torch.stack(columns, 1), 1e-14)
    scaled = model.scaled(x)
    assert_close(scaled.mantissa * scaled.log_scale.exp(), model(x), 1e-14)
    assert_close(model.jacobian(x, wanted="features")[:, 3, 0], -x[:, 0].sin(), 1e-14)


@on_every_route
def test_a_circuit_without_gates(route):
    model = model_of(Circuit(3, []), [Z(1), X(0), parity(range(3))], route)
    x = torch.zeros(2, 0, dtype=torch.float64)
    expected = torch.tensor([[1.0, 0.0, 1.0]] * 2, dtype=torch.float64)
    assert_close(model(x), expected, 1e-15)
    assert model.jacobian(x).shape == (2, 3, 0)
    assert model.jacobian(x, wanted="features").shape == (2, 3, 0)


@on_every_route
def test_an_observable_that_is_a_constant(route):
    circuit = random_circuit(23, qubits=2, gates=10)
    constant = Observable([(0.75, ())])
    x = batch_of(circuit, 3)
    alone = model_of(circuit, constant, route)
    expected = torch.full((3,), 0.75, dtype=torch.float64)
    assert_close(alone(x), expected, 1e-15)
    scaled = alone.scaled(x)
    assert_close(scaled.mantissa * scaled.log_scale.exp(), expected, 1e-15)
    for wanted, count in (("parameters", circuit.parameters), ("features", circuit.features)):
        jacobian = alone.jacobian(x, wanted=wanted)
        assert jacobian.shape == (3, 1, count)
        assert not jacobian.any()
    both = model_of(circuit, [constant, Z(0)], route)
    assert_close(both(x)[:, 0], expected, 1e-15)
    assert_close(both(x)[:, 1], oracle(both, x)[:, 1], 1e-13)
    assert not both.jacobian(x)[:, 0].any()


@on_every_route
def test_a_circuit_without_parameters(route):
    circuit = random_circuit(24, qubits=3, gates=20, parameters=0)
    model = model_of(circuit, [Z(0), X(2)], route)
    x = batch_of(circuit, 3).requires_grad_()
    assert model.theta.shape == (0,)
    assert_close(model(x), oracle(model, x.detach()), 1e-13)
    assert model.jacobian(x).shape == (3, 2, 0)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    assert_close(gradient, model.jacobian(x, wanted="features").sum(1), 1e-13)


@on_every_route
def test_a_circuit_without_features(route):
    circuit = random_circuit(25, qubits=3, gates=20, features=0)
    model = model_of(circuit, [Z(0), X(2)], route)
    x = torch.zeros(4, 0, dtype=torch.float64)
    assert_close(model(x), oracle(model, x), 1e-13)
    assert model.jacobian(x).shape == (4, 2, circuit.parameters)
    assert model.jacobian(x, wanted="features").shape == (4, 2, 0)
    (gradient,) = torch.autograd.grad(model(x).sum(), model.theta)
    assert_close(gradient, model.jacobian(x).sum((0, 1)), 1e-12)


@on_every_route
def test_a_shared_parameter_gathers_the_derivatives_of_its_gates(route):
    def circuit(slots):
        gates = [Gate("h", 0), Gate("h", 1)]
        gates += [Gate("rz", 0, parameter=slots[0], scale=2.0)]
        gates += [Gate("crx", (0, 1), parameter=slots[1])]
        gates += [Gate("ry", 1, parameter=slots[2], scale=-0.5), Gate("ry", 0, feature=0)]
        return Circuit(2, gates)

    shared, apart = (model_of(circuit(s), [Z(1), X(0)], route) for s in ((0, 0, 0), (0, 1, 2)))
    with torch.no_grad():
        apart.theta.fill_(float(shared.theta[0]))
    x = batch_of(shared.circuit, 3)
    assert_close(shared(x), apart(x), 1e-14)
    assert_close(shared.jacobian(x), apart.jacobian(x).sum(2, keepdim=True), 1e-13)


@on_every_route
def test_a_parameter_that_no_gate_reads_has_no_derivative(route):
    circuit = Circuit(2, [Gate("ry", 0, parameter=3), Gate("rx", 1, feature=2)])
    model = model_of(circuit, [Z(0), Z(1)], route)
    x = batch_of(circuit, 2)
    assert model.theta.shape == (4,)
    jacobian = model.jacobian(x)
    assert not jacobian[:, :, :3].any()
    assert_close(jacobian[:, 0, 3], -model.theta[3].sin().expand(2), 1e-14)
    expected = torch.zeros(2, 2, 3, dtype=torch.float64)
    expected[:, 1, 2] = -x[:, 2].sin()
    assert_close(model.jacobian(x, wanted="features"), expected, 1e-14)


def test_a_route_first_made_under_a_transform():
    circuit = ansatz.brickwork(3, layers=1)
    model = model_of(circuit, [Z(0), Z(2)], "pauli")
    x = batch_of(circuit, 2)
    theta = {"theta": model.theta.detach()}
    found = torch.func.jacrev(lambda given: functional_call(model, given, (x,)))(theta)
    assert_close(found["theta"], model.jacobian(x), 1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_a_large_batch_gives_what_its_rows_give(seed):
    circuit = random_circuit(seed + 90, qubits=4, gates=30)
    model = model_of(circuit, random_observables(seed, 4), "pauli", seed=seed)
    x = batch_of(circuit, 70, seed=seed).requires_grad_()
    values = model(x)
    assert_close(values, oracle(model, x.detach()), 1e-10)
    weights = batch_of(circuit, 70, seed=seed + 7)[:, :3]
    found = torch.autograd.grad((values * weights).sum(), [model.theta, x])
    parts = [model(row[None]) for row in x]
    expected = torch.autograd.grad((torch.cat(parts) * weights).sum(), [model.theta, x])
    for one, two in zip(found, expected, strict=True):
        assert_close(one, two, 1e-10)

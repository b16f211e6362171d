"""Wide models against quimb's own contraction, closed forms and translation."""

import math

import numpy as np
import pytest
import quimb as qu
import quimb.tensor as qtn
import torch
from random_circuits import angles, reference_values

from tnqml import Circuit, DistributedModel, Gate, Observable, X, Z, ansatz, parity, pauli
from tnqml.cone import Wires, light_cone

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def model_of(circuit, observables, *, dtype=torch.float64, seed=0):
    model = DistributedModel(circuit, observables, dtype=dtype, route="pauli")
    with torch.no_grad():
        model.theta.copy_(torch.tensor(angles(seed, circuit.parameters)))
    return model


def in_quimb(circuit, theta, x):
    """The circuit in quimb, in double precision."""
    result = qtn.Circuit(circuit.qubits)
    for gate in circuit.gates:
        angle = (gate.angle(x.tolist(), theta.tolist()),) if gate.form.has_angle else ()
        result.apply_gate(gate.kind.upper(), *angle, *gate.qubits)
    return result


def quimb_values(circuit, model, x):
    theta = model.theta.detach().double().numpy()
    values = []
    for observable in model.observables:
        ((_, string),) = observable.terms
        operator = qu.kron(*(qu.pauli(letter) for _, letter in string))
        values.append(
            in_quimb(circuit, theta, x).local_expectation(
                operator, [qubit for qubit, _ in string], optimize="greedy"
            )
        )
    return np.real(values)


@pytest.mark.parametrize(
    ("circuit", "observables"),
    [
        pytest.param(
            ansatz.brickwork(100, layers=3),
            [Z(50), pauli("XY", (70, 72))],
            id="brickwork",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ansatz.from_graph(ansatz.ring(64), layers=2), [Z(0), pauli("YX", (63, 1))], id="ring"
        ),
        pytest.param(
            ansatz.from_graph(ansatz.grid(8, 8), layers=1), [Z(27), X(9), Z(63)], id="grid"
        ),
        pytest.param(
            ansatz.from_graph(ansatz.ladder(32), layers=1, parties=("a", "b", "c")),
            [Z(31), X(1)],
            id="ladder",
        ),
        pytest.param(ansatz.from_graph(ansatz.tree(5), layers=1), [Z(0), X(40)], id="tree"),
    ],
)
def test_values_equal_those_of_quimb(circuit, observables):
    x = angles(1, 2, circuit.features)
    expected = quimb_values(circuit, model_of(circuit, observables), x[0])
    for dtype, tolerance in TOLERANCE.items():
        values = model_of(circuit, observables, dtype=dtype)(torch.tensor(x, dtype=dtype))[0]
        assert values.dtype == dtype
        np.testing.assert_allclose(values.detach().numpy(), expected, rtol=0, atol=tolerance)


def on_few_qubits(circuit, letters):
    """The light cone's sub-circuit with its qubits counted anew, and the observable on it."""
    gates = circuit.gates.select(light_cone(Wires(circuit), letters))
    qubits = sorted({qubit for gate in gates for qubit in gate.qubits} | set(letters))
    place = {qubit: name for name, qubit in enumerate(qubits)}
    moved = [gate.moved([place[qubit] for qubit in gate.qubits]) for gate in gates]
    return Circuit(len(qubits), moved), pauli({place[q]: letter for q, letter in letters.items()})


@pytest.mark.parametrize(
    ("circuit", "letters"),
    [
        (ansatz.from_graph(ansatz.ring(64), layers=2), {40: "Z"}),
        (ansatz.from_graph(ansatz.ring(64), layers=1), {0: "Y", 63: "X"}),
        (ansatz.brickwork(1000, layers=2), {500: "Z"}),
        (ansatz.brickwork(64, layers=2, split="qubits", reupload=False), {0: "Z", 2: "Z"}),
    ],
)
def test_values_and_gradients_equal_the_reference_on_the_light_cone(circuit, letters):
    model = model_of(circuit, pauli(letters))
    x = torch.tensor(angles(1, 1, circuit.features))
    few, observable = on_few_qubits(circuit, letters)
    assert few.qubits <= 9
    theta = model.theta.detach().numpy()

    def value(theta):
        return float(reference_values(few, [observable], theta, x.numpy())[0, 0])

    assert model(x).item() == pytest.approx(value(theta), abs=1e-12)
    jacobian = model.jacobian(x)[0, 0].numpy()
    inside = {gate.slot for gate in few.gates if gate.source == "parameter"}
    assert not np.delete(jacobian, list(inside)).any()
    # parameter shift: each parameter is read by one rotation
    for slot in sorted(inside)[::7]:
        quarter = np.zeros(len(theta))
        quarter[slot] = math.pi / 2
        expected = (value(theta + quarter) - value(theta - quarter)) / 2
        assert jacobian[slot] == pytest.approx(expected, abs=1e-12)


def product_circuit(qubits):
    gates = [Gate("ry", qubit, parameter=qubit) for qubit in range(qubits)]
    return Circuit(qubits, [*gates, *(Gate("rx", qubit, feature=0) for qubit in range(qubits))])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_parity_of_a_product_circuit_in_closed_form(dtype):
    qubits = 1000
    model = model_of(product_circuit(qubits), parity(range(qubits)), dtype=dtype)
    x = torch.tensor([[0.3], [1.2]], dtype=dtype)
    # <Z> of RX(x) RY(t) |0> is cos(t) cos(x)
    factors = np.cos(model.theta.detach().double().numpy()) * np.cos(x.double().numpy())
    sign, log = np.prod(np.sign(factors), 1), np.log(np.abs(factors)).sum(1)
    assert log.max() < -600
    mantissa, log_scale = model.scaled(x)
    assert mantissa.shape == log_scale.shape == (2,)
    rounding = 3e-4 if dtype == torch.float32 else 1e-11  # a thousand factors, the smallest near 0
    np.testing.assert_allclose(mantissa.detach().numpy(), sign, atol=1e-5)
    np.testing.assert_allclose(log_scale.numpy(), log, rtol=rounding)
    (gradient,) = torch.autograd.grad(mantissa[0], model.theta)
    # (df/dt) / |f| = - sign tan t
    expected = -sign[0] * np.tan(model.theta.detach().double().numpy())
    well = np.abs(expected) < 10
    tolerance = 1e-3 if dtype == torch.float32 else 1e-10
    np.testing.assert_allclose(gradient.numpy()[well], expected[well], atol=tolerance)


def test_a_sum_of_values_that_underflow():
    model = model_of(product_circuit(1000), 2.0 * parity(range(1000)) - 3.0 * parity(range(999)))
    with torch.no_grad():
        model.theta.fill_(1.5)
    x = torch.zeros(1, 1, dtype=torch.float64)
    mantissa, log_scale = model.scaled(x)
    c = math.cos(1.5)
    log = 999 * math.log(c) + math.log(3 - 2 * c)
    assert mantissa.item() < 0
    assert math.log(-mantissa.item()) + log_scale.item() == pytest.approx(log, rel=1e-12)


def test_a_term_that_is_exactly_zero_does_not_hide_values_that_underflow():
    qubits = 1000
    gates = product_circuit(qubits).gates
    dead = Circuit(qubits + 1, [*gates, Gate("ry", qubits, angle=0.4)])
    # Y of a real state is exactly 0
    model = model_of(dead, parity(range(qubits)) + pauli({qubits: "Y"}))
    with torch.no_grad():
        model.theta.fill_(1.5)
    mantissa, log_scale = model.scaled(torch.zeros(1, 1, dtype=torch.float64))
    assert mantissa.item() > 0
    total = math.log(mantissa.item()) + log_scale.item()
    assert total == pytest.approx(qubits * math.log(math.cos(1.5)), rel=1e-12)


def test_the_sum_over_translated_copies():
    """All angles alike: the bulk of a wide chain is so many copies of one unit cell."""

    def total(qubits, observable):
        circuit = ansatz.brickwork(qubits, layers=2)
        model = DistributedModel(circuit, observable, dtype=torch.float64, route="pauli")
        with torch.no_grad():
            each = torch.linspace(0.3, 1.4, 4, dtype=torch.float64)
            model.theta.copy_(each.repeat_interleave(qubits))
        return model(torch.full((2, qubits), 0.8, dtype=torch.float64)).detach()

    whole = total(1000, sum((Z(qubit) for qubit in range(1000)), Observable([(0.5, ())])))
    short = total(40, sum(Z(qubit) for qubit in range(40)))
    cell = total(40, Z(20) + Z(21))
    torch.testing.assert_close(whole, 0.5 + short + 480 * cell, rtol=1e-12, atol=0)


def test_no_gradient_and_no_gain_far_from_the_observable():
    circuit = ansatz.brickwork(1000, layers=2)
    model = model_of(circuit, Z(500))
    x = torch.tensor(angles(2, 1, 1000)).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    near = gradient[0].nonzero().flatten().tolist()
    assert near
    assert all(abs(qubit - 500) <= 4 for qubit in near)
    moved = x.detach().clone()
    moved[0, 100] += 1
    assert torch.equal(model(moved), model(x))


def test_auto_takes_the_network_where_no_state_fits():
    circuit = ansatz.brickwork(100, layers=2)
    model = DistributedModel(circuit, Z(50))
    choice = model.cost(batch=8)
    assert choice.route == "pauli"
    assert "exceeds the memory cap" in choice.reason
    assert choice.cost.seconds < 1
    assert DistributedModel(Circuit(1, [Gate("h", 0)]), Z(0)).cost(batch=8).route == "state"

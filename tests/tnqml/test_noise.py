import itertools

import numpy as np
import pytest
import torch
from random_circuits import ANGLED, angles, central, random_circuit, random_observables
from scipy.stats import unitary_group

from tnqml import (
    CHANNELS,
    Circuit,
    CircuitError,
    DistributedModel,
    Gate,
    InputError,
    RouteError,
    X,
    Z,
    ansatz,
    load,
    parity,
    pauli,
    reference,
    save,
)
from tnqml.noise import noisy

I2, PX, PY, PZ = (
    np.array(matrix, dtype=complex)
    for matrix in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
)


def word_matrix(letters):
    result = np.ones((1, 1))
    for letter in letters:
        result = np.kron(result, letter)
    return result


def operators(gate, s):
    """Textbook Kraus operators of a channel at a strength."""
    arity = len(gate.qubits)
    if gate.kind == "kraus":
        return list(gate.form.array)
    if gate.kind == "dephasing":
        return [np.sqrt(1 - s) * I2, np.sqrt(s) * PZ]
    if gate.kind == "amplitude_damping":
        return [
            np.array([[1, 0], [0, np.sqrt(1 - s)]]),
            np.array([[0, np.sqrt(s)], [0, 0]]),
        ]
    words = [word_matrix(word) for word in itertools.product((I2, PX, PY, PZ), repeat=arity)]
    shares = (
        np.full(4**arity, 4.0**-arity) if gate.kind == "depolarising" else np.array(gate.form.array)
    )
    return [np.sqrt(1 - s) * np.eye(2**arity)] + [
        np.sqrt(s * p) * word for p, word in zip(shares, words, strict=True)
    ]


def dense_rho(circuit, theta, x):
    rho = np.zeros((2**circuit.qubits,) * 2, dtype=complex)
    if circuit.amplitudes:
        vector = np.zeros(2**circuit.qubits)
        vector[: circuit.amplitudes] = x[: circuit.amplitudes]
        rho = np.outer(vector, vector) / (vector @ vector)
    else:
        rho[0, 0] = 1
    for gate in circuit.gates:
        number = gate.angle(x.tolist(), theta.tolist())
        small = (
            operators(gate, number)
            if gate.form.is_channel
            else [reference.small_matrix(gate, number)]
        )
        full = [reference.full_matrix(one, gate.qubits, circuit.qubits) for one in small]
        rho = sum(one @ rho @ one.conj().T for one in full)
    return rho


def dense_values(circuit, observables, theta, x):
    rho = dense_rho(circuit, theta, x)
    values = []
    for observable in observables:
        total = 0.0
        for weight, string in observable.terms:
            letters = {qubit: {"X": PX, "Y": PY, "Z": PZ}[letter] for qubit, letter in string}
            operator = word_matrix([letters.get(qubit, I2) for qubit in range(circuit.qubits)])
            total += weight * np.trace(operator @ rho).real
        values.append(total)
    return np.array(values)


def random_channel(kind, generator, *, qubits, source):
    one = kind in {"dephasing", "amplitude_damping"}
    arity = 1 if one else int(generator.integers(1, min(qubits, 2) + 1))
    places = [int(place) for place in generator.permutation(qubits)[:arity]]
    if kind == "kraus":
        mixed = unitary_group.rvs(3 * 2**arity, random_state=generator)[:, : 2**arity]
        return Gate(kind, places, kraus=mixed.reshape(3, 2**arity, 2**arity))
    options = {"strength": 0.35} if source == "angle" else {source: 0, "scale": 0.5}
    if kind == "pauli_channel":
        options["probabilities"] = generator.dirichlet(np.ones(4**arity))
    return Gate(kind, places, **options)


def with_channels(seed, *, qubits, gates, kinds=CHANNELS, sources=("angle", "parameter")):
    generator = np.random.default_rng([seed, 9])
    circuit = random_circuit(seed, qubits=qubits, gates=gates)
    listed = []
    for gate in circuit.gates:
        listed.append(gate.shifted(parameters=1, features=1))
        kind = kinds[int(generator.integers(len(kinds)))]
        source = sources[int(generator.integers(len(sources)))]
        listed.append(random_channel(kind, generator, qubits=qubits, source=source))
    return Circuit(qubits, listed)


def model_and_input(circuit, observables, route, *, seed, batch=2, dtype=torch.float64):
    model = DistributedModel(circuit, observables, route=route, dtype=dtype)
    theta, x = angles(seed, circuit.parameters), angles(seed + 1, batch, circuit.features)
    if len(theta):
        theta[0] = 0.4
    if circuit.features:
        x[:, 0] = np.linspace(0.2, 0.9, batch)
    with torch.no_grad():
        model.theta.copy_(torch.tensor(theta))
    return model, torch.tensor(x, dtype=dtype)


on_every_route = pytest.mark.parametrize("route", ["pauli", "state"])


@on_every_route
@pytest.mark.parametrize("seed", range(10))
def test_noisy_circuits_equal_dense_density_matrices(route, seed):
    qubits = 1 + seed % 4
    circuit = with_channels(
        seed, qubits=qubits, gates=12, sources=("angle", "parameter", "feature")
    )
    observables = random_observables(seed, qubits)
    model, x = model_and_input(circuit, observables, route, seed=seed)
    theta = model.theta.detach().numpy()
    expected = [dense_values(circuit, observables, theta, row) for row in x.numpy()]
    np.testing.assert_allclose(model(x).detach().numpy(), expected, atol=1e-11)


@on_every_route
def test_noisy_circuits_in_single_precision(route):
    circuit = with_channels(3, qubits=3, gates=15)
    model, x = model_and_input(circuit, [Z(0), X(2)], route, seed=3, dtype=torch.float32)
    theta = model.theta.detach().double().numpy()
    expected = [dense_values(circuit, [Z(0), X(2)], theta, row) for row in x.double().numpy()]
    np.testing.assert_allclose(model(x).detach().numpy(), expected, atol=1e-5)


@on_every_route
@pytest.mark.parametrize("kind", [kind for kind in CHANNELS if kind != "kraus"])
@pytest.mark.parametrize("source", ["parameter", "feature"])
def test_gradients_through_the_strength(route, kind, source):
    generator = np.random.default_rng(5)
    gates = [Gate(k, q, angle=0.4 + q) for k in ("ry", "rx") for q in range(2)]
    channel = random_channel(kind, generator, qubits=2, source=source)
    last = [Gate("rx", 0, angle=0.7), Gate("cz", (0, 1)), Gate("ry", 1, angle=0.3)]
    circuit = Circuit(2, [*gates, channel, *last])
    observables = [parity(range(2)), pauli("XY", (0, 1)), Z(1)]
    model, x = model_and_input(circuit, observables, route, seed=1, batch=1)
    wanted = f"{source}s"
    at = model.theta.detach().numpy() if source == "parameter" else x[0].numpy()
    slopes = central(
        lambda v: dense_values(
            circuit, observables, *((v, x[0].numpy()) if source == "parameter" else (at[:0], v))
        ),
        at,
    )
    np.testing.assert_allclose(model.jacobian(x, wanted=wanted)[0].numpy(), slopes, atol=1e-9)


def test_amplitude_encoded_data_with_noise():
    circuit = with_channels(4, qubits=3, gates=8).on_amplitudes(7)
    model, x = model_and_input(circuit, [Z(1)], "auto", seed=4)
    x = torch.tensor(angles(8, 2, circuit.features))
    theta = model.theta.detach().numpy()
    expected = [dense_values(circuit, [Z(1)], theta, row) for row in x.numpy()]
    np.testing.assert_allclose(model(x).detach().numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("count", [2, 4])
def test_probabilities_are_the_diagonal_of_the_density_matrix(count):
    circuit = with_channels(6, qubits=4, gates=14)
    model, x = model_and_input(circuit, Z(0), "auto", seed=6, batch=1)
    rho = dense_rho(circuit, model.theta.detach().numpy(), x[0].numpy())
    expected = np.diag(rho).real.reshape(2**count, -1).sum(1)
    with torch.no_grad():
        found = model.probabilities(x, qubits=range(count))
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-11)


def test_probabilities_of_a_wide_noisy_model():
    circuit = noisy(ansatz.brickwork(40, layers=2), Gate("dephasing", 0, strength=0.1), on="gates")
    model = DistributedModel(circuit, Z(20), dtype=torch.float64)
    x = torch.tensor(angles(3, 1, circuit.features))
    with torch.no_grad():
        found = model.probabilities(x, qubits=[20])[0]
        value = model(x)[0]
    np.testing.assert_allclose(found.numpy(), [(1 + value) / 2, (1 - value) / 2], atol=1e-12)


def test_wide_noise_damps_a_known_value():
    """Depolarising every message before a product circuit's end shrinks each letter by 1 - s."""
    qubits, s = 100, 0.2
    gates = [Gate("ry", q, feature=q, party="alice") for q in range(qubits)]
    gates += [Gate("rz", q, parameter=q, party="bob") for q in range(qubits)]
    circuit = noisy(Circuit(qubits, gates), Gate("depolarising", 0, strength=s), on="messages")
    model = DistributedModel(circuit, parity([3, 50, 99]), dtype=torch.float64)
    x = torch.tensor(angles(0, 2, qubits))
    expected = ((1 - s) * x[:, [3, 50, 99]].cos()).prod(1)
    torch.testing.assert_close(model(x).detach(), expected, atol=1e-12, rtol=0)


def test_light_cones_drop_what_noise_cannot_reach():
    gates = [Gate("ry", 0, feature=0), Gate("dephasing", 0, strength=0.3)]
    model = DistributedModel(Circuit(1, gates), Z(0), dtype=torch.float64, route="pauli")
    assert model.route("pauli").cones[0].positions.tolist() == [0]  # dephasing keeps Z
    kept = DistributedModel(Circuit(1, gates), X(0), route="pauli")
    assert sorted(kept.route("pauli").cones[0].positions.tolist()) == [0, 1]


def places(circuit, kind):
    return [(k, g.qubits) for k, g in enumerate(circuit.gates) if g.kind == kind]


def test_where_noise_goes():
    gates = [
        Gate("h", 0, party="alice"),
        Gate("cx", (0, 1), party="bob"),
        Gate("h", 2, party="bob"),
        Gate("cz", (1, 2), party="alice"),
    ]
    channel = Gate("dephasing", 0, strength=0.1)
    by_layers, by_qubits = Circuit(3, gates), Circuit(3, gates, split="qubits")
    assert places(noisy(by_layers, channel, on="gates"), "dephasing") == [
        (1, (0,)), (3, (0,)), (4, (1,)), (6, (2,)), (8, (1,)), (9, (2,)),
    ]  # fmt: skip
    crossing = places(noisy(by_layers, channel, on="messages"), "dephasing")
    assert [qubits for _, qubits in crossing] == [(0,), (1,), (2,)] * 2
    crossing = places(noisy(by_qubits, channel, on="messages"), "dephasing")
    sent = [q for message in by_qubits.messages() for q in message.qubits]
    assert [qubit for _, (qubit,) in crossing] == sent == [0, 1, 2]
    on_wires = noisy(by_layers, channel, on="wires")
    assert [g.kind for g in on_wires.gates].count("dephasing") == 3 * 3  # time steps x qubits
    pair = Gate("depolarising", (0, 1), strength=0.1)
    assert [q for _, q in places(noisy(by_layers, pair, on="gates"), "depolarising")] == [
        (0, 1),
        (1, 2),
    ]
    assert noisy(by_layers, channel, on="messages").messages() == by_layers.messages()


def test_a_channel_saved_is_loaded_bit_for_bit(tmp_path):
    circuit = with_channels(7, qubits=3, gates=10, sources=("angle", "parameter", "feature"))
    model, x = model_and_input(circuit, [Z(0), X(1)], "auto", seed=7)
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.circuit == circuit
    assert torch.equal(again(x), model(x))


def test_initial_strengths_are_small_probabilities():
    circuit = noisy(
        ansatz.brickwork(6, layers=2), Gate("depolarising", 0, parameter=500), on="gates"
    )
    for init in ("uniform", "small"):
        strength = DistributedModel(circuit, Z(0), init=init, seed=3).theta[500]
        assert 0 <= strength <= 0.1
    assert DistributedModel(circuit, Z(0), init="identity").theta[500] == 0


def test_what_a_noisy_model_cannot_give():
    circuit = Circuit(2, [Gate("ry", 0, feature=0), Gate("depolarising", (0, 1), strength=0.5)])
    model = DistributedModel(circuit, Z(0))
    x = torch.zeros(1, 1)
    with pytest.raises(CircuitError, match="no amplitudes"):
        model.amplitudes(x, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(CircuitError, match="no amplitudes"):
        model.overlaps(x, x)
    with pytest.raises(InputError, match="no noise channels"):
        model.qasm(x[0])
    with pytest.raises(CircuitError, match="no inverse"):
        circuit.gates[1].dagger()
    assert "~dep" in str(model.draw())


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("dephasing", 0), {"strength": 1.2}, "strength 1.2; expected 0 to 1"),
        (("dephasing", 0), {"angle": 0.2}, "takes strength"),
        (("rx", 0), {"strength": 0.2}, "takes angle"),
        (("dephasing", 0), {}, "exactly one of feature, parameter or strength"),
        (("dephasing", (0, 1)), {"strength": 0.1}, "acts on 1 qubit"),
        (("kraus", 0), {}, "needs kraus"),
        (("kraus", 0), {"kraus": [1.01 * I2]}, "not trace preserving.*0.0201"),
        (("kraus", 0), {"kraus": I2}, r"shape \(2, 2\)"),
        (("kraus", 0), {"kraus": [I2], "strength": 0.1}, "has no strength"),
        (("pauli_channel", 0), {"strength": 0.1}, "needs probabilities"),
        (
            ("pauli_channel", 0),
            {"strength": 0.1, "probabilities": [0.5, 0.2, 0.1, 0.1]},
            "not trace preserving.*off 1 by 0.1",
        ),
        (
            ("pauli_channel", 0),
            {"strength": 0.1, "probabilities": [1.5, -0.5, 0, 0]},
            "at least 0",
        ),
    ],
)
def test_a_bad_channel_is_refused(arguments, options, message):
    with pytest.raises(CircuitError, match=message):
        Gate(*arguments, **options)


def test_a_strength_out_of_range_is_refused_at_the_call():
    gates = [Gate("dephasing", 0, feature=0), Gate("amplitude_damping", 0, parameter=0)]
    model = DistributedModel(Circuit(1, gates), X(0))
    with torch.no_grad():
        model.theta[0] = 0.2
    with pytest.raises(InputError, match=r"strength 1.5 from feature 0"):
        model(torch.tensor([[0.5], [1.5]]))
    with torch.no_grad():
        model.theta[0] = -0.1
    with pytest.raises(InputError, match=r"strength -0.1 from parameter 0"):
        model(torch.tensor([[0.5]]))


def test_bad_noise_is_refused():
    circuit = ansatz.brickwork(4, layers=1)
    with pytest.raises(CircuitError, match="no noise channel"):
        noisy(circuit, Gate("h", 0), on="gates")
    with pytest.raises(CircuitError, match="acts on 2 qubits"):
        noisy(circuit, Gate("depolarising", (0, 1), strength=0.1), on="messages")
    with pytest.raises(CircuitError, match="expected 'gates'"):
        noisy(circuit, Gate("dephasing", 0, strength=0.1), on="everything")
    many = Circuit(6, [Gate("h", 0), Gate("depolarising", range(6), strength=0.1)])
    with pytest.raises(RouteError, match="too large"):
        DistributedModel(many, Z(0), route="pauli")


def test_channels_are_apart_from_gates():
    assert not set(CHANNELS) & set(ANGLED)

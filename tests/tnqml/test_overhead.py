import numpy as np
import pytest
import torch

from tnqml import Circuit, Gate, InputError, ansatz, statevector
from tnqml.protocols.overhead import (
    ClassicalStep,
    Resources,
    classical_step,
    gradient_runs,
    preparation,
    resources,
)


@pytest.mark.parametrize("size", [2, 3, 4, 7, 8, 16, 100, 256])
@pytest.mark.parametrize("seed", range(3))
def test_the_prepared_state_is_the_data(size, seed):
    data = np.random.default_rng([size, seed]).normal(size=size)
    circuit = preparation(data, party="alice")
    none = torch.zeros(1, 0, dtype=torch.float64)
    state = statevector.run(circuit, none[0], none)[0].numpy()
    expected = np.zeros(2**circuit.qubits)
    expected[:size] = data / np.linalg.norm(data)
    np.testing.assert_allclose(state, expected, atol=1e-12)
    assert circuit.messages() == ()
    assert circuit.parties == ("alice",)


@pytest.mark.parametrize("count", range(2, 9))
def test_the_preparation_of_generic_data_takes_about_2n_gates(count):
    data = np.random.default_rng(count).normal(size=2**count)
    found = resources(preparation(data))
    assert found.two_qubit_gates == 2**count - 2  # 2^k of each multiplexed RY with k > 0 controls
    assert found.gates == 2**count - 2 + 2**count - 1
    assert found.qubits == count
    assert found.depth <= found.gates


def test_depth_by_hand():
    gates = [Gate("h", 0), Gate("h", 2), Gate("cx", (0, 1)), Gate("h", 0), Gate("cz", (1, 2))]
    circuit = Circuit(3, gates)
    assert resources(circuit) == Resources(qubits=3, gates=5, two_qubit_gates=2, depth=3)
    assert resources(circuit) + resources(circuit) == Resources(3, 10, 4, 6)
    assert resources(Circuit(2, [])) == Resources(2, 0, 0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_time_steps_hold_every_gate_once_in_order(seed):
    circuit = ansatz.brickwork(3 + seed, layers=1 + seed)
    steps = circuit.time_steps()
    assert sorted(id(gate) for step in steps for gate in step) == sorted(map(id, circuit.gates))
    for step in steps:
        used = [qubit for gate in step for qubit in gate.qubits]
        assert len(used) == len(set(used))
    for qubit in range(circuit.qubits):
        on_wire = [gate for step in steps for gate in step if qubit in gate.qubits]
        assert on_wire == [gate for gate in circuit.gates if qubit in gate.qubits]


def test_the_classical_step_by_hand():
    assert classical_step(4, layers=1) == ClassicalStep(
        operations=3 * 2 * 2 * 16, bytes_held=8 * (2 * 2 * 16 + 2 * 3 * 4)
    )
    assert gradient_runs(10, shots=7) == 140


@pytest.mark.parametrize(
    "data", [np.ones((2, 2)), np.ones(1), np.array([1.0, np.nan]), np.zeros(4)]
)
def test_bad_data_is_refused(data):
    with pytest.raises(InputError, match=r"expected a row|zero vector"):
        preparation(data)


@pytest.mark.parametrize(
    "call",
    [
        lambda: classical_step(0, layers=1),
        lambda: classical_step(4, layers=0),
        lambda: gradient_runs(0, shots=1),
        lambda: gradient_runs(1, shots=0),
    ],
)
def test_counts_under_one_are_refused(call):
    with pytest.raises(InputError, match="at least 1"):
        call()

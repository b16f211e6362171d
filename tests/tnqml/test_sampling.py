"""Probabilities and samples against the dense reference, from narrow and wide models."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from tnqml import DistributedModel, InputError, Z, ansatz, reference, sampling


def small_model(*, seed: int, qubits: int = 5) -> tuple[DistributedModel, torch.Tensor]:
    circuit = ansatz.brickwork(qubits, layers=2)
    model = DistributedModel(circuit, Z(0), dtype=torch.float64, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    return model, torch.randn(3, qubits, dtype=torch.float64, generator=generator)


def dense_marginal(model: DistributedModel, x: torch.Tensor, qubits: list[int]) -> np.ndarray:
    """(2^k,): the distribution of some qubits of one input, from the reference's state."""
    state = reference.state(model.circuit, model.theta.detach(), x)
    grid = (np.abs(state) ** 2).reshape((2,) * model.circuit.qubits)
    rest = [qubit for qubit in range(model.circuit.qubits) if qubit not in qubits]
    return grid.transpose(qubits + rest).reshape(2 ** len(qubits), -1).sum(1)


@pytest.mark.parametrize("way", ["state", "cone"])
@pytest.mark.parametrize("qubits", [[0], [3, 1], [4, 0, 2], [0, 1, 2, 3, 4]])
def test_probabilities_equal_the_reference(way, qubits, monkeypatch):
    if way == "cone":
        monkeypatch.setattr(sampling, "_STATE_SECONDS", 0.0)
    model, x = small_model(seed=len(qubits))
    found = model.probabilities(x, qubits=qubits).detach().numpy()
    expected = np.stack([dense_marginal(model, row, qubits) for row in x])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_probabilities_of_rotations_that_commute_with_the_parity_alone(monkeypatch):
    """RXX commutes with ZZ but not with Z: it must not be dropped from a marginal's light cone."""
    from tnqml import Circuit, Gate

    monkeypatch.setattr(sampling, "_STATE_SECONDS", 0.0)
    circuit = Circuit(2, [Gate("rxx", (0, 1), angle=0.7)])
    model = DistributedModel(circuit, Z(0), dtype=torch.float64)
    found = model.probabilities(torch.zeros(1, 0))[0]
    expected = torch.tensor([np.cos(0.35) ** 2, 0, 0, np.sin(0.35) ** 2])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_marginals_of_a_wide_model_agree_with_its_expectations():
    circuit = ansatz.brickwork(300, layers=2)
    chosen = list(range(140, 152))
    model = DistributedModel(circuit, [Z(q) for q in chosen], dtype=torch.float64, seed=3)
    x = torch.rand(2, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    grid = model.probabilities(x, qubits=chosen).reshape(2, *(2,) * 12)
    torch.testing.assert_close(grid.sum(dim=tuple(range(1, 13))), torch.ones(2).double())
    for place in range(12):
        others = tuple(axis + 1 for axis in range(12) if axis != place)
        zero, one = grid.sum(dim=others).unbind(1)
        torch.testing.assert_close(zero - one, model(x)[:, place], rtol=0, atol=1e-12)


def test_samples_of_whole_strings_follow_the_distribution():
    model, x = small_model(seed=11, qubits=3)
    shots = 20_000
    bits = model.sample(x[:1], shots=shots, seed=5)
    assert bits.shape == (1, shots, 3)
    assert bits.dtype == torch.uint8
    index = (bits[0].long() * torch.tensor([4, 2, 1])).sum(1)
    counts = torch.bincount(index, minlength=8).numpy()
    expected = dense_marginal(model, x[0], [0, 1, 2]) * shots
    assert chisquare(counts, expected).pvalue > 1e-3


def test_one_seed_gives_the_same_samples():
    model, x = small_model(seed=1)
    one, two, other = (model.sample(x, shots=50, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_certain_outcome_is_always_drawn():
    distribution = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    drawn = sampling.draw(distribution, shots=100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn[0], torch.tensor([[1, 0]], dtype=torch.uint8).expand(100, 2))


@pytest.mark.parametrize(
    ("qubits", "words"),
    [
        ([], "at least one"),
        ([0, 0], "each once"),
        ([7], "0 to 4"),
        ([-1], "0 to 4"),
        (torch.tensor([0.5]), "expected integers"),
        ([True], "expected integers"),
        ({0, 1}, "sequence"),
        (1.0, "sequence"),
    ],
)
def test_bad_qubits_are_refused(qubits, words):
    model, x = small_model(seed=0)
    with pytest.raises(InputError, match=words):
        model.probabilities(x, qubits=qubits)


def test_too_many_qubits_of_a_wide_model_are_refused():
    model = DistributedModel(ansatz.brickwork(64, layers=1), Z(0))
    with pytest.raises(InputError, match="at most 12"):
        model.sample(torch.zeros(1, 64), shots=1, seed=0)


def test_no_shots_are_refused():
    model, x = small_model(seed=0)
    with pytest.raises(InputError, match="at least 1"):
        model.sample(x, shots=0, seed=0)


def test_more_shots_than_fit_are_refused_before_any_is_drawn():
    model, x = small_model(seed=0)
    with pytest.raises(InputError, match=r"shots is 10{12}, .* GiB .* draw at most \d+ at a time"):
        model.sample(x, shots=10**12, seed=0)


@pytest.mark.parametrize("alone", [1, np.int64(1), np.array(1), torch.tensor(1)])
def test_one_qubit_may_be_named_alone(alone):
    model, x = small_model(seed=0)
    assert torch.equal(model.probabilities(x, qubits=alone), model.probabilities(x, qubits=[1]))

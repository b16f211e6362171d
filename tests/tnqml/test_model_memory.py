"""What a model holds: within its cap, its own, and nothing once it is gone."""

import io

import pytest
import torch

from contractions.leases import LEASES
from tnqml import Circuit, DistributedModel, Gate, Z, ansatz, pauli


def lent() -> int:
    return sum(bound.nbytes for _, bound in LEASES._lent.values())


def many_structures(memory: int | None = None) -> DistributedModel:
    words = ["XZ", "ZY", "YY", "XX", "ZX", "YZ", "ZZ", "XY"]
    outputs = [pauli(word, [4 * k, 4 * k + 1 + k % 3]) for k, word in enumerate(words)]
    circuit = ansatz.brickwork(32, layers=3)
    return DistributedModel(circuit, outputs, dtype=torch.float64, route="pauli", memory=memory)


def test_networks_that_together_pass_the_cap_are_made_again_in_the_reverse_pass():
    x = torch.rand(20, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    free = many_structures()
    before = lent()
    value = free(x)
    together = lent() - before
    (expected,) = torch.autograd.grad(value.square().sum(), free.theta)
    assert together <= free.cost(batch=20).cost.peak_bytes
    cap = together // 2
    capped = many_structures(memory=cap)
    assert len(capped.route("pauli").networks) > 2
    value = capped(x)
    assert lent() - before <= cap
    (found,) = torch.autograd.grad(value.square().sum(), capped.theta)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cap", [2**18, 2**20])
def test_the_jacobian_keeps_the_cap_with_its_leaves(cap, monkeypatch):
    model = DistributedModel(
        ansatz.brickwork(12, layers=3), Z(5), dtype=torch.float64, route="pauli", memory=cap
    )
    held = []
    borrow = LEASES.borrow

    def watched(key, make):
        number = borrow(key, make)
        held.append(number)
        return number

    monkeypatch.setattr(LEASES, "borrow", watched)
    peaks = []
    give_back = LEASES.give_back

    def weighed(number):
        peaks.append(LEASES.bound(number).nbytes)
        give_back(number)

    monkeypatch.setattr(LEASES, "give_back", weighed)
    model.jacobian(torch.rand(40, 12, dtype=torch.float64))
    assert peaks
    assert max(peaks) <= cap


def test_a_loaded_model_gives_its_own_numbers():
    models = [
        DistributedModel(ansatz.brickwork(6, layers=2), Z(3), seed=seed, route="pauli")
        for seed in range(2)
    ]
    x = torch.rand(2, 6)
    stored = io.BytesIO()
    expected = models[0](x)
    torch.save(models[0], stored)
    models[1](x)
    stored.seek(0)
    torch.testing.assert_close(torch.load(stored, weights_only=False)(x), expected)


def test_a_first_call_in_inference_mode_leaves_later_gradients_alone():
    model = DistributedModel(ansatz.brickwork(6, layers=2), Z(3), route="pauli")
    x = torch.rand(2, 6)
    with torch.inference_mode():
        value, jacobian = model(x), model.jacobian(torch.rand(2, 6) * 0 + x)
    (first,) = torch.autograd.grad(model(x).sum(), model.theta, create_graph=True)
    torch.autograd.grad(first.square().sum(), model.theta)
    torch.testing.assert_close(model(x), value.clone())
    torch.testing.assert_close(model.jacobian(x), jacobian.clone())


def test_second_derivatives_where_a_cone_reads_nothing_that_is_asked_for():
    gates = [Gate("ry", 0, parameter=0), Gate("cx", (0, 1)), Gate("ry", 2, feature=0)]
    gates += [Gate("cx", (2, 3)), Gate("rx", 2, feature=0), Gate("cx", (3, 2))]
    x = torch.rand(3, 1, dtype=torch.float64)
    found = {}
    for route in ("state", "pauli"):
        model = DistributedModel(Circuit(4, gates), [Z(1), Z(2)], dtype=torch.float64, route=route)
        (first,) = torch.autograd.grad(model(x).sum(), model.theta, create_graph=True)
        found[route] = torch.autograd.grad(first.sum(), model.theta)[0]
    torch.testing.assert_close(found["pauli"], found["state"])

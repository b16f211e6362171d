"""The study `noise`: its formulas against dense averages, its runs against the protocol itself."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, ortho_group

from studies.cells import parameters
from studies.errors import CellError
from studies.noise import costs as noise_costs
from studies.noise import study as noise
from studies.noise.formulas import (
    asymptotic_strength,
    damping_of_blocks,
    damping_of_state,
    predicted_copies,
    spread_of_state,
    strength_allowed,
)
from studies.style import new_figure, styled

PAULIS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def strings(kind, strength, qubits):
    """Every Pauli string of so many qubits with its probability on a noisy message."""
    one = dict.fromkeys("XYZ", strength / 4) if kind == "depolarising" else {"Z": strength}
    one["I"] = 1 - sum(one.values())
    whole = [(1.0, np.eye(1))]
    for _ in range(qubits):
        whole = [(p * q, np.kron(a, PAULIS[w])) for p, a in whole for w, q in one.items()]
    return whole


@pytest.mark.parametrize("kind", ["depolarising", "dephasing"])
@pytest.mark.parametrize(("size", "strength"), [(4, 0.3), (8, 0.15), (8, 0.6)])
def test_signal_of_a_noisy_state_against_dense_averages(kind, size, strength):
    """Over random H and u in H: the mean of <u| P O P |u>, weighted with P's probability."""
    draws = 3000
    frames = ortho_group.rvs(size, size=draws, random_state=5)
    signs = np.diag([1.0] * (size // 2) + [-1.0] * (size // 2))
    reflections = frames @ signs @ frames.transpose(0, 2, 1)
    vectors = frames[:, :, 0]
    values = np.zeros(draws)
    for weight, string in strings(kind, strength, size.bit_length() - 1):
        moved = vectors @ string.T
        values += weight * np.einsum("da,dab,db->d", moved.conj(), reflections, moved).real
    expected = damping_of_state(kind, strength, size=size)
    assert abs(values.mean() - expected) < 4.5 * values.std() / math.sqrt(draws)
    spread = spread_of_state(kind, strength, size=size)
    assert spread / 2 < values.std() < 2 * spread  # about, as it says


@pytest.mark.parametrize("kind", ["depolarising", "dephasing"])
def test_damping_between_haar_blocks_against_the_twirl(kind):
    """sum_P Tr(P N(P)) / N over all P but 1, over their number: the mean of the transfer matrix."""
    for qubits, strength in ((1, 0.2), (2, 0.35)):
        size = 2**qubits
        errors = strings(kind, strength, qubits)
        basis = [np.eye(1)]
        for _ in range(qubits):
            basis = [np.kron(a, pauli) for a in basis for pauli in PAULIS.values()]
        diagonal = [
            sum(p * np.trace(word @ e @ word @ e.conj().T).real for p, e in errors) / size
            for word in basis[1:]
        ]
        found = damping_of_blocks(kind, strength, size=size)
        assert found == pytest.approx(np.mean(diagonal), abs=1e-12)


def test_predicted_copies():
    for damping in (0.1, 0.3, 0.5, 0.79):
        copies = predicted_copies(damping)
        above = 2 * math.ceil((copies - 1) / 2) + 1
        right = [binom.sf(k // 2, k, (1 + damping) / 2) for k in (above - 2, above)]
        assert right[0] < 0.9 <= right[1]
    assert predicted_copies(0.81) == predicted_copies(1.0) == 1
    generator = np.random.default_rng(1)
    means = np.clip(generator.normal(0.3, 0.1, 100_000), -1, 1)
    copies = predicted_copies(0.3, spread=0.1)
    below, above = (2 * part((copies - 1) / 2) + 1 for part in (math.floor, math.ceil))
    rates = [(generator.binomial(k, (1 + means) / 2) > k / 2).mean() for k in (below, above)]
    assert rates[0] - 0.003 < 0.9 < rates[1] + 0.003
    assert copies > predicted_copies(0.3)


@pytest.mark.parametrize("kind", ["depolarising", "dephasing"])
def test_strengths_at_which_the_advantage_ends(kind):
    strength = strength_allowed(kind, 9.0, size=64)
    damping, spread = (f(kind, strength, size=64) for f in (damping_of_state, spread_of_state))
    assert predicted_copies(damping, spread=spread) == pytest.approx(9.0, rel=1e-3)
    assert strength_allowed("erasure", 4.0, size=64) == pytest.approx(0.75, abs=1e-6)
    # from there on copies grow as N^(1/2): twice as many where N is four times as large
    limit = asymptotic_strength(kind, 1 / 2)
    sizes = (2**40, 2**42)
    dampings = [damping_of_state(kind, limit, size=size) for size in sizes]
    assert (dampings[0] / dampings[1]) ** 2 == pytest.approx(2, rel=1e-3)


def test_votes_are_those_of_the_protocol_between_parties():
    import torch

    from tnqml import Circuit, DistributedModel, Gate, Z
    from tnqml.protocols import rotation_onto, subspace_instance
    from tnqml.protocols.execution.links import depolarising
    from tnqml.protocols.inference.infer import infer

    link, size, shots = depolarising(0.2), 16, 400
    means = []
    for seed in range(30):
        instance = subspace_instance(size, seed=seed)
        gates = [
            Gate("unitary", range(4), matrix=matrix, party=party)
            for party, matrix in (("alice", np.eye(16)), ("bob", rotation_onto(instance.basis)))
        ]
        model = DistributedModel(Circuit(4, gates, amplitudes=16), Z(0), dtype=torch.float64)
        run = infer(model, instance.vector, shots=shots, seed=seed, links=link)
        assert run.ledger.qubits == 4 * shots
        means.append(run.value * instance.answer)
    votes = noise_costs.state_votes(size, link=link, copies=3, trials=3000, seed=4)
    assert votes.shape == (3000, 3)
    expected = damping_of_state("depolarising", 0.2, size=size)
    for value, error in (
        (2 * votes.mean() - 1, 1 / math.sqrt(votes.size)),
        (np.mean(means), np.std(means) / math.sqrt(30)),
    ):
        assert abs(value - expected) < 4.5 * error


def test_resent_copies():
    from tnqml.protocols.execution.links import erasure

    found = noise_costs._sends(erasure(0.6), trials=4000, seed=2)
    assert found.low < 2.5 < found.high
    assert found.width == pytest.approx(2 * 1.96 * math.sqrt(0.6) / 0.4 / math.sqrt(4000), rel=0.1)


def small_cells():
    chosen = [
        {"problem": "subspace", "size": size, "strength": strength, "trials": 300}
        for size in (16, 64)
        for strength in (0.0, 0.1, 0.25)
    ]
    chosen += [{"problem": "sketch", "size": size, "trials": 2000} for size in (16, 64)]
    chosen += [{"problem": "subspace", "link": "erasure", "strength": 0.5, "trials": 300}]
    models = {"size": 8, "trials": 24}
    chosen += [{"problem": "inference", "strength": strength, **models} for strength in (0.0, 0.1)]
    chosen += [{"problem": "inference", "strength": 0.3, "link": "erasure", **models}]
    chosen += [{"problem": "inference", "strength": 0.1, "model": "brickwork", **models}]
    return [noise.Cell(**one) for one in [*chosen, {"problem": "classical", **models}]]


@pytest.fixture(scope="module")
def frame():
    rows = [parameters(cell) | dict(row) for cell in small_cells() for row in noise.measure(cell)]
    return pd.DataFrame(rows)


def test_rows(frame):
    for name in ("copies", "signal", "slope", "bias", "plain", "debiased", "missed"):
        own = frame.dropna(subset=[name])
        assert len(own)
        assert (own[f"{name}_low"] <= own[name]).all()
        assert (own[name] <= own[f"{name}_high"]).all()
    exact = frame[(frame["problem"] == "subspace") & (frame["strength"] == 0)]
    assert (exact["copies"] == 1).all()
    assert (exact["cost"] == np.log2(exact["size"])).all()
    estimates = frame[frame["problem"] == "inference"]
    counted = estimates[estimates["link"] != "erasure"]
    assert (counted["cost"] == 3 * 3 * counted["shots"]).all()
    assert (counted["cost_debiased"] == 3 * 3 * counted["shots_debiased"]).all()
    lost = estimates[estimates["link"] == "erasure"].iloc[0]
    sends = sum(0.7**-k for k in (1, 2, 3)) * 3 * lost["shots"]
    assert lost["cost"] == pytest.approx(sends, rel=0.03)
    assert lost["bias"] == 0
    classical = frame[frame["problem"] == "classical"].iloc[0]
    assert classical["cost"] == 3 * 2 * 8 * classical["bits"]


def test_figures_and_claims(frame):
    for draw in noise.STUDY.figures.values():
        for rows in (frame, frame[:0]):
            with styled():
                _, ax = new_figure()
                draw(ax, rows)
            assert bool(ax.lines) == bool(len(rows))
    found = {claim.text.split(" ")[0]: claim for claim in noise.STUDY.claims(frame)}
    assert all(claim.holds is not False for claim in found.values())
    assert found["lost"].holds
    assert not noise.STUDY.claims(frame[:0])


def test_claims_can_fail(frame):
    wrong = frame.copy()
    wrong["signal"] += 0.5
    wrong["damping"] *= 0.8
    wrong["copies"] += 1.0
    verdicts = [claim.holds for claim in noise.STUDY.claims(wrong)]
    assert verdicts.count(False) >= 3


def test_presets_hold_what_can_be_run():
    for preset in ("quick", "full"):
        cells = noise.STUDY.cells(preset)
        assert len(set(cells)) == len(cells)
        assert {cell.problem for cell in cells} == {"subspace", "sketch", "inference", "classical"}


def test_bad_cells():
    for changes, message in (
        ({"problem": "training"}, "problem is 'training'; expected one of subspace"),
        ({"link": "fibre"}, "link is 'fibre'"),
        ({"model": "ring"}, "model is 'ring'"),
        ({"strength": 1.0}, "strength is 1.0; expected at least 0 and under 1"),
        ({"strength": -0.1}, "strength is -0.1"),
        ({"size": 12}, "size is 12; expected a power of two"),
        ({"size": 2}, "size is 2"),
        ({"layers": 0}, "layers is 0"),
        ({"trials": 1}, "trials is 1"),
        ({"error": 0.0}, "error is 0.0"),
    ):
        with pytest.raises(CellError, match=message):
            noise.Cell(**({"problem": "inference"} | changes))
    assert noise.Cell(problem="sketch", strength=0.3) == noise.Cell(problem="sketch")

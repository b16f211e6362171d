"""Classical shadows: the registers that are measured, and what their strings say."""

import numpy as np
import pytest
import random_circuits
from scipy.stats import chisquare

from tnqml import reference
from tnqml.protocols.gradients import shadows


def random_states(seed, kinds, qubits):
    parts = random_circuits.angles(seed, 2, kinds, 2**qubits)
    states = parts[0] + 1j * parts[1]
    return states / np.linalg.norm(states, axis=1)[:, None]


@pytest.mark.parametrize("part", [2**22, 50])
def test_shadows_are_drawn_from_the_registers_measured_in_their_bases(monkeypatch, part):
    monkeypatch.setattr(shadows, "_FEWEST_AT_ONCE", part)
    monkeypatch.setattr(shadows, "_AT_ONCE", 0)
    states = random_states(1, 2, 2)
    generator = np.random.default_rng(2)
    copies = 20_000 if part > 50 else 6_000
    bases = shadows.random_bases(copies, 2, generator=generator)
    which = generator.integers(0, 2, copies)
    shadow = shadows.measure_shadow(states, bases, which=which, generator=generator)
    bras = {  # rows: the bras of outcomes 1 and -1
        0: np.array([[1, 1], [1, -1]]) / np.sqrt(2),
        1: np.array([[1, -1j], [1, 1j]]) / np.sqrt(2),
        2: np.eye(2),
    }
    for kind in range(2):
        for first in range(3):
            for second in range(3):
                mine = (which == kind) & (bases == [first, second]).all(1)
                register = np.kron(bras[first], bras[second]) @ states[kind]
                strings = (1 - shadow.outcomes[mine]) // 2 @ [2, 1]
                counts = np.bincount(strings, minlength=4)
                assert chisquare(counts, mine.sum() * np.abs(register) ** 2).pvalue > 1e-4


@pytest.mark.parametrize("weight", [1, 2, 3])
def test_the_shadow_of_a_string_is_unbiased_with_variance_3_to_its_weight(weight):
    states = random_states(3, 1, 4)
    generator = np.random.default_rng(weight)
    word = tuple(zip(range(weight), "ZYX"[:weight], strict=True))
    bases = shadows.random_bases(200_000, 4, generator=generator)
    which = np.zeros(len(bases), dtype=np.int64)
    shadow = shadows.measure_shadow(states, bases, which=which, generator=generator)
    values = 3**weight * shadow.values([word])[:, 0].astype(float)
    truth = np.vdot(
        states[0], reference._word("ZYX"[:weight] + "I" * (4 - weight)) @ states[0]
    ).real
    assert abs(values.mean() - truth) < 4 * np.sqrt(3**weight / len(values))
    assert values.var() == pytest.approx(3**weight - truth**2, rel=0.03)

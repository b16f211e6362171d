"""What noisy links cost: copies for a decision, and errors of an estimate, measured by runs."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studies.fits import CONFIDENCE, Interval
from studies.noise.formulas import (
    damping_of_blocks,
    damping_of_state,
    predicted_copies,
    spread_of_state,
)
from studies.study import Row
from studies.thresholds import measure_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tnqml import Circuit
    from tnqml.protocols.execution.links import Link

    Array = NDArray[np.float64]
    Outcomes = NDArray[np.bool_]

_INPUT = 10  # a stream of one seed, that of neither outcomes nor links
_AT_ONCE = 1 << 22  # amplitudes of noisy copies held at once
_RESAMPLES = 1000
_MOST_BITS = 12


def state_votes(
    size: int,
    *,
    link: "Link",
    copies: int,
    trials: int,
    seed: int,
) -> "Outcomes":  # (trials, copies)
    """Whether each copy of a state, sent over a noisy link and measured whole, votes right.

    Every trial has a vector of its own, every other one in the subspace; each copy meets its own
    noise, is turned by Bob's rotation, and gives a bit string whose first bit is the vote.
    """
    import numpy as np
    import torch

    from tnqml.protocols import rotation_onto, subspace_instance
    from tnqml.protocols.execution.links import turned
    from tnqml.sampling import draw

    rotation = rotation_onto(subspace_instance(size, seed=seed).basis)
    generator, half = np.random.default_rng((seed, 1)), size // 2
    qubits = size.bit_length() - 1
    step = max(1, _AT_ONCE // (size * copies))
    votes = []
    for first in range(0, trials, step):
        count = min(step, trials - first)
        inside = (first + np.arange(count)) % 2 == 0
        parts = generator.standard_normal((count, half))
        zero, one = rotation[:half], rotation[half:]  # the first qubit reads 0, or 1
        vectors = np.where(inside[:, None], parts @ zero, parts @ one)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        x, z = link.pauli_strings(count * copies, qubits, generator=generator)
        sent = turned(vectors, np.repeat(np.arange(count), copies), x, z)
        distribution = torch.from_numpy((sent @ rotation.T) ** 2)
        own = torch.Generator().manual_seed(int(generator.integers(2**63)))
        bits = draw(distribution, shots=1, generator=own)[:, 0, 0].numpy().reshape(count, copies)
        votes.append((bits == 0) == inside[:, None])
    return np.concatenate(votes)


def state_row(size: int, *, link: "Link", trials: int, seed: int) -> Row:
    """Copies, and qubits, for 90% right decisions in Vector in Subspace over a link."""
    import numpy as np

    qubits = size.bit_length() - 1
    damping = damping_of_state(link.kind, link.strength, size=size)
    if link.kind == "erasure":
        copies = _sends(link, trials=trials, seed=seed)
        signal, predicted = Interval(1.0, 1.0, 1.0), 1 / (1 - link.strength)
    else:

        def run(numbers: "Sequence[int]", trials: int, seed: int) -> "Outcomes":
            votes = state_votes(size, link=link, copies=max(numbers), trials=trials, seed=seed)
            counts = np.asarray(numbers)
            return np.asarray(2 * np.cumsum(votes, axis=1)[:, counts - 1] > counts)

        copies = measure_threshold(run, trials=trials, seed=seed, power=0.5, odd=True)
        once = state_votes(size, link=link, copies=1, trials=4 * trials, seed=seed + 1)[:, 0]
        signal = _mean(2.0 * once - 1)
        spread = spread_of_state(link.kind, link.strength, size=size)
        predicted = predicted_copies(damping, spread=spread)
    return {
        **_columns("copies", copies),
        **_columns("cost", _times(copies, qubits)),
        **_columns("signal", signal),
        "damping": damping,
        "predicted": predicted,
    }


def _sends(link: "Link", *, trials: int, seed: int) -> Interval:
    """Copies sent until one arrives, the mean over runs that resend whatever is lost."""
    import numpy as np

    from tnqml.protocols.execution.links import Ensemble

    generator = np.random.default_rng(seed)
    sent, waiting = np.zeros(trials), trials
    while waiting:
        sent[:waiting] += 1
        alike = Ensemble(np.ones((1, 1), dtype=np.complex128), np.array([waiting]))
        waiting -= link.pass_on(alike, generator=generator).copies
    return _mean(sent)


def sketch_row(size: int, *, trials: int, seed: int) -> Row:
    """Bits for 90% right decisions by the one-bit sketch, over a link without noise."""
    from tnqml.protocols.problems.ensembles import subspace_sketches

    bits = measure_threshold(
        lambda numbers, trials, seed: subspace_sketches(
            size, numbers=numbers, bits=1, trials=trials, seed=seed
        ),
        trials=trials,
        seed=seed,
        power=1.0,
    )
    return {**_columns("copies", bits), **_columns("cost", bits)}


@dataclass(frozen=True)
class Family:
    """Random models of one kind and one depth.

    Attributes:
        model: "haar" blocks of both parties around uploads, or shallow local "brickwork".
        size: N', a power of two.
        layers: L; 2 L - 1 messages.
    """

    model: str
    size: int
    layers: int

    @property
    def qubits(self) -> int:
        """log2 N'."""
        return self.size.bit_length() - 1

    def circuit(self, seed: int) -> "Circuit":
        """One of them; parameters and inputs are random too."""
        from tnqml import ansatz

        if self.model == "haar":
            return ansatz.haar(self.qubits, layers=self.layers, seed=seed)
        return ansatz.brickwork(self.qubits, layers=self.layers)

    def input(self, seed: int) -> "Array":  # (features,)
        """A random input, independent of the circuit of the same seed."""
        import numpy as np

        from tnqml.protocols.streams import stream

        features = self.circuit(seed).features
        return np.asarray(stream(seed, _INPUT).uniform(0, 2 * np.pi, features))


def inference_row(
    family: Family, *, link: "Link", error: float, failure: float, draws: int, seed: int
) -> Row:
    """Errors and costs of estimates over a link, as they come and divided by the damping.

    Bias and residual are exact, from density matrices; the other errors are those of runs.
    """
    import numpy as np
    import torch

    from tnqml import DistributedModel, Gate, Z
    from tnqml.noise import noisy
    from tnqml.protocols.inference.infer import infer
    from tnqml.protocols.stopping import shots_needed

    generator = np.random.default_rng(seed)
    messages = 2 * family.layers - 1
    damping = damping_of_blocks(link.kind, link.strength, size=family.size) ** messages
    shots = shots_needed(error=error, failure=failure)
    more = math.ceil(shots / damping**2)
    exact, lossy, plain, corrected, spent = [], [], [], [], []
    for draw in generator.integers(2**31, size=draws).tolist():
        circuit = family.circuit(draw)
        model = DistributedModel(circuit, Z(0), dtype=torch.float64, seed=draw)
        x = torch.from_numpy(family.input(draw))
        exact.append(model(x[None]).item())
        lossy.append(exact[-1])
        if link.kind != "erasure" and link.strength:
            channel = Gate(link.kind, 0, strength=link.strength)
            with_noise = DistributedModel(
                noisy(circuit, channel, on="messages"), Z(0), dtype=torch.float64, seed=draw
            )
            lossy[-1] = with_noise(x[None]).item()
        runs = [
            infer(model, x, seed=draw, shots=count, failure=failure, links=link)
            for count in (shots, more)
        ]
        plain.append(runs[0].value)
        corrected.append(runs[1].value / damping)
        spent.append([run.ledger.qubits for run in runs])
    truth, noise = np.array(exact), np.array(lossy)
    qubits = np.mean(spent, axis=0)
    return {
        "messages": messages,
        "damping": damping,
        **_columns("slope", _bootstrap(_slope, truth, noise, seed=seed)),
        **_columns("bias", _rms(noise - truth, seed=seed)),
        **_columns("residual", _rms(noise / damping - truth, seed=seed)),
        **_columns("plain", _rms(np.array(plain) - truth, seed=seed)),
        **_columns("debiased", _rms(np.array(corrected) - truth, seed=seed)),
        **_columns("missed", _share(np.abs(np.array(plain) - truth) > error)),
        **_columns("missed_debiased", _share(np.abs(np.array(corrected) - truth) > error)),
        "shots": shots,
        "shots_debiased": more,
        "cost": float(qubits[0]),
        "cost_debiased": float(qubits[1]),
    }


def classical_row(family: Family, *, error: float, failure: float, draws: int, seed: int) -> Row:
    """Bits of the same estimates by sending the state, at the fewest bits a number that do."""
    import numpy as np
    import torch

    from tnqml import DistributedModel, Z
    from tnqml.protocols.inference.quantised import infer_classically

    seeds = np.random.default_rng(seed).integers(2**31, size=draws).tolist()
    for bits in range(1, _MOST_BITS + 1):
        errors = []
        for draw in seeds:
            circuit = family.circuit(draw)
            model = DistributedModel(circuit, Z(0), dtype=torch.float64, seed=draw)
            estimate = infer_classically(model, family.input(draw), bits=bits)
            errors.append(estimate.error)
        missed = np.array(errors) > error
        if missed.mean() <= failure:
            break
    return {
        "messages": 2 * family.layers - 1,
        **_columns("plain", _rms(np.array(errors), seed=seed)),
        **_columns("missed", _share(missed)),
        "bits": bits,
        "cost": float(estimate.ledger.bits),
    }


def _columns(name: str, interval: Interval) -> Row:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(factor * interval.value, factor * interval.low, factor * interval.high)


def _mean(values: "NDArray[np.floating[Any]]") -> Interval:
    """The mean with its normal interval."""
    from scipy.stats import norm

    half = float(norm.ppf((1 + CONFIDENCE) / 2) * values.std(ddof=1) / math.sqrt(len(values)))
    return Interval(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)


def _share(happened: "Outcomes") -> Interval:
    """The share with Wilson's interval."""
    from tnqml.protocols import SuccessRate

    rate = SuccessRate(int(happened.sum()), len(happened))
    return Interval(rate.rate, *rate.interval())


def _slope(x: "Array", y: "Array") -> "Array":
    """The slope of y against x through the origin, along the last axis."""
    import numpy as np

    return np.asarray((x * y).sum(-1) / (x * x).sum(-1))


def _rms(values: "Array", *, seed: int) -> Interval:
    import numpy as np

    def root(a: "Array", b: "Array") -> "Array":
        return np.asarray((a * b).mean(-1) ** 0.5)

    return _bootstrap(root, values, values, seed=seed)


def _bootstrap(
    statistic: "Callable[[Array, Array], Array]", x: "Array", y: "Array", *, seed: int
) -> Interval:
    """The statistic of pairs, its interval by resampling them."""
    import numpy as np

    chosen = np.random.default_rng(seed).integers(len(x), size=(_RESAMPLES, len(x)))
    low, high = np.quantile(
        statistic(x[chosen], y[chosen]), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    )
    value = float(statistic(x, y))
    return Interval(value, min(float(low), value), max(float(high), value))

"""One model measured in a process of its own: ``python -P -m studies.width.probe``, cell as JSON.

A fresh process and an empty cache folder make "cold" mean cold, and its peak memory that of this
model alone. The seconds of the imports are a column of their own; the machine's calibration is not
counted.
"""

import importlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studies.study import Row

if TYPE_CHECKING:
    from torch import Tensor

    from tnqml import Circuit, DistributedModel, Observable

REFERENCE_QUBITS = 100
_QUIMB_GATES = {"h": "H", "rz": "RZ", "ry": "RY", "rx": "RX", "cz": "CZ"}


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Attributes:
        qubits: n.
        layers: depth of the brickwork.
        observable: "local" (Z in the middle), "sum" (of all Z) or "parity" (of all qubits).
        inputs: batch of the timings.
        repeats: warm calls.
        draws: random angles for the variance of the gradient; 0 leaves it out.
        compare: time quimb's local expectation beside it.
        seed: of angles and inputs.
    """

    qubits: int
    layers: int
    observable: str
    inputs: int
    repeats: int
    draws: int
    compare: bool
    seed: int


def in_fresh_process(wanted: Wanted, *, cached: int = 0) -> Row:
    """The measurement, made by a new interpreter with an empty cache of plans.

    Args:
        wanted: what to measure.
        cached: how many more interpreters find in the cache what the first has left there; the
            row then holds the median and the quartiles of what their first calls take beyond a
            warm one.

    Raises:
        RuntimeError: a process failed; with the last line that it printed.
    """
    from contractions import cache_folder, this_machine

    this_machine()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / cache_folder().name
        fresh.mkdir()
        for file in cache_folder().glob("machine-*.json"):
            shutil.copy(file, fresh)
        row = _measured_by_another(wanted, folder)
        brief = replace(wanted, draws=0, compare=False)
        again = [_measured_by_another(brief, folder) for _ in range(cached)]
    if not again:
        return row
    beyond = [float(a["cold_seconds"] or 0) - float(a["warm_seconds"] or 0) for a in again]
    low, best, high = _quartiles(beyond)
    found = {"cached_seconds": best, "cached_seconds_low": low, "cached_seconds_high": high}
    return {**row, **found}


def _measured_by_another(wanted: Wanted, folder: str) -> Row:
    """The measurement by a new interpreter, its cache in a folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "studies.width.probe"],
        input=json.dumps(asdict(wanted)),
        env={**os.environ, "XDG_CACHE_HOME": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"the measuring process ended with {done.returncode}: {last}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def cold_ratio(wanted: Wanted, *, pairs: int) -> Row:
    """Cold seconds over those of the same model on 100 qubits: fresh processes in turn.

    Returns:
        The median over the pairs, and its quartiles.
    """
    brief = replace(wanted, repeats=1, draws=0, compare=False)
    ratios = []
    for _ in range(pairs):
        wide, narrow = (
            float(in_fresh_process(replace(brief, qubits=qubits))["cold_seconds"] or 0)
            for qubits in (wanted.qubits, REFERENCE_QUBITS)
        )
        ratios.append(wide / narrow)
    low, best, high = _quartiles(ratios)
    return {"cold_ratio": best, "cold_ratio_low": low, "cold_ratio_high": high}


def measure(wanted: Wanted) -> Row:
    """Seconds cold and warm, peak memory, variance of the gradient; see `Wanted`."""
    imports = _import_seconds()
    import torch

    from contractions import this_machine
    from tnqml import DistributedModel, ansatz

    this_machine()
    generator = torch.Generator().manual_seed(wanted.seed)
    before = _peak_bytes()
    start = time.perf_counter()
    circuit = ansatz.brickwork(wanted.qubits, layers=wanted.layers, start="zero", reupload=False)
    built = time.perf_counter()
    model = DistributedModel(circuit, observable(wanted), seed=wanted.seed)
    x = 2 * torch.pi * torch.rand(wanted.inputs, circuit.features, generator=generator)
    value_and_gradient = _call(model, x, scaled=wanted.observable == "parity")
    value_and_gradient()
    cold = time.perf_counter() - start
    warm = _seconds(value_and_gradient, wanted.repeats)
    choice = model.cost(batch=wanted.inputs)
    row: dict[str, int | float | str | bool | None] = {
        **imports,
        "route": choice.route,
        "cold_seconds": cold,
        "circuit_seconds": built - start,
        "warm_seconds": statistics.median(warm),
        "warm_seconds_low": min(warm),
        "warm_seconds_high": max(warm),
        "predicted_seconds": choice.cost.seconds,
        "width_log2": choice.cost.width,
        "steps": choice.cost.steps,
        "peak_bytes": _peak_bytes() - before,
        "cone_qubits": len(model.light_cones()[0].qubits),
    }
    if wanted.observable == "local" and wanted.qubits > REFERENCE_QUBITS:
        row |= _over_reference(value_and_gradient, wanted)
    if wanted.draws:
        row |= gradient_variance(circuit, wanted)
    if wanted.compare:
        row |= quimb_comparison(model.circuit, x[:1], model.theta.detach(), wanted)
    return row


def _import_seconds() -> dict[str, float]:
    """What `import tnqml` takes in a process that has imported neither, and torch's part of it."""
    start = time.perf_counter()
    importlib.import_module("torch")
    torch_seconds = time.perf_counter() - start
    importlib.import_module("tnqml")
    return {
        "import_seconds": time.perf_counter() - start,
        "import_torch_seconds": torch_seconds,
    }


def _call(model: "DistributedModel", x: "Tensor", *, scaled: bool) -> Callable[[], None]:
    """Value and all gradients of a batch."""

    def value_and_gradient() -> None:
        model.zero_grad()
        values = model.scaled(x).mantissa if scaled else model(x)
        values.sum().backward()

    return value_and_gradient


def _over_reference(wide: Callable[[], None], wanted: Wanted) -> Row:
    """Warm seconds over those of the same model on 100 qubits, the two called in turn."""
    import torch

    from tnqml import DistributedModel, ansatz

    narrow = replace(wanted, qubits=REFERENCE_QUBITS)
    circuit = ansatz.brickwork(narrow.qubits, layers=narrow.layers, start="zero", reupload=False)
    x = torch.zeros(wanted.inputs, circuit.features)
    reference = _call(DistributedModel(circuit, observable(narrow)), x, scaled=False)
    reference()
    ratios = [_seconds(wide, 1)[0] / _seconds(reference, 1)[0] for _ in range(2 * wanted.repeats)]
    low, best, high = _quartiles(ratios)
    return {"ratio": best, "ratio_low": low, "ratio_high": high}


def observable(wanted: Wanted) -> "Observable":
    """The observable of that name on that many qubits."""
    from tnqml import Z, parity

    qubits = range(wanted.qubits)
    if wanted.observable == "local":
        return Z(wanted.qubits // 2)
    if wanted.observable == "sum":
        return sum((Z(qubit) for qubit in qubits[1:]), Z(0))
    if wanted.observable == "parity":
        return parity(qubits)
    raise ValueError(f"observable is {wanted.observable!r}; expected local, sum or parity")


def gradient_variance(circuit: "Circuit", wanted: Wanted) -> Row:
    """Variance of the derivative by the first rotation of the middle qubit, all angles uniform.

    Every angle is made a feature, so that the draws are one batch. The mean of the derivative over
    a full turn of its own angle is zero: the variance is the mean of the square.

    Returns:
        log10 of the variance, and the ends of its 95% bootstrap interval.
    """
    import numpy as np
    import torch
    from scipy.special import logsumexp

    from tnqml import Circuit, DistributedModel, Gate

    gates, middle = [], -1
    for gate in circuit.gates:
        if not gate.form.has_angle:
            gates.append(gate)
            continue
        if gate.kind == "ry" and gate.qubits == (wanted.qubits // 2,) and middle < 0:
            middle = len(gates)
        gates.append(Gate(gate.kind, gate.qubits, feature=len(gates), party=gate.party))
    model = DistributedModel(Circuit(circuit.qubits, gates), observable(wanted))
    generator = torch.Generator().manual_seed(wanted.seed + 1)
    x = 2 * torch.pi * torch.rand(wanted.draws, model.circuit.features, generator=generator)
    x.requires_grad_()
    mantissa, log_scale = model.scaled(x)
    (gradient,) = torch.autograd.grad(mantissa.sum(), x)
    with np.errstate(divide="ignore"):
        logs = 2 * (
            np.log(np.abs(gradient[:, middle].double().numpy())) + log_scale.detach().numpy()
        )
    chosen = np.random.default_rng(wanted.seed).integers(len(logs), size=(2000, len(logs)))
    resampled = logsumexp(logs[chosen], axis=1) - np.log(len(logs))
    low, high = np.quantile(resampled, [0.025, 0.975]) / np.log(10)
    best = (logsumexp(logs) - np.log(len(logs))) / np.log(10)
    return {
        "log10_variance": float(best),
        "log10_variance_low": float(low),
        "log10_variance_high": float(high),
    }


def quimb_comparison(
    circuit: "Circuit",
    x: "Tensor",  # (1, features)
    theta: "Tensor",  # (parameters,)
    wanted: Wanted,
) -> Row:
    """Seconds a value by quimb's `Circuit.local_expectation`, warm, and by this: first and next.

    The first by this library includes its plan, which no cache holds yet.
    """
    import quimb
    import quimb.tensor as qtn
    import torch

    from tnqml import DistributedModel

    middle = wanted.qubits // 2
    other = qtn.Circuit(circuit.qubits)
    for gate in circuit.gates:
        angles = [gate.angle(x[0].tolist(), theta.tolist())] if gate.form.has_angle else []
        other.apply_gate(_QUIMB_GATES[gate.kind], *angles, *gate.qubits)
    values = []

    def by_quimb() -> None:
        values.append(other.local_expectation(quimb.pauli("Z"), middle).real)

    def by_this() -> None:
        with torch.no_grad():
            values.append(float(model(x)))

    by_quimb()  # compiles what it compiles once
    quimb_seconds = statistics.median(_seconds(by_quimb, 3))
    start = time.perf_counter()
    model = DistributedModel(circuit, observable(wanted), route="pauli", seed=wanted.seed)
    by_this()
    first = time.perf_counter() - start
    return {
        "quimb_seconds": quimb_seconds,
        "first_value_seconds": first,
        "next_value_seconds": statistics.median(_seconds(by_this, wanted.repeats)),
        "quimb_difference": abs(values[0] - values[-1]),
    }


def _quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4) if len(values) > 1 else 3 * values


def _seconds(function: Callable[[], None], repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


def _peak_bytes() -> int:
    """The most memory this program has held; `getrusage` would count the parent's before `exec`."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(measure(Wanted(**json.load(sys.stdin)))))  # noqa: T201 - read by the parent

"""One simulator on one problem in a process of its own: ``python -P -m studies.peers.process``.

A fresh process and an empty cache of plans make "cold" mean cold, and a time limit can end it
whatever it is doing. Imports and the machine's calibration are not counted. A line of JSON after
the first call and one after the last are what the parent reads, so that a simulator that compiles
but does not come round a second time still has a row.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies.peers.problem import PeerRefusal, Prepared, Problem, problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OURS = "tnqml"
_MARK = "peer: "
_FEWEST = 3


@dataclass(frozen=True)
class Peer:
    """A simulator.

    Attributes:
        package: its name on PyPI, whose version is recorded.
        modules: what it imports.
        where: "module:function" of its `prepare`.
    """

    package: str
    modules: tuple[str, ...]
    where: str

    @property
    def missing(self) -> str | None:
        """A module of it that is not installed, or None."""
        return next((name for name in self.modules if find_spec(name) is None), None)


PEERS: Mapping[str, Peer] = {
    OURS: Peer("tnqml", ("torch",), "studies.peers.run_tnqml:prepare"),
    "tensorcircuit-ng": Peer(
        "tensorcircuit-ng", ("jax", "tensorcircuit"), "studies.peers.run_tensorcircuit:prepare"
    ),
    "quimb": Peer("quimb", ("quimb", "cotengra", "torch"), "studies.peers.run_quimb:prepare"),
    "lightning.qubit": Peer(
        "pennylane-lightning",
        ("pennylane", "pennylane_lightning"),
        "studies.peers.run_pennylane:prepare_lightning",
    ),
    "default.tensor": Peer(
        "pennylane", ("pennylane", "quimb"), "studies.peers.run_pennylane:prepare_tensor"
    ),
}


@dataclass(frozen=True)
class Measured:
    """What came of a simulator.

    Attributes:
        status: "measured", or in words why there is nothing, or not all.
        facts: columns: version, seconds cold and warm, and what else it could say.
        values: the expectations (batch,), or None.
        gradient: of their sum (parameters,), or None.
    """

    status: str
    facts: Mapping[str, float | str]
    values: "NDArray[np.float64] | None" = None
    gradient: "NDArray[np.float64] | None" = None


def measured(name: str, wanted: Mapping[str, object], *, repeats: int, limit: float) -> Measured:
    """A simulator measured by a new interpreter.

    Args:
        name: one of `PEERS`.
        wanted: the arguments of `peer_problem.problem`.
        repeats: most warm calls; fewer if they would take more than a quarter of the limit.
        limit: seconds after which the process is ended, its imports included.
    """
    import numpy as np

    from contractions import cache_folder, this_machine

    peer = PEERS[name]
    if peer.missing is not None:
        return Measured(f"{peer.missing} is not installed", {})
    this_machine()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / cache_folder().name
        fresh.mkdir()
        for file in cache_folder().glob("machine-*.json"):
            shutil.copy(file, fresh)
        asked = {"name": name, "wanted": dict(wanted), "repeats": repeats, "budget": limit / 4}
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "studies.peers.process"],
                input=json.dumps(asked),
                env={**os.environ, "XDG_CACHE_HOME": folder},
                capture_output=True,
                text=True,
                check=False,
                timeout=limit,
            )
            output, ended = done.stdout, done.returncode
            errors = done.stderr
        except subprocess.TimeoutExpired as expired:
            output = expired.stdout.decode() if isinstance(expired.stdout, bytes) else ""
            ended, errors = None, ""
    found: dict[str, Any] = {"facts": {"version": version(peer.package)}}
    for line in output.splitlines():
        if line.startswith(_MARK):
            news = json.loads(line.removeprefix(_MARK))
            found |= {**news, "facts": found["facts"] | news.get("facts", {})}
    if ended is None:
        status = f"did not finish in {limit:g} s"
    elif ended:
        status = f"failed: {(errors.strip().splitlines() or ['no output'])[-1]}"
    else:
        status = found.get("status", "measured")
    values, gradient = found.get("values"), found.get("gradient")
    return Measured(
        status,
        found["facts"],
        None if values is None else np.array(values),
        None if gradient is None else np.array(gradient),
    )


def run(
    name: str,
    asked: Problem,
    *,
    repeats: int,
    budget: float,
    tell: Callable[[Mapping[str, object]], None],
) -> None:
    """Measure a simulator in this process; `tell` is called after the first and the last call."""
    peer = PEERS[name]
    for module in peer.modules:
        import_module(module)
    module, _, function = peer.where.partition(":")
    prepare: Callable[[Problem], Prepared] = getattr(import_module(module), function)
    start = time.perf_counter()
    try:
        prepared = prepare(asked)
    except PeerRefusal as refusal:
        tell({"status": f"refused: {refusal}"})
        return
    answer = prepared.call()
    cold = time.perf_counter() - start
    news: dict[str, object] = {
        "facts": {"cold_seconds": cold},
        "values": answer.values.tolist(),
        "gradient": None if answer.gradient is None else answer.gradient.tolist(),
    }
    tell(news)
    times: list[float] = []
    while len(times) < repeats and (len(times) < _FEWEST or sum(times) < budget):
        start = time.perf_counter()
        prepared.call()
        times.append(time.perf_counter() - start)
    news["facts"] = {
        "cold_seconds": cold,
        "warm_seconds": statistics.median(times),
        "warm_seconds_low": min(times),
        "warm_seconds_high": max(times),
        "warm_calls": len(times),
        **prepared.facts(),
    }
    tell(news)


def _main() -> None:
    asked = json.load(sys.stdin)
    if asked["name"] == OURS:
        from contractions import this_machine

        this_machine()
    run(
        asked["name"],
        problem(**asked["wanted"]),
        repeats=asked["repeats"],
        budget=asked["budget"],
        tell=lambda news: print(_MARK + json.dumps(news), flush=True),  # noqa: T201 - for the parent
    )


if __name__ == "__main__":
    _main()

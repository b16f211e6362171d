"""A simulator in a process of its own, asked for one call after another.

A fresh process and an empty cache of plans make "cold" mean cold, and a time limit can end it
whatever it is doing. Imports and the machine's calibration are not counted.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from studies.peers.registry import MARK, PEERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


class Simulator:
    """One of `PEERS` at work; a context, at whose end its process is ended.

    Args:
        name: one of `PEERS`.
        wanted: the arguments of `studies.peers.problem.problem`.
        limit: seconds for which it may be waited for in all, imports included.

    Attributes:
        cold: seconds of the first call, or None if it did not come to one.
        warm: seconds of each call that `again` asked for.
    """

    def __init__(self, name: str, wanted: Mapping[str, object], *, limit: float) -> None:
        self._peer, self._left, self._limit = PEERS[name], limit, limit
        self._asked = json.dumps({"name": name, "wanted": dict(wanted)})
        self._process: subprocess.Popen[str] | None = None
        self._news: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._is_late = self._is_over = False
        self._first: dict[str, Any] = {}
        self.cold: float | None = None
        self.warm: list[float] = []

    def __enter__(self) -> Self:
        """Start it, and wait for its first call."""
        from contractions import cache_folder, this_machine

        self._folder = tempfile.TemporaryDirectory()
        if self._peer.missing is not None:
            return self
        this_machine()
        fresh = Path(self._folder.name) / cache_folder().name
        fresh.mkdir()
        for file in cache_folder().glob("machine-*.json"):
            shutil.copy(file, fresh)
        self._errors = Path(self._folder.name) / "errors"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "studies.peers.process"],
                env={**os.environ, "XDG_CACHE_HOME": self._folder.name},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        try:
            self._first = self._ask(self._asked) or {}
        except BaseException:  # interrupted: nobody will leave this context
            self.__exit__()
            raise
        self.cold = self._first.get("seconds")
        return self

    def __exit__(self, *_: object) -> None:
        """End its process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _listen(self, output: Iterable[str]) -> None:
        for line in output:
            if line.startswith(MARK):
                self._news.put(json.loads(line.removeprefix(MARK)))
        self._news.put(None)

    def _ask(self, line: str | None) -> dict[str, Any] | None:
        """What it answers, the end of its input being asked with None; None if it does not."""
        process = self._process
        if process is None or self._is_over:
            return None
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        start = time.monotonic()
        try:
            if line is None:
                process.stdin.close()
            else:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            answer = self._news.get(timeout=max(self._left, 0.0))
        except OSError:  # it has ended
            answer = None
        except Empty:
            self._is_late, answer = True, None
            process.kill()
        self._left -= time.monotonic() - start
        self._is_over = answer is None
        return answer

    def again(self) -> float | None:
        """Seconds of another call, the median of a few if they are short; None if it has ended."""
        answer = self._ask("again") if self.cold is not None else None
        if answer is None:
            return None
        self.warm.append(answer["seconds"])
        return self.warm[-1]

    def finish(self) -> Measured:
        """All that came of it; it cannot be asked again."""
        import numpy as np

        if self._process is None:
            return Measured(f"{self._peer.missing} is not installed", {})
        facts: dict[str, float | str] = {"version": version(self._peer.package)}
        last = self._ask(None) if self.cold is not None else None
        if self._is_late:
            status = f"did not finish in {self._limit:g} s"
        elif last is None and "status" not in self._first:
            code = self._process.wait()
            said = self._errors.read_text().strip().splitlines()
            status = f"failed: {said[-1] if said else f'exit status {code}'}"
        else:
            status = self._first.get("status", "measured")
        if self.cold is not None:
            facts["cold_seconds"] = self.cold
        if self.warm:
            facts |= {
                "warm_seconds": statistics.median(self.warm),
                "warm_seconds_low": min(self.warm),
                "warm_seconds_high": max(self.warm),
                "warm_calls": len(self.warm),
            }
        if last is not None:
            facts |= last["facts"]
        values, gradient = self._first.get("values"), self._first.get("gradient")
        return Measured(
            status,
            facts,
            None if values is None else np.array(values),
            None if gradient is None else np.array(gradient),
        )

"""Worker processes that measure cells, and whose death costs only the cell under way.

The standard process pools either hang when a worker dies or give up every pending job without
saying which one killed it; hence one pipe per worker. Parameters and rows cross as JSON.
"""

import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from time import perf_counter
from types import TracebackType
from typing import Self

from studies.cells import Parameters
from studies.encoding import decode, encode
from studies.errors import StudyError
from studies.outcome import Outcome, attempt, from_bytes, to_bytes
from studies.study import load

_STOP_SECONDS = 5.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    key: str
    started: float
    reading: bool = False


class WorkerPool:
    """Up to `workers` processes, each measuring one cell of one study at a time.

    Args:
        where: the study's import reference, see `Study.where`.
        workers: how many processes, at least 1.
        threads: how many threads each may compute with.
    """

    def __init__(self, where: str, *, workers: int, threads: int) -> None:
        self._where = where
        self._size = workers
        self._threads = threads
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        workers = [*self._busy, *self._idle]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(_STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()

    @property
    def busy(self) -> int:
        """How many cells are under way."""
        return len(self._busy)

    def submit(self, key: str, parameters: Parameters) -> None:
        """Start a cell, which `collect` will give back under `key`.

        Raises:
            StudyError: every worker is busy.
        """
        if self.busy == self._size:
            raise StudyError(f"all {self._size} workers are busy; collect a result first")
        worker = self._idle.pop() if self._idle else self._start()
        worker.key = key
        worker.started = perf_counter()
        self._busy.append(worker)
        try:
            worker.pipe.send_bytes(encode(parameters).encode())
        except OSError:
            # It died while idle; `collect` finds its pipe closed and says so.
            return

    def collect(self, *, block: bool) -> list[tuple[str, Outcome]]:
        """Return the keys and outcomes of cells that have ended.

        Args:
            block: wait for one where none has; needs a cell under way.
        """
        readable = {worker.pipe: worker for worker in self._busy if not worker.reading}
        ready = wait(list(readable), timeout=None if block else 0)
        return [self._receive(worker) for pipe, worker in readable.items() if pipe in ready]

    def _receive(self, worker: _Worker) -> tuple[str, Outcome]:
        # An interrupt within the read leaves half a message; the mark keeps it from being read.
        worker.reading = True
        try:
            outcome = from_bytes(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            outcome = self._bury(worker)
        else:
            self._idle.append(worker)
        self._busy.remove(worker)
        worker.reading = False
        return worker.key, outcome

    def _bury(self, worker: _Worker) -> Outcome:
        worker.process.join()
        worker.pipe.close()
        code = worker.process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Outcome(
            error=f"the worker process died while measuring this cell ({how}); "
            "out of memory is a common cause",
            seconds=perf_counter() - worker.started,
        )

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, self._where, self._threads), daemon=True
        )
        # A Ctrl-C reaches the whole process group; only the parent is to act on it. A blocked
        # signal stays blocked across the start. The tracker, started first, would unblock it.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return _Worker(process=process, pipe=ours, key="", started=perf_counter())


def _serve(pipe: Connection, where: str, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    study = None
    while True:
        try:
            parameters = decode(pipe.recv_bytes().decode())
        except EOFError:
            return
        if study is None:
            # Libraries that are not loaded yet read the variables; torch may be loaded by now.
            os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
            study = load(where)
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(threads)
        pipe.send_bytes(to_bytes(attempt(study, parameters)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

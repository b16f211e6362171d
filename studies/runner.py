"""Runs the cells of a study that a store does not hold yet."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from studies.cells import CellT, Parameters, parameters
from studies.errors import StudyError
from studies.outcome import Outcome, attempt
from studies.pool import WorkerPool
from studies.provenance import cores
from studies.store import Store, cell_key
from studies.study import Study, load


class Status(Enum):
    """What came of a cell in this run."""

    SKIPPED = "skipped"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Event:
    """A cell that this run has dealt with: the `position`-th of `total`, counted from 1.

    `seconds` is the wall time of its measurement, 0 where it was skipped.
    """

    status: Status
    position: int
    total: int
    parameters: Parameters
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How many cells were measured, were there already, and failed; wall time in seconds."""

    ran: int
    skipped: int
    failed: int
    seconds: float


def run(
    study: Study[CellT],
    cells: Sequence[CellT],
    *,
    store: Store,
    workers: int,
    on_event: Callable[[Event], None],
) -> Summary:
    """Return how the run of `cells` went, after storing what each of them gave.

    Cells that the store holds as done are skipped; failed ones are run again. A cell that raises,
    or whose worker dies, is stored as failed while the others go on. A `KeyboardInterrupt` is let
    through once the cells that have finished are stored; the same call resumes there.

    Args:
        study: the study.
        cells: what to run; equal cells are run once.
        store: open and writable; only this process writes to it.
        workers: 1 measures in this process, more in that many processes, which share its cores.
        on_event: called after each cell, in the order in which they end.

    Raises:
        StudyError: `workers` below 1; the study cannot be imported from its `where`.
        CellError: a value that is not of its field's type.
        StoreError: the store cannot be written.
    """
    if workers < 1:
        raise StudyError(f"workers is {workers}; expected at least 1")
    if workers > 1 and load(study.where) is not study:
        raise StudyError(
            f"study {study.name!r} says it is at {study.where!r}, but another study is there"
        )
    started = time.perf_counter()
    keyed = {cell_key(study, values): values for values in map(parameters, cells)}
    stored = store.done(study)
    counts = dict.fromkeys(Status, 0)

    def tell(key: str, status: Status, seconds: float = 0.0, error: str | None = None) -> None:
        counts[status] += 1
        on_event(
            Event(
                status=status,
                position=sum(counts.values()),
                total=len(keyed),
                parameters=keyed[key],
                seconds=seconds,
                error=error,
            )
        )

    def finish(key: str, outcome: Outcome) -> None:
        store.put(study, keyed[key], outcome)
        status = Status.DONE if outcome.error is None else Status.FAILED
        tell(key, status, outcome.seconds, outcome.error)

    for key in keyed:
        if key in stored:
            tell(key, Status.SKIPPED)
    missing = {key: values for key, values in keyed.items() if key not in stored}
    if workers == 1:
        for key, values in missing.items():
            finish(key, attempt(study, values))
    elif missing:
        _run_in_pool(study.where, missing, workers=workers, finish=finish)
    return Summary(
        ran=counts[Status.DONE] + counts[Status.FAILED],
        skipped=counts[Status.SKIPPED],
        failed=counts[Status.FAILED],
        seconds=time.perf_counter() - started,
    )


def _run_in_pool(
    where: str,
    cells: dict[str, Parameters],
    *,
    workers: int,
    finish: Callable[[str, Outcome], None],
) -> None:
    waiting = deque(cells.items())
    threads = max(1, cores() // workers)
    with WorkerPool(where, workers=workers, threads=threads) as pool:
        try:
            while waiting or pool.busy:
                while waiting and pool.busy < workers:
                    pool.submit(*waiting.popleft())
                for key, outcome in pool.collect(block=True):
                    finish(key, outcome)
        except KeyboardInterrupt:
            for key, outcome in pool.collect(block=False):
                finish(key, outcome)
            raise

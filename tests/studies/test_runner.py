import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toy_study import STUDY, ToyCell

from studies.cells import grid
from studies.errors import CellError, StudyError
from studies.runner import Status, run
from studies.store import Store

SCRIPT = """
import sys
from toy_study import BARE
from studies.cli import build_app
if __name__ == "__main__":
    build_app({"toy": BARE})(sys.argv[1:])
"""


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "studies.sqlite", writable=True) as opened:
        yield opened


def run_all(store, cells, *, workers=1):
    events = []
    return run(STUDY, cells, store=store, workers=workers, on_event=events.append), events


def start(folder, *arguments):
    (folder / "command.py").write_text(SCRIPT)
    return subprocess.Popen(  # noqa: S603 - the test's own script
        [sys.executable, folder / "command.py", "run", "toy", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_cells_that_are_done_are_skipped(store):
    cells = grid(ToyCell, {"size": [1, 2]})
    first, _ = run_all(store, cells)
    assert (first.ran, first.skipped, first.failed) == (2, 0, 0)
    second, events = run_all(store, [*cells, *cells, ToyCell(size=3)])
    assert (second.ran, second.skipped, second.failed) == (1, 2, 0)
    assert [event.position for event in events] == [1, 2, 3]
    assert {event.total for event in events} == {3}
    assert [record.rows[1]["value"] for record in store.records(STUDY)] == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("fail", "RuntimeError: size 2 is bad"),
        ("exit", "SystemExit: left"),
        ("array", "holds a dict"),
        ("clash", "column 'size' is a field of the cell"),
    ],
)
def test_a_failing_cell_is_stored_and_the_rest_goes_on(store, kind, reason):
    summary, events = run_all(store, grid(ToyCell, {"kind": [kind, "plain"]}))
    assert (summary.ran, summary.failed) == (2, 1)
    assert [event.status for event in events] == [Status.FAILED, Status.DONE]
    assert reason in events[0].error
    assert store.failed(STUDY) == 1
    assert len(store.records(STUDY)) == 1


def test_failed_cells_run_again(store):
    cell = ToyCell(kind="fail")
    run_all(store, [cell])
    mended = replace(STUDY, measure=lambda _: [{"value": 1.0}])
    summary = run(mended, [cell], store=store, workers=1, on_event=lambda _: None)
    assert (summary.ran, summary.failed, store.failed(STUDY)) == (1, 0, 0)


def test_a_dying_worker_fails_its_cell_alone(store):
    cells = grid(ToyCell, {"kind": ["die", "plain", "odd", "fail", "threads"]})
    summary, events = run_all(store, cells, workers=2)
    assert (summary.ran, summary.failed) == (5, 2)
    errors = {event.parameters["kind"]: event.error for event in events if event.error}
    assert set(errors) == {"die", "fail"}
    assert "exit code 3" in errors["die"]
    assert "RuntimeError" in errors["fail"]
    rows = {record.parameters["kind"]: record.rows for record in store.records(STUDY)}
    assert len(rows) == 3
    assert rows["threads"][0]["value"] == max(1, len(os.sched_getaffinity(0)) // 2)


def test_a_pool_gives_the_rows_that_this_process_gives(store, tmp_path):
    cells = grid(ToyCell, {"size": [3, 1], "noise": [0.1], "doubled": [True]})
    run_all(store, cells)
    with Store(tmp_path / "pooled.sqlite", writable=True) as pooled:
        run_all(pooled, cells, workers=2)
        assert pooled.records(STUDY) == store.records(STUDY)


def test_misuse_is_refused_before_anything_runs(store):
    with pytest.raises(StudyError, match="workers is 0"):
        run_all(store, [ToyCell()], workers=0)
    with pytest.raises(StudyError, match="another study is there"):
        run(replace(STUDY), [ToyCell()], store=store, workers=2, on_event=lambda _: None)
    with pytest.raises(CellError, match="expected int"):
        run_all(store, [ToyCell(), ToyCell(seed="3")])
    assert store.records(STUDY) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_resumes_with_what_is_missing(tmp_path, workers):
    # what a background job ignores, as these tests may run in one, its children ignore too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seeds = [text for seed in range(6) for text in ("--seed", str(seed))]
    arguments = ("--kind", "slow", "--size", "1", *seeds, "--workers", workers)
    process = start(tmp_path, *arguments)
    first = process.stderr.readline()
    assert "done" in first
    # As a terminal does, to the whole group, workers included.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "resumes from there" in errors
    assert "Traceback" not in errors
    with Store(tmp_path / "results" / "studies.sqlite", writable=False) as store:
        kept = len(store.records(STUDY))
    assert 1 <= kept < 6
    resumed = start(tmp_path, *arguments)
    _, errors = resumed.communicate(timeout=20)
    assert resumed.returncode == 0, errors
    assert re.search(rf"{6 - kept} cells run, {kept} already stored, 0 failed", errors)


def test_a_second_run_on_one_store_is_refused_and_a_killed_one_frees_it(tmp_path):
    process = start(tmp_path, "--kind", "slow", "--seed", "0", "--seed", "1")
    assert "done" in process.stderr.readline()
    second = start(tmp_path)
    _, errors = second.communicate(timeout=20)
    assert second.returncode == 1
    assert f"another run (process {process.pid})" in errors
    process.kill()
    process.communicate(timeout=20)
    with Store(tmp_path / "results" / "studies.sqlite", writable=True) as store:
        assert len(store.records(STUDY)) >= 1


def test_workers_end_with_a_killed_parent(tmp_path):
    process = start(
        tmp_path, "--kind", "slow", *(f"--seed={seed}" for seed in range(20)), "--workers", "2"
    )
    assert "done" in process.stderr.readline()
    process.kill()
    process.communicate(timeout=20)
    deadline = time.monotonic() + 5
    alive = True
    while alive and time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            alive = False
        time.sleep(0.05)
    assert not alive

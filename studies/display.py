"""What the command line shows: progress, failures, the list of studies, tables of claims."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from studies.cells import field_types
from studies.flags import flag
from studies.runner import Event, Status
from studies.study import PRESETS, Claim, Study
from studies.tables import verdict

_PIPE_WIDTH = 120
_SHOWN_FAILURES = 5


def out() -> Console:
    """Return the console for results, on standard output; wide where nobody sees its edge."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def say(message: str) -> None:
    """Print a plain line on standard error."""
    typer.echo(message, err=True)


def study_table(studies: Iterable[Study[Any]]) -> Table:
    """Return a table of studies, with the number of cells in each preset and the flags."""
    table = Table("study", "summary", *PRESETS, "flags")
    for study in studies:
        table.add_row(
            study.name + (" *" if study.headline else ""),
            escape(study.summary),
            *(str(len(study.cells(preset))) for preset in PRESETS),
            " ".join(flag(name) for name in field_types(study.cell)),
        )
    return table


def claim_table(study: Study[Any], claims: Sequence[Claim]) -> Table:
    """Return the claims of a study, with what was expected and measured."""
    table = Table("claim", "expected", "measured", "holds", title=study.name, title_justify="left")
    for claim in claims:
        shown = (claim.text, claim.expected, claim.measured, verdict(claim))
        table.add_row(*(escape(text) for text in shown))
    return table


class ProgressReport:
    """Shows the cells of one study as they end, and remembers those that failed."""

    def __init__(self, study: Study[Any], bar: Progress | None) -> None:
        self._study = study
        self._bar = bar
        self._task = None if bar is None else bar.add_task(study.name, total=None)
        self._failures: list[Event] = []

    def tell(self, event: Event) -> None:
        """Show one more cell."""
        if event.status is Status.FAILED:
            self._failures.append(event)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=event.total, completed=event.position)
        elif event.status is not Status.SKIPPED:
            say(
                f"{self._study.name} {event.position}/{event.total} {event.status.value} "
                f"{_shown(event)} ({event.seconds:.1f} s)"
            )

    def failures(self) -> str:
        """Return the errors of the failed cells, a line each; the first few where many failed."""
        lines = [
            f"  {_shown(event)}: {(event.error or '').splitlines()[-1]}"
            for event in self._failures[:_SHOWN_FAILURES]
        ]
        if len(self._failures) > _SHOWN_FAILURES:
            lines.append(f"  and {len(self._failures) - _SHOWN_FAILURES} more")
        return "\n".join(lines)


@contextmanager
def progress(study: Study[Any]) -> Iterator[ProgressReport]:
    """Give a report that draws a bar where standard error is a terminal, else plain lines."""
    if not sys.stderr.isatty():
        yield ProgressReport(study, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield ProgressReport(study, bar)


def _shown(event: Event) -> str:
    return " ".join(f"{name}={value}" for name, value in event.parameters.items())

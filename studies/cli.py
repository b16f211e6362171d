"""The command line `tnqml`: list, run, export and report studies."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from studies.catalog import STUDIES, find
from studies.cells import override
from studies.display import claim_table, out, progress, say, study_table
from studies.errors import CellError, ExportError, StudyError, UnknownPreset, UnknownStudy
from studies.export import default_folder, export_study
from studies.files import prepare_folder
from studies.flags import flag_parameters, overrides
from studies.runner import run
from studies.store import DEFAULT_STORE, Store
from studies.study import Study
from studies.tables import frame

_USAGE_ERRORS = (CellError, UnknownPreset, UnknownStudy)
_OWN_PACKAGES = ("contractions", "studies", "tnqml")
_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130
# Unknown flags reach the commands, which then can list the valid ones.
_SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}

Preset = Annotated[str, typer.Option(help="Which list of cells: quick or full.")]
Workers = Annotated[int, typer.Option(min=1, help="How many processes measure at once.")]
StoreFile = Annotated[Path, typer.Option("--store", help="The SQLite file of results.")]
Output = Annotated[
    Path | None,
    typer.Option(help="Folder for the files of one study, or of a folder for each of several."),
]
StudyName = Annotated[str, typer.Argument(metavar="NAME", help="A study, see `tnqml list`.")]


@dataclass(frozen=True, kw_only=True)
class _Options:
    preset: str
    workers: int
    store: Path
    output: Path | None


class _ListingGroup(TyperGroup):
    """A group of commands that answers an unknown one with the names of those it has."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command, or end with a message."""
        command = super().get_command(ctx, cmd_name)
        if command is None:
            _fail(
                f"{ctx.command_path} has no {cmd_name!r}; "
                f"choose from: {', '.join(sorted(self.commands))}",
                _MISUSED,
            )
        return command


def main() -> None:
    """Run the command line on this package's studies."""
    build_app(STUDIES)()


def build_app(studies: Mapping[str, Study[Any]]) -> typer.Typer:
    """Return the command line over `studies`."""
    app = typer.Typer(
        cls=_ListingGroup,
        help="Run the studies of distributed quantum machine learning.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.add_typer(_run_commands(studies), name="run")

    @app.command("list", context_settings=_SETTINGS)
    def list_studies(ctx: typer.Context) -> None:
        """List the studies, their cells and their flags; * marks those of `run headline`."""
        _refuse_rest(ctx)
        with _reported():
            out().print(study_table(studies.values()))

    @app.command("export", context_settings=_SETTINGS)
    def export_one(
        ctx: typer.Context,
        name: StudyName,
        store: StoreFile = DEFAULT_STORE,
        output: Output = None,
    ) -> None:
        """Write figures, rows and claims of what the store holds, and print the claims."""
        _refuse_rest(ctx)
        with _reported():
            study = find(name, studies)
            with Store(store, writable=False) as opened:
                _export(study, opened, output or default_folder(study))

    @app.command("report", context_settings=_SETTINGS)
    def report(ctx: typer.Context, store: StoreFile = DEFAULT_STORE) -> None:
        """Print the claims of every study that has rows in the store."""
        _refuse_rest(ctx)
        with _reported():
            _report(studies, store)

    return app


def _run_commands(studies: Mapping[str, Study[Any]]) -> typer.Typer:
    group = typer.Typer(
        cls=_ListingGroup,
        help="Run the cells of a study that the store lacks, then export it.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for study in studies.values():
        group.command(study.name, help=study.summary, context_settings=_SETTINGS)(
            _study_command(study)
        )
    headline = [study for study in studies.values() if study.headline]
    for name, chosen, text in (
        ("headline", headline, "Run the studies behind the headline results."),
        ("all", list(studies.values()), "Run every study."),
    ):
        group.command(name, help=text, context_settings=_SETTINGS)(_group_command(chosen))
    return group


def _group_command(chosen: Sequence[Study[Any]]) -> Callable[..., None]:
    def command(
        ctx: typer.Context,
        preset: Preset = "quick",
        workers: Workers = 1,
        store: StoreFile = DEFAULT_STORE,
        output: Output = None,
    ) -> None:
        _refuse_rest(ctx)
        options = _Options(preset=preset, workers=workers, store=store, output=output)
        with _reported():
            jobs = [
                (study, study.cells(preset), output / study.name if output else None)
                for study in chosen
            ]
            _run(jobs, options)

    return command


def _study_command(study: Study[Any]) -> Callable[..., None]:
    def common(
        ctx: typer.Context,
        preset: Preset = "quick",
        workers: Workers = 1,
        store: StoreFile = DEFAULT_STORE,
        output: Output = None,
    ) -> _Options:
        _refuse_rest(ctx)
        return _Options(preset=preset, workers=workers, store=store, output=output)

    def command(**given: Any) -> None:
        fields = {name: given.pop(name) for name in [made.name for made in flags]}
        options = common(**given)
        with _reported():
            cells = override(study.cells(options.preset), overrides(study.cell, fields))
            _run([(study, cells, options.output)], options)

    # Typer reads the flags from the signature, which here depends on the study's cell.
    flags = flag_parameters(study.cell)
    parameters = [*inspect.signature(common).parameters.values(), *flags]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {made.name: made.annotation for made in parameters}
    return command


def _run(jobs: Sequence[tuple[Study[Any], list[Any], Path | None]], options: _Options) -> None:
    folders = [output or default_folder(study) for study, _, output in jobs]
    for folder in folders:
        prepare_folder(folder)
    failed = 0
    with Store(options.store, writable=True) as store:
        for (study, cells, _), folder in zip(jobs, folders, strict=True):
            try:
                with progress(study) as shown:
                    summary = run(
                        study,
                        cells,
                        store=store,
                        workers=options.workers,
                        on_event=shown.tell,
                    )
            except KeyboardInterrupt:
                say(
                    f"interrupted; the finished cells are in {store.path}, "
                    "and the same command resumes from there"
                )
                raise typer.Exit(_INTERRUPTED) from None
            say(
                f"{study.name}: {summary.ran} cells run, {summary.skipped} already stored, "
                f"{summary.failed} failed, {summary.seconds:.1f} s"
            )
            failed += summary.failed
            if summary.failed:
                say(f"failed cells of {study.name}, stored with their errors:\n{shown.failures()}")
            if store.records(study):
                _export(study, store, folder)
            say(f"results stored in {store.path}")
    if failed:
        raise typer.Exit(_FAILED)


def _export(study: Study[Any], store: Store, folder: Path) -> None:
    exported = export_study(study, store.records(study), folder=folder)
    failed = store.failed(study)
    if failed:
        say(f"{study.name}: {failed} failed cells are stored and left out")
    console = out()
    console.print(claim_table(study, exported.claims))
    for path in exported.files:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)


def _report(studies: Mapping[str, Study[Any]], path: Path) -> None:
    found = False
    with Store(path, writable=False) as store:
        for study in studies.values():
            records = store.records(study)
            if records:
                found = True
                out().print(claim_table(study, study.claims(frame(study, records))))
    if not found:
        raise ExportError(f"{path} holds no rows of any study; run one first, see `tnqml list`")


def _refuse_rest(ctx: typer.Context) -> None:
    if not ctx.args:
        return
    valid = sorted(name for made in ctx.command.params for name in made.opts if name[0] == "-")
    _fail(
        f"{ctx.command_path} does not take {ctx.args[0]!r}; "
        f"its flags are: {', '.join(valid) or 'none'}",
        _MISUSED,
    )


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(_INTERRUPTED) from None
    except _USAGE_ERRORS as error:
        _fail(str(error), _MISUSED)
    except StudyError as error:
        _fail(str(error), _FAILED)
    except ValueError as error:
        # The packages' own refusals say what to do; a stray ValueError is a bug to be shown.
        if type(error).__module__.partition(".")[0] not in _OWN_PACKAGES:
            raise
        _fail(str(error), _FAILED)


def _fail(message: str, code: int) -> NoReturn:
    say(f"error: {message}")
    raise typer.Exit(code)

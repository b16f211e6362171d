import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from toy_study import STUDY
from typer.testing import CliRunner

from studies.cli import build_app
from studies.store import Store

OTHER = replace(STUDY, name="other", headline=False)
APP = build_app({"toy": STUDY, "other": OTHER})
ROOT = Path(__file__).parents[2]
# What an installed console script holds, over the toy study.
SCRIPT = """
import sys
from toy_study import STUDY
from studies.cli import build_app
if __name__ == "__main__":
    sys.exit(build_app({"toy": STUDY})())
"""


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(APP, line.split())


def test_list_shows_studies_cells_and_flags(invoke):
    result = invoke("list")
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    for text in ("toy *", "A study for tests.", "quick", "full", "--size", "--doubled"):
        assert text in shown


def test_run_stores_exports_and_prints_the_claims(invoke, tmp_path):
    result = invoke("run toy")
    assert result.exit_code == 0, result.output
    assert "values | grow" in result.stdout
    assert "undecided" in result.stdout
    assert "toy 3/3 done size=3" in result.stderr
    folder = tmp_path / "results" / "toy"
    written = {path.name for path in folder.iterdir()}
    assert written == {"rows.csv", "claims.md", "growth.png", "growth.pdf"}
    assert all(f"wrote results/toy/{name}" in result.stdout for name in written)
    again = invoke("run toy")
    assert "0 cells run, 3 already stored" in again.stderr


def test_flags_replace_the_fields_of_a_preset(invoke, tmp_path):
    result = invoke(
        "run toy --preset full --size 4 --size 5 --noise 0.5 --doubled true --doubled false "
        "--kind plain --store s.sqlite --output out"
    )
    assert result.exit_code == 0, result.output
    with Store(tmp_path / "s.sqlite", writable=False) as store:
        found = [record.parameters for record in store.records(STUDY)]
    cells = {(cell["size"], cell["noise"], cell["doubled"], cell["seed"]) for cell in found}
    assert cells == {(s, 0.5, d, seed) for s in (4, 5) for d in (True, False) for seed in (0, 1)}
    assert (tmp_path / "out" / "rows.csv").stat().st_size > 0


def test_a_failed_cell_gives_exit_1_and_its_error(invoke):
    result = invoke("run toy --kind plain --kind fail --size 2")
    assert result.exit_code == 1
    assert "RuntimeError: size 2 is bad" in result.stderr
    assert "1 failed" in result.stderr
    assert "values | grow" in result.stdout
    alone = invoke("run toy --kind fail --store other.sqlite")
    assert alone.exit_code == 1
    assert "3 failed" in alone.stderr


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("runn", ("'runn'", "export, list, report, run")),
        ("run nothing", ("'nothing'", "all, headline, other, toy")),
        ("run toy --depth 3", ("'--depth'", "--kind", "--size", "--store")),
        ("run toy 3", ("'3'", "--size")),
        ("run all --size 3", ("'--size'", "--preset")),
        ("run toy --preset huge", ("'huge'", "quick, full")),
        ("run headline --preset huge", ("'huge'", "quick, full")),
        ("run toy --size -1", ("refuses size=-1", "size is negative")),
        ("run toy --size many", ("--size", "integer")),
        ("run toy --workers 0", ("--workers",)),
        ("export nothing", ("'nothing'", "other, toy")),
        ("list --all", ("'--all'",)),
    ],
)
def test_misuse_is_one_error_that_lists_what_is_valid(invoke, line, texts, tmp_path):
    result = invoke(line)
    assert result.exit_code == 2
    assert all(text in result.stderr for text in texts), result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("export toy", "no store at results/studies.sqlite"),
        ("report", "no store at"),
        ("run toy --output file", "cannot write in the folder file"),
        ("run toy --store file", "not a sound SQLite file"),
        ("run toy --store file/s.sqlite", "cannot make the folder"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_1(invoke, line, text, tmp_path):
    (tmp_path / "file").write_text("words, not a database " * 50)
    result = invoke(line)
    assert result.exit_code == 1
    (message,) = result.stderr.splitlines()
    assert message.startswith("error: ")
    assert text in message


def test_groups_run_their_studies_and_report_shows_them(invoke, tmp_path):
    assert invoke("run headline").exit_code == 0
    reported = invoke("report")
    assert "toy" in reported.stdout
    assert "other" not in reported.stdout
    assert invoke("run all --output both").exit_code == 0
    assert (tmp_path / "both" / "other" / "growth.pdf").stat().st_size > 0
    assert "other" in invoke("report").stdout


def test_export_writes_what_the_store_holds(invoke, tmp_path):
    invoke("run toy --store kept.sqlite")
    result = invoke("export toy --store kept.sqlite --output again")
    assert result.exit_code == 0, result.output
    for name in ("rows.csv", "claims.md", "growth.png", "growth.pdf"):
        one = tmp_path / "again" / name
        assert one.read_bytes() == (tmp_path / "results" / "toy" / name).read_bytes()
    empty = invoke("export other --store kept.sqlite")
    assert empty.exit_code == 1
    assert "no rows of study 'other'" in empty.stderr


def test_help_of_a_study_shows_its_fields(invoke):
    result = invoke("run toy --help")
    assert result.exit_code == 0
    assert "How large." in result.stdout
    assert "[true|false]" in result.stdout


def test_errors_of_the_packages_are_one_line_and_bugs_are_not_hidden(invoke):
    class RefusedError(ValueError):
        __module__ = "tnqml.errors"

    def broken(error):
        def claims(_):
            raise error

        return build_app({"toy": replace(STUDY, claims=claims)})

    refused = CliRunner().invoke(broken(RefusedError("too wide")), ["run", "toy"])
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1] == "error: too wide"
    bug = CliRunner().invoke(broken(ValueError("a bug")), ["run", "toy"])
    assert isinstance(bug.exception, ValueError)


def test_the_command_ignores_folders_named_like_the_packages(tmp_path):
    for name in ("studies", "contractions", "tnqml"):
        (tmp_path / name).mkdir()
    (tmp_path / "studies" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    script = tmp_path / "bin" / "tnqml"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    done = subprocess.run(  # noqa: S603 - the test's own script
        [sys.executable, script, "run", "toy", "--workers", "2"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{Path(__file__).parent}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 cells run, 0 already stored, 0 failed" in done.stderr
    assert (tmp_path / "results" / "toy" / "growth.png").stat().st_size > 0


def test_the_command_line_loads_no_slow_library_of_its_own():
    code = (
        "import sys; from studies import cli; "
        "print([name for name in ('torch', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - the test's own code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_catalogue_imports_no_library_that_counts_its_threads_at_import():
    """Workers are told their number of threads by variables that are read when torch is loaded."""
    code = "import studies, sys; print(sorted({'numpy', 'torch'} & set(sys.modules)))"
    done = subprocess.run(  # noqa: S603 - the code above
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

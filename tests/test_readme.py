"""The README's code runs as it stands and does what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(code: str, folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the README's own code
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_the_quickstart_learns(tmp_path):
    (accuracy,) = re.findall(r"held-out accuracy ([\d.]+) on 108", run(BLOCKS[0], tmp_path))
    assert float(accuracy) > 0.95


def test_protocols_and_measures(tmp_path):
    printed = run(BLOCKS[1], tmp_path)
    assert "alice" in printed
    assert "qubits" in printed
    assert re.search(r"rank=\d+", printed)


def test_the_engine_alone(tmp_path):
    assert run(BLOCKS[2], tmp_path).endswith("8.0\n")


def test_the_figure_is_there():
    for name in re.findall(r"\]\((studies/figures/[^)]+)\)", README.read_text()):
        assert (README.parent / name).stat().st_size > 10_000

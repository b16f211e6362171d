"""Where a result came from: the code's version and the machine's description."""

import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def code_version() -> str:
    """Return the package's version, and the git commit where it runs from a checkout.

    For example "0.1.0 git:3f2a..."; "-dirty" follows the commit if tracked files differ from it.
    """
    package = _installed("tnqml")
    # Inside somebody else's checkout (a virtual environment in it) this file is not tracked.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return package
    commit = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return f"{package} git:{commit}" if commit else package


@cache
def machine() -> dict[str, str | int]:
    """Return the cpu model, the number of usable cores, and the versions of python and torch."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "python": platform.python_version(),
        "torch": _installed("torch"),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [git, "-C", str(_PACKAGE), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""What all tests share: the repository's packages, a cache folder of their own, hypothesis."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # what tests compute is small: threads only wait
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

# tests/tnqml and its like are no packages, and must not hide those of the same name
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

settings.register_profile(
    "tests",
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=not os.environ.get("TNQML_RANDOM_TESTS"),  # set, it looks for new examples
)
settings.load_profile("tests")
torch.set_num_threads(1)

_PATCH = pytest.MonkeyPatch()
_CACHE = tempfile.TemporaryDirectory(prefix="tnqml-tests-")


def pytest_configure():
    """Plans and calibration go to a folder of this run, never to the user's; doctests' too."""
    _PATCH.setenv("XDG_CACHE_HOME", _CACHE.name)


def pytest_unconfigure():
    _PATCH.undo()
    _CACHE.cleanup()


@pytest.fixture(scope="session")
def cache_home():
    """The cache folder of this run."""
    return Path(_CACHE.name)

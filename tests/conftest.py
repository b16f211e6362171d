"""What all tests share: the repository's packages, a cache folder of their own, hypothesis."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # what tests compute is small: threads only wait
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

# tests/tnqml and its like are no packages, and must not hide those of the same name
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

settings.register_profile("tests", deadline=None, database=None, print_blob=True)
settings.load_profile("tests")
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def cache_home(tmp_path_factory):
    """Plans and calibration go to a folder of this session, never to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder

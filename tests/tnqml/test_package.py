"""What importing `tnqml` brings, and when."""

import subprocess
import sys

import pytest

import tnqml

PROGRAM = """
import sys, tnqml
assert not {"tnqml.protocols", "tnqml.spectrum", "tnqml.expressivity"} & set(sys.modules)
print(tnqml.protocols.infer.__module__, tnqml.spectrum.__name__)
from tnqml import expressivity
print(expressivity.Estimate.__name__)
"""


def test_packages_of_protocols_and_measures_are_imported_when_named():
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["tnqml.protocols.inference.infer", "tnqml.spectrum", "Estimate"]


def test_every_name_is_there():
    assert dir(tnqml) == sorted(tnqml.__all__)
    assert all(getattr(tnqml, name) is not None for name in tnqml.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tnqml.nothing  # noqa: B018

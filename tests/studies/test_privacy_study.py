"""The study `privacy` on small cells, against the formulas and by hand."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from studies.errors import CellError
from studies.privacy import study as privacy


def frame_of(*cells):
    return pd.DataFrame([vars(cell) | dict(row) for cell in cells for row in privacy.measure(cell)])


@pytest.fixture(scope="module")
def frame():
    return frame_of(
        *[privacy.Cell("states", 8, copies, trials=20) for copies in (4, 32)],
        privacy.Cell("accuracy", 16, error=0.1, trials=20),
        privacy.Cell("accuracy", 64, error=0.3, trials=20),
        *[privacy.Cell("digits", 64, copies, trials=8) for copies in (16, 128)],
        *[privacy.Cell("photographs", 16, 0, bits=bits, trials=40) for bits in (3, 5, 7)],
        *[privacy.Cell("parameters", 8, copies, trials=8) for copies in (128, 4096)],
    )


def test_every_claim_holds_on_small_cells(frame):
    found = privacy.claims(frame)
    assert len(found) == 8
    assert [claim.text for claim in found if claim.holds is not True] == []


def test_attacks_stand_beside_the_formula(frame):
    rows = frame[(frame["kind"] == "states") & (frame["attack"] == "collective")]
    np.testing.assert_allclose(rows["bound"], [5 / 12, 33 / 40])
    np.testing.assert_allclose(rows["value"], rows["bound"], atol=0.03)
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()


def test_copies_for_an_error_follow_from_it(frame):
    rows = frame[frame["kind"] == "accuracy"]
    assert list(rows["copies"]) == [100, 11]


def test_real_data_cost_qubits_and_bits(frame):
    listed = frame[frame["attack"] == "on the list"]
    assert list(listed["sent"]) == [16 * 6, 128 * 6]
    classical = frame[frame["attack"] == "classical"]
    assert list(classical["sent"]) == [48, 80, 112]
    assert classical["value"].is_monotonic_increasing


def test_the_same_cell_gives_the_same_rows():
    cell = privacy.Cell("photographs", 16, 4, trials=3)
    assert privacy.measure(cell) == privacy.measure(cell)


@pytest.mark.parametrize("name", privacy.STUDY.figures)
def test_figures_have_labels_and_lines(frame, name):
    ax = Figure().add_subplot()
    privacy.STUDY.figures[name](ax, frame)
    if name == "photographs":  # no copies of them are in this frame
        assert ax.texts
    else:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert ax.lines
    empty = Figure().add_subplot()
    privacy.STUDY.figures[name](empty, frame.iloc[:0])
    assert empty.texts


@pytest.mark.parametrize(
    ("kind", "change", "text"),
    [
        ("states", {"value": 0.99, "low": 0.98, "high": 1.0}, "give (T + 1)/(T + N')"),
        ("states", {"value": 0.99, "low": 0.98, "high": 1.0}, "stays under the bound"),
        ("accuracy", {"value": 0.4, "low": 0.39, "high": 0.41}, "privacy is gone"),
        ("digits", {"gain_low": -0.1}, "beats its blind guess"),
        ("digits", {"learned_low": 1e4}, "at most log2"),
        ("parameters", {"value": 0.3, "low": 0.29, "high": 0.31}, "root of the queries"),
    ],
)
def test_claims_fail_on_wrong_rows(frame, kind, change, text):
    wrong = frame.copy()
    wrong.loc[wrong["kind"] == kind, list(change)] = list(change.values())
    (claim,) = [claim for claim in privacy.claims(wrong) if text in claim.text]
    assert claim.holds is False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "guess"}, "'guess'"),
        ({"size": 12}, "power of two"),
        ({"copies": 0}, "0 copies and 0 bits"),
        ({"kind": "digits", "bits": 3}, "16 copies and 3 bits"),
        ({"trials": 1}, "at least 2"),
        ({"kind": "accuracy", "error": 1.5}, "between 0 and 1"),
        ({"kind": "digits", "trials": 500}, "at most 200"),
    ],
)
def test_bad_cells_are_refused(given, message):
    with pytest.raises(CellError, match=message):
        privacy.Cell(**given)


def test_presets_hold_distinct_cells():
    for preset in ("quick", "full"):
        cells = privacy.STUDY.cells(preset)
        assert len(set(cells)) == len(cells)

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from toy_study import STUDY, ToyCell

from studies.cells import parameters
from studies.errors import ExportError, FigureError
from studies.export import export_study
from studies.files import prepare_folder, write_whole
from studies.outcome import attempt
from studies.store import Record
from studies.style import draw_interval, new_figure, styled
from studies.tables import csv_text, frame


def measured(*cells):
    return [
        Record(parameters=cell, rows=attempt(STUDY, cell).rows) for cell in map(parameters, cells)
    ]


@pytest.fixture
def records():
    return measured(ToyCell(size=1), ToyCell(size=2, noise=0.1))


def test_everything_is_written_and_the_same_again(records, tmp_path):
    first = export_study(STUDY, records, folder=tmp_path / "a" / "first")
    names = {path.name for path in first.files}
    assert names == {"rows.csv", "claims.md", "growth.png", "growth.pdf"}
    assert all(path.stat().st_size > 0 for path in first.files)
    second = export_study(STUDY, records, folder=tmp_path / "second")
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert {path.name for path in first.files[0].parent.iterdir()} == names


def test_figures_have_the_size_and_resolution_promised(records, tmp_path):
    from matplotlib.image import imread

    export_study(STUDY, records, folder=tmp_path)
    assert imread(tmp_path / "growth.png").shape[:2] == (840, 1000)


def test_claims_become_a_table(records, tmp_path):
    exported = export_study(STUDY, records, folder=tmp_path)
    assert [claim.holds for claim in exported.claims] == [True, None]
    lines = (tmp_path / "claims.md").read_text().splitlines()
    assert "| values \\| grow | > 1 | 3.1 | yes |" in lines
    assert "| rest | ? | - | undecided |" in lines


def test_csv_keeps_floats_whole_and_tells_missing_from_nan():
    text = csv_text(STUDY, measured(ToyCell(size=1, noise=0.1), ToyCell(kind="odd")))
    first, _, odd = csv.DictReader(io.StringIO(text))
    assert float(first["value"]) == 1.1
    assert (odd["value"], odd["bound"], odd["missing"], odd["point"]) == ("nan", "inf", "", "")


def test_the_frame_has_the_cells_fields_and_the_rows_columns(records):
    table = frame(STUDY, records)
    assert list(table.columns) == [
        *("size", "noise", "kind", "doubled", "seed"),
        *("value", "point"),
    ]
    assert table["value"].tolist() == [1.0, 2.0, 2.1, 3.1]
    assert math.isclose(table["noise"].max(), 0.1)


def test_nothing_stored_is_an_error(tmp_path):
    with pytest.raises(ExportError, match=r"no rows of study 'toy'.*tnqml run toy"):
        export_study(STUDY, [], folder=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "under", Path("/proc/results")):
        with pytest.raises(ExportError, match="choose another --output"):
            prepare_folder(folder)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ExportError, match="taken"):
        write_whole(tmp_path / "taken", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_lines_differ_in_colour_marker_and_dashes():
    with styled():
        _, ax = new_figure()
        for level in range(7):
            draw_interval(
                ax, [0, 1], low=[level, level], best=[level, level], high=[level, level + 1]
            )
        lines = [container.lines[0] for container in ax.containers]
    assert len({line.get_marker() for line in lines}) == 7
    assert len({to_rgb(line.get_color()) for line in lines}) == 7
    assert len({(line.get_linestyle(), str(line._unscaled_dash_pattern)) for line in lines}) == 7


@pytest.mark.parametrize("band", [False, True])
def test_the_interval_reaches_from_low_to_high(band):
    with styled():
        _, ax = new_figure()
        draw_interval(
            ax, [0, 1, 2], low=[0, 1, math.nan], best=[1, 2, 3], high=[4, 5, 6], band=band
        )
        corners = np.concatenate(
            [path.vertices for drawn in ax.collections for path in drawn.get_paths()]
        )
    assert np.nanmin(corners[:, 1]) == 0
    assert np.nanmax(corners[np.isfinite(corners[:, 1]), 1]) in (5, 6)


def test_arrays_that_do_not_fit_are_refused():
    _, ax = new_figure()
    with pytest.raises(FigureError, match="expected one shape"):
        draw_interval(ax, [0, 1], low=[0], best=[1], high=[2])
    with pytest.raises(FigureError, match=r"point 1 has low 3\.0, best 2\.0"):
        draw_interval(ax, [0, 1], low=[0, 3], best=[1, 2], high=[2, 4])

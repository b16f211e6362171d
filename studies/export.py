"""A study's figures, rows and claims as files in a folder."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies.errors import ExportError
from studies.files import prepare_folder, write_whole
from studies.store import Record
from studies.study import Claim, Study
from studies.style import new_figure, styled
from studies.tables import csv_text, frame, markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Without these the same rows give the same bytes.
_UNDATED: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The files that were written, and the claims as the rows have them."""

    files: tuple[Path, ...]
    claims: tuple[Claim, ...]


def default_folder(study: Study[Any]) -> Path:
    """Return where a study's files go unless told otherwise, under the current folder."""
    return Path("results") / study.name


def export_study(study: Study[Any], records: Sequence[Record], *, folder: Path) -> Exported:
    """Return what was written: `rows.csv`, `claims.md`, and each figure as PNG and PDF.

    The same rows give the same bytes, with the same versions of the libraries.

    Raises:
        ExportError: there are no rows, or the folder cannot be written.
    """
    if not any(record.rows for record in records):
        raise ExportError(
            f"no rows of study {study.name!r} version {study.version} are stored; "
            f"run `tnqml run {study.name}` first, or name another --store"
        )
    prepare_folder(folder)
    table = frame(study, records)
    claims = tuple(study.claims(table))
    content = {
        "rows.csv": csv_text(study, records).encode(),
        "claims.md": markdown(study, claims).encode(),
    }
    for name, data in content.items():
        write_whole(folder / name, data)
    written = [folder / name for name in content]
    for name, draw in study.figures.items():
        with styled():
            figure, ax = new_figure()
            draw(ax, table.copy())
            for suffix in _UNDATED:
                path = folder / f"{name}.{suffix}"
                write_whole(path, _image(figure, suffix))
                written.append(path)
    return Exported(files=tuple(written), claims=claims)


def _image(figure: "Figure", suffix: str) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format=suffix, metadata=_UNDATED[suffix])
    return data.getvalue()

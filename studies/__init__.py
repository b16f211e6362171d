"""Experiments with distributed quantum machine learning: sweeps, storage, figures, reports."""

from studies.catalog import STUDIES, find
from studies.cells import Cell, Scalar, grid, override, parameters
from studies.errors import (
    CellError,
    ExportError,
    FigureError,
    StoreError,
    StudyError,
    UnknownPreset,
    UnknownStudy,
)
from studies.export import Exported, export_study
from studies.outcome import Outcome
from studies.runner import Event, Status, Summary, run
from studies.store import Record, Store, cell_key
from studies.study import Claim, JsonScalar, Row, Study
from studies.style import draw_interval, new_figure, styled
from studies.tables import frame

__all__ = [
    "STUDIES",
    "Cell",
    "CellError",
    "Claim",
    "Event",
    "ExportError",
    "Exported",
    "FigureError",
    "JsonScalar",
    "Outcome",
    "Record",
    "Row",
    "Scalar",
    "Status",
    "Store",
    "StoreError",
    "Study",
    "StudyError",
    "Summary",
    "UnknownPreset",
    "UnknownStudy",
    "cell_key",
    "draw_interval",
    "export_study",
    "find",
    "frame",
    "grid",
    "new_figure",
    "override",
    "parameters",
    "run",
    "styled",
]

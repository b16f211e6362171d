"""The rows of any cell."""

from studies.expressivity import (
    dimension,
    forecast,
    measures,
    mirror,
    pixels,
    regression,
    spectrum,
)
from studies.expressivity.cell import Cell
from studies.study import Row


def measure(cell: Cell) -> list[Row]:
    """The rows of a cell, by its task; see `Cell`."""
    tasks = {
        "dimension": dimension.measure,
        "spectrum": spectrum.measure,
        "pixels": pixels.measure,
        "measures": measures.measure,
        "mirror": mirror.measure,
        "regression": regression.measure,
        "forecast": forecast.measure,
    }
    return tasks[cell.task](cell)

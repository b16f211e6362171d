"""Sobol indices of the pixels for the outputs of the 64-qubit model."""

from studies.expressivity.cell import Cell
from studies.expressivity.spectrum import digits_model
from studies.study import Row

MIDDLE = 28
"""The output whose own indices are shown: row 3, column 4 of the image."""


def measure(cell: Cell) -> list[Row]:
    """A row for each pixel: its indices over all outputs, and for one output in the middle.

    Over all outputs: the power of the terms that depend on the pixel, over the variance of all.
    """
    from tnqml import spectrum

    model = digits_model(cell.layers, frequencies="equal", seed=cell.seed)
    found = spectrum.sobol(model)
    whole = found.variance.sum()
    cone = model.light_cones()[MIDDLE]
    return [
        {
            "pixel": pixel,
            "main": float(found.main_power[:, pixel].sum() / whole),
            "total": float(found.total_power[:, pixel].sum() / whole),
            "middle_main": float(found.main[MIDDLE, pixel]),
            "middle_total": float(found.total[MIDDLE, pixel]),
            "in_middle_cone": pixel in cone.features,
            "cone_uploads": cone.uploads,
        }
        for pixel in range(model.circuit.features)
    ]

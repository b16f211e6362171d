"""What the feature orders of all outputs of the 64-qubit model are predicted to cost, and take."""

import time

from studies.expressivity.cell import Cell
from studies.expressivity.spectrum import digits_model
from studies.study import Row

RUN_AT_MOST = 10.0
"""Seconds predicted up to which the orders are measured, too."""


def measure(cell: Cell) -> list[Row]:
    """Predicted seconds and bytes, and the seconds taken with the plans at hand."""
    from contractions import ContractionTooLarge
    from tnqml import spectrum

    model = digits_model(cell.layers, frequencies=cell.frequencies, seed=cell.seed)
    took = None
    try:
        cost = spectrum.cost(model)
    except ContractionTooLarge as error:
        fits, seconds, size = False, error.predicted_seconds, error.predicted_bytes
    else:
        fits, seconds, size = True, cost.seconds, cost.peak_bytes
        if seconds <= RUN_AT_MOST:
            start = time.perf_counter()
            spectrum.feature_orders(model)
            took = time.perf_counter() - start
    return [
        {
            "fits": fits,
            "predicted_seconds": seconds,
            "predicted_bytes": size,
            "took_seconds": took,
            "cone_uploads": max(cone.uploads for cone in model.light_cones()),
        }
    ]

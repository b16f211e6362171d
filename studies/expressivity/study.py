"""The study `expressivity`."""

from typing import TYPE_CHECKING

from studies.expressivity import (
    dimension_shown,
    forecast_shown,
    measures_shown,
    mirror_shown,
    pixels_shown,
    regression_shown,
    spectrum_claims,
    spectrum_shown,
)
from studies.expressivity.cell import Cell
from studies.expressivity.measured import measure
from studies.expressivity.presets import full, quick
from studies.study import Claim, Study

if TYPE_CHECKING:
    from pandas import DataFrame


def claims(frame: "DataFrame") -> list[Claim]:
    """What the rows say of every task."""
    return [
        *dimension_shown.claims(frame),
        *spectrum_claims.claims(frame),
        *forecast_shown.claims(frame),
        *pixels_shown.claims(frame),
        *measures_shown.claims(frame),
        *mirror_shown.claims(frame),
        *regression_shown.claims(frame),
    ]


STUDY = Study(
    name="expressivity",
    where=f"{__name__}:STUDY",
    version=3,
    summary="dimension, spectrum and what models of a depth can fit, against depth",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "dimension": dimension_shown.draw_dimension,
        "digits": dimension_shown.draw_digits,
        "features": spectrum_shown.draw_features,
        "encodings": spectrum_shown.draw_encodings,
        "mean_order": spectrum_shown.draw_mean_order,
        "orders": spectrum_shown.draw_orders,
        "features_wide": spectrum_shown.draw_features_wide,
        "orders_wide": spectrum_shown.draw_orders_wide,
        "pixels": pixels_shown.draw_pixels,
        "states": measures_shown.draw_states,
        "counts": measures_shown.draw_counts,
        "gradients": measures_shown.draw_gradients,
        "mirror": mirror_shown.draw_mirror,
        "regression": regression_shown.draw_regression,
        "reuploads": regression_shown.draw_reuploads,
        "network": regression_shown.draw_network,
    },
    claims=claims,
    headline=True,
)

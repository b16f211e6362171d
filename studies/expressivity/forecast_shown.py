"""Claim of what re-uploads cost the 64-qubit model."""

from typing import TYPE_CHECKING

from studies.study import Claim

if TYPE_CHECKING:
    from pandas import DataFrame

_UPLOADS = 2
_SECONDS = 120.0
_BYTES = 8 * 2**30


def claims(frame: "DataFrame") -> list[Claim]:
    """Cost of the orders of all outputs by depth: taken, or else predicted."""
    import pandas as pd

    found = []
    for kind, rows in frame[frame["task"] == "forecast"].groupby("frequencies"):
        shown = []
        for row in rows.sort_values("layers").itertuples():
            predicted = f"{row.predicted_seconds:.2g} s and {row.predicted_bytes / 1e6:.3g} MB"
            ran = not pd.isna(row.took_seconds)
            end = f"took {row.took_seconds:.2g} s" if ran else "not run"
            fits = "" if row.fits else ", beyond the memory cap"
            shown.append(
                f"L = {row.layers} ({row.cone_uploads:.0f} uploads in a cone): {predicted} "
                f"predicted{fits}, {end}"
            )
        wanted = rows[rows["layers"] <= _UPLOADS]
        good = (wanted["took_seconds"] <= _SECONDS) & (wanted["predicted_bytes"] <= _BYTES)
        found.append(
            Claim(
                text=f"64-qubit brickwork, {kind} lambda: what the orders of all 64 outputs cost "
                "with L uploads of every pixel",
                expected=f"at most {_SECONDS:.0f} s and {_BYTES / 1e6:.3g} MB up to "
                f"L = {_UPLOADS}; beyond, as predicted",
                measured="; ".join(shown),
                holds=bool(good.all()) if len(wanted) else None,
            )
        )
    return found

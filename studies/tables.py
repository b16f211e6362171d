"""The stored rows of a study as a data frame and as CSV; its claims as Markdown."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studies.cells import field_types
from studies.store import Record
from studies.study import Claim, JsonScalar, Study

if TYPE_CHECKING:
    from pandas import DataFrame


def frame(study: Study[Any], records: Sequence[Record]) -> "DataFrame":
    """Return a frame with a line per row: the cell's fields, then the rows' columns.

    A column that a row lacks is missing there (NaN in a column of numbers).
    """
    from pandas import DataFrame

    return DataFrame(_lines(records), columns=_columns(study, records))


def csv_text(study: Study[Any], records: Sequence[Record]) -> str:
    """Return the same table as CSV; floats in full, `nan` and `inf` as such, missing as empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=_columns(study, records), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_lines(records))
    return text.getvalue()


def markdown(study: Study[Any], claims: Sequence[Claim]) -> str:
    """Return the claims of a study as a Markdown table under its summary."""
    lines = [
        f"# {study.name} (version {study.version})",
        "",
        study.summary,
        "",
        "| claim | expected | measured | holds |",
        "| --- | --- | --- | --- |",
    ]
    for claim in claims:
        shown = (claim.text, claim.expected, claim.measured, verdict(claim))
        lines.append("| " + " | ".join(_cell(text) for text in shown) + " |")
    return "\n".join(lines) + "\n"


def verdict(claim: Claim) -> str:
    """Return "yes", "no", or "undecided" where the rows at hand do not tell."""
    return {True: "yes", False: "no", None: "undecided"}[claim.holds]


def _lines(records: Sequence[Record]) -> list[dict[str, JsonScalar]]:
    return [{**record.parameters, **row} for record in records for row in record.rows]


def _columns(study: Study[Any], records: Sequence[Record]) -> list[str]:
    names = dict.fromkeys(field_types(study.cell))
    for record in records:
        for row in record.rows:
            names.update(dict.fromkeys(row))
    return list(names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

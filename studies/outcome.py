"""What came of one cell: its rows, or the error that it ended with."""

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.cells import Parameters, field_types
from studies.encoding import decode, encode
from studies.errors import CellError
from studies.study import JsonScalar, Row, Study

_ERROR_LINES = 12


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The rows of a cell, or its error (then there are no rows), and its wall time in seconds."""

    rows: tuple[dict[str, JsonScalar], ...] = ()
    error: str | None = None
    seconds: float


def attempt(study: Study[Any], cell: Parameters) -> Outcome:
    """Return what measuring a cell gives; whatever the measurement raises becomes the error.

    `KeyboardInterrupt` is let through.
    """
    started = time.perf_counter()
    try:
        rows = _checked(study, study.measure(study.cell(**cell)))
    except (Exception, SystemExit):  # noqa: BLE001 - a failing cell is a result
        lines = traceback.format_exc().rstrip().splitlines()
        return Outcome(
            error="\n".join(lines[-_ERROR_LINES:]), seconds=time.perf_counter() - started
        )
    return Outcome(rows=rows, seconds=time.perf_counter() - started)


def to_bytes(outcome: Outcome) -> bytes:
    """Return an outcome as JSON, for a pipe between processes."""
    plain = {"rows": outcome.rows, "error": outcome.error, "seconds": outcome.seconds}
    return encode(plain).encode()


def from_bytes(data: bytes) -> Outcome:
    """Return the outcome that `to_bytes` wrote."""
    plain = decode(data.decode())
    return Outcome(rows=tuple(plain["rows"]), error=plain["error"], seconds=float(plain["seconds"]))


def _checked(study: Study[Any], rows: Sequence[Row]) -> tuple[dict[str, JsonScalar], ...]:
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise CellError(f"study {study.name!r} measured {rows!r:.100}; expected a list of dicts")
    taken = field_types(study.cell)
    for row in rows:
        for name, value in row.items():
            if not name.isidentifier() or name in taken:
                raise CellError(
                    f"column {name!r} is a field of the cell or no identifier; rename it"
                )
            if value is not None and not isinstance(value, int | float | str):
                raise CellError(
                    f"column {name!r} holds a {type(value).__name__}; give a plain int, float, "
                    "str, bool or None (float(...), .item())"
                )
    return tuple(dict(row) for row in rows)

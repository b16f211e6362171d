"""The results of all studies, in one SQLite file that one process at a time may write.

A row of the table `cells` is one cell of one version of one study, keyed by the hash of its
canonical parameters. Each is committed on its own, so a killed process loses only what was under
way. Readers may read while a writer writes. Numbers that are not finite are kept exactly
(`studies.encoding`).
"""

import hashlib
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from studies.cells import Parameters, field_types
from studies.encoding import decode, encode
from studies.errors import StoreError
from studies.lock import WriterLock
from studies.outcome import Outcome
from studies.provenance import code_version, machine
from studies.study import JsonScalar, Study

DEFAULT_STORE = Path("results") / "studies.sqlite"
SCHEMA_VERSION = 1

_SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE cells (
        key TEXT PRIMARY KEY,
        study TEXT NOT NULL,
        version INTEGER NOT NULL,
        parameters TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('done', 'failed')),
        error TEXT,
        rows TEXT NOT NULL,
        code TEXT NOT NULL,
        machine TEXT NOT NULL,
        seconds REAL NOT NULL,
        finished TEXT NOT NULL
    )""",
)
_PUT = "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WAIT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Record:
    """A cell that was measured: its parameters and its rows."""

    parameters: Parameters
    rows: tuple[dict[str, JsonScalar], ...]


def cell_key(study: Study[Any], parameters: Parameters) -> str:
    """Return the SHA-256, in hex, of a study's name and version and a cell's parameters.

    The order of the parameters does not matter.
    """
    identity = {"study": study.name, "version": study.version, "parameters": parameters}
    return hashlib.sha256(encode(identity, canonical=True).encode()).hexdigest()


class Store:
    """A store of results, open for as long as its context lasts.

    Args:
        path: the SQLite file; a writer makes it, and its folder, where there is none.
        writable: hold the writer's lock, and allow `put`.

    Raises:
        StoreError: on entering, where there is nothing to read, another process writes, the file
            is not a store or one of another schema, or it cannot be opened; later, where reading
            or writing fails (a full disk).
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self._writable = writable
        self._resources = ExitStack()
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            if self._writable:
                self._make_folder()
                opening.enter_context(WriterLock(self.path))
            elif not self.path.exists():
                raise StoreError(f"no store at {self.path}; run a study first, or name a --store")
            self._database = self._connect()
            opening.callback(self._database.close)
            self._check_schema()
            self._resources = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database = None
        self._resources.close()

    def done(self, study: Study[Any]) -> set[str]:
        """Return the keys of the cells of the study's current version that were measured."""
        query = "SELECT key FROM cells WHERE study = ? AND version = ? AND status = 'done'"
        return {row[0] for row in self._execute(query, study.name, study.version)}

    def failed(self, study: Study[Any]) -> int:
        """Return how many cells of the study's current version are stored as failed."""
        query = "SELECT COUNT(*) FROM cells WHERE study = ? AND version = ? AND status = 'failed'"
        return int(self._execute(query, study.name, study.version)[0][0])

    def put(self, study: Study[Any], parameters: Parameters, outcome: Outcome) -> None:
        """Commit what came of a cell, in place of what was stored for it."""
        self._execute(
            _PUT,
            cell_key(study, parameters),
            study.name,
            study.version,
            encode(parameters, canonical=True),
            "done" if outcome.error is None else "failed",
            outcome.error,
            encode(outcome.rows),
            code_version(),
            encode(machine()),
            outcome.seconds,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def records(self, study: Study[Any]) -> list[Record]:
        """Return the measured cells of the study's current version, ordered by their parameters.

        Raises:
            StoreError: they have other parameters than the study's cells have now.
        """
        query = (
            "SELECT parameters, rows FROM cells WHERE study = ? AND version = ? AND status = 'done'"
        )
        names = list(field_types(study.cell))
        records = []
        for stored, rows in self._execute(query, study.name, study.version):
            found = decode(stored)
            if set(found) != set(names):
                raise StoreError(
                    f"{self.path} holds cells of {study.name!r} version {study.version} with "
                    f"parameters {sorted(found)}, expected {sorted(names)}; raise the study's "
                    "version, or choose another --store"
                )
            ordered = {name: found[name] for name in names}
            records.append(Record(parameters=ordered, rows=tuple(decode(rows))))
        return sorted(records, key=lambda record: tuple(record.parameters.values()))

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder of {self.path}: {error.strerror}; choose another --store"
            ) from error

    def _connect(self) -> sqlite3.Connection:
        # A reader opens with mode=rw too: it may have to roll back what a killed writer left.
        mode = "rwc" if self._writable else "rw"
        try:
            return sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_WAIT_SECONDS,
                isolation_level=None,
            )
        except sqlite3.Error as error:
            raise StoreError(f"cannot open {self.path}: {error}; choose another --store") from error

    def _check_schema(self) -> None:
        tables = {row[0] for row in self._execute("SELECT name FROM sqlite_master")}
        if not tables and self._writable:
            for statement in ("BEGIN", *_SCHEMA):
                self._execute(statement)
            self._execute("INSERT INTO meta VALUES ('schema', ?)", str(SCHEMA_VERSION))
            self._execute("COMMIT")
            return
        if not {"meta", "cells"} <= tables:
            raise StoreError(
                f"{self.path} is an SQLite file, but not a store of studies; choose another --store"
            )
        found = self._execute("SELECT value FROM meta WHERE name = 'schema'")
        arrived = found[0][0] if found else "none"
        if arrived != str(SCHEMA_VERSION):
            raise StoreError(
                f"{self.path} has schema version {arrived}, expected {SCHEMA_VERSION}; "
                "move it away or choose another --store"
            )

    def _execute(self, statement: str, *values: str | float | None) -> list[Any]:
        if self._database is None:
            raise StoreError(f"the store {self.path} is not open; use it inside `with Store(...)`")
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"cannot use {self.path}: {error}; "
                "check that its disk has room and that its folder can be written"
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} is not a sound SQLite file ({error}); "
                "move it away or choose another --store"
            ) from error

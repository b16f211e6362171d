import math
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from toy_study import STUDY, ToyCell

from studies.cells import parameters
from studies.encoding import decode, encode
from studies.errors import StoreError
from studies.outcome import Outcome, attempt
from studies.store import SCHEMA_VERSION, Store, cell_key

DONE = Outcome(rows=({"value": 1.0},), seconds=0.5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "studies.sqlite"


def test_the_key_depends_on_all_parameters_but_not_on_their_order():
    plain = parameters(ToyCell(size=3, seed=1))
    assert cell_key(STUDY, plain) == cell_key(STUDY, dict(reversed(plain.items())))
    others = [
        cell_key(STUDY, {**plain, "seed": 2}),
        cell_key(STUDY, {**plain, "noise": 0.5}),
        cell_key(replace(STUDY, version=2), plain),
        cell_key(replace(STUDY, name="other"), plain),
    ]
    assert len({cell_key(STUDY, plain), *others}) == 5


def test_numbers_that_are_not_finite_survive(path):
    cell = parameters(ToyCell(kind="odd", noise=math.inf))
    with Store(path, writable=True) as store:
        store.put(STUDY, cell, attempt(STUDY, cell))
    with Store(path, writable=False) as store:
        (record,) = store.records(STUDY)
    (row,) = record.rows
    assert math.isnan(row["value"])
    assert (row["bound"], row["low"], row["missing"]) == (math.inf, -math.inf, None)
    assert record.parameters == cell


def test_encoding_is_strict_and_inverts():
    value = {"b": [1, 2.5, "x", True, None], "a": {"c": -math.inf}}
    assert decode(encode(value)) == value
    assert "Infinity" not in encode(value)
    with pytest.raises(TypeError):
        encode({"a": {1, 2}})


def test_a_failed_cell_is_kept_apart_until_it_is_done(path):
    cell = parameters(ToyCell())
    key = cell_key(STUDY, cell)
    with Store(path, writable=True) as store:
        store.put(STUDY, cell, Outcome(error="bad", seconds=0.1))
        assert (store.done(STUDY), store.failed(STUDY), store.records(STUDY)) == (set(), 1, [])
        store.put(STUDY, cell, DONE)
        assert (store.done(STUDY), store.failed(STUDY)) == ({key}, 0)
        assert [record.rows for record in store.records(STUDY)] == [DONE.rows]


def test_every_cell_says_where_it_came_from(path):
    with Store(path, writable=True) as store:
        store.put(STUDY, parameters(ToyCell()), DONE)
    database = sqlite3.connect(path)
    code, machine, seconds, finished = database.execute(
        "SELECT code, machine, seconds, finished FROM cells"
    ).fetchone()
    database.close()
    assert code
    assert "/" not in code
    assert set(decode(machine)) == {"cpu", "cores", "python", "torch"}
    assert seconds == 0.5
    assert finished.endswith("+00:00")


def test_other_versions_are_not_read(path):
    with Store(path, writable=True) as store:
        store.put(STUDY, parameters(ToyCell()), DONE)
        newer = replace(STUDY, version=2)
        assert store.records(newer) == []
        assert store.done(newer) == set()


def test_other_parameters_under_one_version_are_an_error(path):
    @dataclass(frozen=True)
    class Changed:
        length: int = 1
        seed: int = 0

    with Store(path, writable=True) as store:
        store.put(STUDY, parameters(ToyCell()), DONE)
        with pytest.raises(StoreError, match="raise the study's version"):
            store.records(replace(STUDY, cell=Changed))


def test_records_come_in_the_order_of_their_parameters(path):
    with Store(path, writable=True) as store:
        for size in (10, 9, 2):
            store.put(STUDY, parameters(ToyCell(size=size)), DONE)
        assert [record.parameters["size"] for record in store.records(STUDY)] == [2, 9, 10]


def test_another_schema_is_refused(path):
    with Store(path, writable=True):
        pass
    database = sqlite3.connect(path)
    database.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    database.commit()
    database.close()
    for writable in (True, False):
        with (
            pytest.raises(StoreError, match=f"version 99, expected {SCHEMA_VERSION}"),
            Store(path, writable=writable),
        ):
            pass


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at as one" * 20)
    before = text.read_bytes()
    with pytest.raises(StoreError, match="not a sound SQLite file"), Store(text, writable=True):
        pass
    assert text.read_bytes() == before
    other = tmp_path / "other.sqlite"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE birds (name TEXT)")
    database.close()
    with pytest.raises(StoreError, match="not a store of studies"), Store(other, writable=True):
        pass


def test_places_that_cannot_be_written_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path in (file / "studies.sqlite", tmp_path, Path("/proc/studies.sqlite")):
        with pytest.raises(StoreError, match=r"choose another --store|can be written"):
            Store(path, writable=True).__enter__()


def test_reading_a_store_that_is_not_there_makes_none(path):
    with pytest.raises(StoreError, match="no store at"), Store(path, writable=False):
        pass
    assert not path.exists()


def test_a_second_writer_is_refused_and_readers_are_not(path):
    with Store(path, writable=True) as store:
        store.put(STUDY, parameters(ToyCell()), DONE)
        with pytest.raises(StoreError, match="another run"), Store(path, writable=True):
            pass
        with Store(path, writable=False) as reader:
            assert len(reader.records(STUDY)) == 1
    with Store(path, writable=True) as store:
        assert len(store.records(STUDY)) == 1


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_stored(path):
    with Store(path, writable=True) as store:
        store.put(STUDY, parameters(ToyCell()), DONE)
        store._execute("PRAGMA max_page_count = 1")
        long = Outcome(rows=({"value": "x" * 100_000},), seconds=0.0)
        with pytest.raises(StoreError, match="full"):
            store.put(STUDY, parameters(ToyCell(seed=1)), long)
    with Store(path, writable=False) as store:
        assert [record.rows for record in store.records(STUDY)] == [DONE.rows]


def test_a_closed_store_says_so(path):
    store = Store(path, writable=True)
    with pytest.raises(StoreError, match="not open"):
        store.done(STUDY)

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from test_plan import MACHINE

from contractions import Network, cache_folder, plan
from contractions.files import Entry, read_checked, write_checked

EQUATION = "ab,bc,cd,de,ea,acx->x"
SHAPES = [(2, 3), (3, 4), (4, 2), (2, 3), (3, 2), (2, 4, 5)]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def network(equation=EQUATION):
    return Network.from_einsum(equation, SHAPES)


def make(**options):
    return plan(network(), machine=MACHINE, **options)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_cache_is_below_the_cache_home(folder):
    make()
    (file,) = files(folder)
    assert file.parent == cache_folder() / "plans" == folder / "tnqml" / "plans"
    assert json.loads(file.read_text()).keys() == {"checksum", "text"}


def test_without_a_cache_nothing_is_written_or_read(folder):
    make(cache=False)
    assert not files(folder)
    make()
    assert make(cache=False).search_seconds > 0


def with_text(change):
    """A file with a good checksum whose text has been changed."""

    def spoil(file):
        text = change(json.loads(read_checked(file)))
        write_checked(file, text if isinstance(text, str) else json.dumps(text))

    return spoil


def changed_path(change):
    def changed(kept):
        return kept | {"found": kept["found"] | {"path": change(kept["found"]["path"])}}

    return with_text(changed)


SPOILERS = {
    "empty": lambda file: file.write_text(""),
    "binary": lambda file: file.write_bytes(b"\xff\xfe\x00\x01"),
    "not json": lambda file: file.write_text("hello"),
    "truncated": lambda file: file.write_text(file.read_text()[:-40]),
    "foreign object": lambda file: file.write_text('{"a": 1}'),
    "foreign list": lambda file: file.write_text("[1, 2]"),
    "foreign number": lambda file: file.write_text("3"),
    "text of another type": lambda file: file.write_text('{"checksum": "", "text": 5}'),
    "one flipped letter": lambda file: file.write_text(
        file.read_text().replace("winner", "vinner")
    ),
    "another checksum": lambda file: file.write_text(
        json.dumps(json.loads(file.read_text()) | {"checksum": "0" * 64})
    ),
    "not a plan": with_text(lambda _: {"machine": 1}),
    "a list": with_text(lambda _: []),
    "nested too deep": lambda file: file.write_text("[" * 10**5),
    "nested too deep inside": with_text(lambda _: "[" * 10**5),
    "no json inside": with_text(lambda _: "plan"),
    "no path": with_text(lambda kept: kept | {"found": {"winner": "nobody"}}),
    "no cost": with_text(lambda kept: {"found": kept["found"]}),
    "half a cost": with_text(lambda kept: kept | {"cost": {"seconds": 1.0}}),
    "one field more": with_text(lambda found: found | {"future": 1}),
    "a step short": changed_path(lambda path: path[:-1]),
    "a step long": changed_path(lambda path: [*path, [0, 1]]),
    "a node twice": changed_path(lambda path: [path[0], path[0], *path[2:]]),
    "a node not made yet": changed_path(lambda path: path[::-1]),
    "a negative node": changed_path(lambda path: [[-1, path[0][1]], *path[1:]]),
    "triples": changed_path(lambda path: [[*pair, 0] for pair in path]),
    "words": changed_path(lambda path: [["a", "b"] for _ in path]),
    "no list": changed_path(lambda _: None),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS.keys())
def test_a_bad_file_is_ignored_with_one_warning_and_replaced(folder, caplog, spoil):
    first = make()
    (file,) = files(folder)
    good = file.read_text()
    spoil(file)
    assert file.read_bytes() != good.encode()
    with caplog.at_level(logging.WARNING):
        again = make()
    assert again.search_seconds > 0
    assert again.path == first.path
    (record,) = caplog.records
    assert str(file) in record.getMessage()
    assert files(folder) == [file]
    assert file.read_text() == good
    caplog.clear()
    assert make().search_seconds == 0
    assert not caplog.records


def test_a_plan_of_another_network_is_not_used(folder, caplog):
    other = plan(Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3), machine=MACHINE)
    (foreign,) = files(folder)
    mine = make()
    (file,) = set(files(folder)) - {foreign}
    for moved, said in (
        (lambda: file.write_text(foreign.read_text()), "its checksum does not match"),
        (lambda: write_checked(file, read_checked(foreign)), "does not fit"),
    ):
        moved()
        caplog.clear()
        again = make()
        assert again.path == mine.path != other.path
        assert said in caplog.text


def test_an_unwritable_folder_is_said_once_and_the_plan_made(monkeypatch, tmp_path, caplog):
    regular = tmp_path / "regular"
    regular.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(regular / "below"))
    made = make()
    arrays = [np.ones(shape) for shape in SHAPES]
    np.testing.assert_allclose(made.contract(arrays), np.einsum(EQUATION, *arrays), rtol=1e-13)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "cannot keep" in record.getMessage()
    assert regular.read_text() == "no folder"


def test_a_folder_that_cannot_be_read_is_said_once(folder, caplog):
    (folder / "tnqml").mkdir()
    (folder / "tnqml" / "plans").symlink_to("plans")  # a loop
    for _ in range(3):
        assert make().search_seconds > 0
    assert [record.getMessage().split()[:2] for record in caplog.records] == [
        ["cannot", "read"],
        ["cannot", "keep"],
    ]


def test_without_a_home_the_cache_is_among_the_temporary_files(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert cache_folder() == Path(tempfile.gettempdir()) / "tnqml"


def test_the_oldest_go_when_they_are_too_many(folder, monkeypatch):
    Entry("things", "one").write("x" * 10)
    (file,) = files(folder)
    monkeypatch.setattr("contractions.files._MOST_BYTES", 5 * file.stat().st_size)
    file.unlink()
    monkeypatch.setattr("contractions.files._LOOK_EVERY", 1)
    for number in range(12):
        Entry("things", number).write("x" * 10)
        for file in folder.rglob("*.json"):
            os.utime(file, (file.stat().st_mtime - 10,) * 2)
    read = [Entry("things", number).read(str) for number in range(12)]
    assert read == [None] * 7 + ["x" * 10] * 5


def test_a_file_that_cannot_be_replaced_leaves_no_rest(folder, caplog):
    make()
    (file,) = files(folder)
    file.unlink()
    file.mkdir()
    (file / "inside").write_text("")
    assert make().search_seconds > 0
    assert files(folder) == [file / "inside"]


def test_names_of_indices_do_not_matter_for_a_hit_but_the_dtype_does(folder):
    first = make()
    renamed = plan(network("pq,qr,rs,st,tp,prz->z"), machine=MACHINE)
    assert renamed.search_seconds == 0
    assert renamed.path == first.path
    assert renamed.network.output == ("z",)
    assert make(dtype="float32").search_seconds > 0
    assert len(files(folder)) == 2
    arrays = [np.random.default_rng(2).uniform(size=shape) for shape in SHAPES]
    np.testing.assert_array_equal(renamed.contract(arrays), first.contract(arrays))


PROGRAM = f"""
import json
from contractions import Machine, Network, plan
machine = Machine({dict(MACHINE.flops)!r}, 1e10, 1e10, 1e-5, 2**30)
network = Network.from_einsum({EQUATION!r}, {SHAPES!r})
for seed in range(40):
    print(json.dumps(plan(network, seed=seed, machine=machine).path))
"""


def test_two_processes_share_one_cache(folder):
    processes = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]
    assert (outputs[0][0].count("\n"), outputs[0][1]) == (40, "")
    kept = files(folder)
    assert [file.suffix for file in kept] == [".json"] * 40
    for file in kept:
        assert json.loads(read_checked(file))


def test_text_survives_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "deep" / "file.json"
    for text in ("", "plain", '{"a": "\\u00e4"}', "äöü\n\x00", "x" * 10**5):
        write_checked(file, text)
        assert read_checked(file) == text
        assert list(file.parent.iterdir()) == [file]

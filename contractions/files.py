"""Small text files in the user's cache folder: checksummed, written whole or not at all.

What takes long to find and follows from little else is kept there, by kind and by a hash of all
that it follows from.
"""

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from contractions.errors import ContractionError

_log = logging.getLogger(__name__)
_MOST_BYTES, _LOOK_EVERY = 1 << 28, 64  # of one kind; writes

_FOREIGN = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a text that is something else than expected may raise."""

_said: set[tuple[str, Path]] = set()
_writes: Counter[Path] = Counter()

Kept = TypeVar("Kept")


class UnreadableFile(ContractionError):
    """A cache file is missing, foreign or corrupt."""


def cache_folder() -> Path:
    """Where the machine's calibration, plans and what follows from them are kept.

    ``$XDG_CACHE_HOME/tnqml``, or ``~/.cache/tnqml``; among the temporary files if there is no home.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        try:
            return Path.home() / ".cache" / "tnqml"
        except RuntimeError:  # a user without an entry, as containers have them
            base = tempfile.gettempdir()
    return Path(base) / "tnqml"


def _checksum(path: Path, text: str) -> str:
    """Of a file's name and text: moved under another name it is no longer intact."""
    return hashlib.sha256(f"{path.name}\n{text}".encode()).hexdigest()


def read_checked(path: Path) -> str:
    """The text that `write_checked` put there.

    Raises:
        UnreadableFile: there is none, or it is not what was written; the message says which.
    """
    try:
        document = json.loads(path.read_text())
        text = document["text"]
        intact = document["checksum"] == _checksum(path, text)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableFile(f"no file {path}") from error
    except OSError as error:
        _say_once("cannot read", path, error)
        raise UnreadableFile(f"cannot read {path}: {error}") from error
    except _FOREIGN as error:
        _log.warning("ignoring %s: it is not a cache file of this program", path)
        raise UnreadableFile(f"{path} is not a cache file") from error
    if not intact:
        _log.warning("ignoring %s: its checksum does not match", path)
        raise UnreadableFile(f"{path} is corrupt")
    return str(text)


def write_checked(path: Path, text: str) -> None:
    """Write text with its checksum, atomically; a folder that cannot be written is named once."""
    document = json.dumps({"checksum": _checksum(path, text), "text": text})
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, suffix=".part", delete=False
        ) as file:
            part = Path(file.name)
            file.write(document)
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        _say_once("cannot keep", path, error)


def _say_once(what: str, path: Path, error: OSError) -> None:
    """A warning, unless it was given for another file of the folder."""
    if (what, path.parent) not in _said:
        _said.add((what, path.parent))
        _log.warning("%s %s: %s; it will be made anew next time", what, path, error)


class Entry:
    """A place in the cache for one thing; the oldest of its kind go when they are too many.

    Args:
        kind: of things, a folder's name.
        key: all that it follows from; JSON can write it.
    """

    def __init__(self, kind: str, key: object) -> None:
        self._kind = kind
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self._file = cache_folder() / kind / f"{digest}.json"

    def read(self, made_of: Callable[[Any], Kept]) -> Kept | None:
        """What is kept there, or None if that is nothing or nothing that can be used.

        Args:
            made_of: makes it of what was written; it raises one of what Python raises where values
                are of another kind if that is something else.
        """
        try:
            return made_of(json.loads(read_checked(self._file)))
        except UnreadableFile:
            return None
        except _FOREIGN as error:
            _log.warning("ignoring %s, among the %s: %s", self._file, self._kind, error)
            return None

    def write(self, document: object) -> None:
        """Keep it, as what JSON can write."""
        write_checked(self._file, json.dumps(document, separators=(",", ":")))
        folder = self._file.parent
        if _writes[folder] % _LOOK_EVERY == 0:
            _drop_oldest(folder, most_bytes=_MOST_BYTES)
        _writes[folder] += 1


def _drop_oldest(folder: Path, *, most_bytes: int) -> None:
    """Delete the oldest files of a folder until the others fit; another process may do so too."""
    found: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError):
        for file in folder.glob("*.json"):
            status = file.stat()
            found.append((status.st_mtime, status.st_size, file))
    held = sum(size for _, size, _ in found)
    for _, size, file in sorted(found):
        if held <= most_bytes:
            break
        with contextlib.suppress(OSError):
            file.unlink()
        held -= size


def code_hash(package: str) -> str:
    """A hash of a package's code: what follows from it is void when it changes.

    To be taken when the package is imported: the files may be others later.

    Args:
        package: the `__file__` of one of its modules.
    """
    files = sorted(Path(package).parent.glob("*.py"))
    code = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(code + version("tnqml").encode()).hexdigest()

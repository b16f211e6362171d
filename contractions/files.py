"""Small text files in the user's cache folder: checksummed, written whole or not at all.

What takes long to find and follows from little else is kept there, by kind and by a hash of all
that it follows from.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from contractions.errors import ContractionError

_log = logging.getLogger(__name__)
_unwritable: set[Path] = set()

Kept = TypeVar("Kept")


class UnreadableFile(ContractionError):
    """A cache file is missing, foreign or corrupt."""


def cache_folder() -> Path:
    """Where plans and the machine's calibration are kept: ``$XDG_CACHE_HOME/tnqml``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tnqml"


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_checked(path: Path) -> str:
    """The text that `write_checked` put there.

    Raises:
        UnreadableFile: there is none, or it is not what was written; the message says which.
    """
    try:
        document = json.loads(path.read_text())
        text = document["text"]
        intact = document["checksum"] == _checksum(text)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableFile(f"no file {path}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("ignoring %s: it is not a cache file of this program", path)
        raise UnreadableFile(f"{path} is not a cache file") from error
    if not intact:
        _log.warning("ignoring %s: its checksum does not match", path)
        raise UnreadableFile(f"{path} is corrupt")
    return str(text)


def write_checked(path: Path, text: str) -> None:
    """Write text with its checksum, atomically; a folder that cannot be written is named once."""
    document = json.dumps({"checksum": _checksum(text), "text": text})
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
        if path.parent not in _unwritable:
            _unwritable.add(path.parent)
            _log.warning("cannot keep %s: %s; it will be made anew next time", path, error)


class Entry:
    """A place in the cache for one thing.

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
            made_of: makes it of what was written; it raises `ValueError`, `TypeError` or `KeyError`
                if that is something else.
        """
        try:
            return made_of(json.loads(read_checked(self._file)))
        except UnreadableFile:
            return None
        except (ValueError, TypeError, KeyError) as error:
            _log.warning("ignoring %s, among the %s: %s", self._file, self._kind, error)
            return None

    def write(self, document: object) -> None:
        """Keep it, as what JSON can write."""
        write_checked(self._file, json.dumps(document, separators=(",", ":")))


@cache
def code_hash(folder: Path) -> str:
    """A hash of the code in a package's folder: what follows from it is void when it changes."""
    return hashlib.sha256(
        b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))
    ).hexdigest()

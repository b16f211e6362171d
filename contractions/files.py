"""Small text files in the user's cache folder: checksummed, written whole or not at all."""

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

from contractions.errors import ContractionError

_log = logging.getLogger(__name__)


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
    """Write text with its checksum, atomically; a cache that cannot be written is said so once."""
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
        _log.warning("cannot keep %s: %s; it will be made anew next time", path, error)

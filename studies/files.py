"""Files written whole or not at all, in folders known to be writable."""

import os
from pathlib import Path

from studies.errors import ExportError


def prepare_folder(folder: Path) -> None:
    """Make `folder` where it is missing, and check that a file can be written in it.

    Raises:
        ExportError: it cannot be made or written.
    """
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ExportError(
            f"cannot write in the folder {folder}: {error.strerror}; choose another --output"
        ) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` such that a reader sees the old file or the new one, never a part.

    Raises:
        ExportError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}") from error

"""A lock on a path that ends with the process that holds it."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from studies.errors import StoreError


class WriterLock:
    """A context within which no other process, and no other context, holds the same lock.

    The lock is a side file `NAME.lock` locked by the operating system, so a killed process never
    leaves it held. The file stays: removing it would let two processes lock two files of one name.

    Raises:
        StoreError: on entering, somebody else holds the lock, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"cannot write the lock {self._path}: {error.strerror}; choose another --store"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise StoreError(
                    f"cannot lock {self._path}: {error.strerror}; choose a --store on a local disk"
                ) from error
            raise StoreError(
                f"another run (process {holder or 'unknown'}) holds {self._path}; "
                "wait for it to end or choose another --store"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

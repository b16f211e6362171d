"""Bound programs lent out, each to one run at a time, and kept warm between runs."""

import threading
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from functools import cache
from itertools import count

import numpy as np
import psutil
import torch
from torch import Tensor

from contractions.bound import Bound

_KEPT_SHARE = 8


class Leases:
    """Bound programs by key: borrowed, given back, and dropped when too much memory lies idle.

    A borrower that must outlive a function, such as the saved tensors of a reverse pass, holds a
    `token`: a tensor whose memory, once nobody refers to it, gives the lease back. So a graph that
    autograd drops, or a checkpoint that keeps nothing, frees its memory at that moment.

    Args:
        most_bytes: that idle programs may hold together on a device; the longest idle go first.
    """

    def __init__(self, most_bytes: Callable[[torch.device], int]) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.RLock()  # a finaliser may run while this thread holds it
        self._numbers = count(1)
        self._lent: dict[int, tuple[Hashable, Bound]] = {}
        self._idle: OrderedDict[int, tuple[Hashable, Bound]] = OrderedDict()
        self._waiting: dict[Hashable, list[int]] = defaultdict(list)

    def borrow(self, key: Hashable, make: Callable[[], Bound]) -> int:
        """The number of a lease on a bound program of that key, made if none lies idle."""
        with self._lock:
            waiting = self._waiting[key]
            bound = self._idle.pop(waiting.pop())[1] if waiting else None
        if bound is None:
            bound = make()
        number = next(self._numbers)
        with self._lock:
            self._lent[number] = key, bound
        return number

    def bound(self, number: int) -> Bound | None:
        """What a lease is on, or None if it was given back."""
        return self._lent.get(number, (None, None))[1]

    def give_back(self, number: int) -> None:
        """End a lease."""
        with self._lock:
            key, bound = self._lent.pop(number)
            self._idle[number] = key, bound
            self._waiting[key].append(number)
            beside = [
                (number, idle)
                for number, (_, idle) in self._idle.items()
                if idle.device == bound.device
            ]
            held = sum(idle.nbytes for _, idle in beside)
            for oldest, dropped in beside:
                if held <= self._most_bytes(bound.device):
                    break
                its_key, _ = self._idle.pop(oldest)
                self._waiting[its_key].remove(oldest)
                held -= dropped.nbytes

    def token(self, number: int, *, holder: object) -> Tensor:
        """A tensor that holds the lease's number, and gives it back when its memory goes.

        Until then `holder`, with whom what lies idle is forgotten, is kept alive.
        """
        cell = np.array([number])
        weakref.finalize(cell, self._give_back_for, number, holder).atexit = False
        return torch.from_numpy(cell)

    def _give_back_for(self, number: int, _: object) -> None:
        self.give_back(number)

    def forget(self, keys: Callable[[Hashable], bool]) -> None:
        """Drop what lies idle under some keys."""
        with self._lock:
            for key in [key for key in self._waiting if keys(key)]:
                for number in self._waiting.pop(key):
                    del self._idle[number]


@cache
def _kept_bytes(device: torch.device) -> int:
    """A share of a device's memory."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // _KEPT_SHARE
    return int(psutil.virtual_memory().total) // _KEPT_SHARE


LEASES = Leases(_kept_bytes)
"""Those of this process."""

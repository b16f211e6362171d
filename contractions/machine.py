"""What this machine can do at best: the roofline that predicted seconds are taken from."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import psutil
import torch
from torch import Tensor

from contractions.errors import ContractionError, PlanError
from contractions.files import cache_folder, read_checked, write_checked

_ITEMSIZE = {"float32": 4, "float64": 8, "complex64": 8, "complex128": 16}


@dataclass(frozen=True)
class Rates:
    """What a step of a contraction takes, in seconds.

    Attributes:
        product: a multiplication and an addition of two entries.
        entry: reading or writing an entry.
        step: the smallest step.
    """

    product: float
    entry: float
    step: float

    def seconds(self, products: float, entries: float) -> float:
        """A step of so many products that reads and writes so many entries."""
        return max(products * self.product, entries * self.entry) + self.step


@dataclass(frozen=True)
class Machine:
    """A machine's roofline.

    Args:
        flops: matrix-multiply rate in operations a second, by dtype name.
        bandwidth: bytes a second that a large copy reads and writes together.
        step_bandwidth: bytes a second that a step of a program reads and writes when its operand
            is permuted and multiplied by a small matrix, as most are.
        step_seconds: time of a smallest step of a program, whatever its size.
        memory: bytes of memory that a contraction may fill by default.
        name: for people, what was measured.
    """

    flops: Mapping[str, float] = field(hash=False)
    bandwidth: float
    step_bandwidth: float
    step_seconds: float
    memory: int
    name: str = "unnamed"

    def itemsize(self, dtype: str) -> int:
        """Bytes of one number; refuses dtypes that the engine does not contract."""
        if dtype not in _ITEMSIZE:
            raise PlanError(f"dtype is {dtype!r}; expected one of {', '.join(_ITEMSIZE)}")
        return _ITEMSIZE[dtype]

    def rates(self, dtype: str, *, passes: int = 1) -> Rates:
        """What a step takes that is repeated in so many passes."""
        operations = 8 if dtype.startswith("complex") else 2
        return Rates(
            product=passes * operations / self.flops[dtype],
            entry=passes * self.itemsize(dtype) / self.step_bandwidth,
            step=passes * self.step_seconds,
        )


def _median_seconds(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _memory_limit() -> int:
    """Bytes that this process may use: the machine's, or its control group's if that is less."""
    total = int(psutil.virtual_memory().total)
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return total


def measure() -> Machine:
    """This machine's roofline, measured now in about half a second."""
    generator = torch.Generator().manual_seed(0)
    flops = {}
    with torch.inference_mode():
        for name in _ITEMSIZE:
            a = torch.randn(512, 512, dtype=getattr(torch, name), generator=generator)
            operations = (8 if a.is_complex() else 2) * 512**3
            flops[name] = operations / _median_seconds(lambda a=a: a @ a, 5)  # type: ignore[misc]
        source = torch.zeros(2**22)
        target = torch.empty_like(source)
        bandwidth = 2 * source.nbytes / _median_seconds(lambda: target.copy_(source), 7)
        large = torch.zeros(64, 512, 8)
        order = torch.randperm(512 * 8, generator=generator).to(torch.int32)
        matrix = torch.zeros(64, 8, 8)

        def typical_step() -> Tensor:
            permuted = large.reshape(64, -1).index_select(1, order)
            return torch.bmm(permuted.reshape(64, 512, 8), matrix)

        step_bandwidth = (2 * large.nbytes + matrix.nbytes) / _median_seconds(typical_step, 9)
    small = torch.zeros(4, 4, 4, requires_grad=True)
    step = _median_seconds(
        lambda: [torch.bmm(small.permute(0, 2, 1).reshape(4, 4, 4), small) for _ in range(50)], 7
    )
    return Machine(
        flops=flops,
        bandwidth=bandwidth,
        step_bandwidth=step_bandwidth,
        step_seconds=step / 50,
        memory=int(0.7 * _memory_limit()),
        name=f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
    )


@cache
def this_machine() -> Machine:
    """This machine's roofline, measured once and kept in the user's cache folder."""
    path = cache_folder() / f"machine-{torch.get_num_threads()}-threads.json"
    name = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    try:
        stored = Machine(**json.loads(read_checked(path)))
    except (ContractionError, TypeError, ValueError):
        stored = None
    if stored is not None and stored.name == name and set(stored.flops) == set(_ITEMSIZE):
        return stored
    machine = measure()
    write_checked(path, json.dumps(asdict(machine)))
    return machine

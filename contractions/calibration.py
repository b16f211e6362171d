"""Measuring the machine: its roofline at its best, and what the steps of a program take."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import torch

from contractions.errors import ContractionError
from contractions.files import cache_folder, read_checked, write_checked
from contractions.lowering import Lowered
from contractions.machine import ITEMSIZE, Machine
from contractions.network import Network
from contractions.program import Program
from contractions.tree import products

_FORMAT = 3
_MATRICES = 4096


def _least_seconds(function: Callable[[], object], repeats: int) -> float:
    """The least of several times, since what else runs can only add to it."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


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
    """This machine's roofline, measured now in about a second."""
    generator = torch.Generator().manual_seed(0)
    flops = {}
    with torch.inference_mode():
        for name in ITEMSIZE:
            a = torch.randn(512, 512, dtype=getattr(torch, name), generator=generator)
            operations = (8 if a.is_complex() else 2) * 512**3
            flops[name] = operations / _least_seconds(lambda a=a: a @ a, 5)  # type: ignore[misc]
        source = torch.zeros(2**22)
        target = torch.empty_like(source)
        many = torch.zeros(_MATRICES, 4, 4)
        product = torch.empty_like(many)
        matrices = _least_seconds(lambda: torch.bmm(many, many, out=product), 9)
        bandwidth = 2 * source.nbytes / _least_seconds(lambda: target.copy_(source), 7)
    with torch.inference_mode(mode=False), torch.enable_grad():  # wherever it is first asked for
        small, _ = _passes(axes=3, gate=1, gates=40, batch=1)
        large, moved = _passes(axes=7, gate=3, gates=6, batch=32)
        step = _least_seconds(small, 15) / (3 * 40)
        large_seconds = _least_seconds(large, 5)
    return Machine(
        flops=flops,
        bandwidth=bandwidth,
        step_bandwidth=3 * moved / max(large_seconds - 3 * 6 * step, 1e-9),
        step_seconds=step,
        memory=int(0.7 * _memory_limit()),
        name=_name(),
        matrix_seconds=max(matrices - 3 * many.nbytes / bandwidth, 0.0) / _MATRICES,
    )


def _passes(*, axes: int, gate: int, gates: int, batch: int) -> tuple[Callable[[], object], int]:
    """Value and gradient of gates on the axes of a state, and the bytes that one pass moves.

    Args:
        axes: of the state beside its batch; each of size 4, as a wire of the Pauli picture.
        gate: axes that a gate acts on, drawn at random.
        gates: how many; as many steps.
        batch: size of the batch.
    """
    generator = np.random.default_rng(0)
    current = [f"state {axis}" for axis in range(axes)]
    terms = [["batch", *current]]
    for number in range(gates):
        chosen = generator.choice(axes, size=gate, replace=False)
        after = [f"gate {number} {axis}" for axis in chosen]
        terms.append([*(current[axis] for axis in chosen), *after])
        for axis, name in zip(chosen, after, strict=True):
            current[axis] = name
    sizes = dict.fromkeys((index for term in terms for index in term), 4)
    network = Network(terms, ("batch", *current), {**sizes, "batch": batch})
    path = ((0, 1), *((gates + number, number + 1) for number in range(1, gates)))
    program = Program(network, Lowered(network, path), None)
    arrays = [torch.full(shape, 0.1, requires_grad=True) for shape in network.shapes]
    entries = sum(
        int(np.prod([network.numbered[2][index] for index in legs]))
        for step in products(network, path)
        for legs in (step.left_legs, step.right_legs, step.legs)
    )
    return lambda: torch.autograd.backward(program.run(arrays).sum()), 4 * entries


def _name() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


@cache
def this_machine() -> Machine:
    """This machine's roofline, measured once and kept in the user's cache folder."""
    path = cache_folder() / f"machine-{_FORMAT}-{torch.get_num_threads()}-threads.json"
    try:
        stored = Machine(**json.loads(read_checked(path)))
    except (ContractionError, TypeError, ValueError):
        stored = None
    if stored is not None and stored.name == _name() and set(stored.flops) == set(ITEMSIZE):
        return stored
    machine = measure()
    write_checked(path, json.dumps(asdict(machine)))
    return machine

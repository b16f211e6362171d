"""Measuring the machine: its roofline, and what the steps of a program take as a rule."""

import itertools
import json
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np
import psutil
import torch

from contractions import tree
from contractions.errors import ContractionError, PlanError
from contractions.files import cache_folder, read_checked, write_checked
from contractions.lowering import Lowered
from contractions.machine import ITEMSIZE, Machine
from contractions.network import Network
from contractions.program import Program
from contractions.sources import Given

_FORMAT = 13
_MATRICES = 4096
_LANES = 1024
_ROUNDS = 4
_CPU = torch.device("cpu")


def _usual_seconds(
    works: Mapping[str, tuple[Callable[[], object], int]], device: torch.device
) -> dict[str, float]:
    """The median of several times of each function, as runs that it predicts are timed.

    All are timed in turn, round by round, so that a busy moment spoils no one of them.

    Args:
        works: by name, what is timed and how often in each round.
        device: where it runs.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for first in (True, *[False] * (_ROUNDS - 1)):
        for name, (function, repeats) in works.items():
            for _ in range(2 if first else 1):  # sets up, and warms caches again
                function()
            for _ in range(repeats):
                start = time.perf_counter()
                function()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def _memory_limit(device: torch.device) -> int:
    """Bytes that this process may use: the device's, or its control group's if that is less."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = int(psutil.virtual_memory().total)
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(file).read_text()))
        except (OSError, ValueError):
            continue
    return total


def measure(device: torch.device | str = _CPU) -> Machine:
    """The roofline of this machine, or of a GPU in it, measured now in about a second.

    Raises:
        PlanError: there is no such device, or it is of a kind that nothing runs on.
    """
    device = _checked(device)
    generator = torch.Generator().manual_seed(0)
    works: dict[str, tuple[Callable[[], object], int]] = {}
    operations = {}
    with torch.inference_mode(mode=False), torch.enable_grad():  # wherever it is first asked for
        for name in ITEMSIZE:
            a = torch.randn(512, 512, dtype=getattr(torch, name), generator=generator).to(device)
            if device.type == "cuda":  # what fills it is larger
                a = a.repeat(8, 8)
            operations[name] = (8 if a.is_complex() else 2) * len(a) ** 3
            works[name] = partial(torch.mm, a, a), 2
        source = torch.zeros(2**24 if device.type == "cpu" else 2**28, device=device)  # past caches
        target = torch.empty_like(source)
        many = torch.zeros(_MATRICES, 4, 4, device=device)
        works["copy"] = partial(target.copy_, source), 2
        works["matrices"] = partial(torch.bmm, many, many, out=torch.empty_like(many)), 3
        small, steps = _lattice(rows=6, columns=7, device=device)
        batch = 32 if device.type == "cpu" else 512
        large, moved = _passes(axes=7, gate=3, gates=6, batch=batch, device=device)
        sided, _ = _passes(axes=3, gate=1, gates=12, batch=_LANES, device=device, own=True)
        works |= {"small": (small, 5), "large": (large, 2), "lanes": (sided, 3)}
        usual = _usual_seconds(works, device)
    step = usual["small"] / (3 * steps)
    bandwidth = 2 * source.nbytes / usual["copy"]
    lanes = max(usual["lanes"] - 3 * 12 * step, 0.0) / (3 * 12 * 4**4 * _LANES)
    return Machine(
        flops={name: count / usual[name] for name, count in operations.items()},
        bandwidth=bandwidth,
        step_bandwidth=3 * moved / max(usual["large"] - 3 * 6 * step, 1e-9),
        step_seconds=step,
        memory=int(0.7 * _memory_limit(device)),
        name=_name(device),
        matrix_seconds=max(usual["matrices"] - 3 * many.nbytes / bandwidth, 0.0) / _MATRICES,
        lane_seconds=lanes,
    )


def _lattice(*, rows: int, columns: int, device: torch.device) -> tuple[Callable[[], object], int]:
    """Value and gradient of a square lattice of tensors, row by row, and how many steps it has.

    Its tensors are small, so that each step takes next to no time beside what any step takes.
    """
    terms = []
    for row, column in itertools.product(range(rows), range(columns)):
        ends = [
            ("down", row - 1, column),
            ("across", row, column - 1),
            ("down", row, column),
            ("across", row, column),
        ]
        inside = (row > 0, column > 0, row < rows - 1, column < columns - 1)
        terms.append([end for end, is_inside in zip(ends, inside, strict=True) if is_inside])
    network = Network(terms, (), dict.fromkeys((index for term in terms for index in term), 2))
    path = ((0, 1), *((len(terms) + number, number + 2) for number in range(len(terms) - 2)))
    alike: dict[int, list[int]] = {}
    for number, term in enumerate(terms):
        alike.setdefault(len(term), []).append(number)
    return _gradient(network, path, [tuple(stack) for stack in alike.values()], device), len(path)


def _passes(
    *, axes: int, gate: int, gates: int, batch: int, device: torch.device, own: bool = False
) -> tuple[Callable[[], object], int]:
    """Value and gradient of gates on the axes of a state, and the bytes that one pass moves.

    Args:
        axes: of the state beside its batch; each of size 4, as a wire of the Pauli picture.
        gate: axes that a gate acts on, drawn at random.
        gates: how many; as many steps.
        batch: size of the batch.
        device: where they run.
        own: every sample has gates of its own, side by side in memory.
    """
    generator = np.random.default_rng(0)
    current = [f"state {axis}" for axis in range(axes)]
    terms = [[*current, "batch"] if own else ["batch", *current]]
    for number in range(gates):
        chosen = generator.choice(axes, size=gate, replace=False)
        after = [f"gate {number} {axis}" for axis in chosen]
        terms.append([*(current[axis] for axis in chosen), *after, *(["batch"] if own else [])])
        for axis, name in zip(chosen, after, strict=True):
            current[axis] = name
    sizes = dict.fromkeys((index for term in terms for index in term), 4)
    network = Network(terms, ("batch", *current), {**sizes, "batch": batch})
    path = ((0, 1), *((gates + number, number + 1) for number in range(1, gates)))
    entries = sum(
        int(np.prod([network.numbered[2][index] for index in legs]))
        for step in tree.products(network, path)
        for legs in (step.left_legs, step.right_legs, step.legs)
    )
    stacks = [(0,), tuple(range(1, 1 + gates))]
    return _gradient(network, path, stacks, device), 4 * entries


def _gradient(
    network: Network, path: tree.Path, stacks: Sequence[tuple[int, ...]], device: torch.device
) -> Callable[[], object]:
    """Value and gradient of a contraction."""
    program = Program(Lowered(network, path), Given(tuple(stacks)))
    shapes = [(len(stack), *network.shapes[stack[0]]) for stack in stacks]
    arrays = [torch.full(shape, 0.1, requires_grad=True, device=device) for shape in shapes]
    return lambda: torch.autograd.backward(program.run(arrays).sum())


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def _checked(device: torch.device | str) -> torch.device:
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise PlanError(f"device is {device!r}; expected 'cpu', 'cuda' or 'cuda:0'") from error
    if found.type not in {"cpu", "cuda"}:
        raise PlanError(f"device is {str(found)!r}; contractions run on 'cpu' and 'cuda'")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise PlanError(
            f"device is {str(found)!r}, and this machine has {torch.cuda.device_count()} GPUs that "
            "torch can use"
        )
    return found


def this_machine(device: torch.device | str = _CPU) -> Machine:
    """This machine's roofline, measured once and kept in the user's cache folder.

    Args:
        device: the processor, or a GPU.

    Raises:
        PlanError: as `measure`.
    """
    device = _checked(device)
    return _known(device, _name(device))


@cache
def _known(device: torch.device, name: str) -> Machine:
    where = re.sub(r"\W+", "-", name)
    path = cache_folder() / f"machine-{_FORMAT}-{where}.json"
    try:
        stored = Machine(**json.loads(read_checked(path)))
    except (ContractionError, TypeError, ValueError, RecursionError):
        stored = None
    if stored is not None and stored.name == name and set(stored.flops) == set(ITEMSIZE):
        return stored
    with ThreadPoolExecutor(1) as thread:  # outside of any transform that it is asked for in
        machine = thread.submit(measure, device).result()
    write_checked(path, json.dumps(asdict(machine)))
    return machine

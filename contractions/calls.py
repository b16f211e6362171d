"""Calls on memory that stays where it is, made in order; on a GPU launched as one graph."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from threading import active_count

import torch
from torch import Tensor

Call = Callable[[], object]
"""Reads and writes memory of its own; what it returns is not used."""

_ALONE = 2**17  # multiplications of a product up to which one thread is about as fast: measured
_SHARED = 2**15  # entries from which on torch shares other work among threads


class Calls:
    """Calls that read and write the same memory every time.

    On CUDA they are recorded at the second run, the first having set up what the libraries set up,
    and replayed from then on: thousands of launches cost little more than one.

    On a CPU small products run on one thread: a second one gains little there, and whenever another
    process has its processor, every product waits for it. Not so in a program of several threads:
    torch would start a new one with the number of threads that is set at that moment.

    Args:
        calls: in order.
        device: where their memory is.
    """

    def __init__(self, calls: Sequence[Call], device: torch.device) -> None:
        self._calls, self._device = tuple(calls), device
        self._stretches = _stretches(self._calls)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._has_run = False

    def __call__(self) -> None:
        """Make them."""
        if self._device.type != "cuda":
            if active_count() == 1:
                self._make_on_threads()
            else:
                self._make()
        elif torch.cuda.is_current_stream_capturing():
            self._make()
        elif not self._has_run:
            self._make()
            self._has_run = True
        else:
            if self._graph is None:
                self._graph = self._recorded()
            self._graph.replay()

    def _make(self) -> None:
        for call in self._calls:
            call()

    def _make_on_threads(self) -> None:
        threads = torch.get_num_threads()
        try:
            for alone, calls in self._stretches:
                torch.set_num_threads(1 if alone else threads)
                for call in calls:
                    call()
        finally:
            torch.set_num_threads(threads)

    def _recorded(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(graph, capture_error_mode="thread_local"),
        ):
            self._make()
        return graph


def _stretches(calls: Sequence[Call]) -> list[tuple[bool, list[Call]]]:
    """Calls in order, cut where it changes whether they run on one thread alone."""
    alone, marked = True, []
    for call in calls:
        wanted = _runs_alone(call)
        alone = alone if wanted is None else wanted
        marked.append((alone, call))
    return [
        (alone, [call for _, call in stretch])
        for alone, stretch in groupby(marked, key=lambda mark: mark[0])
    ]


def _runs_alone(call: Call) -> bool | None:
    """Whether one thread is better, or None if it does not matter; what is unknown takes all."""
    if not isinstance(call, partial):
        return False
    operands = [given for given in call.args if isinstance(given, Tensor)]
    if call.func in (torch.bmm, torch.mm):
        return operands[0].numel() * operands[1].shape[-1] <= _ALONE
    return None if all(given.numel() < _SHARED for given in operands) else False

"""Calls on memory that stays where it is, made in order; on a GPU launched as one graph."""

from collections.abc import Callable, Sequence

import torch

Call = Callable[[], object]
"""Reads and writes memory of its own; what it returns is not used."""


class Calls:
    """Calls that read and write the same memory every time.

    On CUDA they are recorded at the second run, the first having set up what the libraries set up,
    and replayed from then on: thousands of launches cost little more than one.

    Args:
        calls: in order.
        device: where their memory is.
    """

    def __init__(self, calls: Sequence[Call], device: torch.device) -> None:
        self._calls, self._device = tuple(calls), device
        self._graph: torch.cuda.CUDAGraph | None = None
        self._has_run = False

    def __call__(self) -> None:
        """Make them."""
        if self._device.type != "cuda" or torch.cuda.is_current_stream_capturing():
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

    def _recorded(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(graph, capture_error_mode="thread_local"),
        ):
            self._make()
        return graph

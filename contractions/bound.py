"""A program bound to memory: every operand a view made once, every call ready to be made."""

from collections.abc import Sequence
from threading import Thread

import torch
from torch import Tensor

from contractions.calls import Calls
from contractions.errors import NetworkError
from contractions.script import Scripts
from contractions.sources import Filling, Source

_PAGE, _SOON_TOUCHED = 4096, 1 << 20  # bytes


class Bound:
    """The memory of one run of a program, and the calls that work on it.

    It may be run again and again, by one user at a time. Nothing that it returns shares memory
    with it.

    Args:
        scripts: what is done.
        source: what fills the tensors.
        dtype: of the arrays.
        device: where they are.
    """

    def __init__(
        self, scripts: Scripts, source: Source, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._scripts = scripts
        self._block = torch.empty(scripts.forward.size, dtype=dtype, device=device)
        self._touching = _touching(self._block)
        steps, self._places = scripts.forward.on(self._block)
        pulled = self._places["pulled"]
        self._filling = source.bind(self._places["stacks"], pulled)
        if not isinstance(self._filling, Filling):
            raise NetworkError(
                f"the source's bind gives a {type(self._filling).__name__}; expected a Filling"
            )
        if pulled and len(self._filling.gradients) != len(self._filling.inputs):
            raise NetworkError(
                f"the source has gradients for {len(self._filling.gradients)} of its "
                f"{len(self._filling.inputs)} inputs; expected one for each"
            )
        self._forward = Calls([*self._filling.forward, *steps], device)
        self._reverses: dict[tuple[bool, ...], Calls] = {}
        self.spent = True

    @property
    def device(self) -> torch.device:
        """Where its memory is."""
        return self._block.device

    @property
    def nbytes(self) -> int:
        """Of all its memory."""
        return self._block.nbytes + self._filling.nbytes()

    def _prepared(self, wanted: tuple[bool, ...]) -> Calls:
        """The calls of a reverse pass: through the steps, then through the source."""
        calls = self._reverses.get(wanted)
        if calls is None:
            needed = tuple(map(bool, self._filling.needed(wanted)))
            if len(needed) != len(self._places["stacks"]):
                raise NetworkError(
                    f"needed of the source's filling gives {len(needed)} flags; expected one for "
                    f"each of its {len(self._places['stacks'])} stacks"
                )
            steps, _ = self._scripts.reverse(needed).on(self._block)
            calls = Calls([*steps, *self._filling.reverse(wanted)], self._block.device)
            self._reverses[wanted] = calls
        return calls

    def forward(
        self, inputs: Sequence[Tensor], *, wanted: tuple[bool, ...] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The result, and the power of 2 by which to multiply it, both over the output's axes.

        Args:
            inputs: those of the source.
            wanted: which cotangents a reverse pass will be asked for, if one is expected: its calls
                are made while new memory is written to.
        """
        self.spent = False
        filled = self._filling.inputs
        if len(inputs) != len(filled):
            raise NetworkError(f"got {len(inputs)} inputs; the source takes {len(filled)}")
        if wanted is not None:
            self._prepared(wanted)
        if self._touching is not None:
            self._touching.join()
            self._touching = None
        for number, (target, given) in enumerate(zip(filled, inputs, strict=True)):
            if given.numel() != target.numel():
                raise NetworkError(
                    f"input {number} has shape {tuple(given.shape)}; the program was made for "
                    f"{target.numel()} entries"
                )
            if given.dtype != target.dtype or given.device != target.device:
                raise NetworkError(
                    f"input {number} is {given.dtype} on {given.device}; expected {target.dtype} "
                    f"on {target.device}, as input 0 has it or the source says"
                )
            target.copy_(given.reshape(target.shape))
        self._forward()
        result = self._places["result"][0].clone(memory_format=torch.contiguous_format)
        return result, self._scripts.exponents(self._places["scales"], device=result.device)

    def reverse(self, cotangent: Tensor, *, wanted: tuple[bool, ...]) -> list[Tensor | None]:
        """The cotangent of every input that is wanted, from that of the result.

        It may be called once after each forward run, whose entries it overwrites; `spent` says
        that it was.
        """
        self.spent = True
        calls = self._prepared(wanted)
        self._places["cotangent"][0].copy_(cotangent)
        calls()
        return [
            gradient.clone() if is_wanted else None
            for gradient, is_wanted in zip(self._filling.gradients, wanted, strict=True)
        ]


def _touching(block: Tensor) -> Thread | None:
    """A thread that writes to every page of new memory, or None if that is soon done.

    The first write to a page takes the system longer than most of what is computed in it; so it is
    done while the calls are made.
    """
    if block.device.type != "cpu" or block.nbytes < _SOON_TOUCHED:
        return None
    pages = block.view(torch.uint8).numpy()[::_PAGE]
    thread = Thread(target=pages.fill, args=(0,), name="touch memory", daemon=True)
    thread.start()
    return thread

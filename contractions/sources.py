"""Where a program's tensors come from: given as they are, or computed from other inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from contractions.calls import Call

Stacks = tuple[tuple[int, ...], ...]
"""For each array the tensors that it holds along its first axis."""


@dataclass(frozen=True)
class Filling:
    """A source bound to memory.

    Attributes:
        inputs: memory that is written before a run.
        gradients: memory that holds the cotangents of the inputs after a reverse pass.
        forward: calls that fill the stacks from the inputs.
        needed: for the inputs that are wanted, of which stacks a cotangent is needed.
        reverse: for the inputs that are wanted, calls that pull the stacks' cotangents back.
        nbytes: of the memory held beside the stacks so far.
    """

    inputs: Sequence[Tensor]
    gradients: Sequence[Tensor]
    forward: Sequence[Call]
    needed: Callable[[Sequence[bool]], Sequence[bool]]
    reverse: Callable[[Sequence[bool]], Sequence[Call]]
    nbytes: Callable[[], int]


class Source(Protocol):
    """What fills the stacks of a program from inputs of its own.

    Law: the calls of `bind` write the numbers that `arrays` gives, and pull back as autograd does.
    """

    @property
    def stacks(self) -> Stacks:
        """A partition of the network's tensors, those in one stack of one shape."""

    @property
    def dtype(self) -> torch.dtype | None:
        """Of the arrays, or None for that of the inputs."""

    @property
    def bindable(self) -> bool:
        """Whether `bind` serves; else a program takes `arrays`, as autograd differentiates them."""

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """An array for each stack, by operations that autograd can record."""

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        """The source bound to the stacks' memory, each (tensors, entries), and their cotangents'.

        Without a reverse pass there are no cotangents.
        """


@dataclass(frozen=True)
class Given:
    """The stacks themselves are the inputs."""

    stacks: Stacks
    dtype: torch.dtype | None = None
    bindable: bool = True

    def arrays(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The inputs."""
        return inputs

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        """The stacks' own memory; nothing is left to do."""
        return Filling(
            inputs=stacks,
            gradients=cotangents,
            forward=(),
            needed=lambda wanted: wanted,
            reverse=lambda _: (),
            nbytes=lambda: 0,
        )

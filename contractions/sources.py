"""Where a program's tensors come from: given as they are, or computed from other inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from contractions.calls import Call
from contractions.errors import NetworkError

Stacks = tuple[tuple[int, ...], ...]
"""For each array the tensors of the network, by number, that it holds along its first axis."""


@dataclass(frozen=True)
class Filling:
    """A source bound to memory.

    All memory lies where the stacks lie, and stays there: calls may run any number of times, and on
    a GPU they are recorded once and replayed.

    Attributes:
        inputs: memory that is written before a run: a tensor for each input of the run, of as many
            entries.
        gradients: memory that holds the cotangents of the inputs after a reverse pass, of the
            inputs' shapes; none is read without a reverse pass, nor those of inputs not wanted.
        forward: calls that fill the stacks from `inputs`.
        needed: from a flag for each input, whether its cotangent is wanted, a flag for each stack:
            whether that of the stack is needed for it.
        reverse: from the same flags the calls that pull the stacks' cotangents back to `gradients`.
        nbytes: of the memory held beside the stacks so far.

    Raises:
        NetworkError: what must be a function is none.
    """

    inputs: Sequence[Tensor]
    gradients: Sequence[Tensor]
    forward: Sequence[Call]
    needed: Callable[[Sequence[bool]], Sequence[bool]]
    reverse: Callable[[Sequence[bool]], Sequence[Call]]
    nbytes: Callable[[], int]

    def __post_init__(self) -> None:
        """Refuse what a program could only trip over later."""
        for name in ("needed", "reverse", "nbytes"):
            if not callable(getattr(self, name)):
                raise NetworkError(
                    f"{name} of a source's filling is {getattr(self, name)!r}; expected a function"
                )
        if not isinstance(self.forward, Sequence) or not all(map(callable, self.forward)):
            raise NetworkError(
                f"forward of a source's filling is {self.forward!r:.60}; expected a sequence of "
                "calls"
            )
        if not isinstance(self.nbytes(), int):
            raise NetworkError(
                f"nbytes of a source's filling gives {self.nbytes()!r}; expected an integer"
            )


class Source(Protocol):
    """What fills the tensors of a program from inputs of its own; see `Plan.program`.

    The inputs of a run are torch tensors of one dtype and device; their number and shapes are the
    source's to name and to check. Law: the calls of `bind` write the numbers that `arrays` gives,
    and pull back as autograd does.

    Example:
        Both matrices of a product are squares of the inputs, by autograd alone:

        >>> from contractions import Network, plan
        >>> class Squares:
        ...     stacks, dtype, bindable = ((0, 1),), None, False
        ...     def arrays(self, inputs):
        ...         return [torch.stack(list(inputs)) ** 2]  # (2 tensors, rows, columns)
        >>> made = plan(Network.from_einsum("ab,bc->ac", [(2, 2)] * 2), cache=False)
        >>> two = torch.full((2, 2), 2.0)
        >>> made.program(Squares()).run([two, two]).tolist()
        [[32.0, 32.0], [32.0, 32.0]]
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
        """For each stack (tensors, *shape of one), by operations that autograd can record."""

    def bind(self, stacks: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Filling:
        """The source bound to the stacks' memory and their cotangents'.

        What it writes there itself does not stay; `Filling.forward` fills the stacks at every run.

        Args:
            stacks: for each (tensors, entries of one), to be filled; row-major entries.
            cotangents: the same shapes, to be read in a reverse pass; empty without one.
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

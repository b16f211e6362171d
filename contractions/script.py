"""Scripts: the instructions of a program as plain data, made once, kept on disk, put on any block.

What a program does follows from its network and path alone. Deciding it takes longer than many a
run, so what a script says is kept beside the plans.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from contractions.calls import Call
from contractions.emission import Emission
from contractions.files import Entry, code_hash
from contractions.instructions import OPERATIONS, Instruction, Permutation, gather_map
from contractions.lowering import Lowered
from contractions.network import Order
from contractions.scaling import exponent, joined

_CODE = code_hash(__file__)
_WORTH_KEEPING = 8  # steps: fewer are decided as soon as they are read


@dataclass
class Script:
    """Instructions, and where what they work on lies in a block.

    Attributes:
        size: entries of the block.
        views: each an offset, 1 for a conjugate or 0, then sizes and strides.
        permutations: each for every stretch of entries sizes and the order of their axes.
        instructions: each the name of an operation, the number of a permutation or -1, and those
            of views.
        places: numbers of views that have a name.
        legs: for each scale the axes of the output that it stands for.
    """

    size: int
    views: list[list[int]] = field(default_factory=list)
    permutations: list[list[list[list[int]]]] = field(default_factory=list)
    instructions: list[list[Any]] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)
    legs: list[list[int]] = field(default_factory=list)

    @classmethod
    def recorded(
        cls,
        size: int,
        instructions: Iterable[Instruction],
        places: Mapping[str, Sequence[Tensor]],
        legs: Sequence[Order] = (),
    ) -> "Script":
        """What instructions on views of a block say."""
        views: dict[tuple[int, ...], int] = {}
        permutations: dict[tuple[Permutation, ...], int] = {(): -1}

        def number(view: Tensor) -> int:
            seen = (view.storage_offset(), int(view.is_conj()), *view.shape, *view.stride())
            return views.setdefault(seen, len(views))

        rows = [
            [
                operation,
                permutations.setdefault(permuted, len(permutations) - 1),
                *map(number, on),
            ]
            for operation, on, permuted in instructions
        ]
        named = {name: list(map(number, on)) for name, on in places.items()}
        known = [[[[*p.sizes], [*p.order]] for p in stretches] for stretches in permutations][1:]
        return cls(size, list(map(list, views)), known, rows, named, list(map(list, legs)))

    def on(self, block: Tensor) -> tuple[list[Call], dict[str, list[Tensor]]]:
        """Calls that follow it on a block of its size, and the views that have a name."""
        views = []
        for offset, conjugate, *axes in self.views:
            half = len(axes) // 2
            view = block.as_strided(axes[:half], axes[half:], offset)
            views.append(view.conj() if conjugate else view)
        maps = [
            gather_map(
                tuple([Permutation(tuple(sizes), tuple(order)) for sizes, order in stretches]),
                block.device,
            )
            for stretches in self.permutations
        ]
        calls: list[Call] = []
        for operation, permutation, *on in self.instructions:
            operands = [views[number] for number in on]
            if permutation >= 0:
                operands.append(maps[permutation])
            calls += OPERATIONS[operation](*operands)
        return calls, {name: [views[number] for number in on] for name, on in self.places.items()}


class Scripts:
    """The scripts of one program, there and back: read from disk, or made and kept there.

    Args:
        lowered: the steps.
        stacks: for each array that is given, the tensors that it holds.
        reverse: whether a reverse pass may follow.
        scaled: whether results are rescaled along the way.
        keep: whether to use the disk.
    """

    def __init__(
        self,
        lowered: Lowered,
        stacks: Sequence[Sequence[int]],
        *,
        reverse: bool,
        scaled: bool,
        keep: bool,
    ) -> None:
        self._lowered = lowered
        self._stacks = [[int(tensor) for tensor in stack] for stack in stacks]
        self._has_reverse, self._scaled = reverse, scaled
        self._keep = keep and len(lowered.path) >= _WORTH_KEEPING
        self._reverses: dict[tuple[bool, ...], Script] = {}

    @cached_property
    def _emission(self) -> Emission:
        """Kept until the last script is made that is asked of it as a rule."""
        return Emission(self._lowered, self._stacks, reverse=self._has_reverse, scaled=self._scaled)

    def _drop_emission(self) -> None:
        vars(self).pop("_emission", None)

    @cached_property
    def forward(self) -> Script:
        """Fills the last node from the stacks.

        It names "stacks", "result" and "scales", and if a reverse pass may follow "pulled", the
        cotangents of the stacks, and "cotangent", that of the result.
        """

        def make() -> Script:
            made = self._emission
            places = {
                "stacks": made.stacks,
                "pulled": made.pulled,
                "result": [made.result],
                "cotangent": [made.cotangent] if self._has_reverse else [],
                "scales": [scale for _, scale in made.scales],
            }
            legs = [legs for legs, _ in made.scales]
            if not self._has_reverse:
                self._drop_emission()
            return Script.recorded(made.size, made.forward, places, legs)

        return self._kept("forward", make)

    def reverse(self, needed: tuple[bool, ...]) -> Script:
        """Pulls the result's cotangent back to the stacks whose flags say that they need theirs."""

        def make() -> Script:
            made = self._emission
            self._drop_emission()
            return Script.recorded(made.size, made.reverse(needed), {})

        if needed not in self._reverses:
            self._reverses[needed] = self._kept(["reverse", needed], make)
        return self._reverses[needed]

    def exponents(self, scales: Sequence[Tensor], *, device: torch.device) -> Tensor:
        """The power of 2 by which the forward script divided, from its scales; see `joined`."""
        _, output, sizes = self._lowered.network.numbered
        legs = self.forward.legs
        own = [(leg, exponent(scale.real)) for leg, scale in zip(legs, scales, strict=True)]
        return joined(own, output, sizes, device=device)

    def _kept(self, which: object, make: Callable[[], Script]) -> Script:
        """A script from disk if it is there, else made and kept."""
        if not self._keep:
            return make()
        key = {
            "code": _CODE,
            "network": self._lowered.network.signature,
            "path": self._lowered.path,
            "stacks": self._stacks,
            "run": [self._has_reverse, self._scaled],
            "which": which,
        }
        entry = Entry("scripts", key)
        script = entry.read(lambda document: Script(**document))
        if script is None:
            script = make()
            entry.write(vars(script))
        return script

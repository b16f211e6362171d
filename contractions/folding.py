"""Constants folded: what depends on fixed tensors alone is contracted once and for all."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor

from contractions.arrays import check_sequence
from contractions.errors import NetworkError
from contractions.network import Network
from contractions.scaling import Scaled, divided, exponent, joined, scale_of, shifted
from contractions.tree import Path, leaf_legs, products

if TYPE_CHECKING:
    from contractions.plan import Plan


@dataclass(frozen=True)
class Constant:
    """What fixed tensors make: a mantissa times 2 to an exponent for each entry of some axes.

    Attributes:
        mantissa: entries up to 2.
        exponents: float64.
        legs: the axes of the exponents, which are the output's.
        kind: of the arrays that were fixed.
    """

    mantissa: Tensor
    exponents: Tensor
    legs: tuple[Hashable, ...]
    kind: Literal["numpy", "torch"]

    @classmethod
    def of(
        cls,
        tensor: Tensor,
        exponents: Tensor,
        axes: Sequence[Hashable],
        output: Sequence[Hashable],
        kind: Literal["numpy", "torch"],
    ) -> Self:
        """That of a tensor times 2 to some exponents, of its shape or one.

        Args:
            tensor: what was contracted.
            exponents: the power of 2 by which to multiply it.
            axes: the indices of the tensor.
            output: those of the whole network's output.
            kind: of the arrays that were fixed.
        """
        scale = scale_of(tensor, ())
        own = torch.where(tensor == 0, -math.inf, exponent(scale) + exponents)
        summed = [axis for axis, index in enumerate(axes) if index not in output]
        top = own.amax(summed, keepdim=True) if summed else own
        top = torch.where(top.isfinite(), top, 0.0)
        legs = tuple(index for index in axes if index in output)
        return cls(shifted(divided(tensor, scale), own - top), top, legs, kind)

    @property
    def array(self) -> Any:
        """The whole, which may underflow or overflow."""
        return self._as_given(shifted(self.mantissa, self.exponents))

    @property
    def scaled(self) -> Any:
        """The mantissa alone."""
        return self._as_given(self.mantissa)

    def _as_given(self, tensor: Tensor) -> Any:
        return tensor if self.kind == "torch" else tensor.numpy()


@dataclass(frozen=True)
class Folded:
    """A plan whose fixed tensors are contracted as far as they go; made by `Plan.fold`.

    Attributes:
        plan: of what is left: the constants first, then the tensors that vary.
        constants: what the fixed tensors make.
        varying: the tensors of the whole network that `contract` takes, in this order.
    """

    plan: "Plan"
    constants: tuple[Constant, ...]
    varying: tuple[int, ...]

    @cached_property
    def arrays(self) -> tuple[Any, ...]:
        """The constants as arrays of the kind that was fixed."""
        return tuple(constant.array for constant in self.constants)

    def contract(self, arrays: Sequence[Any], *, scaled: bool = False) -> Any:
        """The contracted network, from the arrays of the tensors in `varying`.

        As `Plan.contract` otherwise; the fixed tensors are constants, to which no gradient flows.

        Raises:
            NetworkError: the arrays do not fit the network or the plan.
        """
        check_sequence(arrays)
        if len(arrays) != len(self.varying):
            raise NetworkError(
                f"{len(self.varying)} tensors vary, got {len(arrays)} arrays; the others are folded"
            )
        if not scaled:
            return self.plan.contract([*self.arrays, *arrays])
        given = [*(constant.scaled for constant in self.constants), *arrays]
        mantissa, log_scale = self.plan.contract(given, scaled=True)
        return Scaled(mantissa, log_scale + self._log_scale)

    @cached_property
    def _log_scale(self) -> Any:
        """What the constants' exponents make, over the output's axes."""
        if not self.constants:
            return 0.0
        network, first = self.plan.network, self.constants[0]
        own = [(constant.legs, constant.exponents) for constant in self.constants]
        total = joined(own, network.output, network.sizes, device=first.mantissa.device)
        total = total * math.log(2)
        return total if first.kind == "torch" else total.numpy()


@dataclass(frozen=True)
class Split:
    """A path cut into what fixed tensors make alone and the rest.

    Attributes:
        parts: for each folded array its tensors, and the path that contracts them.
        network: of the folded arrays, then the varying tensors.
        path: of that network.
        varying: those tensors.
    """

    parts: tuple[tuple[tuple[int, ...], Network, Path], ...]
    network: Network
    path: Path
    varying: tuple[int, ...]


def split(network: Network, path: Path, fixed: Mapping[int, Any]) -> Split:
    """Cut a path at the largest subtrees that hold fixed tensors alone."""
    inputs, output, sizes = network.numbered
    count = len(inputs)
    legs = [tuple(sorted(term)) for term in leaf_legs(network)]
    legs += [tuple(sorted(product.legs)) for product in products(network, path)]
    constant = [leaf in fixed for leaf in range(count)]
    for left, right in path:
        constant.append(constant[left] and constant[right])
    tops = [
        child
        for step, pair in enumerate(path)
        if not constant[count + step]
        for child in pair
        if constant[child]
    ]
    if constant[-1]:
        tops = [len(constant) - 1]
    varying = tuple(leaf for leaf in range(count) if leaf not in fixed)
    numbered = dict(enumerate(sizes))
    terms = [legs[top] for top in tops] + [inputs[leaf] for leaf in varying]
    names = {node: place for place, node in enumerate([*tops, *varying])}
    rest: list[tuple[int, int]] = []
    for step, (left, right) in enumerate(path):
        if not constant[count + step]:
            names[count + step] = len(terms) + len(rest)
            rest.append((names[left], names[right]))
    return Split(
        parts=tuple(_part(network, path, top, legs[top]) for top in tops),
        network=Network(terms, output, numbered),
        path=tuple(rest),
        varying=varying,
    )


def _part(
    network: Network, path: Path, top: int, kept: Sequence[int]
) -> tuple[tuple[int, ...], Network, Path]:
    inputs, _, sizes = network.numbered
    count = len(inputs)
    steps, leaves, stack = [], [], [top]
    while stack:
        node = stack.pop()
        if node < count:
            leaves.append(node)
        else:
            steps.append(node)
            stack += path[node - count]
    names = {leaf: place for place, leaf in enumerate(leaves)}
    renamed = []
    for node in sorted(steps):
        left, right = path[node - count]
        renamed.append((names[left], names[right]))
        names[node] = len(leaves) + len(renamed) - 1
    part = Network([inputs[leaf] for leaf in leaves], kept, dict(enumerate(sizes)))
    return tuple(leaves), part, tuple(renamed)

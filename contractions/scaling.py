"""Scaled results: mantissas and logarithms, for products that would underflow or overflow.

Scales are powers of 2, by which to divide rounds nothing, and there is one for each entry of the
output's axes: a row of a batch does not depend on how large the others are.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from contractions.network import Network, Order


class Scaled(NamedTuple):
    """A result that neither underflows nor overflows: ``mantissa * exp(log_scale)``.

    Attributes:
        mantissa: of modulus 1, or 0 where the result is exactly 0. It carries gradients, with
            `log_scale` held constant: they are derivatives of the result over its modulus, and as
            large as those are.
        log_scale: natural logarithm of the modulus, of the same shape; float64, without gradient.
    """

    mantissa: Tensor
    log_scale: Tensor

    @classmethod
    def of(cls, tensor: Tensor, exponents: Tensor | float = 0.0) -> Self:
        """What a tensor times 2 to some exponents, of its shape or one, is."""
        scale = scale_of(tensor, ())
        near = divided(tensor, scale)
        modulus = near.detach().abs()
        modulus = torch.where(modulus > 0, modulus, 1)
        return cls(
            near / modulus,
            modulus.double().log() + (exponent(scale) + exponents) * math.log(2),
        )


def scale_of(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """A power of 2, up to twice as small as the largest real or imaginary part; held constant.

    Args:
        tensor: real or complex.
        axes: along which the largest is sought, of size 1 in the result; if there are none, each
            entry has a scale of its own.

    Returns:
        Real; 1 where all is 0, or something is not finite.
    """
    parts = _parts(tensor.detach()).abs()
    axes = [*axes, -1] if tensor.is_complex() else list(axes)
    largest = parts.amax(axes, keepdim=True) if axes else parts
    if tensor.is_complex():
        largest = largest.squeeze(-1)
    largest = torch.where((largest > 0) & largest.isfinite(), largest, 1)
    return largest / (2 * torch.frexp(largest).mantissa)


def divided(tensor: Tensor, scale: Tensor) -> Tensor:
    """A tensor over real scales, each part by itself: a complex division underflows on its way."""
    if not tensor.is_complex():
        return tensor / scale
    return torch.view_as_complex(_parts(tensor) / scale.unsqueeze(-1))


def exponent(scale: Tensor) -> Tensor:
    """Of powers of 2, in float64."""
    return (torch.frexp(scale).exponent - 1).double()


def shifted(tensor: Tensor, exponents: Tensor) -> Tensor:
    """A tensor times 2 to some exponents, whole numbers or -inf; it may underflow or overflow."""
    one = torch.ones((), dtype=tensor.real.dtype, device=tensor.device)
    factors = torch.ldexp(one, exponents).to(one.dtype)
    if not tensor.is_complex():
        return tensor * factors
    return torch.view_as_complex(_parts(tensor) * factors.unsqueeze(-1))


def _parts(tensor: Tensor) -> Tensor:
    """The tensor, or real and imaginary parts along a last axis."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


@dataclass(frozen=True, slots=True)
class Rescale:
    """Where a scaled contraction divides a tensor, by a scale for each entry of `legs`.

    Attributes:
        legs: those of its axes that are the output's.
        shape: of the tensor, neighbours of one kind being one axis.
        scales: the same, of size 1 where they are not the output's.
    """

    legs: Order
    shape: tuple[int, ...]
    scales: tuple[int, ...]

    @classmethod
    def of(cls, order: Order, network: Network) -> Self:
        """That of a tensor of a network, from the order of its axes, each a different one."""
        _, output, sizes = network.numbered
        shape, scales = [1], [1]
        kept = None
        for index in order:
            if (index in output) != kept:
                kept = index in output
                shape.append(1)
                scales.append(1)
            shape[-1] *= sizes[index]
            scales[-1] *= sizes[index] if kept else 1
        legs = tuple([index for index in order if index in output])
        return cls(legs, tuple(shape), tuple(scales))

    @property
    def axes(self) -> list[int]:
        """Along which the largest entry is sought."""
        return [axis for axis, size in enumerate(self.scales) if size == 1]

    @property
    def count(self) -> int:
        """Of scales."""
        return math.prod(self.scales)


def joined(
    exponents: Sequence[tuple[Sequence[Hashable], Tensor]],
    output: Sequence[Hashable],
    sizes: Any,
    *,
    device: torch.device,
) -> Tensor:
    """The sum of exponents over the output's axes.

    Args:
        exponents: for each the indices of the output that its axes are, and their entries.
        output: the indices of the sum's axes.
        sizes: of the indices, by which it is subscripted.
        device: where they are.

    Returns:
        float64; a single 0 if there are none.
    """
    total = torch.zeros((), dtype=torch.float64, device=device)
    for legs, own in exponents:
        present = [index for index in output if index in legs]
        values = own.reshape([sizes[index] for index in legs])
        values = values.permute([legs.index(index) for index in present])
        total = total + values.reshape([sizes[index] if index in legs else 1 for index in output])
    return total


def normalised(
    tensors: Sequence[Tensor], network: Network
) -> tuple[list[Tensor], list[tuple[Order, Tensor]]]:
    """A network's tensors with largest parts of 1 to 2, and the powers of 2 they were divided by.

    Those are over the axes of each tensor that are the output's, as `joined` takes them.
    """
    terms, output, _ = network.numbered
    divisions, exponents = [], []
    for term, tensor in zip(terms, tensors, strict=True):
        kept = [index in output and term.count(index) == 1 for index in term]
        scale = scale_of(tensor, [axis for axis, is_kept in enumerate(kept) if not is_kept])
        divisions.append(divided(tensor, scale))
        legs = tuple([index for index, is_kept in zip(term, kept, strict=True) if is_kept])
        exponents.append((legs, exponent(scale)))
    return divisions, exponents

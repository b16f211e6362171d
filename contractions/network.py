"""What is contracted: the index structure of a tensor network, without its numbers."""

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Self

from contractions.errors import NetworkError

LANES = 64
"""The least size of an index from which on it pays to run products side by side along it.

It must lie last in memory in all tensors that have it; see `contractions.lanes`.
"""

Order = tuple[int, ...]
"""Indices, counted as `Network.numbered` does, in the order of a tensor's axes."""


@dataclass(frozen=True)
class Network:
    """The structure of a tensor network: who shares which index, and how large each is.

    An index may appear in any number of tensors (a hyperedge), several times in one tensor (a
    diagonal), and in the output as well as in several tensors (a batch).

    Args:
        inputs: the indices of each tensor, in the order of its axes; any hashable names.
        output: the indices of the result, each of which appears in some input.
        sizes: the dimension of every index.

    Raises:
        NetworkError: there is no tensor, an index has no size or one below 1, or the output
            names an index twice or one that no tensor has.

    Example:
        >>> network = Network([("a", "b"), ("b", "c")], ("a", "c"), {"a": 2, "b": 3, "c": 4})
        >>> network.shapes
        ((2, 3), (3, 4))
    """

    inputs: tuple[tuple[Hashable, ...], ...]
    output: tuple[Hashable, ...]
    sizes: Mapping[Hashable, int]

    def __init__(
        self,
        inputs: Sequence[Sequence[Hashable]],
        output: Sequence[Hashable],
        sizes: Mapping[Any, int],
    ) -> None:
        terms = tuple(tuple(term) for term in inputs)
        result = tuple(output)
        if not terms:
            raise NetworkError("a network needs at least one tensor, got none")
        present = {index for term in terms for index in term}
        for index in present:
            if index not in sizes:
                raise NetworkError(f"index {index!r} has no size; give one in `sizes`")
            size = sizes[index]
            if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
                raise NetworkError(
                    f"index {index!r} has size {size!r:.40}; expected an integer of at least 1"
                )
        for index, count in Counter(result).items():
            if index not in present:
                raise NetworkError(f"output index {index!r} is in no tensor of the network")
            if count > 1:
                raise NetworkError(f"output index {index!r} is named {count} times; name it once")
        object.__setattr__(self, "inputs", terms)
        object.__setattr__(self, "output", result)
        object.__setattr__(self, "sizes", {index: int(sizes[index]) for index in present})

    @classmethod
    def from_einsum(cls, equation: str, shapes: Sequence[Sequence[int]]) -> Self:
        """The network of an einsum equation such as ``"ab,bc->ac"``.

        Without an arrow the output holds, in alphabetical order, the indices that appear once,
        as in `numpy.einsum`. An ellipsis is refused: name every index.

        Raises:
            NetworkError: the equation and the shapes do not fit together.

        Example:
            >>> Network.from_einsum("ab,bc", [(2, 3), (3, 4)]).output
            ('a', 'c')
        """
        text = equation.replace(" ", "")
        if "." in text:
            raise NetworkError(f"{equation!r} has an ellipsis; name every index")
        left, arrow, right = text.partition("->")
        terms = left.split(",")
        if not arrow:
            counts = Counter(left.replace(",", ""))
            right = "".join(sorted(index for index, count in counts.items() if count == 1))
        if len(terms) != len(shapes):
            raise NetworkError(f"{equation!r} names {len(terms)} tensors, got {len(shapes)} shapes")
        sizes: dict[str, int] = {}
        for position, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
            if len(term) != len(shape):
                raise NetworkError(
                    f"tensor {position} is {term!r} in the equation, with {len(term)} indices, "
                    f"but its shape is {tuple(shape)}"
                )
            for index, size in zip(term, shape, strict=True):
                if sizes.setdefault(index, size) != size:
                    raise NetworkError(
                        f"index {index!r} has size {sizes[index]} in one tensor and {size} in "
                        f"tensor {position}"
                    )
        return cls(terms, right, sizes)

    @classmethod
    def from_quimb(cls, network: Any, *, output: Sequence[str] | None = None) -> Self:
        """The structure of a quimb `TensorNetwork`; its arrays are `network.arrays`.

        Args:
            network: a `quimb.tensor.TensorNetwork`.
            output: the indices to keep; by default its outer indices.

        Raises:
            NetworkError: the network keeps a factor apart from its arrays (its `exponent`).
        """
        if network.exponent:
            raise NetworkError(
                f"the quimb network has the exponent {float(network.exponent):.6g}, which is not "
                "in its arrays; call its distribute_exponent() first"
            )
        kept = tuple(network.outer_inds()) if output is None else tuple(output)
        return cls([tensor.inds for tensor in network], kept, network.ind_sizes())

    @cached_property
    def lane(self) -> int | None:
        """The number of an index of the output that is last in every tensor that has it, and long.

        A batch, for instance; along it products can run side by side.
        """
        inputs, output, sizes = self.numbered
        for index in output:
            if sizes[index] >= LANES and all(term[-1] == index for term in inputs if index in term):
                return index
        return None

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of every tensor."""
        return tuple(tuple(self.sizes[index] for index in term) for term in self.inputs)

    @cached_property
    def numbered(self) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], tuple[int, ...]]:
        """Inputs, output and sizes with indices counted in order of first appearance."""
        number: dict[Hashable, int] = {}
        for term in self.inputs:
            for index in term:
                number.setdefault(index, len(number))
        return (
            tuple(tuple(number[index] for index in term) for term in self.inputs),
            tuple(number[index] for index in self.output),
            tuple(self.sizes[index] for index in number),
        )

    @cached_property
    def signature(self) -> str:
        """A hash of the structure that does not depend on how the indices are called.

        Example:
            >>> one = Network.from_einsum("ab,bc->ac", [(2, 3), (3, 4)])
            >>> one.signature == Network.from_einsum("xy,yz->xz", [(2, 3), (3, 4)]).signature
            True
        """
        return hashlib.sha256(json.dumps(self.numbered).encode()).hexdigest()

    def resized(self, sizes: Mapping[Any, int]) -> Self:
        """The same network with other sizes for the indices named."""
        for index in sizes:
            if index not in self.sizes:
                raise NetworkError(f"index {index!r} is not in the network; nothing to resize")
        return type(self)(self.inputs, self.output, {**self.sizes, **sizes})

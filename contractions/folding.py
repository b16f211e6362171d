"""Constants folded: what depends on fixed tensors alone is contracted once and for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contractions.errors import NetworkError
from contractions.network import Network
from contractions.tree import Path, leaf_legs, products

if TYPE_CHECKING:
    from contractions.plan import Plan


@dataclass(frozen=True)
class Folded:
    """A plan whose fixed tensors are contracted as far as they go; made by `Plan.fold`.

    Attributes:
        plan: of what is left: the folded arrays first, then the tensors that vary.
        arrays: the folded arrays.
        varying: the tensors of the whole network that `contract` takes, in this order.
    """

    plan: "Plan"
    arrays: tuple[Any, ...]
    varying: tuple[int, ...]

    def contract(self, arrays: Sequence[Any], *, scaled: bool = False) -> Any:
        """The contracted network, from the arrays of the tensors in `varying`.

        As `Plan.contract` otherwise; the fixed tensors are constants, to which no gradient flows,
        and have been contracted without a scale.
        """
        if len(arrays) != len(self.varying):
            raise NetworkError(
                f"{len(self.varying)} tensors vary, got {len(arrays)} arrays; the others are folded"
            )
        given = [*self.arrays, *arrays]
        return self.plan.contract(given, scaled=True) if scaled else self.plan.contract(given)


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

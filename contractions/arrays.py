"""What is given to a plan is checked before any work starts."""

import operator
from collections.abc import Sequence
from typing import Any, Literal

import autoray
import numpy as np
import torch

from contractions.errors import NetworkError
from contractions.machine import ITEMSIZE
from contractions.network import Network
from contractions.sources import Stacks


def check_arrays(
    arrays: Sequence[Any], stacks: Stacks | None, *, network: Network, dtype: str
) -> Literal["numpy", "torch"]:
    """Of which kind all arrays are, refused by name if they do not fit the network or the dtype.

    Raises:
        NetworkError: saying which array, what it is and what was expected.
    """
    check_sequence(arrays)
    shapes = network.shapes
    if stacks is not None:
        shapes = tuple((len(stack), *shapes[stack[0]]) for stack in stacks)
    if len(arrays) != len(shapes):
        raise NetworkError(
            f"the network has {len(shapes)} {'stacks' if stacks else 'tensors'}, got "
            f"{len(arrays)} arrays"
        )
    kinds = {autoray.infer_backend(array) for array in arrays}
    if kinds not in ({"numpy"}, {"torch"}):
        types = ", ".join(sorted({type(array).__name__ for array in arrays}))
        raise NetworkError(f"the arrays are of {types}; pass all numpy or all torch")
    for position, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if tuple(array.shape) != shape:
            term = network.inputs[stacks[position][0] if stacks else position]
            raise NetworkError(
                f"array {position}, of indices {term}, has shape {tuple(array.shape)}; "
                f"expected {shape}"
            )
        name = str(array.dtype).removeprefix("torch.")
        if name != dtype:
            advice = f" or plan with dtype={name!r}" if name in ITEMSIZE else ""
            raise NetworkError(
                f"array {position} is {name}, but the plan was made for {dtype}; convert it{advice}"
            )
        if kinds == {"torch"} and array.device != arrays[0].device:
            raise NetworkError(
                f"array {position} is on {array.device}, array 0 on {arrays[0].device}; "
                "move all to one device"
            )
    return "torch" if kinds == {"torch"} else "numpy"


def check_sequence(arrays: object) -> None:
    """Refuse what is no sequence of arrays.

    Raises:
        NetworkError: saying what it is.
    """
    if not isinstance(arrays, Sequence | torch.Tensor | np.ndarray):
        raise NetworkError(
            f"got a {type(arrays).__name__} of arrays; expected a sequence, one array a tensor"
        )


def checked_stacks(stacks: object, *, network: Network) -> Stacks:
    """Stacks as tuples.

    Raises:
        NetworkError: they are no partition of the network's tensors by shape.
    """
    shapes = network.shapes
    try:
        listed = tuple([tuple(map(operator.index, stack)) for stack in stacks])  # type: ignore[attr-defined]
    except TypeError:
        raise NetworkError(
            f"the stacks are {stacks!r:.60}; expected a sequence of tensor numbers for each"
        ) from None
    if sorted(tensor for stack in listed for tensor in stack) != list(range(len(shapes))):
        raise NetworkError(
            f"the stacks are no partition of the network's {len(shapes)} tensors; name each once"
        )
    for number, stack in enumerate(listed):
        if len({shapes[tensor] for tensor in stack}) != 1:
            raise NetworkError(
                f"stack {number} holds tensors of several shapes, or none; expected one shape"
            )
    return listed

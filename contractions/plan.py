"""Plans: a network together with the order, layout and cost of its contraction."""

import math
import operator
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import version
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch

from contractions.arrays import check_arrays, checked_stacks
from contractions.calibration import this_machine
from contractions.errors import ContractionTooLarge, NetworkError, PlanError
from contractions.files import Entry, code_hash
from contractions.folding import Constant, Folded, split
from contractions.lowering import Lowered
from contractions.machine import ITEMSIZE, Machine
from contractions.network import Network
from contractions.program import Program
from contractions.report import StepCost, draw, step_costs, table
from contractions.reservation import Reservation
from contractions.scaling import Scaled, joined, normalised
from contractions.search import Found, depth_first, search
from contractions.sources import Given, Source, Stacks
from contractions.tree import Cost, Path, cost, leaf_legs, products

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CODE = code_hash(__file__)
_MOST_CALLS = 10**15
_EFFORT, _CALLS = 36, 100  # trials that so many calls may be worth: measured


@dataclass(frozen=True)
class Plan:
    """How a network is contracted; made by `plan`.

    Attributes:
        network: what is contracted.
        path: the pairs, in the order in which they run.
        dtype: of the arrays.
        gradient: whether the cost counts a reverse pass.
        memory: the cap in bytes that the plan keeps.
        machine: the roofline that the plan was made for.
        winner: which candidate of the search won.
        trials: how many candidates were refined.
        stopped: why the search ended: "effort", "gain" or "clock".
        search_seconds: what the search took, or 0 if it came from the cache.
        kept: whether it is kept on disk, with what its programs do.
    """

    network: Network
    path: Path
    dtype: str
    gradient: bool
    memory: int
    machine: Machine = field(repr=False)
    winner: str
    trials: int
    stopped: str
    search_seconds: float
    kept: bool

    @cached_property
    def cost(self) -> Cost:
        """What a contraction is predicted to cost; its peak is what a run will hold."""
        predicted = cost(
            self.network,
            self.path,
            machine=self.machine,
            dtype=self.dtype,
            gradient=self.gradient,
        )
        alone = [[tensor] for tensor in range(len(self.network.inputs))]
        held = Reservation(self._lowered, alone, reverse=self.gradient, scaled=False).size
        return replace(predicted, peak_bytes=held * self.machine.itemsize(self.dtype))

    @cached_property
    def _lowered(self) -> Lowered:
        return Lowered(self.network, self.path)

    @cached_property
    def steps(self) -> tuple[StepCost, ...]:
        """What each step of the forward pass is predicted to cost, in order."""
        costs = step_costs(self.network, self.path, machine=self.machine, dtype=self.dtype)
        return tuple(costs)

    def report(self) -> str:
        """How the plan was found, what it costs, and which steps dominate, as text.

        Example:
            >>> made = plan(Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3), cache=False)
            >>> print(made.report().splitlines()[0])  # doctest: +ELLIPSIS
            3 tensors, found by ...
        """
        searched = f"the search took {self.search_seconds:.2g} s"
        taken = searched if self.search_seconds else "found in the cache"
        return "\n".join(
            [
                f"{len(self.network.inputs)} tensors, found by {self.winner}",
                f"{self.trials} trials, stopped by {self.stopped}; {taken}",
                f"{'value and gradient' if self.gradient else 'value'}: {self.cost}",
                f"machine: {self.machine.name}",
                table(self.steps),
            ]
        )

    def draw(self, ax: "Axes") -> None:
        """Draw memory held and steps done over predicted time on matplotlib axes."""
        draw(self.steps, ax)

    @cached_property
    def _programs(self) -> dict[Stacks | None, Program]:
        return {}

    def _program(self, stacks: Stacks | None) -> Program:
        if stacks not in self._programs:
            given = None if stacks is None else Given(stacks)
            self._programs[stacks] = Program(self._lowered, given, keep=self.kept)
        return self._programs[stacks]

    def program(self, source: Source) -> Program:
        """A program of this plan whose tensors a source fills; `contract` makes its own.

        Raises:
            NetworkError: it is no source, its stacks do not fit the network, or its dtype is none
                that the engine contracts.
        """
        missing = [
            name for name in ("stacks", "dtype", "bindable", "arrays") if not hasattr(source, name)
        ]
        if missing:
            raise NetworkError(
                f"a {type(source).__name__} has no {missing[0]!r}; expected a Source"
            )
        checked_stacks(source.stacks, network=self.network)
        if source.dtype not in (None, *(getattr(torch, name) for name in ITEMSIZE)):
            raise NetworkError(
                f"the source's dtype is {source.dtype!r}; expected None or a torch dtype among "
                f"{', '.join(ITEMSIZE)}"
            )
        return Program(self._lowered, source, keep=self.kept)

    def resized(self, sizes: Mapping[Any, int]) -> "Plan":
        """The same tree for other sizes of the indices named, a batch for instance.

        Raises:
            ContractionTooLarge: with these sizes the plan breaks its memory cap.
            NetworkError: an index is not in the network, or a size is none.
        """
        if not isinstance(sizes, Mapping):
            raise NetworkError(
                f"got a {type(sizes).__name__} of sizes; expected a mapping from indices"
            )
        if all(self.network.sizes.get(index) == size for index, size in sizes.items()):
            return self
        resized = replace(self, network=self.network.resized(sizes))
        resized._refuse_if_too_large()
        return resized

    def _refuse_if_too_large(self) -> None:
        if self.cost.peak_bytes > self.memory:
            raise ContractionTooLarge(
                self.cost.peak_bytes,
                self.memory,
                self.cost.seconds,
                "contract a smaller batch, use a narrower dtype, search with more effort, or "
                "raise `memory`",
            )

    @overload
    def contract(
        self,
        arrays: Sequence[Any],
        *,
        stacks: Stacks | None = None,
        scaled: Literal[False] = False,
    ) -> Any: ...

    @overload
    def contract(
        self, arrays: Sequence[Any], *, stacks: Stacks | None = None, scaled: Literal[True]
    ) -> Scaled: ...

    def contract(
        self, arrays: Sequence[Any], *, stacks: Stacks | None = None, scaled: bool = False
    ) -> Any:
        """The contracted network, its axes as `network.output`.

        Args:
            arrays: one array a tensor, or one for each of `stacks`, or one tensor that holds them
                along its first axis; all numpy or all torch, of the plan's dtype and the
                network's shapes, on one device. Torch tensors carry gradients of any order.
            stacks: for each array, if it holds several tensors of one shape along a first axis,
                which: a partition of the tensors by number, as sequences of integers.
            scaled: return a `Scaled` (mantissa and logarithm), for results that would underflow or
                overflow.

        Returns:
            An array of the kind given.

        Raises:
            NetworkError: the arrays do not fit the network or the plan.
        """
        stacks = None if stacks is None else checked_stacks(stacks, network=self.network)
        kind = check_arrays(arrays, stacks, network=self.network, dtype=self.dtype)
        if kind == "torch":
            return self._contract(arrays, stacks, scaled=scaled)
        with torch.inference_mode():
            result = self._contract(
                [torch.from_numpy(np.array(array)) for array in arrays], stacks, scaled=scaled
            )
            if isinstance(result, Scaled):
                return Scaled(result.mantissa.numpy(), result.log_scale.numpy())  # type: ignore[arg-type]
            return result.numpy()

    def _contract(
        self, tensors: Sequence[torch.Tensor], stacks: Stacks | None, *, scaled: bool
    ) -> torch.Tensor | Scaled:
        if scaled:
            return Scaled.of(*self._rescaled(tensors, stacks))
        return self._program(stacks).run(tensors)

    def _rescaled(
        self, tensors: Sequence[torch.Tensor], stacks: Stacks | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A tensor, and the power of 2 by which to multiply it for the contracted network."""
        if stacks is not None:
            singles: dict[int, torch.Tensor] = {}
            for stack, tensor in zip(stacks, tensors, strict=True):
                singles |= zip(stack, tensor.unbind(), strict=True)
            tensors = [singles[number] for number in range(len(singles))]
        tensors, exponents = normalised(tensors, self.network)
        result, exponent = self._program(None).run_rescaled(tensors)
        _, output, sizes = self.network.numbered
        return result, exponent + joined(exponents, output, sizes, device=result.device)

    def fold(self, fixed: Mapping[int, Any]) -> Folded:
        """The plan with some tensors fixed: what depends on them alone is contracted now.

        For a half that stays while the other varies, such as one party's; the tree stays the same.

        Args:
            fixed: arrays by the number of their tensor, as `contract` takes them.

        Raises:
            NetworkError: a tensor does not exist, or an array does not fit it.
        """
        if not isinstance(fixed, Mapping):
            raise NetworkError(
                f"got a {type(fixed).__name__} of arrays; expected a mapping from tensors"
            )
        count = len(self.network.inputs)
        unknown = [
            tensor
            for tensor in fixed
            if isinstance(tensor, bool)
            or not isinstance(tensor, Integral)
            or tensor not in range(count)
        ]
        if unknown:
            raise NetworkError(f"tensor {unknown[0]!r} does not exist; there are 0 to {count - 1}")
        cut = split(self.network, self.path, fixed)
        constants = []
        for tensors, network, path in cut.parts:
            part = replace(self, network=network, path=path)
            arrays = [fixed[tensor] for tensor in tensors]
            kind = check_arrays(arrays, None, network=network, dtype=self.dtype)
            with torch.no_grad():
                found = part._rescaled([torch.as_tensor(array) for array in arrays], None)
                constants.append(Constant.of(*found, network.output, cut.network.output, kind))
        rest = replace(self, network=cut.network, path=cut.path)
        return Folded(rest, tuple(constants), cut.varying)


def plan(
    network: Network,
    *,
    dtype: str = "float64",
    gradient: bool = False,
    memory: int | None = None,
    effort: int | None = None,
    seed: int = 0,
    orders: Sequence[Sequence[int]] = (),
    expected_calls: int = 100,
    max_seconds: float | None = None,
    machine: Machine | None = None,
    cache: bool = True,
) -> Plan:
    """The best plan found for contracting a network.

    One network, seed, effort and machine give one plan. Plans are kept in the user's cache folder
    and found again by all that they depend on, however the indices are called.

    Args:
        network: what to contract.
        dtype: of the arrays: float32, float64, complex64 or complex128.
        gradient: plan for value and gradient together rather than for the value alone.
        memory: cap in bytes on all that is held at once; by default 70% of the machine's memory.
        effort: how many candidate paths to refine at most; by default 36, and beyond a hundred
            expected calls as the root of their number. Most searches end earlier, when they have
            gained nothing for long.
        seed: of the random candidates.
        orders: permutations of the tensors that a sweep may follow, if the caller knows a
            geometry; tried beside the search's own.
        expected_calls: how often the plan will run. More calls are worth a longer search, and a
            search ends when what a trial may still save in all of them is less than it takes.
        max_seconds: stop searching after this time; the plan then says so in `stopped`.
        machine: the roofline to predict with; by default this machine's, measured once.
        cache: look up and keep the plan on disk, and what its programs do.

    Raises:
        ContractionTooLarge: the best plan found needs more than `memory`.
        NetworkError: what is to be planned is no `Network`.
        PlanError: an option is out of its range.

    Example:
        >>> import numpy as np
        >>> triangle = Network.from_einsum("ab,bc,ca->", [(2, 2)] * 3)
        >>> plan(triangle, cache=False).contract([np.ones((2, 2))] * 3)
        array(8.)
    """
    if not isinstance(network, Network):
        raise NetworkError(f"got a {type(network).__name__} to plan; expected a Network")
    machine = this_machine() if machine is None else machine
    if not isinstance(machine, Machine):
        raise PlanError(
            f"machine is {machine!r}; expected a Machine, as this_machine() and measure() give"
        )
    memory = int(machine.memory) if memory is None else _number("memory", memory, least=1)
    seed = _number("seed", seed, least=0)
    expected_calls = _number("expected_calls", expected_calls, least=1)
    if expected_calls > _MOST_CALLS:
        raise PlanError(f"expected_calls is {expected_calls}; expected at most {_MOST_CALLS:.0e}")
    if effort is None:
        effort = math.ceil(_EFFORT * math.sqrt(max(expected_calls / _CALLS, 1)))
    effort = _number("effort", effort, least=0)
    if max_seconds is not None and not (isinstance(max_seconds, Real) and max_seconds >= 0):
        raise PlanError(f"max_seconds is {max_seconds!r}; expected 0 or more, or None")
    orders = _permutations(orders, len(network.inputs))
    machine.itemsize(dtype)
    key = {
        "code": [_CODE, version("cotengrust")],
        "network": network.signature,
        "dtype": dtype,
        "objective": ["roofline seconds", gradient],
        "memory": memory,
        "search": [effort, seed, expected_calls, orders],
        "machine": asdict(machine),
    }
    entry = Entry("plans", key)
    start = time.perf_counter()
    stored = entry.read(partial(_stored, network=network)) if cache else None
    seconds = 0.0
    if stored is None:
        found = _search(
            network,
            orders=orders,
            dtype=dtype,
            gradient=gradient,
            effort=effort,
            seed=seed,
            expected_calls=expected_calls,
            max_seconds=max_seconds,
            machine=machine,
        )
        seconds = time.perf_counter() - start
    else:
        found = stored.found
    result = Plan(
        network=network,
        path=found.path,
        dtype=dtype,
        gradient=gradient,
        memory=memory,
        machine=machine,
        winner=found.winner,
        trials=found.trials,
        stopped=found.stopped,
        search_seconds=seconds,
        kept=cache,
    )
    if stored is not None:
        vars(result)["cost"] = stored.cost  # as the plan would count it again
    elif cache and found.stopped != "clock":
        entry.write(asdict(_Stored(found, result.cost)))
    result._refuse_if_too_large()
    return result


@dataclass(frozen=True)
class _Stored:
    """What the cache keeps of a plan."""

    found: Found
    cost: Cost


def _number(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise PlanError(f"{name} is {value!r}; expected an integer")
    if value < least:
        raise PlanError(f"{name} is {value}; expected {least} or more")
    return int(value)


def _permutations(orders: Iterable[Iterable[int]], count: int) -> list[list[int]]:
    try:
        listed = [list(map(operator.index, order)) for order in orders]
    except TypeError:
        raise PlanError(
            f"orders is {orders!r:.60}; expected a sequence of permutations of the tensors"
        ) from None
    for position, order in enumerate(listed):
        if sorted(order) != list(range(count)):
            raise PlanError(
                f"order {position} is not a permutation of the network's {count} tensors"
            )
    return listed


def _search(
    network: Network,
    *,
    orders: Sequence[Sequence[int]],
    dtype: str,
    gradient: bool,
    effort: int,
    seed: int,
    expected_calls: int,
    max_seconds: float | None,
    machine: Machine,
) -> Found:
    if len(network.inputs) == 1:
        return Found((), "a single tensor", 0, "effort")

    found = search(
        network,
        machine.rates(dtype, passes=3 if gradient else 1, lanes=network.lane is not None),
        orders=orders,
        effort=effort,
        seed=seed,
        expected_calls=expected_calls,
        max_seconds=max_seconds,
    )
    sizes = network.numbered[2]
    legs = leaf_legs(network) + [product.legs for product in products(network, found.path)]
    weights = [math.prod(sizes[index] for index in term) for term in legs]
    return replace(found, path=depth_first(found.path, weights))


def _stored(document: Any, *, network: Network) -> _Stored:
    """What the cache holds for a network; a `ValueError` or `TypeError` if it is no such thing."""
    rest = dict(document)
    fields, predicted = rest.pop("found"), Cost(**rest.pop("cost"))
    path = tuple((int(a), int(b)) for a, b in fields["path"])
    found = Found(**{**fields, "path": path}, **rest)
    nodes = sorted(node for pair in path for node in pair)
    ordered = all(max(pair) < len(network.inputs) + step for step, pair in enumerate(path))
    if not ordered or nodes != list(range(2 * len(network.inputs) - 2)):
        raise ValueError("its path does not fit the network")
    return _Stored(found, predicted)

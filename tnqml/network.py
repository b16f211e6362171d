"""Tensor networks of light cones in either picture: planned once for each structure, then run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import contractions
from contractions import Cost, Machine, Plan, Program
from tnqml.cone import Cone
from tnqml.errors import RouteError
from tnqml.evaluation import Evaluator
from tnqml.expansion import fits_pauli_picture, ket_pieces, pauli_pieces
from tnqml.filling import LeafSource
from tnqml.kept_leaves import kept_leaves
from tnqml.placed import Placed

OPEN = "open"
CLOSED = "closed"
_ENDS: dict[str, dict[str, tuple[int | None, ...]]] = {
    "pauli": {"I": (0, 0), "Z": (0, 1), "X": (1, 0), "Y": (1, 1), OPEN: (0, None)},
    "ket": {CLOSED: (0,), OPEN: (None,)},
}
_CONES, _BATCH = "cones", "batch"
_KINDS = ("parameter", "feature")
_CPU = torch.device("cpu")
_LEAVES = 40  # smallest steps that leaves and autograd take the time of: measured

Result = TypeVar("Result")


@dataclass(frozen=True)
class Task:
    """What is wanted of a network, apart from how much of it.

    Attributes:
        dtype: of its arrays.
        gradient: plan for value and gradient together.
        per_sample: every sample has parameters of its own.
        selected: each open leg is closed with a vector of its own for every sample.
        scaled: results as mantissa and logarithm.
        memory: cap in bytes, or None for the machine's default.
        device: where it runs.
        expected_calls: how often, which says how long a search for its plan may take.
    """

    dtype: torch.dtype
    gradient: bool = False
    per_sample: bool = False
    selected: bool = False
    scaled: bool = False
    memory: int | None = None
    device: torch.device = _CPU
    expected_calls: int = 100

    @property
    def unscaled(self) -> "Task":
        """The same with plain results, which has the same plan."""
        return replace(self, scaled=False) if self.scaled else self

    @property
    def machine(self) -> Machine:
        """The roofline that it is planned with."""
        return contractions.this_machine(self.device)


@dataclass(frozen=True)
class _Chunk:
    """How much of (cones, batch) is contracted at once, by which plan, and the bytes held then."""

    cones: int
    batch: int
    plan: Plan
    held: int


class ConeNetwork:
    """The network of all light cones of one structure; they are stacked on one axis.

    Args:
        cones: with equal keys. Their letters say how each qubit of the string ends. Pauli picture:
            in a Pauli, or `OPEN`, the z bit open, for a marginal; qubits without a letter end in
            the identity. Ket picture: `CLOSED`, in <0|, or `OPEN`; every qubit has one.
        picture: "pauli" or "ket".

    Raises:
        RouteError: a gate is too large for the picture.
    """

    def __init__(
        self, cones: Sequence[Cone], *, picture: Literal["pauli", "ket"] = "pauli"
    ) -> None:
        self.cones = tuple(cones)
        first = self.cones[0]
        gates, letters = first.key
        for form in {gate[0] for gate in gates}:
            if picture == "pauli" and not fits_pauli_picture(form):
                raise RouteError(
                    f"a gate {form.kind!r} on {form.arity} qubits is too large for the Pauli "
                    "picture; use route='state' or smaller gates"
                )
        arrangement = np.argsort(np.argsort(first.qubits))
        ends: list[tuple[int | None, ...]] = []
        for name in range(len(first.qubits)):
            letter = letters[name] if name < len(letters) else "I"
            ends.append(_ENDS[picture][letter])
        wired = kept_leaves(
            first,
            pauli_pieces if picture == "pauli" else ket_pieces,
            initial={0: 0},
            final=ends,
            places=[int(place) for place in arrangement],
        )
        self.leaves, self.open_legs = wired.leaves, wired.open_legs
        self._open_places = [(int(place), len(gates)) for place in arrangement]
        kinds = np.array([gate[2] for gate in gates if gate[2] in {"feature", "parameter"}], str)
        slots = np.stack([cone.slots for cone in self.cones], 1)
        scales = np.stack([cone.scales for cone in self.cones], 1)
        self._slots = {k: Placed(torch.tensor(slots[kinds == k])) for k in _KINDS}
        self._scales = {k: Placed(torch.tensor(scales[kinds == k])) for k in _KINDS}
        self._evaluators: dict[tuple[torch.dtype, torch.device, bool], Evaluator] = {}
        self._sources: dict[tuple[int, int, Task], tuple[LeafSource, Program]] = {}
        self._plans: dict[tuple[int, int, Task], Plan] = {}
        self._chunks: dict[tuple[int, Task], _Chunk] = {}

    def _structure(
        self, *, cones: int, batch: int, per_sample: bool, selected: bool
    ) -> contractions.Network:
        """The index structure; `selected` adds one vector (batch, 2) for each open leg."""
        inputs: list[tuple[object, ...]] = []
        stacked = (_CONES,) if cones > 1 else ()
        samples = (_BATCH,) if batch > 1 or selected else ()
        for leaf in self.leaves:
            own = per_sample or any(source.kind == "feature" for source in leaf.sources)
            term: tuple[object, ...] = leaf.legs
            if leaf.sources and own:
                last = batched_last(batch, selected=selected)
                term = (*term, *samples) if last else (*samples, *term)
            inputs.append((*stacked, *term) if leaf.sources else term)
        if selected:
            inputs += [(_BATCH, leg) for leg in self.open_legs]
        present = {index for term in inputs for index in term}
        sizes: dict[object, int] = dict.fromkeys(present, 2)
        sizes |= {_CONES: cones, _BATCH: batch}
        output = [index for index in (_CONES, _BATCH) if index in present]
        return contractions.Network(
            inputs, output if selected else [*output, *self.open_legs], sizes
        )

    def plan(self, *, cones: int, batch: int, task: Task) -> Plan:
        """The plan for so many cones and samples at once.

        Batches with the same next power of two share a tree.

        Raises:
            ContractionTooLarge: it would not fit the memory cap.
        """
        task = task.unscaled
        known = self._plans.get((cones, batch, task))
        if known is not None:
            return known
        structure = self._structure(
            cones=cones,
            batch=1 << (batch - 1).bit_length(),
            per_sample=task.per_sample,
            selected=task.selected,
        )
        places = [leaf.place for leaf in self.leaves]
        if task.selected:
            places += self._open_places
        forwards = sorted(range(len(places)), key=lambda k: places[k])
        backwards = sorted(range(len(places)), key=lambda k: (places[k][0], -places[k][1]))
        plan = contractions.plan(
            structure,
            dtype=str(task.dtype).removeprefix("torch."),
            gradient=task.gradient,
            memory=task.memory,
            orders=[forwards, backwards],
            expected_calls=task.expected_calls,
            machine=task.machine,
        )
        if _BATCH in structure.sizes:
            plan = plan.resized({_BATCH: batch})
        self._plans[cones, batch, task] = plan
        return plan

    def chunk(self, *, batch: int, task: Task) -> _Chunk:
        """The most cones and samples at once that fit the memory cap.

        Raises:
            ContractionTooLarge: not even one does.
        """
        task = task.unscaled
        whole = batch
        known = self._chunks.get((whole, task))
        if known is not None:
            return known
        cones = len(self.cones)
        while True:
            try:
                chunk = self._fitting(cones=cones, batch=batch, task=task)
            except contractions.ContractionTooLarge:
                if batch > 1:
                    batch = (batch + 1) // 2
                elif cones > 1:
                    cones = (cones + 1) // 2
                else:
                    raise
            else:
                self._chunks[whole, task] = chunk
                return chunk

    def _fitting(self, *, cones: int, batch: int, task: Task) -> _Chunk:
        """The plan for so many cones and samples, if what it holds with its leaves fits the cap."""
        plan = self.plan(cones=cones, batch=batch, task=task)
        source, _ = self._program(cones=cones, batch=batch, task=task)
        held = plan.cost.peak_bytes + source.nbytes(reverse=task.gradient)
        if held > plan.memory:
            raise contractions.ContractionTooLarge(
                held, plan.memory, plan.cost.seconds, "use a narrower dtype, or raise `memory`"
            )
        return _Chunk(cones, batch, plan, held)

    def cost(self, *, batch: int, task: Task) -> Cost:
        """The predicted cost of all cones for a whole batch."""
        chunk = self.chunk(batch=batch, task=task)
        parts = -(-len(self.cones) // chunk.cones) * -(-batch // chunk.batch)
        one = chunk.plan.cost
        passes = 3 if task.gradient else 1
        leaves = _LEAVES * passes * task.machine.step_seconds
        return replace(
            one,
            operations=parts * one.operations,
            bytes_moved=parts * one.bytes_moved,
            peak_bytes=chunk.held,
            seconds=parts * (one.seconds + leaves),
            slices=parts,
        )

    def run(
        self,
        parameters: Tensor,  # (parameters,) or (batch, parameters)
        features: Tensor,  # (batch, features)
        *,
        task: Task,
        selectors: Sequence[Tensor] = (),  # for each open leg (batch, 2)
    ) -> tuple[Tensor, Tensor | None]:
        """The value of every cone: (cones, batch, *open legs), and its logarithm if scaled.

        Under autograd with more than one chunk each is computed again in the reverse pass, so that
        the memory cap holds for all of it.
        """
        chunk = self.chunk(batch=len(features), task=task)
        whole = chunk.cones == len(self.cones) and chunk.batch == len(features)
        rows, logs = [], []
        for part in slices(len(self.cones), chunk.cones):

            def contract(
                parameters: Tensor, features: Tensor, *selectors: Tensor, part: slice = part
            ) -> tuple[Tensor, ...]:
                angles = self._angles(parameters, features, part)
                return self._contract(angles, selectors, task=task)

            pieces = []
            for cut in slices(len(features), chunk.batch):
                given = [parameters[cut] if task.per_sample else parameters, features[cut]]
                given += [selector[cut] for selector in selectors]
                pieces.append(contract(*given) if whole else recomputed(contract, *given))
            rows.append(torch.cat([piece[0] for piece in pieces], 1))
            logs.append(torch.cat([piece[-1] for piece in pieces], 1))
        return torch.cat(rows), torch.cat(logs) if task.scaled else None

    def angle_gradients(
        self,
        parameters: Tensor,  # (parameters,)
        features: Tensor,  # (batch, features)
        *,
        task: Task,
        kind: Literal["parameter", "feature"],
    ) -> tuple[Tensor, Tensor]:
        """Which entry each angle reads, and the derivative of the value by that entry.

        Of shapes (slots, cones) and (slots, cones, batch).
        """
        chunk = self.chunk(batch=len(features), task=task)
        rows = []
        for part in slices(len(self.cones), chunk.cones):
            pieces = []
            for cut in slices(len(features), chunk.batch):
                with torch.inference_mode(mode=False), torch.enable_grad():
                    data = features[cut].detach().clone()
                    own = parameters.detach().clone().expand(len(data), -1)
                    angles = self._angles(own, data, part)
                    angles[kind].requires_grad_()
                    (value, *_) = self._contract(angles, (), task=task)
                    pieces.append(
                        torch.autograd.grad(value.sum(), angles[kind], materialize_grads=True)[0]
                        if value.requires_grad
                        else torch.zeros_like(angles[kind])
                    )
            scales = self._scales[kind].on(pieces[0].device, pieces[0].dtype)[:, part]
            rows.append(torch.cat(pieces, 2) * scales.unsqueeze(-1))
        return self._slots[kind].tensor, torch.cat(rows, 1)

    def _angles(self, parameters: Tensor, features: Tensor, part: slice) -> dict[str, Tensor]:
        """For each kind (slots, cones, batch), or a batch of 1 for parameters that all share."""
        angles = {}
        for kind, values in (("parameter", parameters), ("feature", features)):
            slots = self._slots[kind].on(values.device)[:, part]
            scales = self._scales[kind].on(values.device, values.dtype)[:, part]
            table = values.unsqueeze(1) if values.ndim == 1 else values.T
            chosen = table.index_select(0, slots.flatten()).reshape(*slots.shape, table.shape[1])
            angles[kind] = chosen * scales.unsqueeze(-1)
        return angles

    def _contract(
        self, angles: dict[str, Tensor], selectors: Sequence[Tensor], *, task: Task
    ) -> tuple[Tensor, ...]:
        """The value, (cones, batch, *open legs), and if scaled its logarithm."""
        _, cones, batch = angles["feature"].shape
        source, program = self._program(cones=cones, batch=batch, task=task)
        read = source.evaluator.kinds
        inputs: Sequence[Tensor] = [
            *(own if kind in read else own.detach() for kind, own in angles.items()),
            *selectors,
        ]
        results: tuple[Tensor, ...] = (
            program.run_scaled(inputs) if task.scaled else (program.run(inputs),)
        )
        output = self.plan(cones=cones, batch=batch, task=task).network.output
        return tuple(self._spread(result, output, cones=cones, batch=batch) for result in results)

    def _spread(
        self, result: Tensor, output: Sequence[object], *, cones: int, batch: int
    ) -> Tensor:
        """A result with the axes for cones and batch that its network may lack."""
        lead = [cones if _CONES in output else 1, batch if _BATCH in output else 1]
        rest = [2 for index in output if index not in (_CONES, _BATCH)]
        return result.reshape(*lead, *rest).expand(cones, batch, *rest)

    def _program(self, *, cones: int, batch: int, task: Task) -> tuple[LeafSource, Program]:
        """What contracts so many cones and samples, and what its leaves come from."""
        key = cones, batch, task.unscaled
        if key not in self._sources:
            evaluator = self._evaluator(task)
            slots = {kind: len(own.tensor) for kind, own in self._slots.items()}
            selectors = len(self.open_legs) if task.selected else 0
            last = batched_last(batch, selected=task.selected)
            source = LeafSource(evaluator, slots, cones, batch, selectors, samples_last=last)
            plan = self.plan(cones=cones, batch=batch, task=task)
            program = plan.program(source)
            self._sources[key] = source, program
        return self._sources[key]

    def _evaluator(self, task: Task) -> Evaluator:
        key = task.dtype, task.device, task.per_sample
        if key not in self._evaluators:
            # wherever it is first asked for
            with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
                self._evaluators[key] = Evaluator(
                    self.leaves, dtype=task.dtype, device=task.device, per_sample=task.per_sample
                )
        return self._evaluators[key]


def batched_last(batch: int, *, selected: bool) -> bool:
    """Whether samples lie side by side in memory, which pays when they are many.

    The same for all batches that share a tree.
    """
    return not selected and batch > contractions.LANES // 2


def slices(count: int, size: int) -> list[slice]:
    """So many things cut to parts of at most a size, in order."""
    return [slice(first, first + size) for first in range(0, count, size)]


def recomputed(function: Callable[..., Result], *arguments: Tensor) -> Result:
    """A call whose intermediates are not kept for the reverse pass but computed again in it.

    Under a `torch.func` transform, which allows no checkpoints, it is a plain call.
    """
    if not torch.is_grad_enabled() or torch._C._functorch.maybe_current_level() is not None:
        return function(*arguments)
    result: Result = checkpoint(function, *arguments, use_reentrant=False)
    return result

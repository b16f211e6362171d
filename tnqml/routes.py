"""Routes: two ways to the same expectations, and the choice between them by predicted cost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor

from contractions import ContractionTooLarge, Cost
from tnqml import density, statevector
from tnqml.circuit import Circuit
from tnqml.cone import Cone, light_cones
from tnqml.errors import RouteError
from tnqml.expansion import fits_pauli_picture
from tnqml.network import ConeNetwork, Task, recomputed, slices
from tnqml.observables import Observable, String
from tnqml.placed import Placed

RouteName = Literal["pauli", "state"]
Wanted = Literal["parameters", "features"]


class Outputs:
    """Observables as a weighted sum of the distinct strings in them.

    Args:
        observables: the outputs.
    """

    def __init__(self, observables: Sequence[Observable]) -> None:
        self.observables = tuple(observables)
        position: dict[String, int] = {}
        self.constants = [0.0] * len(self.observables)
        entries: list[tuple[int, int, float]] = []
        for row, observable in enumerate(self.observables):
            for weight, string in observable.terms:
                if string:
                    entries.append((row, position.setdefault(string, len(position)), weight))
                else:
                    self.constants[row] += weight
        self.strings = tuple(position)
        self._start = Placed(torch.tensor(self.constants, dtype=torch.float64))
        self.rows = Placed(torch.tensor([row for row, _, _ in entries], dtype=torch.int64))
        self.columns = Placed(torch.tensor([column for _, column, _ in entries], dtype=torch.int64))
        self.weights = Placed(
            torch.tensor([weight for _, _, weight in entries], dtype=torch.float64)
        )

    def combine(self, values: Tensor) -> Tensor:
        """(batch, observables) from the values of the strings, (strings, batch)."""
        rows, columns = self.rows.on(values.device), self.columns.on(values.device)
        weights = self.weights.on(values.device, values.dtype)
        weighted = values.index_select(0, columns) * weights.unsqueeze(1)
        start = self._start.on(values.device, values.dtype).unsqueeze(1)
        start = start.expand(-1, values.shape[1])
        return start.index_add(0, rows, weighted).T

    def combine_scaled(self, values: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, observables) mantissas and logarithms, summed without underflow."""
        log_scale = log_scale.double()
        columns: list[tuple[Tensor, Tensor]] = []
        for row, constant in enumerate(self.constants):
            mine = self.rows.on(values.device) == row
            chosen = self.columns.on(values.device)[mine]
            weights = self.weights.on(values.device, values.dtype)[mine].unsqueeze(1)
            logs = log_scale.index_select(0, chosen)
            mantissas = weights * values.index_select(0, chosen)
            if constant or not len(chosen):
                logs = torch.cat([logs, log_scale.new_zeros(1, log_scale.shape[1])])
                constants = values.new_full((1, values.shape[1]), constant)
                mantissas = torch.cat([mantissas, constants])
            # a term that is exactly 0 says nothing of how small the others are
            counted = torch.where(mantissas.detach() == 0, -math.inf, logs).amax(0)
            top = torch.where(counted.isfinite(), counted, logs.amax(0))
            larger = (logs - top).clamp(max=math.log(torch.finfo(values.dtype).max) / 2)
            columns.append(((mantissas * larger.exp().to(values.dtype)).sum(0), top))
        return torch.stack([m for m, _ in columns], 1), torch.stack([s for _, s in columns], 1)


_Run = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


def _held(costs: Sequence[Cost], *, gradient: bool) -> int:
    """Bytes that networks hold together: all that a reverse pass needs, or those of the largest."""
    peaks = [cost.peak_bytes for cost in costs]
    return sum(peaks) if gradient else max(peaks, default=0)


class Route(Protocol):
    """A way to the expectations of a model.

    Laws, which one conformance suite holds for every route: `values` equals the dense reference;
    its gradients equal those of the reference; `jacobian` equals the gradients sample by sample.
    """

    name: RouteName

    def cost(self, *, batch: int, task: Task, most: float = math.inf) -> Cost:
        """The predicted cost of a batch; counting may end at `most` seconds, where it is enough."""

    def values(self, parameters: Tensor, features: Tensor, *, task: Task) -> tuple[Tensor, Tensor]:
        """(strings, batch) values and logarithms of their scale (zeros unless asked for)."""

    def jacobian(
        self, parameters: Tensor, features: Tensor, *, task: Task, wanted: Wanted
    ) -> Tensor:
        """(batch, observables, parameters or features): the derivatives, sample by sample."""


class PauliRoute:
    """Exact contraction of every string's light cone in the Pauli picture.

    Args:
        circuit: the model's.
        outputs: what is measured.

    Raises:
        RouteError: the circuit has amplitude-encoded data, or a gate too large for the picture.
    """

    name: RouteName = "pauli"

    def __init__(self, circuit: Circuit, outputs: Outputs) -> None:
        if circuit.amplitudes:
            raise RouteError(
                "amplitude-encoded data has no network of local tensors; use route='state'"
            )
        self._outputs = outputs
        alike = light_cones(circuit, [dict(string) for string in outputs.strings])
        self.networks = [ConeNetwork(list(cones.values())) for cones in alike]
        self._numbers = [list(cones) for cones in alike]
        order = [number for numbers in self._numbers for number in numbers]
        self._places = Placed(torch.argsort(torch.tensor(order, dtype=torch.int64)))
        self._keeps_all: dict[tuple[int, Task], bool] = {}

    @property
    def cones(self) -> list[Cone]:
        """The light cone of every string, in the order of the strings."""
        placed = {
            number: cone
            for numbers, network in zip(self._numbers, self.networks, strict=True)
            for number, cone in zip(numbers, network.cones, strict=True)
        }
        return [placed[number] for number in range(len(placed))]

    def cost(self, *, batch: int, task: Task, most: float = math.inf) -> Cost:
        """The predicted cost of a batch: all networks, one after another.

        Those after the one with which they pass `most` seconds are not planned.
        """
        costs: list[Cost] = []
        for network in self.networks:
            costs.append(network.cost(batch=batch, task=task))
            if sum(cost.seconds for cost in costs) > most:
                break
        return Cost(
            operations=sum(cost.operations for cost in costs),
            bytes_moved=sum(cost.bytes_moved for cost in costs),
            peak_bytes=self._peak(costs, task),
            width=max((cost.width for cost in costs), default=0.0),
            steps=sum(cost.steps for cost in costs),
            slices=max((cost.slices for cost in costs), default=1),
            seconds=sum(cost.seconds for cost in costs),
        )

    def values(self, parameters: Tensor, features: Tensor, *, task: Task) -> tuple[Tensor, Tensor]:
        """(strings, batch) values, and logarithms of their scale."""
        results = [run(parameters, features) for run in self._runs(batch=len(features), task=task)]
        if not results:
            nothing = features.new_zeros(0, len(features))
            return nothing, nothing
        places = self._places.on(features.device)
        values = torch.cat([value for value, _ in results]).index_select(0, places)
        if not task.scaled:
            return values, torch.zeros_like(values)
        logs = torch.cat([log for _, log in results if log is not None])
        return values, logs.index_select(0, places)

    def _peak(self, costs: Sequence[Cost], task: Task) -> int:
        """Bytes held at once: of all networks, or where that passes the cap of the largest."""
        memory = task.machine.memory if task.memory is None else task.memory
        together = _held(costs, gradient=task.gradient)
        return together if together <= memory else _held(costs, gradient=False)

    def _runs(self, *, batch: int, task: Task) -> list[_Run]:
        """A call for each network; if all they keep passes the cap, one that is made again."""
        runs: list[_Run] = [partial(network.run, task=task) for network in self.networks]
        if not task.gradient or len(runs) == 1:
            return runs
        key = batch, task.unscaled
        if key not in self._keeps_all:
            costs = [network.cost(batch=batch, task=task) for network in self.networks]
            memory = task.machine.memory if task.memory is None else task.memory
            self._keeps_all[key] = _held(costs, gradient=True) <= memory
        return runs if self._keeps_all[key] else [partial(recomputed, run) for run in runs]

    def jacobian(
        self, parameters: Tensor, features: Tensor, *, task: Task, wanted: Wanted
    ) -> Tensor:
        """(batch, observables, parameters or features), by one reverse pass for each network.

        Every cone and sample gets angles of its own, so that one reverse pass through the stacked
        cones gives the derivative of each with respect to each.
        """
        kind: Literal["parameter", "feature"] = "parameter" if wanted == "parameters" else "feature"
        count = parameters.shape[-1] if wanted == "parameters" else features.shape[1]
        outputs, batch = self._outputs, len(features)
        result = features.new_zeros(len(outputs.observables) * count, batch)
        task = replace(task, per_sample=True, gradient=True)
        for numbers, network in zip(self._numbers, self.networks, strict=True):
            slots, gradients = network.angle_gradients(parameters, features, task=task, kind=kind)
            for cone, number in enumerate(numbers):
                for entry in (outputs.columns.tensor == number).nonzero().flatten().tolist():
                    places = int(outputs.rows.tensor[entry]) * count + slots[:, cone]
                    weight = float(outputs.weights.tensor[entry])
                    result.index_add_(0, places.to(result.device), weight * gradients[:, cone])
        return result.reshape(len(outputs.observables), count, batch).permute(2, 0, 1)


class StateRoute:
    """Batches of full state vectors, or of density matrices where noise acts; for narrow circuits.

    Args:
        circuit: the model's.
        outputs: what is measured.
    """

    name: RouteName = "state"

    def __init__(self, circuit: Circuit, outputs: Outputs) -> None:
        self._circuit, self._outputs = circuit, outputs

    def cost(self, *, batch: int, task: Task, most: float = math.inf) -> Cost:  # noqa: ARG002
        """The predicted cost of a batch, cut to fit the memory cap.

        Raises:
            ContractionTooLarge: not even one sample fits.
        """
        rows = self._rows(batch, task)
        parts = -(-batch // rows)
        one = self._cost(rows, task)
        return replace(
            one,
            operations=parts * one.operations,
            bytes_moved=parts * one.bytes_moved,
            seconds=parts * one.seconds,
            slices=parts,
        )

    def _cost(self, batch: int, task: Task) -> Cost:
        return statevector.cost(
            self._circuit,
            strings=len(self._outputs.strings),
            batch=batch,
            dtype=task.dtype,
            gradient=task.gradient,
            device=task.device,
        )

    def _rows(self, batch: int, task: Task) -> int:
        """Samples at once that fit the memory cap.

        Raises:
            ContractionTooLarge: not even one does.
        """
        memory = task.machine.memory if task.memory is None else task.memory
        while (cost := self._cost(batch, task)).peak_bytes > memory:
            if batch == 1:
                raise ContractionTooLarge(
                    cost.peak_bytes,
                    memory,
                    cost.seconds,
                    f"this is for one sample of {self._circuit.qubits} qubits by state vector, "
                    "every state that its gradient needs included; use route='pauli', fewer "
                    "qubits, or raise `memory`",
                )
            batch = (batch + 1) // 2
        return batch

    def values(self, parameters: Tensor, features: Tensor, *, task: Task) -> tuple[Tensor, Tensor]:
        """(strings, batch) values, and logarithms of their scale, which are zero."""
        rows = self._rows(len(features), task)

        def part(parameters: Tensor, features: Tensor) -> Tensor:
            if self._circuit.noisy:
                rho = density.run(self._circuit, parameters, features)
                return density.expectations(rho, self._outputs.strings)
            state = statevector.run(self._circuit, parameters, features)
            return statevector.expectations(state, self._outputs.strings)

        if rows == len(features):
            values = part(parameters, features)
        else:
            values = torch.cat(
                [
                    recomputed(
                        part, parameters[cut] if parameters.ndim > 1 else parameters, features[cut]
                    )
                    for cut in slices(len(features), rows)
                ],
                1,
            )
        return values, torch.zeros_like(values)

    def jacobian(
        self, parameters: Tensor, features: Tensor, *, task: Task, wanted: Wanted
    ) -> Tensor:
        """(batch, observables, parameters or features), one reverse pass for each observable."""
        own = parameters.detach().expand(len(features), -1).clone()
        data = features.detach().clone()
        chosen = own if wanted == "parameters" else data
        with torch.enable_grad():
            chosen.requires_grad_()
            values, _ = self.values(own, data, task=replace(task, gradient=True))
            outputs = self._outputs.combine(values)
            if not outputs.requires_grad:
                return outputs.new_zeros(*outputs.shape, chosen.shape[1])
            rows = [
                torch.autograd.grad(
                    outputs[:, row].sum(), chosen, retain_graph=True, materialize_grads=True
                )[0]
                for row in range(outputs.shape[1])
            ]
        return torch.stack(rows, 1)


def fits_pauli_route(circuit: Circuit) -> bool:
    """Whether the Pauli route can run a circuit at all."""
    return not circuit.amplitudes and all(fits_pauli_picture(form) for form in circuit.forms)

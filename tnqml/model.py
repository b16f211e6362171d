"""`DistributedModel`: expectations of a distributed circuit as a torch module."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from contractions import ContractionTooLarge, Cost, Scaled
from tnqml import amplitudes, drawing, sampling
from tnqml.checks import check_count
from tnqml.circuit import Circuit, Message
from tnqml.cone import Wires, light_cone
from tnqml.errors import InputError, RouteError
from tnqml.initial import Initial, initial_parameters
from tnqml.network import Task
from tnqml.observables import Observable
from tnqml.qasm import to_qasm
from tnqml.routes import (
    Outputs,
    PauliRoute,
    Route,
    RouteName,
    StateRoute,
    Wanted,
    fits_pauli_route,
)

_STATE_AT_ONCE = 5e-3
_MOST_CALLS, _MOST_SEED = 10**15, 2**64 - 1
_ROUTES = ("auto", "pauli", "state")
_DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class RouteCost:
    """Which route a model takes, and why.

    Attributes:
        route: the name of the route.
        cost: its predicted cost for the whole batch.
        reason: what it was compared with, in words.
        planned: whether networks were planned, to be contracted or to be compared.
    """

    route: RouteName
    cost: Cost
    reason: str
    planned: bool = True

    def __str__(self) -> str:
        """One line for people."""
        return f"route {self.route!r} ({self.reason}): {self.cost}"


@dataclass(frozen=True)
class LightCone:
    """What an observable can feel of a circuit.

    Attributes:
        qubits: of its gates and of the observable.
        features: the entries of the input that reach it.
        uploads: how many gates read a feature.
        messages: what crosses between the parties if only these gates are run.
    """

    qubits: tuple[int, ...]
    features: frozenset[int]
    uploads: int
    messages: tuple[Message, ...]


class DistributedModel(nn.Module):
    """Expectations f(theta, x) = <phi| O |phi> of a circuit whose gates belong to parties.

    A torch module: `model(x)` takes a batch (batch, features) to (batch, observables), or to
    (batch,) if it was given one observable alone. Gradients flow to parameters and inputs; it
    works with `torch.optim`, `state_dict` and `torch.func`. Batches of any size are cut to fit the
    memory cap. Everything is computed exactly, to rounding.

    Args:
        circuit: the gates.
        observables: one observable, or a sequence of them.
        dtype: torch.float32 or torch.float64.
        route: "pauli" contracts light cones in the Pauli picture at any width; "state" runs full
            state vectors; "auto" takes the one with the lower predicted cost. See `cost`.
        init: initial parameters: "uniform" over a turn, "small" around 0, or "identity", which
            makes a circuit of `ansatz.mirrored` the identity and sets any other's to 0.
        seed: of the initial parameters, from 0 to 2^64 - 1.
        memory: cap in bytes for all that is held at once; by default 70% of the machine's.
        expected_calls: how often the model will run. More calls are worth a longer search for a
            plan, once: with 10,000 that of a deep model takes seconds and gains some tens of
            percent.

    Raises:
        CircuitError: an observable does not fit the circuit.
        RouteError: the route asked for cannot run the circuit.

    Example:
        >>> from tnqml import Circuit, DistributedModel, Gate, Z
        >>> gates = [Gate("ry", 0, feature=0, party="alice"), Gate("cx", (0, 1), party="bob")]
        >>> model = DistributedModel(Circuit(2, gates), Z(1))
        >>> model(torch.zeros(3, 1))
        tensor([1., 1., 1.])
    """

    theta: nn.Parameter  # (parameters,)

    def __init__(
        self,
        circuit: Circuit,
        observables: Observable | Sequence[Observable],
        *,
        dtype: torch.dtype = torch.float32,
        route: str = "auto",
        init: Initial = "uniform",
        seed: int = 0,
        memory: int | None = None,
        expected_calls: int = 100,
    ) -> None:
        super().__init__()
        if not isinstance(circuit, Circuit):
            raise InputError(f"the circuit is a {type(circuit).__name__}; expected a tnqml.Circuit")
        if not isinstance(observables, Observable | Iterable):
            kind = type(observables).__name__
            raise InputError(f"the observables are a {kind}; expected an Observable or several")
        listed = [observables] if isinstance(observables, Observable) else list(observables)
        if not listed:
            raise InputError("a model needs at least one observable, got an empty sequence")
        for observable in listed:
            circuit.check(observable)
        if dtype not in _DTYPES:
            raise InputError(f"dtype is {dtype!r}; expected torch.float32 or torch.float64")
        if route not in _ROUTES:
            raise RouteError(f"unknown route {route!r}; the routes are {', '.join(_ROUTES)}")
        self.circuit = circuit
        self.observables = tuple(listed)
        self.memory = None if memory is None else check_count(memory, "memory")
        self.expected_calls = check_count(expected_calls, "expected_calls", most=_MOST_CALLS)
        self.single_output = isinstance(observables, Observable)
        self._outputs = Outputs(listed)
        self._channels = tuple(
            {
                (gate.source, gate.slot, gate.value): gate
                for gate in circuit.channels
                if gate.source in {"feature", "parameter"}
            }.values()
        )
        self.wanted_route = route
        self._routes: dict[str, Route] = {}
        self._choices: dict[tuple[int, Task], RouteCost] = {}
        if route == "pauli":
            self.route("pauli")
        generator = torch.Generator().manual_seed(
            check_count(seed, "seed", least=0, most=_MOST_SEED)
        )
        self.theta = nn.Parameter(
            initial_parameters(circuit, init, dtype=dtype, generator=generator)
        )

    def route(self, name: RouteName) -> Route:
        """The route "pauli" or "state", made when it is first asked for."""
        if name not in ("pauli", "state"):
            raise RouteError(f"route {name!r} is no way to run; expected 'pauli' or 'state'")
        if name not in self._routes:
            kind = PauliRoute if name == "pauli" else StateRoute
            self._routes[name] = kind(self.circuit, self._outputs)
        return self._routes[name]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of parameters and values."""
        return self.theta.dtype

    def cost(self, *, batch: int, gradient: bool = True) -> RouteCost:
        """The route that a batch takes and what it is predicted to cost, before anything runs.

        Batches with the same next power of two share a plan; the cost is that of the largest.

        Raises:
            ContractionTooLarge: no route fits the memory cap.
        """
        return self._choose(check_count(batch, "batch"), self._task(gradient=gradient))

    def _choose(self, batch: int, task: Task) -> RouteCost:
        bucket = 1 << (batch - 1).bit_length()
        if (bucket, task) not in self._choices:
            self._choices[bucket, task] = self._compare(bucket, task)
        return self._choices[bucket, task]

    def _compare(self, batch: int, task: Task) -> RouteCost:
        """The cheaper route; no network is planned where it could gain next to nothing."""
        if self.wanted_route != "auto":
            name: RouteName = "pauli" if self.wanted_route == "pauli" else "state"
            asked = self.route(name).cost(batch=batch, task=task)
            return RouteCost(name, asked, "as asked for", planned=name == "pauli")
        if not fits_pauli_route(self.circuit):
            state = self.route("state").cost(batch=batch, task=task)
            reason = "the circuit has no network of local tensors"
            return RouteCost("state", state, reason, planned=False)
        try:
            state = self.route("state").cost(batch=batch, task=task)
        except ContractionTooLarge:
            pauli = self.route("pauli").cost(batch=batch, task=task)
            return RouteCost("pauli", pauli, "the state vector exceeds the memory cap")
        if state.seconds < _STATE_AT_ONCE:
            return RouteCost("state", state, "too small for a search to pay", planned=False)
        try:
            pauli = self.route("pauli").cost(batch=batch, task=task, most=state.seconds)
        except ContractionTooLarge:
            return RouteCost("state", state, "the tensor network exceeds the memory cap")
        if pauli.seconds <= state.seconds:
            return RouteCost("pauli", pauli, f"the state vector would take {state.seconds:.2g} s")
        reason = f"the tensor network would take {pauli.seconds:.2g} s or more"
        return RouteCost("state", state, reason)

    def check_input(self, x: Tensor) -> Tensor:
        """The batch in the model's dtype, refused with an `InputError` if it does not fit."""
        features = self.circuit.features
        if not isinstance(x, Tensor):
            raise InputError(f"x is a {type(x).__name__}; expected a torch tensor")
        if x.ndim != 2 or x.shape[1] != features:
            raise InputError(f"x has shape {tuple(x.shape)}; expected (batch, {features})")
        if self.dtype not in _DTYPES:
            raise InputError(f"the model is {self.dtype}; convert it with .float() or .double()")
        if x.layout != torch.strided:
            raise InputError(f"x is {x.layout}; expected a dense tensor, as x.to_dense() gives")
        if not x.is_floating_point():
            raise InputError(f"x is {x.dtype}; expected real floating point, as x.float() gives")
        if len(x) == 0:
            raise InputError("x is an empty batch; expected at least one row")
        if x.device != self.theta.device:
            raise InputError(
                f"x is on {x.device}, the model on {self.theta.device}; move one to the other"
            )
        converted = x.to(self.dtype)
        if not _is_transformed():  # values can be looked at
            self._check_values(converted)
        return converted

    def _check_strengths(self, x: Tensor) -> None:
        """Refuse channels whose strength, from a feature or a parameter, is no probability."""
        for gate in self._channels:
            values = x[:, gate.slot] if gate.source == "feature" else self.theta[gate.slot]
            strengths = gate.value * values.detach()
            if not ((strengths >= 0) & (strengths <= 1)).all():
                off = strengths.flatten()[(strengths.flatten() - 0.5).abs().argmax()]
                raise InputError(
                    f"channel {gate.kind!r} on {gate.qubits} gets the strength {float(off):.6g} "
                    f"from {gate.source} {gate.slot}; expected 0 to 1: clamp it, for instance "
                    "after each step of an optimiser"
                )

    def _check_values(self, x: Tensor) -> None:
        self._check_strengths(x)
        if not torch.isfinite(x.sum()) and not torch.isfinite(x).all():
            row, column = (~torch.isfinite(x)).nonzero()[0].tolist()
            raise InputError(
                f"x[{row}, {column}] is {float(x[row, column])}; expected finite numbers in "
                f"{str(self.dtype).removeprefix('torch.')}"
            )
        if self.circuit.amplitudes:
            zero = (x[:, : self.circuit.amplitudes] == 0).all(1)
            if zero.any():
                row = int(zero.nonzero()[0])
                raise InputError(
                    f"row {row} of x is zero in its {self.circuit.amplitudes} amplitudes; a zero "
                    "vector is no quantum state, so drop it"
                )

    def _task(self, *, gradient: bool, scaled: bool = False) -> Task:
        return Task(
            self.dtype,
            gradient=gradient,
            scaled=scaled,
            memory=self.memory,
            device=self.theta.device,
            expected_calls=self.expected_calls,
        )

    def _records(self, x: Tensor) -> bool:
        """Whether a reverse pass may follow."""
        has_parameters = self.theta.requires_grad and len(self.theta) > 0
        return torch.is_grad_enabled() and (has_parameters or x.requires_grad)

    def _values(self, x: Tensor, task: Task) -> tuple[Tensor, Tensor]:
        choice = self._choose(len(x), task.unscaled)
        values, logs = self.route(choice.route).values(self.theta, x, task=task)
        if self._records(x) and not values.requires_grad and not _is_transformed():
            values = values + self.theta[:0].sum() + x[:0].sum()  # a gradient, of zeros
        return values, logs

    def forward(
        self,
        x: Tensor,  # (batch, features)
    ) -> Tensor:
        """The expectations, (batch, observables), or (batch,) for one observable alone."""
        x = self.check_input(x)
        values, _ = self._values(x, self._task(gradient=self._records(x)))
        result = self._outputs.combine(values)
        return result[:, 0] if self.single_output else result

    def scaled(
        self,
        x: Tensor,  # (batch, features)
    ) -> Scaled:
        """The expectations as mantissa and natural logarithm of the scale, shaped as `forward`.

        For values that underflow, such as the parity of a thousand qubits. The logarithm carries no
        gradient: a derivative of the mantissa is that of the value divided by exp(log_scale).
        """
        x = self.check_input(x)
        values, logs = self._values(x, self._task(gradient=self._records(x), scaled=True))
        mantissa, log_scale = self._outputs.combine_scaled(values, logs)
        if self.single_output:
            return Scaled(mantissa[:, 0], log_scale[:, 0])
        return Scaled(mantissa, log_scale)

    def jacobian(
        self,
        x: Tensor,  # (batch, features)
        *,
        wanted: Wanted = "parameters",
    ) -> Tensor:
        """The derivative of every output for every sample.

        Returns:
            (batch, observables, parameters), or (batch, observables, features) if those are
            wanted; detached.
        """
        if wanted not in ("parameters", "features"):
            raise InputError(f"wanted is {wanted!r}; expected 'parameters' or 'features'")
        x = self.check_input(x)
        task = self._task(gradient=True)
        route = self.route(self._choose(len(x), task).route)
        return route.jacobian(self.theta, x, task=task, wanted=wanted)

    def light_cones(self) -> tuple[LightCone, ...]:
        """For every observable what its light cone holds, and what it alone would communicate."""
        wires = Wires(self.circuit)
        cones = []
        for observable in self.observables:
            strings = [dict(string) for _, string in observable.terms]
            kept = {position for string in strings for position in light_cone(wires, string)}
            gates = self.circuit.gates.select(sorted(kept))
            cones.append(
                LightCone(
                    qubits=tuple(
                        sorted({q for g in gates for q in g.qubits} | {*observable.qubits})
                    ),
                    features=frozenset(g.slot for g in gates if g.source == "feature"),
                    uploads=sum(g.source == "feature" for g in gates),
                    messages=self.circuit.cone_messages(gates, observable.qubits),
                )
            )
        return tuple(cones)

    def probabilities(
        self,
        x: Tensor,  # (batch, features)
        *,
        qubits: Sequence[int] | int | None = None,
    ) -> Tensor:
        """(batch, 2^k): the joint distribution of k qubits, by default of all.

        Up to 12 qubits of a model of any width; more where a state vector fits. The first qubit
        named is the most significant bit of the column.
        """
        x = self.check_input(x)
        chosen = range(self.circuit.qubits) if qubits is None else qubits
        return sampling.probabilities(
            self.circuit, self.theta, x, qubits=chosen, memory=self.memory
        )

    def sample(
        self,
        x: Tensor,  # (batch, features)
        *,
        shots: int,
        seed: int,
        qubits: Sequence[int] | int | None = None,
    ) -> Tensor:
        """(batch, shots, k) of 0 and 1: outcomes of measuring k qubits, by default all.

        Up to 12 qubits of a model of any width; more where a state vector fits. The same seed, from
        0 to 2^64 - 1, gives the same outcomes.
        """
        shots = check_count(shots, "shots")
        generator = torch.Generator().manual_seed(
            check_count(seed, "seed", least=0, most=_MOST_SEED)
        )
        with torch.no_grad():
            distribution = self.probabilities(x, qubits=qubits)
        return sampling.draw(distribution, shots=shots, generator=generator, memory=self.memory)

    def amplitudes(
        self,
        x: Tensor,  # (batch, features)
        bits: Tensor,  # (batch, qubits) or (qubits,) of 0 and 1
    ) -> Scaled:
        """(batch,) complex: <bits|phi(x)> row by row, as mantissa and logarithm of the modulus.

        For shallow circuits of any width; ``mantissa * exp(log_scale)`` is the amplitude.
        """
        x = self.check_input(x)
        if not isinstance(bits, Tensor):
            raise InputError(f"bits are a {type(bits).__name__}; expected a torch tensor")
        if bits.shape[-1:] != (self.circuit.qubits,) or bits.shape[:-1] not in ((), (len(x),)):
            raise InputError(
                f"bits have shape {tuple(bits.shape)}; expected ({len(x)}, {self.circuit.qubits}) "
                f"or ({self.circuit.qubits},)"
            )
        if bits.is_floating_point() or bits.is_complex() or ((bits != 0) & (bits != 1)).any():
            raise InputError(f"bits are {bits.dtype} beyond 0 and 1; expected integers 0 and 1")
        rows = bits.expand(len(x), -1)
        return amplitudes.amplitudes(self.circuit, self.theta, x, rows, memory=self.memory)

    def overlaps(
        self,
        x: Tensor,  # (batch, features)
        other: Tensor,  # (batch, features)
    ) -> Scaled:
        """(batch,) complex: <phi(x)|phi(other)> row by row, as mantissa and logarithm.

        For shallow circuits of any width; the square of the modulus is the fidelity kernel.
        """
        x, other = self.check_input(x), self.check_input(other)
        if x.shape != other.shape:
            raise InputError(
                f"x has shape {tuple(x.shape)}, other {tuple(other.shape)}; expected the same"
            )
        return amplitudes.overlaps(self.circuit, self.theta, x, other, memory=self.memory)

    def draw(self, *, width: int = 100) -> str:
        """A text drawing of the circuit, marked by party; see `drawing.draw`."""
        return drawing.draw(self.circuit, width=width)

    def qasm(
        self,
        x: Tensor,  # (features,)
    ) -> str:
        """OpenQASM 2 of the circuit at the model's parameters and one input; see `qasm.to_qasm`."""
        if not isinstance(x, Tensor) or x.ndim != 1:
            found = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"x is {found}; expected a torch tensor (features,), one input")
        return to_qasm(self.circuit, self.theta, self.check_input(x.unsqueeze(0))[0])

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        circuit = self.circuit
        return (
            f"{circuit.qubits} qubits, {len(circuit.gates)} gates, {circuit.features} features, "
            f"{circuit.parameters} parameters, {len(self.observables)} observables, "
            f"parties {' and '.join(circuit.parties) or 'none'}, route {self.wanted_route!r}"
        )


def _is_transformed() -> bool:
    """Whether this runs under a transform of `torch.func`."""
    return torch._C._functorch.maybe_current_level() is not None

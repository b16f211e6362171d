"""What the quantum model costs besides communication, against the classical gradient step."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studies.cells import grid
from studies.errors import CellError
from studies.fits import power_law
from studies.study import Claim, Row, Study
from studies.style import draw_interval, legend_below, say_empty

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_ERROR, _FAILURE = 0.1, 0.1
_TASKS = ("step", "gradient-size")
_ANSATZ = ("deep", "shallow")
_EXACT = 1e-3  # relative error that counts of gates are given in fits, which have none


@dataclass(frozen=True)
class Cell:
    """One size of data, or one width at which gradients are drawn."""

    task: str = field(default="step", metadata={"help": "step or gradient-size"})
    qubits: int = field(default=4, metadata={"help": "log2 of the number of features"})
    layers: int = field(default=2, metadata={"help": "of the model of a step"})
    ansatz: str = field(default="", metadata={"help": "deep or shallow, of gradient-size"})
    draws: int = field(default=1, metadata={"help": "random parameters of gradient-size"})
    seed: int = field(default=0, metadata={"help": "of data and parameters"})

    def __post_init__(self) -> None:
        if self.task not in _TASKS:
            raise CellError(f"task is {self.task!r}; expected {' or '.join(_TASKS)}")
        if (self.task == "gradient-size") != (self.ansatz in _ANSATZ):
            raise CellError(
                f"ansatz is {self.ansatz!r} of task {self.task!r}; expected "
                f"{' or '.join(_ANSATZ)} for gradient-size, else nothing"
            )
        least = 30 if self.task == "gradient-size" else 1
        for name, value, minimum in (
            ("qubits", self.qubits, 2),
            ("layers", self.layers, 1),
            ("draws", self.draws, least),
            ("seed", self.seed, 0),
        ):
            if value < minimum:
                raise CellError(f"{name} is {value}; expected at least {minimum}")


def measure(cell: Cell) -> list[Row]:
    """The one row of a cell."""
    return [_step(cell) if cell.task == "step" else _gradient_size(cell)]


def _shots(error: float) -> int:
    """Hoeffding's number of outcomes in [-1, 1]."""
    return math.ceil(2 * math.log(2 / _FAILURE) / error**2)


def _step(cell: Cell) -> Row:
    """One gradient step: a quantum model on amplitude data, and dense matrices."""
    import numpy as np
    import torch

    from tnqml import ansatz, statevector
    from tnqml.protocols.overhead import classical_step, gradient_runs, preparation, resources

    size = 2**cell.qubits
    data = np.random.default_rng(cell.seed).normal(size=size)
    encoding = preparation(data, party="alice")
    model = ansatz.brickwork(
        cell.qubits, layers=cell.layers, uploads=0, parties=("alice", "bob"), start="zero"
    )
    encoded, one = resources(encoding), resources(encoding) + resources(model)
    none = torch.zeros(1, 0, dtype=torch.float64)
    state = statevector.run(encoding, none[0], none)[0].numpy()
    off = float(np.abs(state - data / np.linalg.norm(data)).max())
    classical = classical_step(size, layers=cell.layers)
    runs = gradient_runs(model.parameters, shots=_shots(_ERROR))
    return {
        "size": size,
        "preparation_error": off,
        "preparation_gates": encoded.gates,
        "preparation_depth": encoded.depth,
        "preparation_messages": len(encoding.messages()),
        "preparation_seconds": _seconds(lambda: statevector.run(encoding, none[0], none)),
        "run_gates": one.gates,
        "run_depth": one.depth,
        "run_messages": len(model.messages()),
        "quantum_qubits": cell.qubits,
        "parameters": model.parameters,
        "gradient_runs": runs,
        "gradient_gates": float(runs) * one.gates,
        "classical_operations": classical.operations,
        "classical_bytes": classical.bytes_held,
        "classical_seconds": _seconds(_classical(size, cell.layers)),
    }


def _classical(size: int, layers: int) -> Callable[[], object]:
    """One value and gradient of alternating dense matrices."""
    import torch

    generator = torch.Generator().manual_seed(0)
    matrices = [
        torch.randn(size, size, generator=generator).div_(math.sqrt(size)).requires_grad_()
        for _ in range(2 * layers)
    ]
    data = torch.randn(size, generator=generator)

    def step() -> None:
        vector = data
        for matrix in matrices:
            vector = matrix @ vector
        torch.autograd.grad(vector.square().sum(), matrices)

    return step


def _seconds(call: Callable[[], object]) -> float:
    """The median of five calls after a first."""
    call()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _gradient_size(cell: Cell) -> Row:
    """The root mean square of gradients over random parameters, with an interval."""
    import numpy as np
    import torch

    from tnqml import DistributedModel, Z, ansatz, parity

    deep = cell.ansatz == "deep"
    circuit = ansatz.brickwork(
        cell.qubits, layers=4 * cell.qubits if deep else 2, uploads=0, start="zero"
    )
    observable = parity(range(cell.qubits)) if deep else Z(cell.qubits // 2)
    model = DistributedModel(circuit, observable, dtype=torch.float64, route="state")
    generator = torch.Generator().manual_seed(cell.seed)
    x = torch.zeros(1, circuit.features, dtype=torch.float64)
    squares = []
    for _ in range(cell.draws):
        with torch.no_grad():
            model.theta.uniform_(0, 2 * math.pi, generator=generator)
        slopes = model.jacobian(x)[0, 0]
        felt = slopes[slopes.abs() > 1e-14]  # the others lie outside the light cone
        squares.append(float(felt.square().mean()))
    means = np.array(squares)
    mean = float(means.mean())
    side = 1.96 * float(means.std(ddof=1)) / math.sqrt(len(means))
    low = max(mean - side, mean / 100)
    return {
        "size": 2**cell.qubits,
        "gradient": math.sqrt(mean),
        "gradient_low": math.sqrt(low),
        "gradient_high": math.sqrt(mean + side),
        "relative_shots": _shots(0.5 * math.sqrt(mean)),
    }


def quick() -> list[Cell]:
    """Data of up to 1024 features; gradients up to 8 qubits."""
    return _cells(range(4, 11), range(2, 9, 2), draws=30)


def full() -> list[Cell]:
    """Data of up to 4096 features; gradients up to 12 qubits."""
    return _cells(range(4, 13), range(2, 13), draws=100)


def _cells(sizes: range, widths: range, *, draws: int) -> list[Cell]:
    steps = grid(Cell, {"qubits": sizes})
    return steps + grid(
        Cell,
        {"task": ["gradient-size"], "ansatz": _ANSATZ, "qubits": widths, "draws": [draws]},
    )


def draw_gates(ax: "Axes", frame: "DataFrame") -> None:
    """Gates of encoding, of a run and of a gradient, beside the classical step's operations."""
    rows = frame[frame["task"] == "step"].sort_values("size")
    if rows.empty:
        say_empty(ax)
        return
    for column, label in (
        ("preparation_gates", "encoding, gates"),
        ("run_gates", "one run, gates"),
        ("gradient_gates", f"one gradient by shift to {_ERROR}, gates"),
        ("classical_operations", "classical step, operations"),
    ):
        ax.plot(rows["size"], rows[column], label=label)
    ax.set(xlabel="features $N$", ylabel="gates or operations", xscale="log", yscale="log")
    legend_below(ax)


def draw_memory(ax: "Axes", frame: "DataFrame") -> None:
    """Qubits of the quantum model and bits of the classical one."""
    rows = frame[frame["task"] == "step"].sort_values("size")
    if rows.empty:
        say_empty(ax)
        return
    ax.plot(rows["size"], rows["quantum_qubits"], label="quantum model, qubits")
    ax.plot(rows["size"], 8 * rows["classical_bytes"], label="classical model, bits")
    ax.set(xlabel="features $N$", ylabel="memory (qubits or bits)", xscale="log", yscale="log")
    legend_below(ax)


def draw_gradients(ax: "Axes", frame: "DataFrame") -> None:
    """The size of a gradient against N, for deep global and shallow local models."""
    rows = frame[frame["task"] == "gradient-size"]
    if rows.empty:
        say_empty(ax)
        return
    names = {"deep": "depth of order $n$, global parity", "shallow": "two layers, local $Z$"}
    for ansatz, chosen in rows.groupby("ansatz"):
        own = chosen.sort_values("size")
        draw_interval(
            ax,
            own["size"],
            low=own["gradient_low"],
            best=own["gradient"],
            high=own["gradient_high"],
            label=names[str(ansatz)],
        )
    ax.set(xlabel="$N = 2^n$", ylabel="root mean square of $\\partial f/\\partial\\theta$")
    ax.set(xscale="log", yscale="log")
    legend_below(ax)


def claims(frame: "DataFrame") -> list[Claim]:
    """Exponents of gates and gradients in N."""
    steps = frame[frame["task"] == "step"].sort_values("size")
    found = _step_claims(steps) if steps["size"].nunique() > 2 else []
    for ansatz, expected, low, high in (
        ("deep", "N^(-1/2): shots for a fixed relative error grow as N", -0.6, -0.35),
        ("shallow", "flat: shots for a fixed relative error do not grow", -0.1, 0.1),
    ):
        rows = frame[(frame["task"] == "gradient-size") & (frame["ansatz"] == ansatz)]
        rows = rows[rows["size"] >= 16]
        if rows["size"].nunique() < 3:
            continue
        errors = (rows["gradient_high"] / rows["gradient_low"]).map(math.log) / (2 * 1.96)
        law = power_law(rows["size"], rows["gradient"], errors=errors)
        (exponent,) = law.exponents
        found.append(
            Claim(
                text=f"size of a gradient, {ansatz} model",
                expected=f"{expected}; exponent in [{low}, {high}]",
                measured=f"exponent {exponent}",
                holds=low <= exponent.value <= high,
            )
        )
    return found


def _step_claims(steps: "DataFrame") -> list[Claim]:
    def exponent(column: str) -> str:
        law = power_law(steps["size"], steps[column], errors=[_EXACT] * len(steps))
        return str(law.exponents[0])

    encoding = power_law(
        steps["size"], steps["preparation_gates"], errors=[_EXACT] * len(steps)
    ).exponents[0]
    largest = steps.iloc[-1]
    return [
        Claim(
            text="encoding takes O(N) local gates and no message",
            expected="exponent in [0.9, 1.1], 0 messages, the state right to 1e-10",
            measured=f"exponent {encoding}, {int(steps['preparation_messages'].max())} messages, "
            f"off by {steps['preparation_error'].max():.1g}",
            holds=bool(
                0.9 <= encoding.value <= 1.1
                and steps["preparation_messages"].max() == 0
                and steps["preparation_error"].max() < 1e-10
            ),
        ),
        Claim(
            text="a run of the model takes O(N) gates, a classical step O(N^2) operations",
            expected="exponent under that of the classical step",
            measured=f"{exponent('run_gates')} against {exponent('classical_operations')}",
            holds=bool(
                power_law(
                    steps["size"],
                    steps["run_gates"] / steps["classical_operations"],
                    errors=[_EXACT] * len(steps),
                )
                .exponents[0]
                .high
                < 0
            ),
        ),
        Claim(
            text=f"memory at N = {int(largest['size'])}",
            expected="log2 N qubits",
            measured=f"{int(largest['quantum_qubits'])} qubits against "
            f"{8 * int(largest['classical_bytes']):.3g} bits",
            holds=bool(2 ** largest["quantum_qubits"] == largest["size"]),
        ),
    ]


STUDY = Study(
    name="overhead",
    where=f"{__name__}:STUDY",
    version=1,
    summary="gates, depth, memory and gradient size against the classical gradient step",
    cell=Cell,
    presets={"quick": quick, "full": full},
    measure=measure,
    figures={
        "overhead-gates": draw_gates,
        "overhead-memory": draw_memory,
        "overhead-gradients": draw_gradients,
    },
    claims=claims,
)

"""PennyLane: state vectors with adjoint gradients, and tensor networks by quimb."""

from typing import TYPE_CHECKING, Any

from studies.peers.problem import Answer, PeerRefusal, Prepared, Problem, angle

if TYPE_CHECKING:
    from tnqml import Gate

_STATE_QUBITS = 24
_SHIFTED = 64


def prepare_lightning(problem: Problem) -> Prepared:
    """lightning.qubit with adjoint differentiation, one input after another.

    Raises:
        PeerRefusal: the state vector would have more than 2^24 entries.
    """
    if problem.circuit.qubits > _STATE_QUBITS:
        raise PeerRefusal(f"no state vector of {problem.circuit.qubits} qubits")
    return _prepare(problem, device="lightning.qubit", method="adjoint", gradient=True, options={})


def prepare_tensor(problem: Problem) -> Prepared:
    """default.tensor by exact contraction; its gradients are by parameter shift.

    Those take two circuits for each parameter and input and are left out from 65 of them on.
    """
    return _prepare(
        problem,
        device="default.tensor",
        method="parameter-shift",
        gradient=len(problem.theta) * len(problem.x) <= _SHIFTED,
        options={"method": "tn"},
    )


def _prepare(
    problem: Problem, *, device: str, method: str, gradient: bool, options: dict[str, str]
) -> Prepared:
    import numpy as np
    import pennylane
    from pennylane import numpy as traced

    gates = {"rz": pennylane.RZ, "ry": pennylane.RY, "rx": pennylane.RX, "cz": pennylane.CZ}
    made = problem.circuit
    simulator = pennylane.device(device, wires=made.qubits, c_dtype=np.complex64, **options)
    terms = [
        pennylane.prod(*map(pennylane.Z, string)) if len(string) > 1 else pennylane.Z(string[0])
        for string in problem.strings
    ]
    observable = pennylane.sum(*terms) if len(terms) > 1 else terms[0]

    @pennylane.qnode(simulator, diff_method=method)  # type: ignore[untyped-decorator]
    def expectation(x: Any, theta: Any) -> Any:
        for gate in made.gates:
            _apply(gates[gate.kind], gate, x, theta)
        return pennylane.expval(observable)

    theta = traced.array(problem.theta, requires_grad=True)
    rows = [traced.array(row, requires_grad=False) for row in problem.x]
    slope = pennylane.grad(expectation, argnums=1)

    def call() -> Answer:
        if not gradient:
            return Answer(np.array([float(expectation(row, theta)) for row in rows]), None)
        total = np.zeros(len(problem.theta))
        values = []
        for row in rows:
            total += np.asarray(slope(row, theta))
            values.append(float(slope.forward))
        return Answer(np.array(values), total)

    return Prepared(call)


def _apply(kind: Any, gate: "Gate", x: Any, theta: Any) -> None:
    if gate.source is None:
        kind(wires=gate.qubits)
    else:
        kind(angle(gate, x, theta), wires=gate.qubits)

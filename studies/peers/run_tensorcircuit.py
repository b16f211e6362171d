"""TensorCircuit-NG on JAX: one compiled function for the whole batch."""

from typing import TYPE_CHECKING, Any

from studies.peers.problem import Answer, Prepared, Problem, angle

if TYPE_CHECKING:
    from jax import Array

_STATE_QUBITS = 20


def prepare(problem: Problem) -> Prepared:
    """Value and gradient, compiled at the first call; from 21 qubits on by light cones."""
    import jax
    import numpy as np
    import tensorcircuit

    tensorcircuit.set_backend("jax")
    tensorcircuit.set_dtype("complex64")
    made = problem.circuit
    narrow = made.qubits <= _STATE_QUBITS

    def value(x: "Array", theta: "Array") -> Any:
        state = tensorcircuit.Circuit(made.qubits)
        for gate in made.gates:
            if gate.source is None:
                getattr(state, gate.kind)(*gate.qubits)
            else:
                getattr(state, gate.kind)(*gate.qubits, theta=angle(gate, x, theta))
        total = 0.0
        for string in problem.strings:
            factors = [(tensorcircuit.gates.z(), [qubit]) for qubit in string]
            total += state.expectation(*factors, reuse=narrow, enable_lightcone=not narrow).real
        return total

    def summed(theta: "Array", x: "Array") -> tuple[Any, Any]:
        values = jax.vmap(value, in_axes=(0, None))(x, theta)
        return values.sum(), values

    compiled = jax.jit(jax.value_and_grad(summed, has_aux=True))

    def call() -> Answer:
        (_, values), gradient = compiled(problem.theta, problem.x)
        return Answer(np.asarray(values), np.asarray(gradient))

    return Prepared(call)

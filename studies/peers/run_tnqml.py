"""This library, as one simulator among its peers."""

from collections.abc import Mapping

from studies.peers.problem import Answer, Prepared, Problem


def prepare(problem: Problem) -> Prepared:
    """A model of the problem on the route that it chooses itself."""
    import torch

    from tnqml import DistributedModel

    model = DistributedModel(problem.circuit, problem.observable)
    with torch.no_grad():
        model.theta.copy_(torch.from_numpy(problem.theta))
    x = torch.from_numpy(problem.x)

    def call() -> Answer:
        model.zero_grad()
        values = model(x)
        values.sum().backward()
        gradient = model.theta.grad
        if gradient is None:  # no gate of the light cone reads a parameter
            gradient = torch.zeros_like(model.theta)
        return Answer(values.detach().numpy(), gradient.numpy())

    def facts() -> Mapping[str, float | str]:
        choice = model.cost(batch=len(x))
        return {
            "route": choice.route,
            "predicted_seconds": choice.cost.seconds,
            "steps": choice.cost.steps,
        }

    return Prepared(call, facts)

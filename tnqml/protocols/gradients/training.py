"""A model trained through its protocols: sampled values forward, estimated derivatives backward."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tnqml.checks import check_count
from tnqml.errors import InputError
from tnqml.model import DistributedModel
from tnqml.protocols.gradients.estimate import METHODS, Method, gradient_trials
from tnqml.protocols.gradients.plans import layout_of
from tnqml.protocols.inference.infer import infer
from tnqml.protocols.ledger import Entry, Ledger


class EstimatedModel(nn.Module):
    """A distributed model that is seen only through protocols; trains with any torch optimiser.

    Calling it runs `infer` on each row; `backward` runs a gradient protocol on each row, all
    independent of each other. The expected gradient of a loss that is linear in the values is the
    exact one.

    Args:
        model: one observable, split by layers; its parameters are those that are trained.
        method: "shift", "blocks" or "shadows".
        shots: copies for the value of a row.
        copies: of each circuit or block, for the gradient of a row.
        seed: of all outcomes.

    Raises:
        InputError: shots or copies under 1, or as `parameter_shift` raises for the model.

    Example:
        >>> from tnqml import Z, ansatz
        >>> exact = DistributedModel(ansatz.brickwork(3, layers=1), Z(1))
        >>> model = EstimatedModel(exact, method="blocks", shots=50, copies=50, seed=0)
        >>> model(torch.zeros(2, 3)).sum().backward()
        >>> model.ledger.by_purpose("qubit")
        {'value: state': 300, 'gradient: state': 600, 'gradient: hybrid state': 400}
    """

    def __init__(
        self, model: DistributedModel, *, method: Method, shots: int, copies: int, seed: int
    ) -> None:
        super().__init__()
        layout_of(model)  # refuses what no gradient protocol takes
        if method not in METHODS:
            raise InputError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
        check_count(shots, "shots")
        check_count(copies, "copies")
        check_count(seed, "seed", least=0)
        self.model = model
        self.method: Method = method
        self.shots, self.copies = shots, copies
        self._generator = np.random.default_rng(seed)
        self._spent: dict[Entry, int] = {}

    @property
    def ledger(self) -> Ledger:
        """All messages so far: alike ones of all rows and steps together, round by round of one."""
        return Ledger(replace(entry, copies=count) for entry, count in self._spent.items())

    def forward(
        self,
        x: Tensor,  # (batch, features)
    ) -> Tensor:
        """(batch,): the estimated expectations."""
        rows = self.model.check_input(x)
        values: Tensor = _Estimated.apply(self.model.theta, rows, self)  # type: ignore[no-untyped-call]
        return values

    def value(
        self,
        x_row: Tensor,  # (features,)
    ) -> float:
        """One sampled value, its messages noted."""
        found = infer(self.model, x_row, shots=self.shots, seed=self._seed())
        self._note(found.ledger, "value")
        return found.value

    def derivatives(
        self,
        x_row: Tensor,  # (features,)
    ) -> Tensor:
        """(parameters,): the estimated derivatives of one value, their messages noted."""
        found = gradient_trials(
            self.model,
            x_row,
            method=self.method,
            repetitions=1,
            copies=self.copies,
            seed=self._seed(),
        )
        self._note(found.ledger, "gradient")
        return torch.from_numpy(found.values[0])

    def _seed(self) -> int:
        return int(self._generator.integers(2**63))

    def _note(self, messages: Iterable[Entry], what: str) -> None:
        for entry in messages:
            alike = replace(entry, copies=1, purpose=f"{what}: {entry.purpose}")
            self._spent[alike] = self._spent.get(alike, 0) + entry.copies


class _Estimated(torch.autograd.Function):
    """Values and derivatives of each row by the protocols."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, x: Tensor, model: EstimatedModel) -> Tensor:
        ctx.x, ctx.model = x, model
        return theta.new_tensor([model.value(row) for row in x])

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, None, None]:
        (cotangent,) = cotangents
        theta = ctx.model.model.theta
        total = torch.zeros(theta.shape, dtype=torch.float64)
        for row, weight in zip(ctx.x, cotangent.tolist(), strict=True):
            if weight:
                total += weight * ctx.model.derivatives(row)
        return total.to(theta), None, None

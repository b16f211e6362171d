"""Constants that are copied once to wherever they are needed."""

import torch
from torch import Tensor


class Placed:
    """A constant tensor on every device, and in every dtype, in which it was asked for.

    Args:
        tensor: on the processor.

    Attributes:
        tensor: as given.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def on(self, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
        """The constant there; by default in its own dtype."""
        key = device, self.tensor.dtype if dtype is None else dtype
        if key not in self._copies:
            with torch.inference_mode(mode=False), torch._C._DisableFuncTorch():
                self._copies[key] = self.tensor.to(*key)
        return self._copies[key]

"""The errors that this package raises, under one base class."""


class ContractionError(Exception):
    """Base class of every error that `contractions` raises on purpose."""


class NetworkError(ContractionError, ValueError):
    """A network, or the arrays given for it, do not fit together."""


class PlanError(ContractionError, ValueError):
    """A plan was asked for with options that cannot be met."""


class ContractionTooLarge(ContractionError):
    """The contraction is predicted to need more memory than the cap allows.

    Attributes:
        predicted_bytes: peak memory that the best plan found would need.
        memory: the cap in bytes.
        predicted_seconds: time that the plan would take.
    """

    def __init__(
        self, predicted_bytes: int, memory: int, predicted_seconds: float, advice: str
    ) -> None:
        self.predicted_bytes = predicted_bytes
        self.memory = memory
        self.predicted_seconds = predicted_seconds
        super().__init__(
            f"the best plan found needs {_readable(predicted_bytes)} "
            f"(and about {predicted_seconds:.3g} s), more than the memory cap of "
            f"{_readable(memory)}; {advice}"
        )


def _readable(size: float) -> str:
    """A number of bytes with a unit that suits it."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.5g} {unit}"
        size /= 1024
    return f"{size:.5g} GiB"

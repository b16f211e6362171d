"""What arrives is checked by the same words everywhere."""

from numbers import Integral

from tnqml.errors import InputError


def check_count(value: object, name: str, *, least: int = 1, most: int | None = None) -> int:
    """The integer, numpy's included.

    Args:
        value: what arrived.
        name: what it is called where it was asked for.
        least: the smallest that will do.
        most: the largest, if there is one.

    Raises:
        InputError: naming what arrived and what was expected.

    Example:
        >>> check_count(3, "shots")
        3
    """
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if number >= least and (most is None or number <= most):
            return number
    raise InputError(f"{name} is {value!r:.40}; expected an integer {limits}")

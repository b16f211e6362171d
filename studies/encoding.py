"""JSON text for parameters and rows: canonical where hashed, and strict about numbers.

JSON has no NaN or infinity. A float that is not finite is written as the object
`{"$float": "nan"}` (or `"inf"`, `"-inf"`), so that the text stays valid JSON for any reader, a
missing value (`null`) stays apart from NaN, and decoding gives back what was measured.
"""

import json
import math
from typing import Any

_MARK = "$float"


def encode(value: Any, *, canonical: bool = False) -> str:
    """Return `value` as JSON text.

    Args:
        value: dicts with string keys, lists, tuples, strings, numbers, booleans and None.
        canonical: sort the keys, so that equal values give equal text.

    Raises:
        TypeError: for any other kind of value.

    >>> encode({"b": 1, "a": float("nan")}, canonical=True)
    '{"a":{"$float":"nan"},"b":1}'
    """
    return json.dumps(_finite(value), sort_keys=canonical, separators=(",", ":"), allow_nan=False)


def decode(text: str) -> Any:
    """Return the value that `encode` wrote; tuples come back as lists.

    >>> decode('[1, null, {"$float": "-inf"}]')
    [1, None, -inf]
    """
    return json.loads(text, object_hook=_restore)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_MARK: str(float(value))}
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _restore(value: dict[str, Any]) -> Any:
    return float(value[_MARK]) if set(value) == {_MARK} else value

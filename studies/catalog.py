"""Every study of this package, by name."""

from collections.abc import Mapping
from typing import Any

from studies import (
    communication,
    expressivity,
    gradients,
    linear,
    noise,
    overhead,
    peers,
    planning,
    privacy,
    width,
)
from studies.errors import UnknownStudy
from studies.study import Study

_ALL: tuple[Study[Any], ...] = (
    communication.STUDY,
    linear.STUDY,
    expressivity.STUDY,
    width.STUDY,
    gradients.STUDY,
    privacy.STUDY,
    noise.STUDY,
    overhead.STUDY,
    peers.STUDY,
    planning.STUDY,
)

STUDIES: Mapping[str, Study[Any]] = {study.name: study for study in _ALL}


def find(name: str, studies: Mapping[str, Study[Any]] = STUDIES) -> Study[Any]:
    """Return the study called `name`.

    Raises:
        UnknownStudy: there is none; the message lists those there are.
    """
    if name not in studies:
        valid = ", ".join(sorted(studies)) or "none yet"
        raise UnknownStudy(f"no study is called {name!r}; choose from: {valid}")
    return studies[name]

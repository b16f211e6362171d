"""Patches of scikit-learn's two sample photographs, a temple and a flower, as unit vectors.

`classifiers` tells the two apart.

Training and test patches come from different vertical bands of both photographs, so that neither
position nor a shared pixel helps, and test patches never overlap.
"""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from studies.data.examples import Examples, Split, homogeneous, unit
from studies.errors import CellError

Real = NDArray[np.float64]
Part = Literal["train", "test"]
Content = Literal["grey", "texture"]

SIDES = (4, 8, 16, 32)

_BAND = 80  # pixels across a band and the gap beside it
_GAP = 16  # between a training band and the test bands beside it
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601


def patches(
    size: int,
    *,
    count: int,
    seed: int,
    part: Part = "train",
    content: Content = "grey",
) -> Examples:
    """Square patches of `size` pixels, half of each photograph, in random order; class 1: flower.

    Pixels are read row by row. A vector has N = size entries, a power of two, and unit length:

    - "grey": the constant 1 in the place of the first pixel, then z/sqrt(N - 1) of the others, all
      over the length; z is the grey value less the mean of the training bands, over their
      standard deviation. Scaling a plain patch to unit length would lose its brightness; beside a
      constant nothing is lost (`examples.homogeneous`).
    - "texture": each patch less its own mean. Brightness and contrast are gone; what a linear form
      could tell is near chance, while a quadratic form sees which spatial frequencies are strong.
      Patches of one grey value have no such vector and are passed over.

    Args:
        size: 16, 64, 256 or 1024 pixels.
        count: even. Training patches may overlap; test patches are tiles that do not, of which
            `most_test_patches` tells the number.
        seed: of places and order.
        part: "train" or "test".
        content: "grey" or "texture".

    Raises:
        CellError: the size is another, the count odd, under 2 or beyond the test patches there are.

    Example:
        >>> drawn = patches(64, count=6, seed=0)
        >>> drawn.x.shape, int(drawn.y.sum())
        ((6, 64), 3)
    """
    side = _side(size)
    if part not in {"train", "test"} or content not in {"grey", "texture"}:
        raise CellError(
            f"part is {part!r} and content {content!r}; expected 'train' or 'test' and 'grey' or "
            "'texture'"
        )
    most = most_test_patches(size) if part == "test" else count
    if count < 2 or count % 2 or count > most:
        raise CellError(
            f"{count} patches of {size} pixels asked for; expected an even number of at least 2"
            + (f" and at most {most}, as test patches do not overlap" if part == "test" else "")
        )
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [_drawn(image, side, count // 2, part, content, generator) for image in _photographs()]
    )
    order = generator.permutation(count)
    x = (_grey if content == "grey" else _texture)(drawn)
    return Examples(x[order], np.repeat(np.arange(2), count // 2)[order])


def split(size: int, *, train: int, test: int, seed: int, content: Content = "grey") -> Split:
    """So many training and test patches; see `patches`."""
    return Split(
        patches(size, count=train, seed=seed, part="train", content=content),
        patches(size, count=test, seed=seed, part="test", content=content),
    )


def most_test_patches(size: int) -> int:
    """How many test patches of so many pixels do not overlap, in both photographs together.

    Example:
        >>> [most_test_patches(side * side) for side in SIDES]
        [13568, 3392, 832, 208]
    """
    return 2 * len(_places(_photographs()[0].shape[0], _side(size), part="test"))


@lru_cache(maxsize=1)
def _photographs() -> tuple[Real, ...]:
    """The temple and the flower, (427, 640) grey values from 0 to 255 each."""
    from sklearn.datasets import load_sample_images  # slow to import; reads files by pillow

    return tuple(np.asarray(image @ np.array(_LUMINANCE)) for image in load_sample_images().images)


@lru_cache(maxsize=1)
def _training_scale() -> tuple[float, float]:
    """Mean and standard deviation of the grey values in the training bands."""
    columns = np.concatenate(_bands("train"))
    grey = np.stack(_photographs())[:, :, columns]
    return float(grey.mean()), float(grey.std())


def _bands(part: Part) -> list[NDArray[np.int64]]:
    """The columns of each band of a part; the parts take turns."""
    width = _photographs()[0].shape[1]
    first = _GAP // 2 + (0 if part == "train" else _BAND)
    return [np.arange(left, left + _BAND - _GAP) for left in range(first, width, 2 * _BAND)]


def _places(height: int, side: int, *, part: Part) -> NDArray[np.int64]:
    """(places, 2): top and left of every patch, or of every tile of the test bands."""
    step = 1 if part == "train" else side
    tops = np.arange(0, height - side + 1, step)
    lefts = np.concatenate([band[: len(band) - side + 1 : step] for band in _bands(part)])
    grid = np.meshgrid(tops, lefts, indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 2)


def _drawn(
    image: Real,  # (height, width)
    side: int,
    count: int,
    part: Part,
    content: Content,
    generator: np.random.Generator,
) -> Real:
    """(count, side^2) grey values of patches at different places; with some texture if need be."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
    places = _places(image.shape[0], side, part=part)
    places = places[generator.permutation(len(places))]
    found: list[Real] = []
    for top, left in places:
        pixels = windows[top, left].reshape(-1)
        if content == "grey" or np.ptp(pixels) > 0:
            found.append(pixels)
            if len(found) == count:
                return np.stack(found)
    raise CellError(
        f"{2 * count} {part} patches of {side * side} pixels asked for; a photograph holds only "
        f"{len(found)} of them with any texture; ask for at most {2 * len(found)}"
    )


def _grey(pixels: Real) -> Real:
    mean, deviation = _training_scale()
    return homogeneous((pixels[:, 1:] - mean) / deviation, size=pixels.shape[1])


def _texture(pixels: Real) -> Real:
    return unit(pixels - pixels.mean(1, keepdims=True))


def _side(size: int) -> int:
    if size not in {side * side for side in SIDES}:
        raise CellError(
            f"patches of {size} pixels; expected {', '.join(str(side * side) for side in SIDES)}"
        )
    return math.isqrt(size)

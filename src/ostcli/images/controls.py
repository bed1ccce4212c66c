"""What a translation must beat: results that no network is needed for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from PIL import Image, ImageOps

from ostcli.images.measure import mean_absolute_error
from ostcli.images.tensors import Pixels, picture_of, pixels_of


class Controls:
    """The simple ways from a picture into the look of a folder.

    Args:
        folder: pictures of B. RGB, any sizes, at least one.
    """

    def __init__(self, folder: Sequence[Image.Image]) -> None:
        self._folder = folder
        self._means: dict[tuple[int, int], Image.Image] = {}

    def results(self, source: Image.Image) -> dict[str, Image.Image]:
        """Return each control's result by its name, at the source's size. RGB."""
        return {name: control(self, source) for name, control in CONTROLS.items()}

    def colour_match(self, source: Image.Image) -> Image.Image:
        """Give a picture the folder's mean and standard deviation in each channel."""
        mean, deviation = self._colours
        pixels = pixels_of(source)
        spread = np.maximum(pixels.std(axis=(0, 1)), 1e-6)
        return picture_of((pixels - pixels.mean(axis=(0, 1))) / spread * deviation + mean)

    def mean_of_folder(self, size: tuple[int, int]) -> Image.Image:
        """Return the mean of the folder's pictures, each cropped and scaled to width and height."""
        if size not in self._means:
            total = sum(pixels_of(_fitted(picture, size)) for picture in self._folder)
            self._means = {size: picture_of(np.asarray(total) / len(self._folder))}
        return self._means[size]

    def nearest_in_folder(self, source: Image.Image) -> Image.Image:
        """Return the folder's picture that differs least from the colour-matched source."""
        matched = self.colour_match(source)
        nearest = min(
            self._folder,
            key=lambda one: mean_absolute_error(_fitted(one, source.size), matched),
        )
        return _fitted(nearest, source.size)

    @cached_property
    def _colours(self) -> tuple[Pixels, Pixels]:
        """Mean and deviation of each channel over every pixel of the folder."""
        total, squares, number = np.zeros(3), np.zeros(3), 0
        for picture in self._folder:
            pixels = pixels_of(picture).reshape(-1, 3)
            total += pixels.sum(0)
            squares += (pixels * pixels).sum(0)
            number += len(pixels)
        mean = total / number
        return mean, np.sqrt(np.maximum(squares / number - mean * mean, 0))


CONTROLS: Mapping[str, Callable[[Controls, Image.Image], Image.Image]] = {
    "identity": lambda _, source: source,
    # A muted picture passes for winter with a classifier (decision 0013).
    "grey": lambda _, source: ImageOps.grayscale(source).convert("RGB"),
    "colour_match": Controls.colour_match,
    "mean_of_folder": lambda controls, source: controls.mean_of_folder(source.size),
    "nearest_in_folder": Controls.nearest_in_folder,
}
"""By name."""


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else ImageOps.fit(picture, size)

"""What a translation must beat: results that no network is needed for."""

from collections.abc import Sequence
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

    def results(self, source: Image.Image) -> dict[str, Image.Image]:
        """Return each control's result by its name, at the source's size. RGB."""
        return {
            "identity": source,
            "colour_match": self.colour_match(source),
            "mean_of_folder": self.mean_of_folder(source.size),
            "nearest_in_folder": self.nearest_in_folder(source),
        }

    def colour_match(self, source: Image.Image) -> Image.Image:
        """Give a picture the folder's mean and standard deviation in each channel."""
        mean, deviation = self._colours
        pixels = pixels_of(source)
        spread = np.maximum(pixels.std(axis=(0, 1)), 1e-6)
        return picture_of((pixels - pixels.mean(axis=(0, 1))) / spread * deviation + mean)

    def mean_of_folder(self, size: tuple[int, int]) -> Image.Image:
        """Return the mean of the folder's pictures, each cropped and scaled to width and height."""
        total = sum(pixels_of(picture) for picture in self._fitted(size))
        return picture_of(np.asarray(total) / len(self._folder))

    def nearest_in_folder(self, source: Image.Image) -> Image.Image:
        """Return the folder's picture that differs least from the colour-matched source."""
        matched = self.colour_match(source)
        fitted = self._fitted(source.size)
        return min(fitted, key=lambda picture: mean_absolute_error(picture, matched))

    @cached_property
    def _colours(self) -> tuple[Pixels, Pixels]:
        """Mean and deviation of each channel over every pixel of the folder."""
        pictures = [pixels_of(picture).reshape(-1, 3) for picture in self._folder]
        number = sum(len(pixels) for pixels in pictures)
        mean = np.asarray(sum(pixels.sum(0) for pixels in pictures)) / number
        square = np.asarray(sum(((pixels - mean) ** 2).sum(0) for pixels in pictures)) / number
        return mean, np.sqrt(square)

    def _fitted(self, size: tuple[int, int]) -> list[Image.Image]:
        return [
            picture if picture.size == size else ImageOps.fit(picture, size)
            for picture in self._folder
        ]

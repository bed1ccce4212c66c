"""What a translation must beat: results that no network is needed for.

Pictures are RGB; errors are mean absolute differences on the scale 0 to 1.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.float64]


def pixels_of(image: Image.Image) -> Pixels:
    """Return a picture's pixels. Shape (H, W, 3), range [0, 1]."""
    return np.asarray(image, dtype=np.float64) / 255.0


def picture_of(pixels: Pixels) -> Image.Image:
    """Return the picture of pixels of shape (H, W, 3), clipped to [0, 1]."""
    return Image.fromarray(np.rint(pixels.clip(0.0, 1.0) * 255.0).astype(np.uint8))


def mean_absolute_error(image: Image.Image, truth: Image.Image) -> float:
    """Return the mean absolute difference of two pictures of one size, 0 to 1."""
    return float(np.abs(pixels_of(image) - pixels_of(truth)).mean())


def colour_match(image: Image.Image, folder: Sequence[Image.Image]) -> Image.Image:
    """Give a picture the folder's mean and standard deviation in each channel."""
    every = np.concatenate([pixels_of(one).reshape(-1, 3) for one in folder])
    source = pixels_of(image)
    spread = np.maximum(source.std(axis=(0, 1)), 1e-6)
    centred = (source - source.mean(axis=(0, 1))) / spread
    return picture_of(centred * every.std(axis=0) + every.mean(axis=0))


def mean_of_folder(folder: Sequence[Image.Image]) -> Image.Image:
    """Return the mean picture of a folder of pictures of one size."""
    return picture_of(np.mean([pixels_of(one) for one in folder], axis=0))


def nearest_in_folder(image: Image.Image, folder: Sequence[Image.Image]) -> Image.Image:
    """Return the folder's picture that differs least from the colour-matched source."""
    matched = colour_match(image, folder)
    return min(folder, key=lambda one: mean_absolute_error(one, matched))

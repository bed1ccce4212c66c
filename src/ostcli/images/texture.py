"""Decide from pictures alone whether a translation should keep the source's own pixels.

The photo finish recolours a photograph. It is right where both the example and the folder are
photographs, and wrong where brush strokes, maps or labels are to be made or to be removed. So the
question is how far each of them is from a photograph, by the texture of its brightness.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from ostcli.images.tensors import LUMINANCE

Floats = npt.NDArray[np.float64]

PHOTO_GAP_LIMIT = 0.0
"""Above it the network's own pixels are wanted, at or below it the photo finish."""
PHOTOGRAPH, PAINTING = -2.0, 2.0
"""About the ends of the scale: what a folder is taken for that is told to be one."""

# Least-squares discriminants over the features in the order of `_features`, then a constant;
# above 0 is painted or drawn. Fitted to photographs of landscapes (weight 1 each of three sets),
# facades and ground from the air (0.15 each) against paintings, and against maps and labels, as
# they are, recompressed and cropped: ours, decision 0005.
_PAINTED = np.array([0.17, -3.19, 1.84, -3.42, 0.75, 4.09])
_DRAWN = np.array([-0.11, -2.06, 2.61, 0.68, 0.54, -0.38])

_BLOCK = 8
_MIN_SIDE = 32
_MOST_PIXELS = 256 * 256
_KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def unlike_photo(picture: Image.Image) -> float:
    """Return how far a picture is from a photograph, by its texture.

    A translation between two photographs can be finished on the source's own pixels; one that
    makes or removes brush strokes or drawn areas cannot. So the larger of the example's score and
    the folder's median is held against `PHOTO_GAP_LIMIT`. No trained network is asked, so the
    answer is known before the adaptation.

    Right decisions, 256 × 256, over the examples that the weights were fitted to, then over others
    (which were in view when this one of many variants was chosen, so the figures flatter it):
    summer to winter 95 % of 40, 95 % of 40; winter to summer 97 % of 120, 95 % of 130; painting to
    photograph 94 % of 100, 85 % of 20; map to ground 98 % of 120, 97 % of 30; labels to facade all
    of 90, all of 30. Towards paintings, maps and labels the folder's median decides, and every
    example is right. Weak spots: paintings that pass for photographs; one photographed facade in
    four, and a few large plain things before a plain ground, are taken for drawings; pictures
    softened by resizing look painted (at 192 × 192 one landscape in five).

    Args:
        picture: RGB, any size; a larger one is judged at the size that the weights were fitted at.
    Returns:
        About -2 for a photograph to 2 for what is painted or drawn.
    Source: ours, decision 0005.
    """
    features = _features(_fitted_size(picture.convert("RGB")))
    return max(float(features @ _PAINTED), float(features @ _DRAWN))


def _features(picture: Image.Image) -> Floats:
    """Measure five things in which photographs, paintings and drawings differ, and append 1.

    The finest colour detail is left out: JPEG halves it, whatever the picture shows.
    """
    pixels = np.asarray(picture, np.float64) / 255
    grey = pixels @ LUMINANCE
    bands = _bands(grey)
    fine, middle, coarse = (_size(band) + 1e-3 for band in bands)
    red, blue = (_size(_bands(pixels[..., channel] - grey)[2]) for channel in (0, 2))
    detail = _blocks(np.abs(bands[0])).mean(-1)
    return np.array(
        [
            np.log(np.percentile(detail, 10) + 5e-4),  # paint covers the quiet places too
            np.log(fine / middle),  # a lens draws finer than a brush
            np.log(middle / coarse),
            _coherence(grey),  # strokes run across the edges of things
            np.log((np.hypot(red, blue) + 1e-3) / coarse),  # strokes and areas differ in colour
            1.0,
        ]
    )


def _fitted_size(picture: Image.Image) -> Image.Image:
    """Scale a large picture down to `_MOST_PIXELS`, and a tiny one up to `_MIN_SIDE`."""
    width, height = picture.size
    scale = min(1.0, math.sqrt(_MOST_PIXELS / (width * height)))
    scale = max(scale, _MIN_SIDE / min(width, height))
    if scale == 1.0:
        return picture
    size = round(width * scale), round(height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS)


def _bands(plane: Floats) -> list[Floats]:
    """Split off three octaves of detail, finest first, each half as large as the one before."""
    bands = []
    for _ in range(3):
        smooth = _blur(plane)
        bands.append(plane - smooth)
        plane = smooth[::2, ::2]
    return bands


def _blur(plane: Floats) -> Floats:
    padded = np.pad(plane, 2, mode="reflect")
    rows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0) @ _KERNEL
    return np.lib.stride_tricks.sliding_window_view(rows, 5, axis=1) @ _KERNEL


def _size(band: Floats) -> float:
    return float(np.sqrt((band * band).mean()))


def _blocks(plane: Floats) -> Floats:
    """Cut a plane into whole blocks, shape (blocks, pixels of a block)."""
    rows, columns = (side // _BLOCK for side in plane.shape)
    whole = plane[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return whole.transpose(0, 2, 1, 3).reshape(rows * columns, -1)


def _coherence(grey: Floats) -> float:
    """Return how far the edges inside a block point one way: 0 any way, 1 all the same."""
    dx, dy = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    xx, yy, xy = (_blocks(product).mean(-1) for product in (dx * dx, dy * dy, dx * dy))
    energy = xx + yy + 1e-6
    return float(np.hypot(xx - yy, 2 * xy).sum() / energy.sum())

"""The augmentation P: a random view of a picture.

A view is a square crop, drawn anew at each step from the picture's own pixels, mirrored half of the
time and turned by a few degrees. A picture larger than what the network sees at translation is
viewed at any scale from that one up to the one at which a view spans its short side: the network
meets what it will meet in use, and the discriminator what is where in a picture (decisions 0003,
0009).
"""

import math
from typing import Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ostcli.config import ViewConfig


class Pictures(Protocol):
    """RGB pictures by index: a list, or a folder that decodes when asked."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int, /) -> Image.Image:
        """Return one."""


def working_scale(height: int, width: int, view: ViewConfig) -> float:
    """Return how many of the picture's pixels one pixel of the network spans in translation.

    The network sees a picture at its own size, at most at `working_pixels`, and where training
    scaled every picture to one short side, at most at that one: large pictures come at the scale
    that it was trained at, small ones are not enlarged (decision 0003).

    Args:
        height, width: of the picture, in pixels.
        view: the augmentation's sizes.

    Returns:
        At least 1; more for a picture larger than the network sees it.
    """
    scale = max(1.0, math.sqrt(height * width / view.working_pixels))
    return scale if view.short_side is None else max(scale, min(height, width) / view.short_side)


def view_scales(height: int, width: int, view: ViewConfig) -> tuple[float, float]:
    """Return the least and the largest scale of a view, in the picture's pixels per view pixel.

    A picture shorter than a crop is enlarged to hold one.
    """
    short = min(height, width)
    if view.short_side is not None:
        return short / view.short_side, short / view.short_side
    least = min(working_scale(height, width, view), short / view.size)
    return least, max(least, short * view.span / view.size)


def draw_view(picture: Image.Image, view: ViewConfig, rng: np.random.Generator) -> Tensor:
    """Draw one view of a picture: P(s).

    Args:
        picture: RGB, any size.
        view: size, scales, flip and rotation.
        rng: the only source of chance.

    Returns:
        Shape (3, size, size), float32, range [-1, 1].

    Source: authors' photo code (flip, ±7°, crop of a picture of 286 pixels); ours draws from the
    picture's own pixels, decision 0003.
    """
    least, largest = view_scales(picture.height, picture.width, view)
    scale = least * (largest / least) ** rng.random()
    angle = math.radians(view.rotation * (2 * rng.random() - 1))
    at_x, at_y, mirrored = rng.random(), rng.random(), view.flip and rng.random() < 0.5

    # A turned crop needs a larger upright one around it, which the picture may not hold. Its rim is
    # whole pixels, the same on all sides, so that no corner reaches beyond it into black.
    spread = abs(math.cos(angle)) + abs(math.sin(angle))
    rim = math.ceil(view.size * (spread - 1) / 2)
    upright = view.size + 2 * rim
    side = min(upright * scale, float(min(picture.size)))
    left, top = (picture.width - side) * at_x, (picture.height - side) * at_y
    if scale == 1.0:  # whole pixels, up to the last row and column
        left = math.floor((picture.width - side + 1) * at_x)
        top = math.floor((picture.height - side + 1) * at_y)
    crop = picture.resize(
        (upright, upright), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    if angle:
        crop = crop.rotate(math.degrees(angle), Image.Resampling.BICUBIC)
        crop = crop.crop((rim, rim, rim + view.size, rim + view.size))
    if mirrored:
        crop = ImageOps.mirror(crop)
    pixels = np.asarray(crop, dtype=np.float32) / 127.5 - 1.0  # (size, size, 3)
    # In numpy: torch would start a team of threads in the background thread that draws views.
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

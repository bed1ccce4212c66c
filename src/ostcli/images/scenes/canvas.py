"""A canvas twice the picture's size, soft masks, and fractal noise to look up.

Places are in picture units: x to the right, y downwards, both from 0 to 1.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.floating[Any]]

OVERSAMPLING = 2
TILE_SIZE = 512


class Window(NamedTuple):
    """A part of the canvas with the places of its pixels."""

    view: Array  # (h, w, 3), shares memory with the canvas
    x: Array  # (1, w)
    y: Array  # (h, 1)


class Canvas:
    """A square of RGB values in [0, 1] to paint on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.side = size * OVERSAMPLING
        self.pixel = 1 / self.side
        self.rgb = np.zeros((self.side, self.side, 3), np.float32)
        places = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        self.x, self.y = places[None, :], places[:, None]

    def area(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        """Return the rows and columns between these places, clipped to the canvas."""
        cols, rows = (
            slice(*(min(max(round(edge * self.side), 0), self.side) for edge in edges))
            for edges in ((left, right), (top, bottom))
        )
        return rows, cols

    def window(self, left: float, right: float, top: float, bottom: float) -> Window:
        """Return the part of the canvas between these places; it may be empty."""
        rows, cols = self.area(left, right, top, bottom)
        return Window(self.rgb[rows, cols], self.x[:, cols], self.y[rows])

    def edge(self, distance: Array) -> Array:
        """Return how much of a pixel lies inside, from its distance to the outline (inside > 0)."""
        share: Array = np.minimum(np.maximum(distance * self.side + 0.5, 0), 1)
        return share

    def develop(self) -> Image.Image:
        """Return the picture: averaged down, dithered against banding, 8 bit."""
        cells = self.rgb.reshape(self.size, OVERSAMPLING, self.size, OVERSAMPLING, 3)
        grain = noise(0.0, self.x[:, : self.size] * 4000, self.y[: self.size] * 4000)
        values = cells.mean(axis=(1, 3)) * 255 + 0.5 + 0.25 * grain[..., None]
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def blend(view: Array, mask: Array, colour: Array) -> None:
    """Lay a colour (3,) or picture (h, w, 3) over a view where the mask (h, w) is 1."""
    view += mask[..., None] * (colour - view)


def mix(first: Array, second: Array, share: Array) -> Array:
    """Return colours between two: the first where the share (h, w) is 0, the second where 1."""
    mixed: Array = first + share[..., None] * (second - first)
    return mixed


def smooth(value: Array, low: float, high: float) -> Array:
    """Return a soft step of the value from 0 at low to 1 at high (or back, if low > high)."""
    t = np.minimum(np.maximum((value - low) * (1 / (high - low)), 0), 1)
    step: Array = t * t * (3 - 2 * t)
    return step


def noise(roughness: float, x: Array, y: Array) -> Array:
    """Look up fractal noise of zero mean and unit deviation; it repeats after TILE_SIZE.

    Args:
        roughness: decay of the amplitude with frequency: 0 is white, 1 cloudy, 2 hilly.
        x, y: places in tile pixels, broadcastable.
    """
    tile, last = _tile(roughness).ravel(), TILE_SIZE - 1
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    left, top = x0.astype(np.intp) & last, y0.astype(np.intp) & last
    right, bottom = (left + 1) & last, ((top + 1) & last) * TILE_SIZE
    top *= TILE_SIZE
    upper_left, lower_left = tile.take(top + left), tile.take(bottom + left)
    upper = upper_left + fx * (tile.take(top + right) - upper_left)
    lower = lower_left + fx * (tile.take(bottom + right) - lower_left)
    result: Array = upper + fy * (lower - upper)
    return result


@cache
def _tile(roughness: float) -> Array:
    """Return a periodic noise texture, the same on every call: spectrum f ** -roughness."""
    white = np.random.Generator(np.random.PCG64(1)).random((TILE_SIZE, TILE_SIZE))
    vertical = np.fft.fftfreq(TILE_SIZE)[:, None]
    horizontal = np.fft.rfftfreq(TILE_SIZE)[None, :]
    # Without a floor, the longest waves alone would make the texture.
    frequency = np.hypot(np.hypot(vertical, horizontal), 2 / TILE_SIZE)
    shaped = np.fft.irfft2(np.fft.rfft2(white) / frequency**roughness, s=white.shape)
    tile: Array = ((shaped - shaped.mean()) / shaped.std()).astype(np.float32)
    return tile

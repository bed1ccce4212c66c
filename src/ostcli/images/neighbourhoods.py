"""Means over the neighbourhood of every pixel, in a few passes whatever its size.

Legend: h w pixels; a neighbourhood is a box of side 2 radius + 1, cut off at the border.
"""

import numpy as np
import numpy.typing as npt

from ostcli.images.tensors import Floats
from ostcli.method.windows import window_sums


class Neighbourhoods:
    """The neighbourhoods of a picture's pixels.

    It works on planes: a channel's rows one after the other, `radius` zeros behind each. Thus a
    neighbour is a fixed distance away in one dimension, and all arithmetic runs along memory.

    Args:
        height: h.
        width: w.
        radius: half a neighbourhood's side, in pixels, 0 or more.
    """

    def __init__(self, height: int, width: int, radius: int) -> None:
        self._shape = height, width
        self._side = 2 * radius + 1
        self._row = width + radius
        self._size = height * self._row
        # Zeros above, below, and before the first row, as many as neighbourhoods can reach.
        self._padded = np.zeros(self._size + 2 * radius * (self._row + 1), np.float32)
        first = radius * (self._row + 1)
        self._inside = self._padded[first : first + self._size]
        num_pixels = np.outer(_num_within(height, radius), _num_within(width, radius))
        self._share = self.plane((1 / num_pixels).astype(np.float32))

    def plane(self, channel: Floats) -> Floats:
        """Return a channel, shape (h, w), as a plane."""
        rows = np.zeros((self._shape[0], self._row), np.float32)
        rows[:, : self._shape[1]] = channel
        return rows.ravel()

    def channel(self, plane: Floats) -> Floats:
        """Return a plane as a channel, shape (h, w), of the same memory."""
        return plane.reshape(self._shape[0], self._row)[:, : self._shape[1]]

    def mean(self, plane: Floats) -> Floats:
        """Average a plane over the neighbourhoods."""
        np.copyto(self._inside, plane)
        return self._mean()

    def mean_product(self, one: Floats, other: Floats) -> Floats:
        """Average the product of two planes over the neighbourhoods."""
        np.multiply(one, other, out=self._inside)
        return self._mean()

    def _mean(self) -> Floats:
        down = window_sums(self._padded, self._side, step=self._row)
        along = window_sums(down, self._side)
        return along * self._share  # 0 between the rows, where the sums mean nothing.


def _num_within(length: int, radius: int) -> npt.NDArray[np.int64]:
    """Return how many places of a line lie in the neighbourhood of each."""
    places = np.arange(length)
    return np.minimum(places + radius, length - 1) - np.maximum(places - radius, 0) + 1

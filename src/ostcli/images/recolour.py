"""Apply a colour map of one size to a picture of another, at little memory.

Legend: h w the size of the colour map, H W pixels of the picture. A colour map is 12 planes: the 9
of the matrix row by row (output red from red, green, blue; output green …), then the 3 of the
offset.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from ostcli.images.tensors import Floats

TILE = 256
"""Side of what is recoloured at a time, in pixels: the planes in use fit into a core's cache."""


def apply_local_colour(
    source: Image.Image, coefficients: Floats, *, tile: int = TILE
) -> Image.Image:
    """Recolour a picture of any size with a colour map of another size.

    The map is enlarged bilinearly, tile by tile, so memory hardly grows with the picture.

    Args:
        source: the picture, RGB, H × W.
        coefficients: the colour map, for levels in [-1, 1]. Shape (12, h, w).
        tile: side of a tile, in pixels; changes memory and time, never the result.
    Returns:
        The recoloured picture, RGB, H × W.
    Raises:
        ValueError: coefficients are not 12 planes, or tile is not positive.
    Source: He and Sun 2015.
    """
    if coefficients.ndim != 3 or coefficients.shape[0] != 12:
        raise ValueError(f"a colour map is 12 planes, not shape {coefficients.shape}")
    if tile < 1:
        raise ValueError("tile must be at least 1")
    source = source if source.mode == "RGB" else source.convert("RGB")
    width, height = source.size
    planes = _for_bytes(coefficients)
    result = Image.new("RGB", source.size)

    for top in range(0, height, tile):
        bottom = min(top + tile, height)
        rows = _Samples.of(planes.shape[1], height, top, bottom)
        for left in range(0, width, tile):
            right = min(left + tile, width)
            columns = _Samples.of(planes.shape[2], width, left, right)
            part = source.crop((left, top, right, bottom))
            result.paste(_recoloured(part, planes, rows, columns), (left, top))
    return result


def _for_bytes(coefficients: Floats) -> Floats:
    """Rewrite a colour map of [-1, 1] for bytes: scale 0 to 255, half a step up for rounding."""
    matrix, offset = coefficients[:9], coefficients[9:]
    row_sums = matrix.reshape(3, 3, *matrix.shape[1:]).sum(1)
    return np.concatenate([matrix, (offset + 1 - row_sums) * 127.5 + 0.5])


@dataclass(frozen=True)
class _Samples:
    """Samples of a line that is stretched, each of them between two of the line's own."""

    own: slice
    """The line's own that are needed."""
    before: npt.NDArray[np.int64]
    """Of these, the one before each sample."""
    after: npt.NDArray[np.int64]
    weight: Floats | None
    """Of the one after; None where nothing is stretched."""

    @classmethod
    def of(cls, length: int, new_length: int, begin: int, end: int) -> Self:
        """Return the samples from `begin` to `end` of a line that is stretched to a new length."""
        if length == new_length:
            same = np.arange(end - begin)
            return cls(slice(begin, end), same, same, None)
        centres = (np.arange(begin, end) + 0.5) * (length / new_length) - 0.5
        centres = centres.clip(0, length - 1)
        before = centres.astype(np.int64)
        after = np.minimum(before + 1, length - 1)
        own = slice(before[0], after[-1] + 1)
        weight = (centres - before).astype(np.float32)
        return cls(own, before - before[0], after - before[0], weight)

    def between(self, values: Floats, axis: int) -> Floats:
        """Interpolate along an axis of values, of which only the line's own are given."""
        if self.weight is None:
            return values
        before = values.take(self.before, axis, mode="clip")  # The fastest mode; none is clipped.
        step = values.take(self.after, axis, mode="clip")
        step -= before
        step *= self.weight if axis else self.weight[:, None]
        step += before
        return step


def _recoloured(
    part: Image.Image, planes: Floats, rows: _Samples, columns: _Samples
) -> Image.Image:
    """Return a part of a picture in its new colours.

    Only sums and products of single numbers: one that is fused or blocked could round differently
    by the size of the part.
    """
    few = columns.between(planes[:, rows.own, columns.own], 2)
    colours = [np.asarray(band, np.float32) for band in part.split()]
    bands = []
    for output in range(3):
        level = rows.between(few[9 + output], 0).copy()
        for channel, colour in enumerate(colours):
            level += rows.between(few[3 * output + channel], 0) * colour
        np.clip(level, 0, 255, out=level)
        bands.append(Image.fromarray(level.astype(np.uint8)))
    return Image.merge("RGB", bands)

"""Recolour the picture's own pixels with what a small network did to its colours.

A small network gives the right colours in the right places, under blur and noise. Here its
translation is reduced to one affine colour map per neighbourhood, and that map is applied to the
source at full resolution, so the source keeps its own detail.

Legend: h w pixels of what the network saw, H W pixels of the source; a neighbourhood is a box of
side 2 radius + 1, cut off at the border. A colour map is 12 planes: the 9 of the matrix row by
row (output red from red, green, blue; output green …), then the 3 of the offset.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ostcli.images.tensors import image_to_tensor

Floats = npt.NDArray[np.float32]

# Ours, decision 0023: of translations whose own detail is sound, half the radius and a tenth of the
# epsilon that 0005 had found for blurred and noisy ones.
RADIUS_FRACTION = 1 / 64
"""Radius of a neighbourhood as a fraction of the shorter side of what the network saw."""
MIN_RADIUS = 4
"""The smallest radius in pixels; at this one the noise of a noisy network shows already."""
EPSILON = 1e-4
"""Variance, on the scale [-1, 1], below which a neighbourhood's own detail is not trusted."""
FIT_PIXELS = 512 * 512
"""The fit is made at this size at most, in pixels: it is smooth, and costs by the pixel."""
MAX_GAIN = 3.0
"""The largest factor by which a neighbourhood's contrast may be restored."""


def photo_finish(
    source: Image.Image,
    network_input: Image.Image,
    network_output: Image.Image,
) -> Image.Image:
    """Give the source the colours of the network's translation and keep its detail.

    Args:
        source: the picture at full size, RGB.
        network_input: the same picture as the network saw it, RGB, h × w.
        network_output: its translation, RGB, h × w.

    Returns:
        The recoloured source, RGB, at its full size.
    Raises:
        ValueError: network_input and network_output differ in size.
    Source: He, Sun and Tang 2013; He and Sun 2015 (fit small, apply large).
    """
    small, target = (_for_fit(picture) for picture in (network_input, network_output))
    radius = default_radius(network_input.size)
    return apply_local_colour(source, fit_local_colour(small, target, radius=radius))


def default_radius(size: tuple[int, int]) -> int:
    """Return the radius, in pixels, of a neighbourhood in a picture of this size."""
    return max(MIN_RADIUS, round(RADIUS_FRACTION * min(size)))


def fit_local_colour(
    source: Tensor,
    target: Tensor,
    *,
    radius: int,
    epsilon: float = EPSILON,
    max_gain: float = MAX_GAIN,
) -> Tensor:
    """Fit, per neighbourhood, the affine colour map that turns the source into the target.

    A fit to a blurred target has too little contrast; the matrix is therefore scaled until the
    fit has the target's variance again, about the neighbourhood's mean colour, which stays.

    Args:
        source: shape (3, h, w), range [-1, 1].
        target: shape (3, h, w), range [-1, 1].
        radius: half a neighbourhood's side, in pixels, 0 or more.
        epsilon: added to the source's variances; larger is smoother and follows the target less.
        max_gain: the limit of that scale, 1 or more; 1 leaves the fit as it is.
    Returns:
        The colour map of every pixel, averaged over the neighbourhoods that hold it. Shape
        (12, h, w), float32, on the CPU.
    Raises:
        ValueError: the shapes differ or a number is out of its range.
    Source: He, Sun and Tang 2013, eqs. 12–14; the gain: ours, decision 0005.
    """
    _check_fit(source, target, radius, epsilon, max_gain)
    x, y = (tensor.detach().to("cpu", torch.float64) for tensor in (source, target))
    mean_x, mean_y = _box_mean(x, radius), _box_mean(y, radius)
    cov_xx = _covariance(x, x, mean_x, mean_x, radius)  # (h, w, 3, 3)
    cov_yx = _covariance(y, x, mean_y, mean_x, radius)
    matrix = cov_yx @ _inverse(cov_xx + epsilon * torch.eye(3, dtype=torch.float64))
    var_y = (_box_mean(y * y, radius) - mean_y * mean_y).sum(0).clamp(min=0)
    var_fit = ((matrix @ cov_xx) * matrix).sum((-1, -2)).clamp(min=0)
    gain = ((var_y + epsilon) / (var_fit + epsilon)).sqrt().clamp(1, max_gain)
    matrix = (matrix * gain[..., None, None]).permute(2, 3, 0, 1)  # (3, 3, h, w)
    offset = mean_y - (matrix * mean_x).sum(1)
    return _box_mean(torch.cat([matrix.flatten(0, 1), offset]), radius).float()


def apply_local_colour(
    source: Image.Image, coefficients: Tensor, *, rows_per_strip: int = 256
) -> Image.Image:
    """Recolour a picture of any size with a colour map of another size.

    The map is enlarged bilinearly, row by row, so memory hardly grows with the picture.

    Args:
        source: the picture, RGB, H × W.
        coefficients: the colour map. Shape (12, h, w).
        rows_per_strip: rows taken from the picture at a time; changes memory, never the result.
    Returns:
        The recoloured picture, RGB, H × W.
    Raises:
        ValueError: coefficients are not 12 planes, or rows_per_strip is not positive.
    Source: He and Sun 2015.
    """
    if coefficients.ndim != 3 or coefficients.shape[0] != 12:
        raise ValueError(f"a colour map is 12 planes, not shape {tuple(coefficients.shape)}")
    if rows_per_strip < 1:
        raise ValueError("rows_per_strip must be at least 1")
    source = _rgb(source)
    width, height = source.size
    rows = _enlarged_rows(_for_bytes(coefficients), height, width)
    result = Image.new("RGB", source.size)
    for top in range(0, height, rows_per_strip):
        bottom = min(top + rows_per_strip, height)
        strip = np.asarray(source.crop((0, top, width, bottom)))
        done = np.stack([_recolour(pixels, next(rows)) for pixels in strip])
        result.paste(Image.fromarray(done), (0, top))
    return result


def blend(source: Image.Image, result: Image.Image, strength: float) -> Image.Image:
    """Mix two pictures: (1 - strength) × source + strength × result.

    Args:
        source: an RGB picture, what strength 0 gives.
        result: an RGB picture of the same size, what strength 1 gives.
        strength: between 0 and 1.
    Returns:
        The mixed picture, RGB; at strength 0 and 1 it may be the very one that was given.
    Raises:
        ValueError: strength is out of its range or the sizes differ.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be between 0 and 1, not {strength}")
    if source.size != result.size:
        raise ValueError(f"the pictures differ in size: {source.size} and {result.size}")
    if strength in (0, 1):
        return _rgb(result if strength else source)
    return Image.blend(_rgb(source), _rgb(result), strength)


def _rgb(picture: Image.Image) -> Image.Image:
    """Return the picture as RGB, without a copy if it is that already."""
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _for_fit(picture: Image.Image) -> Tensor:
    """Return a picture, reduced to what the fit is made at. Shape (3, h, w)."""
    scale = math.sqrt(FIT_PIXELS / (picture.width * picture.height))
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BOX)
    return image_to_tensor(_rgb(picture))


def _check_fit(
    source: Tensor, target: Tensor, radius: int, epsilon: float, max_gain: float
) -> None:
    if source.ndim != 3 or source.shape[0] != 3 or source.shape != target.shape:
        shapes = f"{tuple(source.shape)} and {tuple(target.shape)}"
        raise ValueError(f"source and target must both have shape (3, h, w), not {shapes}")
    if radius < 0:
        raise ValueError("radius must be 0 or more")
    if epsilon <= 0:
        raise ValueError("epsilon must be above 0")
    if max_gain < 1:
        raise ValueError("max_gain must be 1 or more")


def _box_mean(planes: Tensor, radius: int) -> Tensor:
    """Average over neighbourhoods; windows are cut off at the border, not padded."""
    for dim in (-2, -1):
        length = planes.shape[dim]
        index = torch.arange(length)
        first, last = (index - radius).clamp(min=0), (index + radius + 1).clamp(max=length)
        padding = (1, 0) if dim == -1 else (0, 0, 1, 0)
        sums = F.pad(planes.cumsum(dim), padding)
        count = (last - first).reshape(-1, *[1] * (-1 - dim))
        planes = (sums.index_select(dim, last) - sums.index_select(dim, first)) / count
    return planes


def _covariance(left: Tensor, right: Tensor, mean_l: Tensor, mean_r: Tensor, radius: int) -> Tensor:
    """Return the local covariances of two pictures' channels, shape (h, w, 3, 3)."""
    rows = [
        _box_mean(one * right, radius) - mean * mean_r
        for one, mean in zip(left, mean_l, strict=True)
    ]
    return torch.stack(rows).permute(2, 3, 0, 1)


def _inverse(matrices: Tensor) -> Tensor:
    """Invert symmetric 3×3 matrices, shape (…, 3, 3), by cross products of their rows.

    Ten times as fast as a library's solver, which is made for a few large matrices.
    """
    first, second, third = matrices.unbind(-2)
    columns = [second.cross(third, -1), third.cross(first, -1), first.cross(second, -1)]
    determinant = (first * columns[0]).sum(-1)
    return torch.stack(columns, -1) / determinant[..., None, None]


def _for_bytes(coefficients: Tensor) -> Floats:
    """Rewrite a colour map of [-1, 1] for bytes: scale 0 to 255, half a step up for rounding."""
    planes: Floats = coefficients.detach().cpu().double().numpy()
    matrix, offset = planes[:9], planes[9:]
    row_sums = matrix.reshape(3, 3, *matrix.shape[1:]).sum(1)
    return np.concatenate([matrix, (offset + 1 - row_sums) * 127.5 + 0.5]).astype(np.float32)


def _enlarged_rows(planes: Floats, height: int, width: int) -> Iterator[Floats]:
    """Yield the rows of the enlarged planes from the top, each of shape (12, width).

    The yielded array is overwritten by the next row.
    """
    above, below, weights = _positions(planes.shape[1], height)
    row = np.empty((planes.shape[0], width), np.float32)
    at = -1
    for y in range(height):
        if above[y] != at:
            at = above[y]
            upper = _enlarged_columns(planes[:, at], width)
            step = _enlarged_columns(planes[:, below[y]], width) - upper
        np.multiply(step, weights[y], out=row)
        row += upper
        yield row


def _enlarged_columns(row: Floats, width: int) -> Floats:
    left, right, weights = _positions(row.shape[1], width)
    return row[:, left] + (row[:, right] - row[:, left]) * weights


def _positions(
    length: int, new_length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Return each new sample's two old neighbours and the weight of the second."""
    centres = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    centres = centres.clip(0, length - 1)
    first = centres.astype(np.int64)
    return first, np.minimum(first + 1, length - 1), (centres - first).astype(np.float32)


def _recolour(pixels: npt.NDArray[np.uint8], row: Floats) -> npt.NDArray[np.uint8]:
    """Apply a row of colour maps (12, W) to a row of pixels (W, 3)."""
    colours = np.ascontiguousarray(pixels.T, dtype=np.float32)
    # Separate products and sums: a fused or blocked product could round differently by length.
    products = row[:9].reshape(3, 3, -1) * colours
    mapped = row[9:] + products[:, 0]
    mapped += products[:, 1]
    mapped += products[:, 2]
    np.clip(mapped, 0, 255, out=mapped)
    return mapped.astype(np.uint8).T

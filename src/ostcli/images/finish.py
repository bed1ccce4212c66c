"""Recolour the picture's own pixels with what a small network did to its colours.

A small network gives the right colours in the right places, under blur and noise. Here its
translation is reduced to one affine colour map per neighbourhood, and that map is applied to the
source at full resolution, so the source keeps its own detail.

All of it is numpy and Pillow: they start no threads of their own and let others run meanwhile, so
that one picture can be finished while the network sees the next (decision 0035).

Legend: h w pixels of what the network saw; a neighbourhood is a box of side 2 radius + 1, cut off
at the border; x the source, y the target. A colour map is 12 planes: the 9 of the matrix row by row
(output red from red, green, blue; output green …), then the 3 of the offset.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ostcli.images.neighbourhoods import Neighbourhoods
from ostcli.images.recolour import apply_local_colour
from ostcli.images.tensors import Floats, image_to_array

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
    source: Floats,
    target: Floats,
    *,
    radius: int,
    epsilon: float = EPSILON,
    max_gain: float = MAX_GAIN,
) -> Floats:
    """Fit, per neighbourhood, the affine colour map that turns the source into the target.

    A fit to a blurred target has too little contrast; the matrix is therefore scaled until the
    fit has the target's variance again, about the neighbourhood's mean colour, which stays.

    Single precision is enough: variances are taken of centred pictures, and the equations of a
    neighbourhood are solved by elimination.

    Args:
        source: shape (3, h, w), range [-1, 1].
        target: shape (3, h, w), range [-1, 1].
        radius: half a neighbourhood's side, in pixels, 0 or more.
        epsilon: added to the source's variances; larger is smoother and follows the target less,
            below 1e-6 rounding shows.
        max_gain: the limit of that scale, 1 or more; 1 leaves the fit as it is.
    Returns:
        The colour map of every pixel, averaged over the neighbourhoods that hold it. Shape
        (12, h, w).
    Raises:
        ValueError: the shapes differ or a number is out of its range.
    Source: He, Sun and Tang 2013, eqs. 12–14; the gain: ours, decision 0005.
    """
    _check_fit(source, target, radius, epsilon, max_gain)
    _, height, width = source.shape
    around = Neighbourhoods(height, width, radius)
    centre_x, centre_y = (each.mean((1, 2), keepdims=True) for each in (source, target))
    x = [around.plane(channel) for channel in source - centre_x]
    y = [around.plane(channel) for channel in target - centre_y]
    mean_x, mean_y = ([around.mean(channel) for channel in each] for each in (x, y))

    cov_xx = [
        around.mean_product(x[i], x[j]) - mean_x[i] * mean_x[j]
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    ]
    equations = _Equations(cov_xx, epsilon)
    matrix, var_fit = [], np.zeros_like(x[0])
    for channel, mean in zip(y, mean_y, strict=True):
        cov_yx = [
            around.mean_product(channel, other) - mean * mean_other
            for other, mean_other in zip(x, mean_x, strict=True)
        ]
        row = equations.solve(cov_yx)
        for factor, cov in zip(row, cov_yx, strict=True):
            var_fit += factor * (cov - epsilon * factor)
        matrix.append(row)
    var_y = around.mean(_dot(y, y)) - _dot(mean_y, mean_y)
    gain = np.sqrt((var_y.clip(0) + epsilon) / (var_fit.clip(0) + epsilon)).clip(1, max_gain)

    scaled = [[factor * gain for factor in row] for row in matrix]
    offset = [mean - _dot(row, mean_x) for row, mean in zip(scaled, mean_y, strict=True)]
    fitted = np.empty((12, height, width), np.float32)
    for number, plane in enumerate((*scaled[0], *scaled[1], *scaled[2], *offset)):
        fitted[number] = around.channel(around.mean(plane))
    of_centres = fitted[:9].reshape(3, 3, height, width) * centre_x
    fitted[9:] += centre_y - of_centres.sum(1)
    return fitted


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


def _for_fit(picture: Image.Image) -> Floats:
    """Return a picture, reduced to what the fit is made at. Shape (3, h, w), range [-1, 1]."""
    scale = math.sqrt(FIT_PIXELS / (picture.width * picture.height))
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BOX)
    return image_to_array(_rgb(picture))


def _check_fit(
    source: Floats, target: Floats, radius: int, epsilon: float, max_gain: float
) -> None:
    if source.ndim != 3 or source.shape[0] != 3 or source.shape != target.shape:
        shapes = f"{source.shape} and {target.shape}"
        raise ValueError(f"source and target must both have shape (3, h, w), not {shapes}")
    if radius < 0:
        raise ValueError("radius must be 0 or more")
    if epsilon <= 0:
        raise ValueError("epsilon must be above 0")
    if max_gain < 1:
        raise ValueError("max_gain must be 1 or more")


def _dot(one: Sequence[Floats], other: Sequence[Floats]) -> Floats:
    """Return the scalar product of two colours at every pixel."""
    red, green, blue = (a * b for a, b in zip(one, other, strict=True))
    red += green
    red += blue
    return red


class _Equations:
    """The equations m (Σ + ε) = c of every pixel, eliminated: Σ + ε = L D Lᵀ.

    Elimination, because cofactors of a grey neighbourhood would be small differences of large
    numbers, and plane by plane, because libraries are made for a few large matrices.

    Args:
        covariances: Σ: red with red, green and blue; green with green and blue; blue with blue.
        epsilon: added to the variances.
    """

    def __init__(self, covariances: Sequence[Floats], epsilon: float) -> None:
        rr, rg, rb, gg, gb, bb = covariances
        self._d0 = np.reciprocal(rr + epsilon)
        self._l10, self._l20 = rg * self._d0, rb * self._d0
        self._d1 = np.reciprocal(gg + epsilon - self._l10 * rg)
        rest = gb - self._l20 * rg
        self._l21 = rest * self._d1
        self._d2 = np.reciprocal(bb + epsilon - self._l20 * rb - self._l21 * rest)

    def solve(self, c: Sequence[Floats]) -> list[Floats]:
        """Return m, the factors of red, green and blue."""
        green = c[1] - self._l10 * c[0]
        blue = (c[2] - self._l20 * c[0] - self._l21 * green) * self._d2
        green = green * self._d1 - self._l21 * blue
        red = c[0] * self._d0 - self._l10 * green - self._l20 * blue
        return [red, green, blue]

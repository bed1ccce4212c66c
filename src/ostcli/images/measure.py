"""How near a result comes to the truth, and how clean it is; no network is asked.

Pictures are RGB of one size.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ostcli.images.tensors import LUMINANCE, Pixels, pixels_of

WINDOW = 9
"""Side of the neighbourhoods in which noise is looked for, in pixels: wider than the stripes and
the grid of a network of two stages, narrower than clouds."""
FLAT = 3 / 255
"""A neighbourhood of the source that deviates by less is flat."""
LEAST_FLAT = 0.1
"""Where less of a picture is flat than this share, its quietest neighbourhoods are taken."""
WITHIN = 16
"""Levels of 255 by which a pixel may differ from the truth and look the same, nearly."""
DETAIL_RADIUS = 4
"""Half the side of the box whose mean is taken off for the detail of a picture, in pixels. A filter
of its own: that of the network (`fine_detail`) would flatter it."""


def mean_absolute_error(image: Image.Image, truth: Image.Image) -> float:
    """Return the mean absolute difference of two pictures, 0 to 1."""
    return float(np.abs(pixels_of(image) - pixels_of(truth)).mean())


def detail_correlation(image: Image.Image, truth: Image.Image) -> float:
    """Return the correlation of two pictures' high-passed luminance, -1 to 1.

    A blurred or a mean picture is near to the truth in error, and far from it here. 0 where one of
    them has no detail.
    """
    one, other = (_high_passed(pixels_of(each) @ LUMINANCE) for each in (image, truth))
    size = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum() / size) if size > 1e-9 else 0.0


def detail_size(image: Image.Image) -> float:
    """Return the root mean square of a picture's high-passed luminance, 0 to 1."""
    detail = _high_passed(pixels_of(image) @ LUMINANCE)
    return float(np.sqrt((detail * detail).mean()))


def share_within(image: Image.Image, truth: Image.Image) -> float:
    """Return the share of pixels within 16 of 255 levels of the truth in every channel."""
    distance = np.abs(np.asarray(image, np.int16) - np.asarray(truth, np.int16))
    return float((distance.max(-1) <= WITHIN).mean())


def artefacts(image: Image.Image, source: Image.Image) -> float:
    """Return how much a result deviates where its source is flat, in levels of 255.

    The root mean square, over the flat neighbourhoods of the source, of the result's own deviation
    in them: checkerboard, stripes, noise, and the slope of halos beside edges. The source itself
    scores its own grain, some 2 to 5 levels in photographs and paintings; a translation is held
    against that. Strokes of a brush count as well.

    Args:
        image: the result. RGB.
        source: of the same size, at least 9 × 9 pixels.
    Raises:
        ValueError: the sizes differ, or they are too small.
    """
    if image.size != source.size or min(source.size) < WINDOW:
        raise ValueError(f"artefacts need two pictures of one size, at least {WINDOW} a side")
    in_source, in_image = _local_variance(source), _local_variance(image)
    limit = max(FLAT**2, float(torch.quantile(in_source.flatten(), LEAST_FLAT)))
    flat = in_source <= limit
    return float(in_image[flat].mean().sqrt()) * 255


def _local_variance(picture: Image.Image) -> Tensor:
    """Return the variance in each whole neighbourhood, the mean over channels. Shape (h, w)."""
    planes = torch.from_numpy(pixels_of(picture)).permute(2, 0, 1)[None]  # (1, 3, H, W)
    planes = planes - planes.mean((2, 3), keepdim=True)
    mean = F.avg_pool2d(planes, WINDOW, 1)
    mean_square = F.avg_pool2d(planes * planes, WINDOW, 1)
    return (mean_square - mean * mean).clamp(min=0).mean(1)[0]


def _high_passed(grey: Pixels) -> Pixels:
    planes = torch.from_numpy(grey)[None, None]
    side = 2 * DETAIL_RADIUS + 1
    smooth = F.avg_pool2d(planes, side, 1, DETAIL_RADIUS, count_include_pad=False)
    difference = (planes - smooth)[0, 0]
    detail: Pixels = (difference - difference.mean()).numpy()
    return detail

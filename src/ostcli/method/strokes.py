"""Pictures without strokes: what E_A sees where they have to go (decision 0026).

Legend: N batch, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor

RADIUS = 4
"""Half the side of the neighbourhood, in pixels: about the width of a stroke in a small picture."""


def without_strokes(pictures: Tensor, strength: float) -> Tensor:
    """Return pictures smoothed wherever they vary little: strokes go, edges of things stay.

    The guided filter, with the picture as its own guide: in each neighbourhood a line is fitted,
    the flatter, the smaller the variance is beside the strength.

    Args:
        pictures: at least 5 pixels a side. Shape (N, 3, H, W), range [-1, 1].
        strength: the variance at which half of the contrast is left; 0 returns the pictures as they
            are.

    Returns:
        Shape (N, 3, H, W), float32, range about [-1, 1].
    Source: He, Sun & Tang 2013, with one variance for the three colours.
    """
    if strength == 0:
        return pictures
    pictures = pictures.float()
    mean = _box(pictures)
    variance = (_box(pictures.square()) - mean.square()).mean(1, keepdim=True).clamp(min=0.0)
    kept = variance / (variance + strength)
    return _box(kept) * pictures + _box((1 - kept) * mean)


def _box(values: Tensor) -> Tensor:
    padded = F.pad(values, (RADIUS, RADIUS, RADIUS, RADIUS), mode="reflect")
    for kernel in ((2 * RADIUS + 1, 1), (1, 2 * RADIUS + 1)):
        padded = F.avg_pool2d(padded, kernel, 1)
    return padded

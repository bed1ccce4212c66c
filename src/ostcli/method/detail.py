"""The fine detail of a picture: what goes past the latent (decisions 0014, 0020, 0021).

Legend: N batch, H W pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ostcli.method.colour import to_opponent
from ostcli.method.windows import window_sums


def fine_detail(pictures: Tensor, radius: int) -> Tensor:
    """Return what a box blur, done twice, takes from pictures, brightness and colour apart.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        radius: half the side of the box, in pixels.

    Returns:
        Of brightness, red against blue and green against both; see `to_opponent`. Shape
        (N, 3, H, W), float32, about 0 on average.
    Source: ours, decisions 0014, 0020 and 0021.
    """
    smooth = pictures.float()
    for _ in range(2):
        smooth = _box_mean(smooth, radius)
    return to_opponent(pictures - smooth)


def _box_mean(pictures: Tensor, radius: int) -> Tensor:
    """Average over the box around each pixel, cut off at the border."""
    side = 2 * radius + 1
    sums = F.pad(pictures, (radius,) * 4)
    for _ in range(2):  # Along, then down: far fewer sums than a square at once.
        sums = window_sums(sums, side).mT
    height, width = (_num_within(length, radius, pictures) for length in pictures.shape[-2:])
    return sums / torch.outer(height, width)


def _num_within(length: int, radius: int, like: Tensor) -> Tensor:
    """Return how many places of a line are within the radius of each."""
    places = torch.arange(length, device=like.device, dtype=like.dtype)
    return (places + radius).clamp(max=length - 1) - (places - radius).clamp(min=0) + 1

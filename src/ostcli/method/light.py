"""Random light: what E_B has to see through (decision 0021).

Legend: N batch, H W pixels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ostcli.method.colour import from_opponent, to_opponent

SHARE_OF_BRIGHTNESS = 2 / 3
"""Deviation of the light's brightness, by that of its colour: a shadow is trusted more than a
hue."""
MOST_CELLS = 5
"""Places along a side at which light is drawn at most; between them it is smooth, and weaker."""


def under_random_light(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return pictures in colours that are not theirs, with every edge in its place.

    All hues of a picture are turned by one angle and saturation is scaled by one factor; then a
    smooth light is added, one colour for the whole and one for each of a few places. What leaves
    the range is clipped.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        strength: deviation of the angle, in radians, of the factor's logarithm and, about, of the
            light; 0 returns the pictures as they are and draws nothing.
        generator: draws the light; on the CPU, so that a seed means the same on every device.

    Returns:
        Shape (N, 3, H, W), float32, range [-1, 1].
    Source: ours, decision 0021; a denoising autoencoder (Vincent et al. 2008) with light for noise.
    """
    if strength == 0:
        return pictures
    num, _, height, width = pictures.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn((num, *shape), generator=generator)

    cells = int(torch.randint(2, MOST_CELLS + 1, (), generator=generator))
    places = F.interpolate(
        normal(3, cells, cells), (height, width), mode="bicubic", align_corners=True
    )
    light = strength * (normal(3, 1, 1) + places) / math.sqrt(2)
    angle, saturation = strength * normal(1, 1), torch.exp(strength * normal(1, 1))
    along, across = (
        (saturation * turn(angle)).to(pictures.device) for turn in (torch.cos, torch.sin)
    )
    light[:, 0] *= SHARE_OF_BRIGHTNESS
    brightness, red_blue, green = to_opponent(pictures).unbind(dim=1)
    turned = torch.stack(
        (brightness, along * red_blue - across * green, across * red_blue + along * green), dim=1
    )
    return from_opponent(turned + light.to(pictures.device)).clamp(-1.0, 1.0)

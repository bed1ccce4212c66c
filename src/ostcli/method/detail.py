"""The fine detail of a picture: what goes past the latent (decision 0014).

Legend: N batch, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in light and dark (ITU-R BT.601)."""


def fine_detail(pictures: Tensor, radius: int) -> Tensor:
    """Return the luminance of pictures without what a box blur, done twice, leaves of it.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        radius: half the side of the box, in pixels.

    Returns:
        Shape (N, 1, H, W), float32, about 0 on average.
    Source: ours, decision 0014.
    """
    weights = pictures.new_tensor(LUMINANCE).reshape(1, 3, 1, 1)
    grey = smooth = (pictures * weights).sum(1, keepdim=True).float()
    for _ in range(2):
        smooth = F.avg_pool2d(smooth, 2 * radius + 1, 1, radius, count_include_pad=False)
    return grey - smooth

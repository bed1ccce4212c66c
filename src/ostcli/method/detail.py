"""The fine detail of a picture: what goes past the latent (decisions 0014, 0020, 0021).

Legend: N batch, H W pixels.
"""

import torch.nn.functional as F
from torch import Tensor

from ostcli.method.colour import to_opponent


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
    side, smooth = 2 * radius + 1, pictures.float()
    for _ in range(2):  # Down, then along: far fewer sums than a square at once.
        smooth = F.avg_pool2d(smooth, (side, 1), 1, (radius, 0), count_include_pad=False)
        smooth = F.avg_pool2d(smooth, (1, side), 1, (0, radius), count_include_pad=False)
    return to_opponent(pictures - smooth)

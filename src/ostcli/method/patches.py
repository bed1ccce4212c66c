"""How far pictures are from others in the statistics of their patches.

Legend: N batch, H W pixels, P projections.
The sliced Wasserstein distance: patches of both are projected on random directions, and in each
direction the sorted values are compared. It knows colours and textures, at several scales, and
nothing of where things are. Deterministic given the generator, and without artefacts of its own.
Source: Elnekave and Weiss 2022.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 7
"""Side of a patch, in pixels."""
NUM_SCALES = 3
"""At most; each half as large as the one before, as long as it holds a patch."""
NUM_PROJECTIONS = 32
"""Random directions at each scale."""
GRID = 16
"""Places across a picture at which `most_alike` compares brightness."""


@torch.no_grad()
def most_alike(pictures: Tensor, example: Tensor) -> Tensor:
    """Return the half of the pictures whose brightness is shared out most like the example's.

    Sorted, the brightness of a dark forest is near that of another and far from a bright sky's: so
    patches are not held against pictures whose shares of dark and bright the example cannot have.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        example: views of it, of the same size. Shape (M, 3, H, W), range [-1, 1].

    Returns:
        Shape (N / 2, 3, H, W), rounded up; the most alike first.

    Source: decision 0025.
    """
    wanted = _sorted_brightness(example).mean(0)
    away = (_sorted_brightness(pictures) - wanted).abs().mean(1)  # (N,)
    return pictures[away.argsort()[: -(-len(pictures) // 2)]]


def _sorted_brightness(pictures: Tensor) -> Tensor:
    brightness = pictures.float().mean(1, keepdim=True)
    cell = max(1, min(pictures.shape[2:]) // GRID)
    return F.avg_pool2d(brightness, cell).flatten(1).sort(1).values


def patch_distance(pictures: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean distance of sorted projections, averaged over scales; a scalar.

    Args:
        pictures: the gradient goes to them. Shape (N, 3, H, W), range [-1, 1].
        target: what their patches should be like; any number and size. Shape (N', 3, H', W').
        generator: draws directions and places; on the CPU.

    Both at least 7 pixels a side.
    """
    pictures, target = pictures.float(), target.float()
    distances: list[Tensor] = []
    while len(distances) < NUM_SCALES and min(*pictures.shape[2:], *target.shape[2:]) >= SIZE:
        directions = torch.randn(NUM_PROJECTIONS, 3, SIZE, SIZE, generator=generator)
        directions = F.normalize(directions.flatten(1)).reshape_as(directions).to(pictures)
        values = _project(pictures, directions)  # (P, places)
        with torch.no_grad():
            wanted = _project(target, directions)
            places = torch.randint(wanted.shape[1], (values.shape[1],), generator=generator)
            wanted = wanted[:, places.to(wanted.device)].sort(1).values
        distances.append((values.sort(1).values - wanted).abs().mean())
        pictures, target = F.avg_pool2d(pictures, 2), F.avg_pool2d(target, 2)
    return torch.stack(distances).mean()


def _project(pictures: Tensor, directions: Tensor) -> Tensor:
    with torch.autocast(pictures.device.type, enabled=False):  # Losses are computed in float32.
        return F.conv2d(pictures, directions).transpose(0, 1).flatten(1)

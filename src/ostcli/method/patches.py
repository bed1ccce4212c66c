"""How far pictures are from others in the statistics of their patches.

Legend: N batch, H W pixels, P projections.
Patches of both are projected on random directions, at several scales. The sliced Wasserstein
distance compares the sorted values of each direction by itself: the shares of colours, and of what
is flat or rough. The Gram distance compares what occurs together, in two directions at one place:
the form of a texture, such as strokes. Neither knows where things are. Both are deterministic given
the generator.
Source: Elnekave and Weiss 2022; Gatys, Ecker and Bethge 2015, by random filters as of
Ustyuzhaninov, Brendel, Gatys and Bethge 2017.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 7
"""Side of a patch, in pixels."""
SIZES_OF_GRAM = (3, 7)
"""Sides of the patches of the Gram distance, in pixels."""
SHARE_OF_DETAIL = 0.75
"""How much of the Gram distance is the detail's; the rest is the picture's."""
FLAT = 1e-4
"""Responses below it are nothing to be held against."""
NUM_SCALES = 3
"""At most; each half as large as the one before, as long as it holds a patch."""
NUM_PROJECTIONS = 32
"""Random directions at each scale."""
MOST_ALONG = 42
"""Places along the short side of a picture at which patches are taken, at most (decision 0037)."""
GRID = 16
"""Places across a picture at which `most_alike` compares brightness."""


@torch.no_grad()
def most_alike(pictures: Tensor, example: Tensor, share: float) -> Tensor:
    """Return those of the pictures whose brightness is shared out most like the example's.

    Sorted, the brightness of a dark forest is near that of another and far from a bright sky's: so
    patches are not held against pictures whose shares of dark and bright the example cannot have.

    Args:
        pictures: Shape (N, 3, H, W), range [-1, 1].
        example: views of it, of the same size. Shape (M, 3, H, W), range [-1, 1].
        share: of the pictures to return, above 0, at most 1.

    Returns:
        Shape (N · share, 3, H, W), rounded up; the most alike first.

    Source: decision 0025.
    """
    wanted = _sorted_brightness(example).mean(0)
    away = (_sorted_brightness(pictures) - wanted).abs().mean(1)  # (N,)
    return pictures[away.argsort()[: math.ceil(share * len(pictures))]]


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
    distances: list[Tensor] = []
    for level, wanted_level in zip(_pyramid(pictures), _pyramid(target), strict=False):
        directions = _draw_directions(SIZE, generator)
        values = _flat(_project(level, directions, generator))  # (P, places)
        with torch.no_grad():
            wanted = _flat(_project(wanted_level, directions, generator))
            places = torch.randint(wanted.shape[1], (values.shape[1],), generator=generator)
            wanted = wanted.index_select(1, places.to(wanted.device)).sort(1).values
        distances.append((values.sort(1).values - wanted).abs().mean())
    return torch.stack(distances).mean()


def gram_distance(pictures: Tensor, target: Tensor, generator: torch.Generator) -> Tensor:
    """Return the relative distance of Gram matrices, averaged over scales and sizes; a scalar.

    At each scale the detail alone counts three times as much as the picture, and half of the
    directions see nothing of what is flat, lest the shares of colours drown what is fine. 0 is no
    distance, about 1 that of a picture of nothing but grey.

    Args:
        pictures: the gradient goes to them. Shape (N, 3, H, W), range [-1, 1].
        target: what their patches should be like; any number and size. Shape (N', 3, H', W').
        generator: draws the directions; on the CPU.

    Both at least 7 pixels a side.

    Source: decision 0028.
    """
    distances: list[Tensor] = []
    for level, wanted_level in zip(_pyramid(pictures), _pyramid(target), strict=False):
        detail, wanted_detail = _detail(level), _detail(wanted_level)
        for size in SIZES_OF_GRAM:
            of_picture = _relative_gram_distance(level, wanted_level, size, generator)
            of_detail = _relative_gram_distance(detail, wanted_detail, size, generator)
            distances.append(torch.lerp(of_picture, of_detail, SHARE_OF_DETAIL))
    return torch.stack(distances).mean()


def _relative_gram_distance(
    pictures: Tensor, target: Tensor, size: int, generator: torch.Generator
) -> Tensor:
    directions = _draw_directions(size, generator, num_centred=NUM_PROJECTIONS // 2)
    with torch.no_grad():
        responses = _project(target, directions, generator)
        strength = responses.square().mean((0, 2, 3), keepdim=True).sqrt() + FLAT
        wanted = _gram_matrix(responses / strength)
    gram = _gram_matrix(_project(pictures, directions, generator) / strength)
    distance: Tensor = (gram - wanted).norm() / wanted.norm()
    return distance


def _pyramid(pictures: Tensor) -> Iterator[Tensor]:
    level = pictures.float()
    for _ in range(NUM_SCALES):
        if min(level.shape[2:]) < SIZE:
            return
        yield level
        level = F.avg_pool2d(level, 2)


def _detail(level: Tensor) -> Tensor:
    coarse = F.interpolate(F.avg_pool2d(level, 2), size=level.shape[2:], mode="bilinear")
    return level - coarse


def _draw_directions(size: int, generator: torch.Generator, num_centred: int = 0) -> Tensor:
    """Return directions of length 1, (P, 3, size, size); centred ones give 0 on what is flat."""
    directions = torch.randn(NUM_PROJECTIONS, 3, size, size, generator=generator)
    directions[:num_centred] -= directions[:num_centred].mean((2, 3), keepdim=True)
    return F.normalize(directions.flatten(1)).reshape_as(directions)


def _project(pictures: Tensor, directions: Tensor, generator: torch.Generator) -> Tensor:
    """Return the responses of patches to directions, (N, P, h, w).

    Patches overlap, so in a large picture every second place, or third …, tells nearly as much.
    """
    num_along = min(pictures.shape[2:]) - directions.shape[-1] + 1
    stride = math.ceil(num_along / MOST_ALONG)
    down, right = torch.randint(stride, (2,), generator=generator).tolist()
    with torch.autocast(pictures.device.type, enabled=False):  # Losses are computed in float32.
        return F.conv2d(pictures[:, :, down:, right:], directions.to(pictures), stride=stride)


def _flat(responses: Tensor) -> Tensor:
    return responses.transpose(0, 1).flatten(1)


def _gram_matrix(responses: Tensor) -> Tensor:
    """Return the means over places of products of two rectified responses, (P + 1, P + 1).

    A constant beside the responses gives their own means.
    """
    features = _flat(F.relu(responses))
    features = torch.cat([features, torch.ones_like(features[:1])])
    with torch.autocast(features.device.type, enabled=False):
        return features @ features.T / features.shape[1]

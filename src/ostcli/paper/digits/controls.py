"""What must be beaten before an accuracy says anything: translations that learn nothing of A.

Legend: N pictures, C colours of A and of B (1 or 3), 32 × 32 pixels, range [-1, 1].
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

AT_ONCE = 100
"""Pictures whose nearest ones are looked for together."""


def in_colours(pictures: Tensor, colours: int) -> Tensor:
    """Return pictures in 1 or 3 colours: their mean colour, or three times the same.

    Args:
        pictures: Shape (N, C, 32, 32).
        colours: asked for.
    """
    if pictures.shape[1] == colours:
        return pictures
    return pictures.mean(1, keepdim=True).expand(-1, colours, -1, -1)


def colour_match(pictures: Tensor, folder: Tensor) -> Tensor:
    """Give each picture the mean and deviation of each colour that B's pictures have together."""
    pictures = in_colours(pictures, folder.shape[1])
    mean, deviation = _moments(pictures, (2, 3))
    mean_b, deviation_b = _moments(folder, (0, 2, 3))
    matched = (pictures - mean) / deviation.clamp(min=1e-3) * deviation_b + mean_b
    return matched.clamp(-1.0, 1.0)


def stretched(pictures: Tensor, folder: Tensor) -> Tensor:
    """Stretch each picture's contrast to the whole range, light on dark if B's mostly are.

    It knows one thing of digits: that strokes cover less of a picture than what is behind them.
    """
    pictures = in_colours(pictures, folder.shape[1])
    grey = pictures.mean(1, keepdim=True)
    low, high = grey.amin((2, 3), keepdim=True), grey.amax((2, 3), keepdim=True)
    wide = 2 * (pictures - low) / (high - low).clamp(min=1e-3) - 1
    is_dark = grey.mean((1, 2, 3)) < (low + high)[:, 0, 0, 0] / 2
    turned = (is_dark != bool(folder.mean() < 0))[:, None, None, None]
    return torch.where(turned, -wide, wide).clamp(-1.0, 1.0)


def nearest(pictures: Tensor, folder: Tensor) -> Tensor:
    """Return for each picture the one of B whose pixels are nearest."""
    pictures = in_colours(pictures, folder.shape[1])
    every_b = folder.flatten(1)
    found = [
        torch.cdist(part.flatten(1), every_b).argmin(1) for part in torch.split(pictures, AT_ONCE)
    ]
    return folder[torch.cat(found)]


CONTROLS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda pictures, folder: in_colours(pictures, folder.shape[1]),
    "colour matching to B": colour_match,
    "contrast stretched, polarity by the mean": stretched,
    "nearest in B": nearest,
}
"""By name, from pictures of A and of B to pictures of B."""


def commonest_label(labels: Tensor) -> int:
    """Return the label that is right most often."""
    return int(torch.bincount(labels).argmax())


def _moments(pictures: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return (
        pictures.mean(axes, keepdim=True),
        pictures.std(axes, correction=0, keepdim=True),
    )

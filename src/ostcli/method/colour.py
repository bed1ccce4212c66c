"""Brightness and colour as planes of their own: opponent colours.

Legend: N batch, H W pixels.
"""

import torch
from torch import Tensor

_AXES = torch.nn.functional.normalize(
    torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
)
"""Brightness, red against blue, green against both: of length 1, at right angles."""


def to_opponent(pictures: Tensor) -> Tensor:
    """Turn red, green and blue into brightness, red against blue, green against both.

    Args:
        pictures: Shape (N, 3, H, W).

    Returns:
        Shape (N, 3, H, W), float32, of the same length at each place; brightness is the colours'
        mean by √3.
    Source: Ohta, Kanade & Sakai 1980: in natural pictures these vary almost independently.
    """
    return _along(_AXES, pictures)


def from_opponent(planes: Tensor) -> Tensor:
    """Undo `to_opponent`: shape (N, 3, H, W) in and out, float32."""
    return _along(_AXES.T, planes)


def _along(axes: Tensor, planes: Tensor) -> Tensor:
    device = planes.device
    with torch.autocast(device.type, enabled=False):  # Pictures are float32, whatever layers are.
        return torch.einsum("kc,nchw->nkhw", axes.to(device), planes.float())

"""Pictures as tensors for the networks and as arrays for measuring, and back.

H W pixels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

Pixels = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in light and dark (ITU-R BT.601)."""


def image_to_array(image: Image.Image) -> Floats:
    """Turn an 8-bit RGB picture into planes of numbers.

    Returns:
        Shape (3, H, W), range [-1, 1].
    """
    planes = np.stack([np.asarray(band, np.float32) for band in image.split()])
    planes /= np.float32(127.5)
    planes -= 1
    return planes


def image_to_tensor(image: Image.Image) -> torch.Tensor:
    """Turn an 8-bit RGB picture into a tensor; `image_to_array` for torch."""
    return torch.from_numpy(image_to_array(image))


def levels_of(images: Sequence[Image.Image]) -> torch.Tensor:
    """Return 8-bit RGB pictures of one size as they are. Shape (N, H, W, 3), uint8."""
    return torch.from_numpy(np.stack([np.asarray(image) for image in images]))


def levels_to_tensor(levels: torch.Tensor) -> torch.Tensor:
    """Turn the levels of pictures into what the networks take, on the device that they are on.

    Args:
        levels: shape (N, H, W, 3), uint8.

    Returns:
        Shape (N, 3, H, W), range [-1, 1]: what `image_to_tensor` gives for each, to rounding.
    """
    planes = levels.permute(0, 3, 1, 2).contiguous()
    return planes.float().div_(127.5).sub_(1)


def tensor_to_image(tensor: torch.Tensor) -> Image.Image:
    """Turn a tensor into an 8-bit RGB picture, rounded and clamped.

    The exact inverse of `image_to_tensor` on what it returns.

    Args:
        tensor: shape (3, H, W) or (1, 3, H, W), any float type and device, range [-1, 1].
    """
    if tensor.ndim == 4:
        tensor = tensor.squeeze(0)
    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(f"a picture has the shape (3, H, W), not {tuple(tensor.shape)}")
    levels = tensor.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255)
    pixels = levels.to(torch.uint8).permute(1, 2, 0).contiguous()
    return Image.fromarray(pixels.cpu().numpy())


def pixels_of(image: Image.Image) -> Pixels:
    """Return a picture's pixels. Shape (H, W, 3), range [0, 1]."""
    return np.asarray(image, dtype=np.float64) / 255.0


def picture_of(pixels: Pixels) -> Image.Image:
    """Return the picture of pixels of shape (H, W, 3), clipped to [0, 1]."""
    return Image.fromarray(np.rint(pixels.clip(0.0, 1.0) * 255.0).astype(np.uint8))

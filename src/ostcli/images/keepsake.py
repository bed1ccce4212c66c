"""The keepsake of B: pieces of the folder's pictures that a model carries.

Phase II goes on with the folder's losses, or takes its patches, so it needs pictures of B. A model
keeps some hundred crops, a little larger than a training view, as JPEG bytes in uint8 tensors: a
few megabytes. So `ost adapt` works after the folder is gone, and on another machine.
"""

import math
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ostcli.config import ViewConfig
from ostcli.errors import DamagedError
from ostcli.method.augment import Pictures, view_scales

NUM_CROPS = 240
"""Crops in a keepsake, at most: some megabytes."""
ROOM = 1.25
"""Side of a crop by that of a training view: room to draw views from."""
QUALITY = 92
"""JPEG quality of the crops."""


def make_keepsake(pictures: Pictures, view: ViewConfig, seed: int) -> dict[str, Tensor]:
    """Cut crops from the folder's pictures, each picture in turn.

    Args:
        pictures: of the folder.
        view: the training view, whose size and scales the crops follow.
        seed: of the places that are cut.

    Returns:
        JPEG files by number, uint8 tensors of shape (bytes,).
    """
    rng = np.random.default_rng([seed, 2])
    order = rng.permutation(len(pictures))
    return {
        f"{n:04d}": to_bytes_tensor(
            _jpeg(_crop(pictures[int(order[n % len(pictures)])], view, rng))
        )
        for n in range(NUM_CROPS)
    }


def open_keepsake(tensors: Mapping[str, Tensor]) -> list[Image.Image]:
    """Decode the crops of a keepsake, in order. RGB.

    Raises:
        DamagedError: a crop does not decode.
    """
    return [open_bytes_tensor(tensors[name]) for name in sorted(tensors)]


def to_bytes_tensor(data: bytes) -> Tensor:
    """Return a file's bytes as a uint8 tensor of shape (bytes,)."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def bytes_of_tensor(tensor: Tensor) -> bytes:
    """Return the file's bytes that `to_bytes_tensor` was given."""
    return tensor.numpy().tobytes()


def open_bytes_tensor(tensor: Tensor) -> Image.Image:
    """Decode a picture kept as a uint8 tensor of shape (bytes,). RGB.

    Raises:
        DamagedError: it does not decode.
    """
    try:
        return Image.open(BytesIO(bytes_of_tensor(tensor)), formats=["JPEG"]).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedError(f"a picture kept in the model does not decode: {error}") from error


def _crop(picture: Image.Image, view: ViewConfig, rng: np.random.Generator) -> Image.Image:
    least, largest = view_scales(picture.height, picture.width, view)
    scale = least * (largest / least) ** rng.random()
    room = min(view.size * ROOM, min(picture.size) / scale)  # side in view pixels
    side, kept = min(room * scale, float(min(picture.size))), max(view.size, math.floor(room))
    left, top = (picture.width - side) * rng.random(), (picture.height - side) * rng.random()
    if scale == 1.0:  # the picture's own pixels, so whole ones
        left, top, side = math.floor(left), math.floor(top), float(kept)
    return picture.resize(
        (kept, kept), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )


def _jpeg(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return stream.getvalue()

"""One picture through one path of the networks: its own size, the finish, the strength."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ostcli.config import Direction, Finish, ViewConfig
from ostcli.images.finish import blend, photo_finish
from ostcli.images.folder import reduce_to_working_size
from ostcli.images.tensors import image_to_tensor, tensor_to_image
from ostcli.method.networks import Networks

SMALLEST = 32
"""Least height and width that the networks are given, in pixels."""


def path_to(networks: Networks, to: Direction) -> Callable[[Tensor], Tensor]:
    """Return T_AB or T_BA, by the domain that is wanted."""
    return {Direction.A: networks.translate_ba, Direction.B: networks.translate_ab}[to]


class Translator:
    """Apply one path of the networks to whole pictures of any size.

    Args:
        networks: the weights for use, on the device to compute on.
        path: T_AB, T_BA, T_BB or T_AA: pictures (N, 3, H, W) to as many.
        view: says how many pixels the networks see.
        finish: PHOTO or NETWORK.
        strength: 0 gives the source, 1 the translation.
    """

    def __init__(
        self,
        networks: Networks,
        path: Callable[[Tensor], Tensor],
        view: ViewConfig,
        *,
        finish: Finish = Finish.NETWORK,
        strength: float = 1.0,
    ) -> None:
        self._networks = networks
        self._path = path
        self._view = view
        self._finish = finish
        self._strength = strength

    def translate(self, image: Image.Image) -> Image.Image:
        """Return the picture through the path, finished and blended. RGB, the size of the input."""
        seen = reduce_to_working_size(image, self._view)
        pixels = self.network_pixels(seen)
        if self._finish is Finish.PHOTO:
            result = photo_finish(image, seen, pixels)
        elif pixels.size == image.size:
            result = pixels
        else:
            result = pixels.resize(image.size, Image.Resampling.BICUBIC)
        return blend(image, result, self._strength)

    @torch.inference_mode()
    def network_pixels(self, image: Image.Image) -> Image.Image:
        """Return what the network makes of a picture, at the picture's size. RGB."""
        device = next(self._networks.parameters()).device
        pictures = image_to_tensor(image).unsqueeze(0).to(device)  # (1, 3, H, W)
        padded = _pad(pictures, self._networks.multiple)
        translated = self._path(padded)[:, :, : image.height, : image.width]
        return tensor_to_image(translated.cpu())


def _pad(pictures: Tensor, multiple: int) -> Tensor:
    """Continue pictures at the right and below to a size that the networks divide evenly.

    By reflection where there is enough to reflect, else by repeating the border.
    """
    height, width = pictures.shape[-2:]
    wanted = [max(SMALLEST, -(-side // multiple) * multiple) for side in (height, width)]
    below, right = wanted[0] - height, wanted[1] - width
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(pictures, (0, right, 0, below), mode=mode)

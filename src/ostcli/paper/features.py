"""What a network trained on photographs sees in a picture: the ground of every perceptual figure.

SqueezeNet 1.0 (Iandola et al. 2016), trained on ImageNet, whose weights the user brings: small
enough for a laptop, and free to use. Its features are taken after five of its "fire" modules, from
a quarter of the picture's resolution to a sixteenth (decision 0013).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_0

from ostcli.config import ViewConfig
from ostcli.errors import InputError
from ostcli.images.folder import reduce_to_working_size

LAYERS = (3, 5, 8, 10, 12)
"""Places in the network: after fire 2, 4, 6, 8 and 9, by the numbers of the paper's table."""
SEEN = ViewConfig()
"""A picture is seen at its own size, at most at a megapixel, as the translating network sees it."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

Features = list[Tensor]
"""Of one picture, by layer. Shape (C, places)."""


class PerceptualNetwork:
    """SqueezeNet up to its last features.

    Args:
        weights: of torchvision's `squeezenet1_0`, by name.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        network = squeezenet1_0(weights=None)
        network.load_state_dict(weights)
        self._layers: nn.Sequential = network.features.eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, picture: Image.Image) -> Features:
        """Return a picture's features.

        Args:
            picture: RGB; at least 32 × 32 pixels are seen of a smaller one by enlarging it.
        """
        pixels = torch.from_numpy(np.array(_seen(picture), np.uint8)).permute(2, 0, 1) / 255.0
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        x = ((pixels - mean) / deviation)[None]  # (1, 3, H, W)
        features: Features = []
        for index, layer in enumerate(self._layers):
            x = layer(x)
            if index in LAYERS:
                features.append(x[0].flatten(1))
        return features


def load_perceptual_network(path: Path) -> PerceptualNetwork:
    """Read the weights: a file of torchvision's names, or a folder that holds one.

    Args:
        path: `.safetensors`, or `.pth` as torch saves it; of the latter only tensors are read.

    Raises:
        InputError: there is none, or it holds other weights.
    """
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in {".pth", ".pt", ".safetensors"})
    hint = "give the weights of torchvision's squeezenet1_0, as .safetensors or .pth"
    if len(files) != 1 or not files[0].is_file():
        raise InputError(f"{path} is not one file of weights", hint=hint)
    try:
        return PerceptualNetwork(_tensors(files[0]))
    except Exception as error:  # What bytes can do to an unpickler has no list.
        raise InputError(f"{files[0]} does not hold such weights", hint=hint) from error


def _tensors(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return load_file(path)
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensors, Mapping):
        raise RuntimeError("no tensors by name")
    return tensors


def _seen(picture: Image.Image) -> Image.Image:
    """Return what the network is given of a picture: at most a megapixel, at least 32 a side."""
    picture = reduce_to_working_size(picture, SEEN)
    least = min(picture.size)
    if least >= 32:
        return picture
    size = (round(picture.width * 32 / least), round(picture.height * 32 / least))
    return picture.resize(size, Image.Resampling.BICUBIC)

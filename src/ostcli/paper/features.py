"""What a network trained on photographs sees in a picture: the ground of every perceptual figure.

VGG16 (Simonyan & Zisserman 2015), the network of the papers on perceptual distances, after its
activations 1_2, 2_2, 3_3 and 4_3; or SqueezeNet 1.0 (Iandola et al. 2016), small enough for a
laptop and free to use, after five of its "fire" modules, from a quarter of the picture's resolution
to a sixteenth (decision 0013). The user brings the weights, or asks for them to be fetched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import (
    SqueezeNet1_0_Weights,
    VGG16_Weights,
    WeightsEnum,
    squeezenet1_0,
    vgg16,
)

from ostcli.config import FeatureNetwork, ViewConfig
from ostcli.errors import InputError
from ostcli.images.folder import reduce_to_working_size
from ostcli.store.root import store_root

SEEN = ViewConfig()
"""A picture is seen at its own size, at most at a megapixel, as the translating network sees it."""
PREFIX = "features."
"""Of the names of the weights that are used; those of the classifier may be missing."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

Features = list[Tensor]
"""Of one picture, by layer. Shape (C, places)."""


@dataclass(frozen=True, kw_only=True)
class _Architecture:
    build: Callable[[], nn.Module]
    weights: WeightsEnum
    layers: tuple[int, ...]
    """Places in the network after which features are taken."""


ARCHITECTURES: Mapping[FeatureNetwork, _Architecture] = {
    FeatureNetwork.VGG16: _Architecture(
        build=vgg16, weights=VGG16_Weights.IMAGENET1K_V1, layers=(3, 8, 15, 22)
    ),
    # After fire 2, 4, 6, 8 and 9, by the numbers of the paper's table.
    FeatureNetwork.SQUEEZENET: _Architecture(
        build=squeezenet1_0, weights=SqueezeNet1_0_Weights.IMAGENET1K_V1, layers=(3, 5, 8, 10, 12)
    ),
}


class PerceptualNetwork:
    """One of the networks up to its last features.

    Args:
        weights: of torchvision's `vgg16` or `squeezenet1_0`, by name.

    Raises:
        ValueError: they are of neither.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        own = {
            name.removeprefix(PREFIX): tensor.float()
            for name, tensor in weights.items()
            if name.startswith(PREFIX)
        }
        for kind, architecture in ARCHITECTURES.items():
            with torch.device("meta"):  # Weights that are replaced at once need not be drawn.
                layers = architecture.build().features
            assert isinstance(layers, nn.Sequential)
            if {n: t.shape for n, t in layers.state_dict().items()} == {
                n: t.shape for n, t in own.items()
            }:
                layers.load_state_dict(own, assign=True)
                self.kind = kind
                self._layers = layers.eval().requires_grad_(False)[: architecture.layers[-1] + 1]
                return
        raise ValueError("the weights are of another network")

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
            if index in ARCHITECTURES[self.kind].layers:
                features.append(x[0].flatten(1))
        return features


def open_perceptual_network(weights: Path | FeatureNetwork) -> PerceptualNetwork:
    """Return a network by a file of weights, or by torchvision's, which are fetched once.

    Raises:
        InputError: there are no such weights.
    """
    if isinstance(weights, FeatureNetwork):
        return fetch_perceptual_network(weights)
    return load_perceptual_network(weights)


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
    hint = "give the weights of torchvision's vgg16 or squeezenet1_0, as .safetensors or .pth"
    if len(files) != 1 or not files[0].is_file():
        raise InputError(f"{path} is not one file of weights", hint=hint)
    try:
        return PerceptualNetwork(_tensors(files[0]))
    except Exception as error:  # What bytes can do to an unpickler has no list.
        raise InputError(f"{files[0]} does not hold such weights", hint=hint) from error


def fetch_perceptual_network(kind: FeatureNetwork) -> PerceptualNetwork:
    """Fetch torchvision's weights into the store, or take them from there.

    Raises:
        InputError: they cannot be fetched.
    """
    folder = store_root() / "perceptual"
    weights = ARCHITECTURES[kind].weights
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = weights.get_state_dict(
            model_dir=str(folder), progress=False, check_hash=True, map_location="cpu"
        )
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise InputError(
            f"the weights of {kind} could not be fetched from {weights.url}: {error}",
            hint="try again, or get that file by other means and give it as --weights PATH",
        ) from error
    return PerceptualNetwork(tensors)


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

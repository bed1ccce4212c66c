"""The layers of the networks for pictures: a small residual network on either side of the latent.

Legend: N batch, C channels, H W pixels, h w latent grid (H / 2^stages).
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ostcli.config import Birth, NetworkConfig, Norm, Upsampling
from ostcli.method.layers import (
    DoublingConv2d,
    HalvingConv2d,
    MirrorPad2d,
    NarrowConv2d,
    PlaneNorm2d,
)
from ostcli.method.networks import LatentHead, Networks
from ostcli.method.winograd import WideConv2d


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with instance norm, plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            MirrorPad2d(1),
            WideConv2d(channels),
            PlaneNorm2d(channels),
            nn.ReLU(),
            MirrorPad2d(1),
            WideConv2d(channels),
            PlaneNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, h, w) in and out."""
        return x + self.body(x)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class PictureLayers:
    """The paper's networks for pictures, and ours: what `Networks` are built of."""

    config: NetworkConfig

    @property
    def swapped(self) -> "PictureLayers":
        """Itself: A's pictures have as many colours as B's."""
        return self

    @property
    def width(self) -> int:
        """Channels after the first layer."""
        return self.config.width

    @property
    def multiple(self) -> int:
        """What height and width must be a multiple of, in pixels."""
        return 1 << self.config.num_stages

    @property
    def batch_norm(self) -> bool:
        """No: every picture by itself."""
        return False

    @property
    def detail_radius(self) -> int:
        """Of the detail that goes past the latent; 0 for none."""
        return self.config.detail_radius

    def unshared_encoder(self) -> nn.Sequential:
        """E_B^U: pictures (N, 3, H, W) to features."""
        config = self.config
        return nn.Sequential(
            MirrorPad2d(3),
            nn.Conv2d(3, config.width, 7),
            _norm(config.width, config.norm),
            nn.ReLU(),
            *self._halving(self._unshared_stages),
            *self._blocks(config.unshared_blocks),
        )

    def shared_encoder(self) -> nn.Sequential:
        """E^S: features to a latent (N, C, h, w)."""
        return nn.Sequential(
            *self._halving(self._shared_stages),
            *self._blocks(self._num_shared_blocks),
            LatentHead(self._latent_channels, self.config.latent),
        )

    def shared_decoder(self) -> nn.Sequential:
        """G^S: points of the latent space (N, C, h, w) to features."""
        return nn.Sequential(
            *self._blocks(self._num_shared_blocks),
            *self._doubling(self._shared_stages),
        )

    def unshared_decoder(self) -> nn.Sequential:
        """G_B^U: features to three colours, and with detail the gain of each of its planes."""
        config = self.config
        return nn.Sequential(
            *self._blocks(config.unshared_blocks),
            *self._doubling(self._unshared_stages),
            MirrorPad2d(3),
            NarrowConv2d(config.width, 6 if config.detail_radius else 3, 7),
        )

    def discriminators(self) -> Sequence[nn.Module]:
        """D_B at each of its scales."""
        return [_discriminator(self.config) for _ in range(self.config.discriminator_scales)]

    def clones_for_a(
        self, encoder_b: nn.Module, decoder_b: nn.Module
    ) -> tuple[nn.Module, nn.Module]:
        """E_A^U and G_A^U with the weights of B's."""
        return copy.deepcopy(encoder_b), copy.deepcopy(decoder_b)

    def draw_weights(self, part: nn.Module, generator: torch.Generator) -> None:
        """Give an encoder or a decoder fresh weights."""
        _draw_weights(part, self.config.norm, generator)

    def draw_discriminator(self, part: nn.Module, generator: torch.Generator) -> None:
        """Give a discriminator fresh weights."""
        _draw_weights(part, self.config.discriminator_norm, generator)

    @property
    def _latent_channels(self) -> int:
        return self.config.width << self.config.num_stages

    @property
    def _num_shared_blocks(self) -> int:
        return self.config.num_blocks - self.config.unshared_blocks

    @property
    def _unshared_stages(self) -> range:
        return range(self.config.unshared_stages)

    @property
    def _shared_stages(self) -> range:
        return range(self.config.unshared_stages, self.config.num_stages)

    def _blocks(self, number: int) -> list[nn.Module]:
        return [ResidualBlock(self._latent_channels) for _ in range(number)]

    def _halving(self, stages: range) -> list[nn.Module]:
        return [
            layer for stage in stages for layer in _down(self.config.width << stage, self.config)
        ]

    def _doubling(self, stages: range) -> list[nn.Module]:
        return [
            layer
            for stage in reversed(stages)
            for layer in _up(self.config.width << stage, self.config)
        ]


def build_networks(
    config: NetworkConfig, *, seed: int = 0, with_domain_a: bool = False
) -> Networks:
    """Build the networks on the CPU, weights drawn from the seed.

    Args:
        config: the architecture.
        seed: of the weights.
        with_domain_a: build A's layers too, as an adaptation has them.
    """
    generator = torch.Generator().manual_seed(seed)
    networks = Networks(PictureLayers(config), generator)
    if with_domain_a:
        networks.add_domain_a(Birth.CLONE, generator)
    return networks


def _norm(channels: int, form: Norm) -> nn.Module:
    match form:
        case Norm.INSTANCE:
            return PlaneNorm2d(channels)
        case Norm.LAYER:
            return nn.GroupNorm(1, channels, affine=False)
        case Norm.NONE:
            return nn.Identity()


def _down(channels: int, config: NetworkConfig) -> list[nn.Module]:
    return [
        HalvingConv2d(channels, config.padding),
        _norm(2 * channels, config.norm),
        nn.ReLU(),
    ]


def _up(channels: int, config: NetworkConfig) -> list[nn.Module]:
    doubling: list[nn.Module]
    if config.upsampling is Upsampling.TRANSPOSED:
        doubling = [
            nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1)
        ]
    else:  # Weights are stored by the number of their layer, of which there were three here once.
        doubling = [nn.Identity(), nn.Identity(), DoublingConv2d(2 * channels, channels)]
    return [*doubling, _norm(channels, config.norm), nn.ReLU()]


def _discriminator(config: NetworkConfig) -> nn.Sequential:
    """D_B at one scale, a PatchGAN: (N, 3, H, W) to a score for each patch, (N, 1, h, w)."""
    channels = config.discriminator_width
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for layer in range(1, config.discriminator_layers + 1):
        wider = config.discriminator_width * min(2**layer, 8)
        stride = 2 if layer < config.discriminator_layers else 1
        layers += [
            nn.Conv2d(channels, wider, 4, stride=stride, padding=1),
            _norm(wider, config.discriminator_norm),
            nn.LeakyReLU(0.2),
        ]
        channels = wider
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=1))


@torch.no_grad()
def _draw_weights(module: nn.Module, norm: Norm, generator: torch.Generator) -> None:
    """Draw weights from N(0, 0.02), or where no norm follows, at the scale that keeps variance.

    Source: authors' code; He et al. 2015.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            values_in = layer.weight[0].numel()
            spread = math.sqrt(2 / values_in) if norm is Norm.NONE else 0.02
            layer.weight.normal_(0.0, spread, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()

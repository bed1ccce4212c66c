"""The layers of the networks for digits, 32 × 32 pixels.

Legend: N batch, C colours (1 or 3), h w latent grid (8 × 8).
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ostcli.config import LatentForm
from ostcli.method.networks import LatentHead

SIDE = 32
"""Height and width of a digit, in pixels."""
SLOPE = 0.05
"""Of the leaky ReLU below zero."""


@dataclass(frozen=True, kw_only=True)
class DigitLayers:
    """The paper's networks for digits: what `Networks` are built of.

    Only the first layer of the encoder and the last of the decoder are a domain's own.

    Args:
        colours_b: of B's pictures, 1 or 3.
        colours_a: of A's.
        width: channels after the first layer, of the discriminator too. Authors: 64.
        latent: authors: deterministic.

    Source: authors' digit code.
    """

    colours_b: int
    colours_a: int
    width: int = 64
    latent: LatentForm = LatentForm.DETERMINISTIC

    @property
    def batch_norm(self) -> bool:
        """Yes: a batch has its own statistics, in phase II those of one picture (decision 0048)."""
        return True

    @property
    def swapped(self) -> "DigitLayers":
        """The same with A and B in one another's place."""
        return replace(self, colours_b=self.colours_a, colours_a=self.colours_b)

    @property
    def multiple(self) -> int:
        """What height and width must be a multiple of, in pixels: the discriminator sees 32."""
        return SIDE

    @property
    def detail_radius(self) -> int:
        """0: no detail goes past the latent."""
        return 0

    def unshared_encoder(self) -> nn.Sequential:
        """E_B^U: (N, C, 32, 32) to (N, width, 16, 16)."""
        return nn.Sequential(*self._halving(self.colours_b, self.width))

    def shared_encoder(self) -> nn.Sequential:
        """E^S: to a latent (N, 2 width, 8, 8)."""
        channels = 2 * self.width
        return nn.Sequential(
            *self._halving(self.width, channels),
            *self._even(channels),
            LatentHead(channels, self.latent),
        )

    def shared_decoder(self) -> nn.Sequential:
        """G^S: (N, 2 width, 8, 8) to (N, width, 16, 16)."""
        channels = 2 * self.width
        doubling = nn.ConvTranspose2d(channels, self.width, 4, stride=2, padding=1, bias=False)
        return nn.Sequential(*self._even(channels), doubling, *self._rectified(self.width))

    def unshared_decoder(self) -> nn.Sequential:
        """G_B^U: to (N, C, 32, 32); `as_pictures` is its tanh."""
        return nn.Sequential(
            nn.ConvTranspose2d(self.width, self.colours_b, 4, stride=2, padding=1, bias=False)
        )

    def discriminators(self) -> Sequence[nn.Module]:
        """D_B, which gives one score for a whole digit: (N, C, 32, 32) to (N, 1, 1, 1)."""
        width = self.width
        return [
            nn.Sequential(
                nn.Conv2d(self.colours_b, width, 4, stride=2, padding=1, bias=False),
                nn.LeakyReLU(SLOPE),
                *self._halving(width, 2 * width),
                *self._halving(2 * width, 4 * width),
                nn.Conv2d(4 * width, 1, 4, bias=False),
            )
        ]

    def clones_for_a(
        self, encoder_b: nn.Module, decoder_b: nn.Module
    ) -> tuple[nn.Module, nn.Module]:
        """E_A^U and G_A^U with the weights of B's, carried over from grey to colours or back.

        Between 1 and 3 colours the clone of E_B sees a picture's mean colour as grey, or a grey one
        as three equal colours; that of G_B gives the same.
        """
        encoder_a, decoder_a = copy.deepcopy(encoder_b), copy.deepcopy(decoder_b)
        assert isinstance(encoder_a, nn.Sequential)
        assert isinstance(decoder_a, nn.Sequential)
        if self.colours_a != self.colours_b:
            first, last = encoder_a[0], decoder_a[0]
            assert isinstance(first, nn.Conv2d)
            assert isinstance(last, nn.ConvTranspose2d)
            share = self.colours_b / self.colours_a
            first.weight = nn.Parameter(_recoloured(first.weight, self.colours_a) * share)
            last.weight = nn.Parameter(_recoloured(last.weight, self.colours_a))
        return encoder_a, decoder_a

    def draw_weights(self, part: nn.Module, generator: torch.Generator) -> None:
        """Draw a part's weights as torch does by default, from the generator."""
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_uniform_(layer.weight, math.sqrt(5), generator=generator)
                if layer.bias is not None:
                    reach = 1 / math.sqrt(layer.weight[0].numel())
                    nn.init.uniform_(layer.bias, -reach, reach, generator=generator)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()

    def draw_discriminator(self, part: nn.Module, generator: torch.Generator) -> None:
        """Draw a discriminator's weights likewise."""
        self.draw_weights(part, generator)

    def _halving(self, channels: int, wider: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, wider, 4, stride=2, padding=1, bias=False)
        return [convolution, *self._rectified(wider)]

    def _even(self, channels: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        return [convolution, *self._rectified(channels)]

    def _rectified(self, channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels, track_running_stats=False), nn.LeakyReLU(SLOPE)]


def _recoloured(weight: Tensor, colours: int) -> Tensor:
    """Return weights whose second axis is colours for another number of them: their mean."""
    return weight.detach().mean(1, keepdim=True).repeat(1, colours, 1, 1)

"""The networks of the paper and the four paths through them.

Legend: N batch, C channels, H W pixels, h w latent grid (H / 2^stages).
Pictures are (N, 3, H, W), float32, range [-1, 1]; H and W are multiples of 2^stages.
Whatever precision the layers run in, latents, pictures and scores come out in float32: losses are
computed in it.
"Unshared" layers stand next to the picture, "shared" ones next to the latent.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostcli.config import Birth, LatentForm
from ostcli.method.colour import from_opponent
from ostcli.method.detail import fine_detail
from ostcli.method.strokes import without_strokes


class Code(NamedTuple):
    """What a decoder makes a picture of.

    Args:
        z: a point of the latent space. Shape (N, C, h, w).
        detail: of brightness and of colours, past it: `fine_detail`. Shape (N, 3, H, W); None for
            none.
    """

    z: Tensor
    detail: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Latent:
    """The distribution that an encoder gives for a picture.

    Args:
        mean: Shape (N, C, h, w).
        log_variance: Shape (N, C, h, w); None in the deterministic form.
        detail: of the picture, see `Code`.
    """

    mean: Tensor
    log_variance: Tensor | None
    detail: Tensor | None = None

    @property
    def mode(self) -> Code:
        """The likeliest code: the mean."""
        return Code(self.mean, self.detail)

    def sample(self, generator: torch.Generator, num_examples: int = 1) -> Code:
        """Draw z ~ N(mean, variance); the mean itself in the deterministic form.

        Args:
            generator: on the CPU, so that a seed means the same on every device.
            num_examples: whose latents follow one another; all get the same noise.
        """
        if self.log_variance is None:
            return self.mode
        num, *shape = self.mean.shape
        drawn = torch.randn((num // num_examples, *shape), generator=generator)
        noise = drawn.to(self.mean).repeat(num_examples, 1, 1, 1)
        return Code(self.mean + torch.exp(0.5 * self.log_variance) * noise, self.detail)


@dataclass(frozen=True, kw_only=True)
class NetworkPath:
    """T_AB, or another way from pictures to pictures with the latent's mean, layer by layer.

    Whole when called; `tiles.py` takes the same layers over a picture too large for that.
    """

    layers: tuple[nn.Module, ...]
    """From what the encoder sees to what `as_pictures` takes."""
    stroke_filter: float = 0.0
    """Strength of the filter through which the encoder sees pictures; 0 for none."""
    detail_radius: int = 0
    """Of the detail that goes past the layers, see `fine_detail`; 0 for none."""

    def __call__(self, pictures: Tensor) -> Tensor:
        """Shape (N, 3, H, W) in and out."""
        seen = without_strokes(pictures, self.stroke_filter)
        planes = seen
        for layer in self.layers:
            planes = layer(planes)
        return as_pictures(planes, _detail(seen, self.detail_radius))


class LatentHead(nn.Module):
    """Turn the encoder's features into a latent distribution.

    The mean is the features themselves in both forms, so that the forms differ in nothing but the
    noise. The log variance starts at `START`: little noise at first, lest the decoder begin blind.
    """

    START = -4.0

    def __init__(self, channels: int, form: LatentForm) -> None:
        super().__init__()
        self.log_variance: nn.Conv2d | None = None
        if form is LatentForm.SAMPLED:
            self.log_variance = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Latent:
        """Shape (N, C, h, w) in; a latent of that shape out."""
        if self.log_variance is None:
            return Latent(mean=features.float(), log_variance=None)
        log_variance = (self.log_variance(features).float() + self.START).clamp(-12.0, 4.0)
        return Latent(mean=features.float(), log_variance=log_variance)


class Architecture(Protocol):
    """What the networks are built of: those for pictures, or the paper's for digits."""

    @property
    def swapped(self) -> "Architecture":
        """The same with A and B in one another's place."""

    @property
    def width(self) -> int:
        """Channels after the first layer."""

    @property
    def multiple(self) -> int:
        """What height and width must be a multiple of, in pixels."""

    @property
    def batch_norm(self) -> bool:
        """Whether a layer normalises the pictures of a batch together."""

    @property
    def detail_radius(self) -> int:
        """Of the detail that goes past the latent, see `fine_detail`; 0 for none."""

    def unshared_encoder(self) -> nn.Sequential:
        """E_B^U: pictures (N, 3, H, W) to features."""

    def shared_encoder(self) -> nn.Sequential:
        """E^S: features to a latent, by a `LatentHead` at its end."""

    def shared_decoder(self) -> nn.Sequential:
        """G^S: points of the latent space to features."""

    def unshared_decoder(self) -> nn.Sequential:
        """G_B^U: features to what `as_pictures` takes."""

    def discriminators(self) -> Sequence[nn.Module]:
        """D_B at each of its scales, the picture's own first."""

    def clones_for_a(
        self, encoder_b: nn.Module, decoder_b: nn.Module
    ) -> tuple[nn.Module, nn.Module]:
        """E_A^U and G_A^U with the weights of B's."""

    def draw_weights(self, part: nn.Module, generator: torch.Generator) -> None:
        """Give an encoder or a decoder fresh weights."""

    def draw_discriminator(self, part: nn.Module, generator: torch.Generator) -> None:
        """Give a discriminator fresh weights."""


class Networks(nn.Module):
    """Encoders, decoders and the discriminator, by the names of the paper.

    A's layers do not exist before phase II: see `add_domain_a`.

    Args:
        architecture: builds the layers.
        generator: draws the weights; on the CPU.
    """

    encoder_a: nn.Module | None
    decoder_a: nn.Module | None
    stroke_filter_a: float
    """Strength of the filter through which E_A sees pictures (decision 0026)."""

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__()
        self.architecture = architecture
        self.encoder_b = architecture.unshared_encoder()
        self.encoder_shared = architecture.shared_encoder()
        self.decoder_shared = architecture.shared_decoder()
        self.decoder_b = architecture.unshared_decoder()
        self.discriminator_b, *coarser = architecture.discriminators()
        self.coarser_discriminators_b = nn.ModuleList(coarser)
        self.encoder_a = None
        self.decoder_a = None
        self.stroke_filter_a = 0.0
        architecture.draw_weights(self, generator)
        self.draw_discriminators(generator)

    def draw_discriminators(self, generator: torch.Generator) -> None:
        """Give D_B fresh weights, at every scale.

        Args:
            generator: draws them; on the CPU.
        """
        for discriminator in (self.discriminator_b, self.coarser_discriminators_b):
            self.architecture.draw_discriminator(discriminator, generator)

    @property
    def multiple(self) -> int:
        """What height and width must be a multiple of, in pixels."""
        return self.architecture.multiple

    def add_domain_a(
        self, birth: Birth, generator: torch.Generator, *, stroke_filter: float = 0.0
    ) -> None:
        """Give A its layers: clones of B's, or fresh ones.

        Args:
            birth: which of the two.
            generator: draws fresh weights; on the CPU.
            stroke_filter: strength of the filter through which E_A is to see; 0 for none.

        Source: the paper's text says clones; the authors' code starts from random weights.
        """
        self.encoder_a, self.decoder_a = self.architecture.clones_for_a(
            self.encoder_b, self.decoder_b
        )
        self.stroke_filter_a = stroke_filter
        if birth is Birth.RANDOM:
            self.architecture.draw_weights(self.encoder_a, generator)
            self.architecture.draw_weights(self.decoder_a, generator)

    def encode_a(self, pictures: Tensor) -> Latent:
        """E^S(E_A^U(s)): pictures (N, 3, H, W) to a latent (N, C, h, w)."""
        assert self.encoder_a is not None, "phase II only: call add_domain_a first"
        return self._encode(self.encoder_a, without_strokes(pictures, self.stroke_filter_a))

    def encode_b(self, pictures: Tensor) -> Latent:
        """E^S(E_B^U(s)): pictures (N, 3, H, W) to a latent (N, C, h, w)."""
        return self._encode(self.encoder_b, pictures)

    def decode_a(self, code: Code) -> Tensor:
        """G_A^U(G^S(z)): a code to pictures (N, 3, H, W)."""
        assert self.decoder_a is not None, "phase II only: call add_domain_a first"
        return as_pictures(self.decoder_a(self.decoder_shared(code.z)), code.detail)

    def decode_b(self, code: Code) -> Tensor:
        """G_B^U(G^S(z)): a code to pictures (N, 3, H, W)."""
        return as_pictures(self.decoder_b(self.decoder_shared(code.z)), code.detail)

    def decode_both(self, code: Code) -> tuple[Tensor, Tensor]:
        """Return `decode_a` and `decode_b` of one code, with one pass through G^S."""
        assert self.decoder_a is not None, "phase II only: call add_domain_a first"
        features = self.decoder_shared(code.z)
        return (
            as_pictures(self.decoder_a(features), code.detail),
            as_pictures(self.decoder_b(features), code.detail),
        )

    def _encode(self, unshared: nn.Module, pictures: Tensor) -> Latent:
        latent: Latent = self.encoder_shared(unshared(pictures))
        return replace(latent, detail=_detail(pictures, self.architecture.detail_radius))

    def score_b(self, pictures: Tensor) -> Tensor:
        """D_B(s): pictures (N, 3, H, W) to a score for each patch at each scale, (N, S, h', w').

        Of S scales the first sees the picture, each other one half of what the one before saw; its
        scores are repeated to the first one's grid, so that every scale counts as much.

        Source: Wang et al. 2018 (decision 0031).
        """
        scores: list[Tensor] = [self.discriminator_b(pictures).float()]
        for discriminator in self.coarser_discriminators_b:
            pictures = F.avg_pool2d(pictures, 2)
            coarse = discriminator(pictures).float()
            scores.append(F.interpolate(coarse, size=scores[0].shape[2:]))
        return torch.cat(scores, dim=1)

    def score_both(self, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """D_B of real and of made pictures, in one pass unless a batch is normalised as a whole.

        Args:
            real, made: as many of each. Shape (N, 3, H, W).
        """
        if self.architecture.batch_norm:
            return self.score_b(real), self.score_b(made)
        scores_real, scores_made = self.score_b(torch.cat([real, made])).chunk(2)
        return scores_real, scores_made

    @property
    def reconstruct_bb(self) -> NetworkPath:
        """T_BB, with the latent's mean."""
        return self._path(self.encoder_b, self.decoder_b)

    @property
    def reconstruct_aa(self) -> NetworkPath:
        """T_AA, with the latent's mean."""
        return self._path(self.encoder_a, self.decoder_a, self.stroke_filter_a)

    @property
    def translate_ab(self) -> NetworkPath:
        """T_AB, with the latent's mean."""
        return self._path(self.encoder_a, self.decoder_b, self.stroke_filter_a)

    @property
    def translate_ba(self) -> NetworkPath:
        """T_BA, with the latent's mean."""
        return self._path(self.encoder_b, self.decoder_a)

    def _path(
        self,
        encoder: nn.Module | None,
        decoder: nn.Module | None,
        stroke_filter: float = 0.0,
    ) -> NetworkPath:
        for unshared in (encoder, decoder):
            assert unshared is not None, "phase II only: call add_domain_a first"
        assert isinstance(encoder, nn.Sequential), "of one example"
        assert isinstance(decoder, nn.Sequential), "of one example"
        *features, head = self.encoder_shared
        assert isinstance(head, LatentHead), "the features before it are the latent's mean"
        return NetworkPath(
            layers=(*encoder, *features, *self.decoder_shared, *decoder),
            stroke_filter=stroke_filter,
            detail_radius=self.architecture.detail_radius,
        )


def as_pictures(planes: Tensor, detail: Tensor | None) -> Tensor:
    """Turn what the last layer gives into pictures.

    Args:
        planes: three colours, and with detail the gain of each of its planes. Shape
            (N, 3 or 6, H, W).
        detail: see `Code`.

    Returns:
        Shape (N, 3, H, W), float32, range [-1, 1]; detail may reach beyond it, as the gain is free.
    """
    if detail is None:
        return torch.tanh(planes.float())
    colour, gain = planes.float().chunk(2, dim=1)
    return torch.tanh(colour) + from_opponent((1 + gain) * detail)


def _detail(pictures: Tensor, radius: int) -> Tensor | None:
    return fine_detail(pictures, radius) if radius else None


class _Each(nn.Module):
    """A layer of several examples, each with weights of its own.

    Args:
        layers: one of each example.
    """

    def __init__(self, layers: Iterable[nn.Module | None]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer for layer in layers if layer is not None)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (K · N, …) in and out: the first N through the first layer, and so on."""
        parts = x.chunk(len(self.layers))
        return torch.cat([layer(part) for layer, part in zip(self.layers, parts, strict=True)])


def side_by_side(networks: Sequence[Networks]) -> Networks:
    """Join the networks of several examples that have the same B: A's layers are theirs, in turn.

    Args:
        networks: with A's layers, of one stroke filter; those of B and the shared ones are taken
            from the first.

    Returns:
        Networks on the very weights of the given ones, for views of one example after another.
    """
    first = networks[0]
    joined = copy.copy(first)
    joined._modules = dict(first._modules)  # The copy's own, so that the first keeps its layers.
    joined.encoder_a = _Each(one.encoder_a for one in networks)
    joined.decoder_a = _Each(one.decoder_a for one in networks)
    return joined

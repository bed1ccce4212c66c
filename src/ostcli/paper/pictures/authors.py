"""The authors' training step in plain PyTorch: what ours is held against, in speed and in losses.

Written from what their photo code computes and independent of our step: all in float32, one
picture of each domain; in phase II every loss asks for the gradients of every weight on its way,
which are thrown away again, the shared decoder runs once for each picture, and D_B scores the real
picture once for each fake. Their discriminator of A enters no loss and gets no gradient, so it
costs nothing and is left out.

Legend: pictures are (1, 3, H, W), range [-1, 1].
Source: authors' photo code, with the settings of its scripts for style transfer.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostcli.method.networks import Networks
from ostcli.method.pool import HistoryPool

NUM_STAGES = 2
WEIGHT_RECONSTRUCTION_PHASE_ONE = 10.0
WEIGHT_CYCLE = 10.0
WEIGHT_KL = 0.1
LEARNING_RATE = 2e-4
BETAS = (0.5, 0.999)
POOL_SIZE = 50

Losses = Mapping[str, Tensor]


class Authors(nn.Module):
    """The authors' networks and, for each phase, their step.

    Args:
        width: channels after the first layer, of the discriminator too. Authors: 64.
        num_blocks: residual blocks of the encoder, and as many of the decoder. Authors: 6.
        unshared_stages: that are A's and B's own. Authors: 0 for style, 2 for structure.
        seed: of the histories' choices; weights are torch's own until `take_weights`.
    """

    def __init__(
        self, *, width: int = 64, num_blocks: int = 6, unshared_stages: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        stages = [width << stage for stage in range(NUM_STAGES)]
        own, shared = stages[:unshared_stages], stages[unshared_stages:]
        blocks = [_Block(width << NUM_STAGES) for _ in range(num_blocks)]
        more_blocks = [_Block(width << NUM_STAGES) for _ in range(num_blocks)]
        self.encoder_a, self.encoder_b = (
            _unshared_encoder(width, own),
            _unshared_encoder(width, own),
        )
        self.encoder_shared = nn.Sequential(*_halving(shared), *blocks)
        self.decoder_shared = nn.Sequential(*more_blocks, *_doubling(shared))
        self.decoder_a, self.decoder_b = (
            _unshared_decoder(width, own),
            _unshared_decoder(width, own),
        )
        self.discriminator_b = _discriminator(width)
        self._generator = torch.Generator().manual_seed(seed)
        # A history of each kind, as ours has: the paper's notes do not say whether they are one.
        self._pool_bb, self._pool_ab = HistoryPool(POOL_SIZE), HistoryPool(POOL_SIZE)
        self._optimisers = {
            name: _adam(*modules)
            for name, modules in {
                "encoder_a": (self.encoder_a,),
                "decoder_a": (self.decoder_a,),
                "encoder_b": (self.encoder_b, self.encoder_shared),
                "decoder_b": (self.decoder_b, self.decoder_shared),
                "discriminator_b": (self.discriminator_b,),
            }.items()
        }

    @torch.no_grad()
    def take_weights(self, networks: Networks) -> None:
        """Begin from the weights of ours, of the same sizes; A's only where it has some."""
        for name, module in self.named_children():
            counterpart = getattr(networks, name)
            if counterpart is not None:
                pairs = zip(module.parameters(), counterpart.parameters(), strict=True)
                for own, given in pairs:
                    own.copy_(given)

    def phase_one_step(self, x_b: Tensor) -> Losses:
        """Step once on the folder alone and return the losses before the step."""
        latent_b = self.encoder_shared(self.encoder_b(x_b))
        recon_bb = self.decoder_b(self.decoder_shared(latent_b))
        gan_b = _least_squares(self.discriminator_b(recon_bb), 1.0)
        rec_b = F.l1_loss(recon_bb, x_b)
        kl_b = latent_b.square().mean()
        total = gan_b + WEIGHT_RECONSTRUCTION_PHASE_ONE * rec_b + WEIGHT_KL * kl_b
        self._step(total, "encoder_b", "decoder_b")

        dis_b = self._discriminator_loss(x_b, recon_bb, self._pool_bb)
        self._step(dis_b, "discriminator_b")
        return {"rec_b": rec_b, "kl_b": kl_b, "gan_b": gan_b, "dis_b": dis_b}

    def phase_two_step(self, x_a: Tensor, x_b: Tensor) -> Losses:
        """Step once on the example and the folder and return the losses before the step."""
        latent_a = self.encoder_shared(self.encoder_a(x_a))
        latent_b = self.encoder_shared(self.encoder_b(x_b))
        recon_aa = self.decoder_a(self.decoder_shared(latent_a))
        trans_ab = self.decoder_b(self.decoder_shared(latent_a))
        recon_bb = self.decoder_b(self.decoder_shared(latent_b))
        cycle_aba = self.decoder_a(
            self.decoder_shared(self.encoder_shared(self.encoder_b(trans_ab)))
        )

        gan_ab = _least_squares(self.discriminator_b(trans_ab), 1.0)
        rec_a = F.l1_loss(recon_aa, x_a)
        cycle_a = F.l1_loss(cycle_aba, x_a)
        rec_b = F.l1_loss(recon_bb, x_b)
        gan_b = _least_squares(self.discriminator_b(recon_bb), 1.0)
        kl_b = latent_b.square().mean()
        self._step(gan_ab + WEIGHT_CYCLE * cycle_a + rec_a, "encoder_a", "decoder_a", retain=True)
        self._step(rec_b + WEIGHT_KL * kl_b + gan_b, "encoder_b", "decoder_b")

        dis_ab = self._discriminator_loss(x_b, trans_ab, self._pool_ab)
        dis_b = self._discriminator_loss(x_b, recon_bb, self._pool_bb)
        self._step(dis_ab + dis_b, "discriminator_b")
        return {
            "rec_b": rec_b,
            "kl_b": kl_b,
            "gan_b": gan_b,
            "rec_a": rec_a,
            "cycle_a": cycle_a,
            "gan_ab": gan_ab,
            "dis_b": dis_b,
            "dis_ab": dis_ab,
        }

    def translate_ab(self, pictures: Tensor) -> Tensor:
        """T_AB: pictures (N, 3, H, W) to as many."""
        code = self.encoder_shared(self.encoder_a(pictures))
        translated: Tensor = self.decoder_b(self.decoder_shared(code))
        return translated

    def _discriminator_loss(self, real: Tensor, fake: Tensor, pool: HistoryPool) -> Tensor:
        old = pool.exchange(fake.detach(), self._generator)
        on_real = _least_squares(self.discriminator_b(real), 1.0)
        return 0.5 * (on_real + _least_squares(self.discriminator_b(old), 0.0))

    def _step(self, total: Tensor, *names: str, retain: bool = False) -> None:
        optimisers = [self._optimisers[name] for name in names]
        for optimiser in optimisers:
            optimiser.zero_grad()
        torch.autograd.backward(total, retain_graph=retain)
        for optimiser in optimisers:
            optimiser.step()


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_in_block(channels), nn.ReLU(True), *_in_block(channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def _in_block(channels: int) -> Iterator[nn.Module]:
    yield from (
        nn.ReflectionPad2d(1),
        nn.Conv2d(channels, channels, 3),
        nn.InstanceNorm2d(channels),
    )


def _unshared_encoder(width: int, stages: Iterable[int]) -> nn.Sequential:
    first = nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)
    return nn.Sequential(*first, *_halving(stages))


def _unshared_decoder(width: int, stages: Iterable[int]) -> nn.Sequential:
    last = nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()
    return nn.Sequential(*_doubling(stages), *last)


def _halving(stages: Iterable[int]) -> Iterator[nn.Module]:
    for channels in stages:
        yield nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        yield from (nn.InstanceNorm2d(2 * channels), nn.ReLU(True))


def _doubling(stages: Iterable[int]) -> Iterator[nn.Module]:
    for channels in sorted(stages, reverse=True):
        yield nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1)
        yield from (nn.InstanceNorm2d(channels), nn.ReLU(True))


def _discriminator(width: int) -> nn.Sequential:
    channels = [width, 2 * width, 4 * width, 8 * width]
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    for before, after in pairwise(channels):
        stride = 1 if after == channels[-1] else 2
        layers += [
            nn.Conv2d(before, after, 4, stride=stride, padding=1),
            nn.InstanceNorm2d(after),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, 4, padding=1))


def _adam(*modules: nn.Module) -> torch.optim.Adam:
    weights = [weight for module in modules for weight in module.parameters()]
    return torch.optim.Adam(weights, lr=LEARNING_RATE, betas=BETAS)


def _least_squares(scores: Tensor, target: float) -> Tensor:
    return (scores - target).square().mean()

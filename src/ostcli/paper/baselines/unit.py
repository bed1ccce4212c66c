"""UNIT: two VAEs with GANs that share their inner layers, trained on both domains at once.

Source: Liu, Breuel & Kautz 2017, "Unsupervised Image-to-Image Translation Networks".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ostcli.config import Distance, OptimConfig
from ostcli.method.losses import (
    adversarial_loss,
    discriminator_loss,
    flat_error,
    kl_loss,
    reconstruction_loss,
)
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, GENERATOR, StepRecord, Table, parameters_of
from ostcli.paper.discriminator_a import WithDiscriminatorA


@dataclass(frozen=True, kw_only=True)
class UnitWeights:
    """The factors of UNIT's losses: the λ of its paper, divided by 10."""

    weight_adversarial: float = 1.0
    weight_reconstruction: float = 10.0
    weight_kl: float = 0.01
    weight_cycle: float = 10.0
    weight_cycle_kl: float = 0.01
    distance: Distance = Distance.ABSOLUTE


@dataclass(frozen=True)
class Unit:
    """UNIT as the loop sees it; every weight depends on the pictures of A."""

    weights: UnitWeights
    pools: Mapping[str, HistoryPool]

    @classmethod
    def begin(cls, weights: UnitWeights, optim: OptimConfig) -> "Unit":
        """Start with empty histories."""
        return cls(weights, {name: HistoryPool(optim.pool_size) for name in ("ab", "ba")})

    def table(self, networks: WithDiscriminatorA) -> Table:
        """Return which total reaches which weights."""
        return {
            GENERATOR: parameters_of(
                networks.networks.encoder_a,
                networks.networks.encoder_b,
                networks.networks.encoder_shared,
                networks.networks.decoder_shared,
                networks.networks.decoder_a,
                networks.networks.decoder_b,
            ),
            DISCRIMINATOR: parameters_of(
                networks.discriminator_a,
                networks.networks.discriminator_b,
                networks.networks.coarser_discriminators_b,
            ),
        }

    def of_example(self, networks: WithDiscriminatorA) -> Sequence[nn.Parameter]:
        """Return the weights whose course depends on the pictures of A: all."""
        return list(networks.parameters())

    def rate_of(self, total: str) -> float:  # noqa: ARG002 - one rate for all
        """Return 1: every total's weights have the learning rate."""
        return 1.0

    def run(
        self, networks: WithDiscriminatorA, batch: Mapping[str, Tensor], generator: torch.Generator
    ) -> StepRecord:
        """Return the losses of one step; change no weight.

        Args:
            networks: as trained.
            batch: views of A and of B, as many. Shape (N, C, H, W), range [-1, 1].
            generator: draws the latent noise and the histories' choices; on the CPU.
        """
        weights, both, x_a, x_b = self.weights, networks.networks, batch["a"], batch["b"]
        latent_a, latent_b = both.encode_a(x_a), both.encode_b(x_b)
        recon_aa, trans_ab = both.decode_both(latent_a.sample(generator))
        trans_ba, recon_bb = both.decode_both(latent_b.sample(generator))
        latent_aba, latent_bab = both.encode_b(trans_ab), both.encode_a(trans_ba)
        cycle_aba = both.decode_a(latent_aba.sample(generator))
        cycle_bab = both.decode_b(latent_bab.sample(generator))

        distance = weights.distance
        losses = {
            "rec_a": reconstruction_loss(recon_aa, x_a, distance),
            "rec_b": reconstruction_loss(recon_bb, x_b, distance),
            "kl": kl_loss(latent_a) + kl_loss(latent_b),
            "cycle": reconstruction_loss(cycle_aba, x_a, distance)
            + reconstruction_loss(cycle_bab, x_b, distance),
            "cycle_kl": kl_loss(latent_aba) + kl_loss(latent_bab),
            "gan_ab": adversarial_loss(both.score_b(trans_ab)),
            "gan_ba": adversarial_loss(networks.discriminator_a(trans_ba).float()),
        }
        total = (
            weights.weight_reconstruction * (losses["rec_a"] + losses["rec_b"])
            + weights.weight_kl * losses["kl"]
            + weights.weight_cycle * losses["cycle"]
            + weights.weight_cycle_kl * losses["cycle_kl"]
            + weights.weight_adversarial * (losses["gan_ab"] + losses["gan_ba"])
        )
        old_ab = self.pools["ab"].exchange(trans_ab.detach(), generator)
        old_ba = self.pools["ba"].exchange(trans_ba.detach(), generator)
        scores_a = (networks.discriminator_a(each).float() for each in (x_a, old_ba))
        losses["dis"] = discriminator_loss(*both.score_both(x_b, old_ab)) + discriminator_loss(
            *scores_a
        )
        return StepRecord(
            losses=losses,
            totals={GENERATOR: total, DISCRIMINATOR: losses["dis"]},
            pictures={"x_a": x_a, "recon_aa": recon_aa, "trans_ab": trans_ab},
            scores_b=None,
            latent_spread=latent_b.mean.std(),
            flat_error=flat_error(x_b, distance=distance),
        )

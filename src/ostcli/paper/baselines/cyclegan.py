"""CycleGAN: two translating networks, one for each way, and a discriminator of each domain.

Source: Zhu, Park, Isola & Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks".
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ostcli.config import Birth, Direction, Distance, OptimConfig
from ostcli.method.losses import (
    adversarial_loss,
    discriminator_loss,
    flat_error,
    reconstruction_loss,
)
from ostcli.method.networks import Architecture, NetworkPath, Networks
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, GENERATOR, StepRecord, Table, parameters_of


class CycleGanNetworks(nn.Module):
    """Two sets of the paper's networks, the second for the other way, that share nothing.

    Of each only the path from its A to its B and its discriminator are used.

    Args:
        forth: from A to B.
        back: from B to A.
    """

    def __init__(self, forth: Networks, back: Networks) -> None:
        super().__init__()
        self.forth = forth
        self.back = back

    @classmethod
    def build(cls, architecture: Architecture, generator: torch.Generator) -> "CycleGanNetworks":
        """Build them with fresh weights.

        Args:
            architecture: of the way from A to B.
            generator: draws the weights; on the CPU.
        """
        forth, back = (Networks(each, generator) for each in (architecture, architecture.swapped))
        for networks in (forth, back):
            networks.add_domain_a(Birth.RANDOM, generator)
        return cls(forth, back)

    @classmethod
    def of_phase_one(cls, networks: Networks, generator: torch.Generator) -> "CycleGanNetworks":
        """Begin, both ways, with what phase I has learned of B.

        Args:
            networks: of phase I; left alone.
            generator: draws the discriminator of A; on the CPU.
        """
        forth = copy.deepcopy(networks)
        forth.add_domain_a(Birth.CLONE, generator)
        back = Networks(networks.architecture.swapped, generator)
        there = copy.deepcopy(forth)
        assert isinstance(there.decoder_a, nn.Sequential)
        back.encoder_a, back.decoder_b = there.encoder_b, there.decoder_a
        back.encoder_shared, back.decoder_shared = there.encoder_shared, there.decoder_shared
        return cls(forth, back)

    def translate_ab(self, pictures: Tensor) -> Tensor:
        """G_AB: (N, C, H, W) to as many pictures of B."""
        return _translate(self.forth, pictures)

    def translating(self, to: Direction) -> tuple[Networks, NetworkPath]:
        """Return the networks of a way, and the path through them, by the domain it leads to."""
        networks = self.forth if to is Direction.B else self.back
        return networks, networks.translate_ab


@dataclass(frozen=True, kw_only=True)
class CycleGanWeights:
    """The factors of CycleGAN's losses."""

    weight_adversarial: float = 1.0
    weight_cycle: float = 10.0
    weight_identity: float = 0.0
    """That a network leaves pictures of its target alone; 5 for paintings in its paper. Only where
    both domains have as many colours."""
    distance: Distance = Distance.ABSOLUTE


@dataclass(frozen=True)
class CycleGan:
    """CycleGAN as the loop sees it; every weight depends on the pictures of A."""

    weights: CycleGanWeights
    pools: Mapping[str, HistoryPool]

    @classmethod
    def begin(cls, weights: CycleGanWeights, optim: OptimConfig) -> "CycleGan":
        """Start with empty histories."""
        return cls(weights, {name: HistoryPool(optim.pool_size) for name in ("ab", "ba")})

    def table(self, networks: CycleGanNetworks) -> Table:
        """Return which total reaches which weights."""
        both = (networks.forth, networks.back)
        return {
            GENERATOR: [weight for one in both for weight in _of_generator(one)],
            DISCRIMINATOR: [
                weight
                for one in both
                for weight in parameters_of(one.discriminator_b, one.coarser_discriminators_b)
            ],
        }

    def of_example(self, networks: CycleGanNetworks) -> Sequence[nn.Parameter]:
        """Return the weights whose course depends on the pictures of A: all that are used."""
        return [weight for row in self.table(networks).values() for weight in row]

    def rate_of(self, total: str) -> float:  # noqa: ARG002 - one rate for all
        """Return 1: every total's weights have the learning rate."""
        return 1.0

    def run(
        self, networks: CycleGanNetworks, batch: Mapping[str, Tensor], generator: torch.Generator
    ) -> StepRecord:
        """Return the losses of one step; change no weight.

        Args:
            networks: as trained.
            batch: views of A and of B, as many. Shape (N, C, H, W), range [-1, 1].
            generator: draws the histories' choices; on the CPU.
        """
        weights, forth, back = self.weights, networks.forth, networks.back
        x_a, x_b = batch["a"], batch["b"]
        trans_ab, trans_ba = _translate(forth, x_a), _translate(back, x_b)
        cycle_aba, cycle_bab = _translate(back, trans_ab), _translate(forth, trans_ba)

        distance = weights.distance
        losses = {
            "gan_ab": adversarial_loss(forth.score_b(trans_ab)),
            "gan_ba": adversarial_loss(back.score_b(trans_ba)),
            "cycle_a": reconstruction_loss(cycle_aba, x_a, distance),
            "cycle_b": reconstruction_loss(cycle_bab, x_b, distance),
        }
        total = weights.weight_adversarial * (
            losses["gan_ab"] + losses["gan_ba"]
        ) + weights.weight_cycle * (losses["cycle_a"] + losses["cycle_b"])
        if weights.weight_identity:
            losses["identity"] = reconstruction_loss(
                _translate(forth, x_b), x_b, distance
            ) + reconstruction_loss(_translate(back, x_a), x_a, distance)
            total = total + weights.weight_identity * losses["identity"]
        old_ab = self.pools["ab"].exchange(trans_ab.detach(), generator)
        old_ba = self.pools["ba"].exchange(trans_ba.detach(), generator)
        losses["dis"] = discriminator_loss(*forth.score_both(x_b, old_ab)) + discriminator_loss(
            *back.score_both(x_a, old_ba)
        )
        return StepRecord(
            losses=losses,
            totals={GENERATOR: total, DISCRIMINATOR: losses["dis"]},
            pictures={"x_a": x_a, "trans_ab": trans_ab},
            scores_b=None,
            latent_spread=trans_ab.std(),
            flat_error=flat_error(x_b, distance=distance),
        )


def _translate(networks: Networks, pictures: Tensor) -> Tensor:
    return networks.decode_b(networks.encode_a(pictures).mode)


def _of_generator(networks: Networks) -> list[nn.Parameter]:
    return parameters_of(
        networks.encoder_a,
        networks.encoder_shared,
        networks.decoder_shared,
        networks.decoder_b,
    )

"""Phase II of digits as the authors' code has it, where that goes beyond the paper's text.

Source: authors' digit code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ostcli.config import AdaptConfig
from ostcli.method.losses import adversarial_loss, discriminator_loss
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, StepRecord, Table, parameters_of
from ostcli.paper.discriminator_a import WithDiscriminatorA
from ostcli.training.batches import Batch
from ostcli.training.phases import PhaseTwo


@dataclass(frozen=True)
class AuthorsPhaseTwo:
    """Phase II with a discriminator of A, which tells x from B's translations, T_BA(b).

    Beside the paper's losses the example's total has L_GAN_BA, and a discriminator learns from what
    it meets there: D_B from B and T_AB(x), not from T_BB.

    Args:
        phase: the paper's own; its D_B meets the example.
    """

    phase: PhaseTwo

    @classmethod
    def begin(cls, config: AdaptConfig) -> "AuthorsPhaseTwo":
        """Start with empty histories."""
        return cls(PhaseTwo.begin(replace(config, discriminator_meets_example=True)))

    @property
    def pools(self) -> Mapping[str, HistoryPool]:
        """The histories of generated pictures."""
        return self.phase.pools

    def table(self, networks: WithDiscriminatorA) -> Table:
        """Return which total reaches which weights."""
        table = self.phase.table(networks.networks)
        discriminators = [*table[DISCRIMINATOR], *parameters_of(networks.discriminator_a)]
        return {**table, DISCRIMINATOR: discriminators}

    def of_example(self, networks: WithDiscriminatorA) -> Sequence[nn.Parameter]:
        """Return the weights whose course depends on the example: D_A's besides the paper's own."""
        own = self.phase.of_example(networks.networks)
        return [*own, *parameters_of(networks.discriminator_a)]

    def rate_of(self, total: str) -> float:
        """Return the rate of the weights that a total changes, by the learning rate."""
        return self.phase.rate_of(total)

    def run(
        self, networks: WithDiscriminatorA, batch: Batch, generator: torch.Generator
    ) -> StepRecord:
        """Return the losses of one step; change no weight.

        Args:
            networks: as trained.
            batch: views of x and of B, as many. Shape (N, C, H, W), range [-1, 1].
            generator: draws the latent noise; on the CPU.
        """
        paper = self.phase.run(networks.networks, batch, generator)
        trans_ba = networks.translate_ba(batch["b"])
        scores = networks.discriminator_a(batch["a"]), networks.discriminator_a(trans_ba.detach())
        losses = {
            **{name: loss for name, loss in paper.losses.items() if name != "dis_b"},
            "gan_ba": adversarial_loss(networks.discriminator_a(trans_ba).float()),
            "dis_a": discriminator_loss(*(score.float() for score in scores)),
        }
        totals = {
            **paper.totals,
            EXAMPLE: paper.totals[EXAMPLE] + losses["gan_ba"],
            DISCRIMINATOR: losses["dis_ab"] + losses["dis_a"],
        }
        return replace(paper, losses=losses, totals=totals)

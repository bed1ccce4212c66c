"""The two phases as the loop sees them: a table of gradients and a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import nn

from ostcli.config import AdaptConfig, LossWeights, PretrainConfig, Reach
from ostcli.method.networks import Networks
from ostcli.method.phase_one import phase_one_step, phase_one_table
from ostcli.method.phase_two import phase_two_step, phase_two_steps, phase_two_table
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, StepRecord, Table
from ostcli.training.batches import Batch

N_contra = TypeVar("N_contra", bound=nn.Module, contravariant=True)


class Phase(Protocol[N_contra]):
    """What the loop needs to know of a phase, or of another training, of some networks."""

    @property
    def pools(self) -> Mapping[str, HistoryPool]:
        """The histories of generated pictures, part of the state."""

    def table(self, networks: N_contra, /) -> Table:
        """Return which total reaches which weights."""

    def rate_of(self, total: str, /) -> float:
        """Return the rate of the weights that a total changes, by the learning rate."""

    def run(self, networks: N_contra, batch: Batch, generator: torch.Generator, /) -> StepRecord:
        """Return the losses of one step; change no weight."""


@dataclass(frozen=True)
class PhaseOne:
    """Phase I with its settings and its history."""

    weights: LossWeights
    random_light: float
    pools: Mapping[str, HistoryPool]

    @classmethod
    def begin(cls, config: PretrainConfig) -> "PhaseOne":
        """Start with an empty history."""
        pools = {"bb": HistoryPool(config.optim.pool_size)}
        return cls(config.weights, config.random_light, pools)

    def table(self, networks: Networks) -> Table:
        """Return which total reaches which weights."""
        return phase_one_table(networks)

    def rate_of(self, total: str) -> float:  # noqa: ARG002 - one rate for all
        """Return 1: every total's weights have the learning rate."""
        return 1.0

    def run(self, networks: Networks, batch: Batch, generator: torch.Generator) -> StepRecord:
        """Return the losses of one step of phase I."""
        return phase_one_step(
            networks,
            batch["b"],
            weights=self.weights,
            pool_bb=self.pools["bb"],
            generator=generator,
            random_light=self.random_light,
        )


@dataclass(frozen=True)
class PhaseTwo:
    """Phase II with its settings and its histories."""

    config: AdaptConfig
    pools: Mapping[str, HistoryPool]

    @classmethod
    def begin(cls, config: AdaptConfig) -> "PhaseTwo":
        """Start with empty histories."""
        return cls(config, {name: HistoryPool(config.optim.pool_size) for name in ("bb", "ab")})

    def table(self, networks: Networks) -> Table:
        """Return which total reaches which weights."""
        return phase_two_table(
            networks,
            self.config.reach,
            shared_learns=self.config.shared_learns,
            folder_learns=self.config.folder_learns,
        )

    def rate_of(self, total: str) -> float:
        """Return the rate of the weights that a total changes, by the learning rate."""
        return self.config.example_rate if total == EXAMPLE else 1.0

    def run(self, networks: Networks, batch: Batch, generator: torch.Generator) -> StepRecord:
        """Return the losses of one step of phase II."""
        return phase_two_step(
            networks,
            batch["a"],
            batch["b"],
            weights=self.config.weights,
            pool_bb=self.pools["bb"],
            pool_ab=self.pools["ab"],
            generator=generator,
            cycle=self.config.cycle,
            folder_learns=self.config.folder_learns,
            discriminator_meets_example=self.config.discriminator_meets_example,
            random_light=self.config.random_light,
            share_alike=self.config.share_alike,
        )

    def of_example(self, networks: Networks) -> Sequence[nn.Parameter]:
        """Return the weights whose course depends on the example.

        A's, and those that its losses reach; by way of a D_B that meets the example, or of a layer
        that it reaches, all that learns from these.
        """
        table, config = self.table(networks), self.config
        example = list(table[EXAMPLE])
        if not config.folder_learns:
            return example
        meets = config.discriminator_meets_example
        reaches_folder = config.reach is not Reach.DOMAIN_A
        if reaches_folder or (meets and config.weights.weight_adversarial_b):
            return [weight for row in table.values() for weight in row]
        return [*example, *table[DISCRIMINATOR]] if meets else example

    def run_together(
        self, networks: Networks, batch: Batch, num_examples: int, generator: torch.Generator
    ) -> list[StepRecord]:
        """Return the losses of one step of several examples, beside a folder that does not learn.

        Args:
            networks: from `side_by_side`.
            batch: of A, the views of one example after another.
            num_examples: how many.
            generator: what each draws from by itself.
        """
        return phase_two_steps(
            networks,
            batch["a"],
            batch["b"],
            num_examples,
            weights=self.config.weights,
            generator=generator,
            cycle=self.config.cycle,
            share_alike=self.config.share_alike,
        )

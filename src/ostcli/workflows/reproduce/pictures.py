"""What the experiments with pictures have in common: a task, its sources, its phase I."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ostcli.config import AdaptConfig, Precision, Preset, PretrainConfig
from ostcli.images.controls import Controls
from ostcli.images.folder import spread
from ostcli.method.architecture import build_networks
from ostcli.method.augment import Pictures
from ostcli.method.networks import Networks
from ostcli.paper.pictures.data import PictureDomains
from ostcli.paper.pictures.settings import (
    ALL,
    FEW,
    NUM_FEW,
    STEPS_TWO,
    PictureTask,
    phase_one_config,
)
from ostcli.presets import adapt_preset
from ostcli.training.batches import Batch, Views
from ostcli.training.phases import Phase, PhaseOne
from ostcli.training.trainer import Trainer
from ostcli.workflows.reproduce.kept import Halfway, digest_of_weights, kept
from ostcli.workflows.reproduce.watch import Watch
from ostcli.workflows.scoring import MOST_OF_FOLDER

MOST_SOURCES = 10
"""Pictures of A that are translated at most, of those that no training of B's look sees."""

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class PictureLab:
    """A task with all that its experiments need, made when it is asked for."""

    task: PictureTask
    given: PictureDomains
    """As the set has them: the task says whether they change places."""
    runs: int
    """Pictures of A that every method translates, up to `MOST_SOURCES`."""
    preset: Preset
    """PAPER for the authors' network and lengths, FAST for what two cores can do."""
    seed: int
    """Of all chance."""
    budget: float
    """By what steps are multiplied."""
    precision: Precision
    """Of every training."""
    watch: Watch
    """Told of each training."""

    @cached_property
    def both_ways(self) -> "PictureLab":
        """The lab of the set as it is given: of what is trained once for both ways."""
        return replace(self, task=replace(self.task, swapped=False)) if self.task.swapped else self

    @cached_property
    def one(self) -> PretrainConfig:
        """Phase I's settings."""
        config = phase_one_config(
            self.task,
            self.preset,
            num_pictures=len(self._in_order.train_b),
            seed=self.seed,
            budget=self.budget,
        )
        return replace(config, precision=self.precision)

    @cached_property
    def two(self) -> AdaptConfig:
        """Phase II's settings."""
        config = adapt_preset(self.one, num_pictures=len(self._in_order.train_b))
        steps = STEPS_TWO if self.preset is Preset.FAST else config.steps
        assert steps is not None
        steps = max(1, round(self.budget * steps))
        return replace(config, precision=self.precision, seed=self.seed, steps=steps)

    @cached_property
    def domains(self) -> PictureDomains:
        """In the task's order, reduced to the size at which the networks see them."""
        return self._in_order.seen_by(self.one.view)

    @property
    def _in_order(self) -> PictureDomains:
        return self.given.swapped if self.task.swapped else self.given

    @cached_property
    def sources(self) -> Sequence[Image.Image]:
        """The pictures of A that every method translates."""
        return self._measured(self.domains.test_a)

    @cached_property
    def truths(self) -> Sequence[Image.Image] | None:
        """Their true partners, where there are such."""
        return self._measured(self.domains.test_b) if self.domains.are_pairs else None

    def _measured(self, part: Pictures) -> Sequence[Image.Image]:
        return spread(part, min(self.runs, MOST_SOURCES))

    @cached_property
    def folder(self) -> Sequence[Image.Image]:
        """The pictures of B that results are held against, and controls are made of."""
        return spread(self.domains.train_b, MOST_OF_FOLDER)

    @cached_property
    def controls(self) -> Mapping[str, Sequence[Image.Image]]:
        """What no network is needed for: by its name, its result for each source."""
        controls = Controls(self.folder)
        of_each = [controls.results(source) for source in self.sources]
        return {name: [results[name] for results in of_each] for name in of_each[0]}

    def own(self, index: int, how_many: str) -> Pictures:
        """Return the pictures of A that a method has for a source: it, more, or all for training.

        Args:
            index: of the source.
            how_many: `ONE`, `FEW` or `ALL`.
        """
        if how_many == ALL:
            return self.domains.train_a
        more = NUM_FEW - 1 if how_many == FEW else 0
        return [self.sources[index], *spread(self.domains.train_a, more)]

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """All that every row depends on, as JSON values."""
        return {
            "task": self.task.key,
            "data": [*self.digests, _digest_of(self.sources)],
            "weight_identity": self.task.weight_identity,
            "one": self.one.to_json(),
            "two": self.two.to_json(),
        }

    @cached_property
    def digests(self) -> Sequence[str]:
        """What tells the pictures of A and of B to train on from other ones."""
        return [_digest_of(part) for part in (self.domains.train_a, self.domains.train_b)]

    @cached_property
    def pretrained(self) -> Networks:
        """Phase I's networks, trained once."""
        name, config = f"phase I of {self.task.title}", self.one

        def train(halfway: Halfway) -> Networks:
            networks = build_networks(config.network, seed=config.seed)
            views = {"b": self.views(self.domains.train_b)}
            trainer, _ = self.train(name, networks, PhaseOne.begin(config), config, views, halfway)
            return trainer.networks_for_use().to("cpu")

        return kept(
            name,
            {"data": self.digests[1], **config.to_json()},
            build=lambda: build_networks(config.network, seed=config.seed),
            train=train,
            on_event=self.watch.on_event,
        )

    @property
    def digests_of_networks(self) -> Mapping[str, str]:
        """What tells phase I's networks from others of the same settings, if they are in use."""
        if "pretrained" not in vars(self):
            return {}
        return {"phase_one": digest_of_weights(self.pretrained)}

    @cached_property
    def flop_of_phase_one(self) -> float:
        """The operations of all its steps, by torch's count."""
        config = self.one
        assert config.steps is not None
        networks = build_networks(config.network, seed=config.seed)
        views = {"b": self.views(self.domains.train_b)}
        return config.steps * flop_of_step(networks, PhaseOne.begin(config), config, views)

    def chance(self) -> torch.Generator:
        """Return what draws fresh weights."""
        return torch.Generator().manual_seed(self.one.seed)

    def views(self, pictures: Pictures, domain: int = 0) -> Views:
        """Return the views of a domain, 0 for B and 1 for A."""
        config = self.two if domain else self.one
        return Views(pictures, config.view, config.optim.batch_size, (self.one.seed, domain))

    def train(
        self,
        name: str,
        networks: N,
        phase: Phase[N],
        config: PretrainConfig | AdaptConfig,
        views: Mapping[str, Views],
        halfway: Halfway,
    ) -> tuple[Trainer[N], float]:
        """Train networks on views by domain, from where an earlier process was stopped.

        Args:
            name: for the user.
            networks: as drawn, or as phase I left them; changed.
            phase: gives the losses.
            config: rates and steps.
            views: by domain.
            halfway: keeps the state.

        Returns:
            The trainer at its last step, and the seconds that all steps took.

        Raises:
            StoppedError: a stop was asked for; the state is kept.
        """

        def batch(step: int) -> Batch:
            return {domain: of.batch(step) for domain, of in views.items()}

        assert config.steps is not None
        trainer = Trainer(
            networks.requires_grad_(True).train().to(self.watch.device),
            phase,
            config.optim,
            seed=config.seed,
            precision=config.precision,
        )
        return trainer, self.watch.train(name, trainer, batch, config.steps, halfway)


def flop_of_step(
    networks: N, phase: Phase[N], config: PretrainConfig | AdaptConfig, views: Mapping[str, Views]
) -> float:
    """Return the operations of a step, by torch's count."""
    trainer = Trainer(networks.requires_grad_(True), phase, config.optim, seed=0)
    batch = {domain: of.batch(0) for domain, of in views.items()}
    with FlopCounterMode(display=False) as counter:
        trainer.do_step(batch, 1.0)
    return float(counter.get_total_flops())


def _digest_of(pictures: Pictures) -> str:
    """Return what tells pictures from other ones."""
    whole = hashlib.sha256()
    for index in range(len(pictures)):
        picture = pictures[index]
        whole.update(f"{picture.size}".encode())
        whole.update(picture.tobytes())
    return whole.hexdigest()[:16]

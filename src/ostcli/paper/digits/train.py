"""The trainings of digits: phase I once, and many adaptations or baselines together.

Legend: K runs, n pictures of A that a run has, N views in a step, C colours.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ostcli.config import OptimConfig, Precision
from ostcli.events import OnStep, ignore_steps
from ostcli.method.networks import Networks
from ostcli.method.pool import HistoryPool
from ostcli.paper.digits.data import Digits, as_values
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import PRETRAIN_OPTIM, PRETRAIN_WEIGHTS
from ostcli.training.phases import PhaseOne
from ostcli.training.runs import PhaseOfRuns, Runs
from ostcli.training.schedule import Schedule
from ostcli.training.trainer import Trainer, chance_of

CPU = torch.device("cpu")
PICTURES_AT_ONCE = 10
"""Of each run, where they are translated."""
KEEP_SECONDS = 120.0
"""Between two states that phase I leaves on the disk."""


N = TypeVar("N", bound=nn.Module)


class Place(Protocol):
    """Where the state of a training stays that is not done yet."""

    def keep(self, trainer: Trainer[Any], /) -> None:
        """Put it there."""

    def go_on(self, trainer: Trainer[Any], /) -> object:
        """Take what is there, if anything is."""


def pretrain(
    folder: Digits,
    layers: DigitLayers,
    place: Place,
    *,
    steps: int,
    seed: int,
    precision: Precision = Precision.FP32,
    device: torch.device = CPU,
    on_step: OnStep = ignore_steps,
) -> Networks:
    """Train phase I on B's digits.

    Args:
        folder: B's training pictures.
        layers: the architecture.
        place: where its state is kept every two minutes, and when `on_step` raises.
        steps: of batches of 64. Authors: 10,000.
        seed: of the weights and of all chance.
        precision: FP32 or BF16.
        device: to train on.
        on_step: told of each step.

    Returns:
        The networks, on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    networks = Networks(layers, generator).to(device)
    phase = PhaseOne(PRETRAIN_WEIGHTS, 0.0, {"bb": HistoryPool(PRETRAIN_OPTIM.pool_size)})
    trainer = Trainer(networks, phase, PRETRAIN_OPTIM, seed=seed, precision=precision)
    trainer.reorder(torch.channels_last)
    schedule = _schedule(PRETRAIN_OPTIM, steps)
    place.go_on(trainer)
    kept_at = time.monotonic()
    while trainer.step < steps:
        chance = chance_of(seed + 1, trainer.step)
        views = _drawn(folder.images, PRETRAIN_OPTIM.batch_size, augment=True, chance=chance)
        trainer.do_step({"b": views}, schedule.rate(trainer.step, 0.0))
        try:
            on_step(trainer.step, steps)
        except Exception:  # A stop is one.
            place.keep(trainer)
            raise
        if time.monotonic() - kept_at > KEEP_SECONDS:
            place.keep(trainer)
            kept_at = time.monotonic()
    networks = trainer.networks_for_use()
    return networks.to(CPU).to(memory_format=torch.contiguous_format)


def train_many(
    begin: N,
    phase: PhaseOfRuns[N],
    path: Callable[[N, Tensor], Tensor],
    examples: Tensor,
    folder: Digits,
    optim: OptimConfig,
    *,
    steps: int,
    augment: bool,
    seed: int,
    precision: Precision = Precision.FP32,
    looks: Sequence[int] = (),
    on_step: OnStep = ignore_steps,
) -> Mapping[int, Tensor]:
    """Train runs of one kind together, each on pictures of its own, and translate these.

    Args:
        begin: the networks that every run begins from; on the device to train on.
        phase: one run's losses.
        path: T_AB.
        examples: the pictures that a run has. Shape (K, n, C, 32, 32), uint8.
        folder: B's training pictures.
        optim: rates and decays.
        steps: of one view of each domain, as the authors' are.
        augment: whether half of the views are mirrored.
        seed: of all chance.
        precision: of convolutions, FP32 or BF16.
        looks: the steps after which the pictures are translated; the last one is always.
        on_step: told of each step.

    Returns:
        T_AB of each run's own pictures, by step. Shape (K, n, C of B, 32, 32), range [-1, 1], on
        the CPU.
    """
    runs = Runs(begin, phase, optim, len(examples), seed=seed, precision=precision)
    schedule = _schedule(optim, steps)
    wanted = {*looks, steps}
    made = {0: _translated(runs, path, examples)} if 0 in wanted else {}
    for step in range(steps):
        chance = chance_of(seed + 1, step)
        x_b = _drawn(folder.images, 1, augment, chance)
        x_a = _drawn_each(examples, augment, chance)
        runs.do_step({"a": x_a, "b": x_b}, schedule.rate(step, 0.0))
        if runs.step in wanted:
            made[runs.step] = _translated(runs, path, examples)
        on_step(runs.step, steps)
    return made


def _translated(runs: Runs[N], path: Callable[[N, Tensor], Tensor], examples: Tensor) -> Tensor:
    """Return what the runs make of their own pictures, a few of each at a time."""
    parts = torch.split(examples, PICTURES_AT_ONCE, dim=1)
    return torch.cat([runs.translate(path, as_values(part)).cpu() for part in parts], dim=1)


def _schedule(optim: OptimConfig, steps: int) -> Schedule:
    return Schedule(num_steps=steps, seconds=None, decay_share=optim.decay_share)


def _drawn(images: Tensor, number: int, augment: bool, chance: torch.Generator) -> Tensor:
    """Draw views of a set: P(Λ). Shape (N, C, 32, 32), range [-1, 1]."""
    which = torch.randint(len(images), (number,), generator=chance)
    return _mirrored(as_values(images[which]), chance) if augment else as_values(images[which])


def _drawn_each(images: Tensor, augment: bool, chance: torch.Generator) -> Tensor:
    """Draw a view of each run's own pictures: P(x). Shape (K, 1, C, 32, 32), range [-1, 1]."""
    num_runs, num_own = images.shape[:2]
    which = torch.randint(num_own, (num_runs, 1), generator=chance)
    views = as_values(images[torch.arange(num_runs)[:, None], which])
    return _mirrored(views.flatten(0, 1), chance).view_as(views) if augment else views


def _mirrored(views: Tensor, chance: torch.Generator) -> Tensor:
    """Mirror half of the views. Shape (N, C, 32, 32).

    The authors turn digits by up to 0.1° as well, which by nearest neighbour moves no pixel.
    """
    turned = torch.rand(len(views), generator=chance) < 0.5
    return torch.where(turned[:, None, None, None], views.flip(-1), views)

"""The trainings of digits: phase I once, and many adaptations or baselines together.

Legend: K runs, n pictures of A that a run has, N views in a step, C colours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ostcli.config import OptimConfig, Precision
from ostcli.events import OnStep, ignore_steps
from ostcli.method.networks import Networks
from ostcli.method.pool import HistoryPool
from ostcli.paper.digits.data import Digits, as_values
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import PRETRAIN_OPTIM, PRETRAIN_WEIGHTS
from ostcli.training.batches import Batch
from ostcli.training.device import CPU
from ostcli.training.phases import PhaseOne
from ostcli.training.runs import PhaseOfRuns, Runs
from ostcli.training.schedule import Schedule
from ostcli.training.trainer import Trainer, chance_of

N = TypeVar("N", bound=nn.Module)

LOOK = "look."
"""Before the step of a translation in a state."""


def begin_phase_one(
    layers: DigitLayers,
    *,
    seed: int,
    precision: Precision = Precision.FP32,
    device: torch.device = CPU,
) -> Trainer[Networks]:
    """Return phase I of digits before its first step.

    Args:
        layers: the architecture.
        seed: of the weights and of all chance.
        precision: FP32 or BF16.
        device: to train on.
    """
    networks = Networks(layers, torch.Generator().manual_seed(seed)).to(device)
    phase = PhaseOne(PRETRAIN_WEIGHTS, 0.0, {"bb": HistoryPool(PRETRAIN_OPTIM.pool_size)})
    trainer = Trainer(networks, phase, PRETRAIN_OPTIM, seed=seed, precision=precision)
    trainer.reorder(torch.channels_last)
    return trainer


def batches_of(folder: Digits, seed: int) -> Callable[[int], Batch]:
    """Return what makes phase I's batches of B's digits, 64 views by the step."""

    def batch(step: int) -> Batch:
        chance = chance_of(seed + 1, step)
        return {"b": _drawn(folder.images, PRETRAIN_OPTIM.batch_size, augment=True, chance=chance)}

    return batch


class Course(Generic[N]):
    """Trainings of one kind together, each on pictures of its own, and what they make of these.

    Args:
        begin: the networks that each run begins from; on the device to train on.
        phase: one run's losses.
        path: T_AB.
        examples: the pictures that each run has. Shape (K, n, C, 32, 32), uint8.
        folder: B's training pictures.
        optim: rates and decays.
        steps: of one view of each domain, as the authors' are.
        augment: whether half of the views are mirrored.
        seed: of all chance.
        precision: of convolutions, FP32 or BF16.
        looks: the steps after which the pictures are translated; the last one is always.
    """

    def __init__(
        self,
        begin: Iterable[N],
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
    ) -> None:
        self._runs = Runs(begin, phase, optim, seed=seed, precision=precision)
        self._path, self._examples, self._folder = path, examples, folder
        self._steps, self._augment, self._seed = steps, augment, seed
        self._schedule = Schedule(num_steps=steps, seconds=None, decay_share=optim.decay_share)
        self._looks = {*looks, steps}
        self._made: dict[int, Tensor] = {}

    def run(self, on_step: OnStep = ignore_steps) -> Mapping[int, Tensor]:
        """Train to the end, and translate on the way.

        Args:
            on_step: told of each step; what it raises leaves a state to go on from.

        Returns:
            T_AB of each run's own pictures, by step. Shape (K, n, C of B, 32, 32), range [-1, 1],
            on the CPU.
        """
        self._look()
        for step in range(self._runs.step, self._steps):
            chance = chance_of(self._seed + 1, step)
            x_b = _drawn(self._folder.images, 1, self._augment, chance)
            x_a = _drawn_each(self._examples, self._augment, chance)
            self._runs.do_step({"a": x_a, "b": x_b}, self._schedule.rate(step, 0.0))
            self._look()
            on_step(self._runs.step, self._steps)
        return self._made

    def state(self) -> dict[str, Tensor]:
        """Return all that a later process needs to go on as if never stopped; no copies."""
        looks = {f"{LOOK}{step}": made for step, made in self._made.items()}
        return {**self._runs.state(), **looks}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            ValueError: the tensors are not such a state; some of them may have been taken.
        """
        self._runs.load_state(tensors)
        looks = {
            name.removeprefix(LOOK): made for name, made in tensors.items() if name.startswith(LOOK)
        }
        self._made = {int(step): made for step, made in looks.items()}

    def _look(self) -> None:
        """Translate the pictures, if that is wanted now: one at a time, as norms are trained."""
        if self._runs.step in self._looks - self._made.keys():
            parts = torch.split(self._examples, 1, dim=1)
            made = [self._runs.translate(self._path, as_values(part)).cpu() for part in parts]
            self._made[self._runs.step] = torch.cat(made, dim=1)


def _drawn(images: Tensor, number: int, augment: bool, chance: torch.Generator) -> Tensor:
    """Draw views of a set: P(Λ). Shape (N, C, 32, 32), range [-1, 1]."""
    which = torch.randint(len(images), (number,), generator=chance)
    return _views(images, which, augment, chance)


def _drawn_each(images: Tensor, augment: bool, chance: torch.Generator) -> Tensor:
    """Draw a view of each run's own pictures: P(x). Shape (K, 1, C, 32, 32), range [-1, 1]."""
    num_runs, num_own = images.shape[:2]
    which = torch.randint(num_own, (num_runs, 1), generator=chance).flatten()
    in_all = torch.arange(num_runs) * num_own + which
    return _views(images.flatten(0, 1), in_all, augment, chance)[:, None]


def _views(images: Tensor, which: Tensor, augment: bool, chance: torch.Generator) -> Tensor:
    """Return some pictures of a set, half of them mirrored. Shape (N, C, 32, 32), range [-1, 1].

    The authors turn digits by up to 0.1° as well, which by nearest neighbour moves no pixel.
    """
    views = images.numpy()[which.numpy()]  # numpy starts no threads of its own
    if augment:
        turned = torch.rand(len(views), generator=chance).numpy() < 0.5
        views[turned] = views[turned, ..., ::-1]
    return torch.from_numpy(views / np.float32(127.5) - np.float32(1.0))

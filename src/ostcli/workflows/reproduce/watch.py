"""What an experiment tells of its trainings, and how it is stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from ostcli.config import Precision
from ostcli.errors import TrainingFailedError
from ostcli.events import OnEvent, OnStep, StepDone, TrainingPlanned
from ostcli.training.batches import Batch
from ostcli.training.device import describe_device
from ostcli.training.loop import MOST_ROLL_BACKS, Hooks, Training, run
from ostcli.training.schedule import Schedule
from ostcli.training.threads import governor_for
from ostcli.training.trainer import Trainer
from ostcli.workflows.reproduce.kept import Halfway

MEASURED = 3
"""Steps after which a training's time is foretold."""


class StoppedError(Exception):
    """A stop was asked for."""


@dataclass(frozen=True)
class Watch:
    """Tell of every training's steps, and end it when that is asked for.

    Args:
        device: that trainings run on.
        on_event: told of each plan and each step.
        should_stop: asked after each step.
        num_threads: that every training begins with.
    """

    device: torch.device
    on_event: OnEvent
    should_stop: Callable[[], bool]
    num_threads: int = field(default_factory=torch.get_num_threads)

    def take_threads(self) -> None:
        """Begin a training with all threads: those too that the one before gave up."""
        torch.set_num_threads(self.num_threads)

    def check(self) -> None:
        """Go on, unless a stop was asked for.

        Raises:
            StoppedError: it was.
        """
        if self.should_stop():
            raise StoppedError

    def train(
        self,
        name: str,
        trainer: Trainer[Any],
        make_batch: Callable[[int], Batch],
        steps: int,
        halfway: Halfway,
    ) -> float:
        """Train to the end, from where an earlier process was stopped.

        Args:
            name: for the user.
            trainer: at its first step; changed.
            make_batch: as of `Training`.
            steps: in all.
            halfway: keeps the state meanwhile.

        Returns:
            The seconds that all steps took.

        Raises:
            StoppedError: a stop was asked for; the state is kept.
            TrainingFailedError: it went wrong again and again.
        """
        self.check()
        self.take_threads()
        before, began = halfway.go_on(trainer), time.monotonic()
        if trainer.num_roll_backs > MOST_ROLL_BACKS:  # For an earlier table it went so far.
            raise TrainingFailedError(
                f"training of {name!r} failed before", hint="try another --seed"
            )

        def save(seconds: float) -> None:
            if trainer.step != steps:
                halfway.keep(trainer, seconds)

        hooks = Hooks(
            save=save,
            preview=lambda: None,
            should_stop=self.should_stop,
            on_event=self.on_event,
        )
        schedule = Schedule(num_steps=steps, seconds=None, decay_share=trainer.optim.decay_share)
        run([Training(name, trainer, make_batch, hooks)], schedule, seconds_before=before)
        if trainer.step < steps:
            raise StoppedError
        return before + time.monotonic() - began

    def of(
        self,
        name: str,
        precision: Precision = Precision.FP32,
        *,
        device: torch.device | None = None,
    ) -> OnStep:
        """Return what is to be told of each step of one training; it governs the threads, too.

        Args:
            name: of the training.
            precision: it runs in.
            device: it runs on, if not on that of the others.
        """
        device = device or self.device
        self.take_threads()
        began = last = time.monotonic()
        first: int | None = None
        governor = governor_for(device)

        def on_step(step: int, num_steps: int) -> None:
            nonlocal last, first
            self.check()
            now = time.monotonic()
            first = step - 1 if first is None else first  # More than 0 where it goes on.
            if governor is not None:
                governor.step_took(now - last)
            last, taken = now, step - first
            seconds = (now - began) / taken
            if taken == min(MEASURED, num_steps - first):
                self.on_event(
                    TrainingPlanned(
                        name=name,
                        device=describe_device(device),
                        precision=precision,
                        num_threads=torch.get_num_threads(),
                        first_step=first,
                        num_steps=num_steps,
                        seconds_per_step=seconds,
                        seconds=seconds * (num_steps - first),
                    )
                )
            if taken >= MEASURED or step == num_steps:
                self.on_event(
                    StepDone(
                        step=step,
                        num_steps=num_steps,
                        losses={},
                        steps_per_second=1 / seconds,
                        seconds_left=seconds * (num_steps - step),
                    )
                )

        return on_step

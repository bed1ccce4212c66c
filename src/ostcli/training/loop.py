"""The loop: step after step until the budget is used, with a way back from disaster."""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ostcli.config import Precision
from ostcli.errors import OstError, ResourceError, TrainingFailedError
from ostcli.events import Note, OnEvent, RolledBack, StepDone, TrainingPlanned
from ostcli.training.batches import Batch, Prefetch
from ostcli.training.device import describe_device, finish_work, is_out_of_memory
from ostcli.training.schedule import Schedule
from ostcli.training.threads import ThreadGovernor, time_step
from ostcli.training.trainer import Trainer, floats

SNAPSHOT_STEPS = 250
"""Steps between two states kept in memory to roll back to, in a long run."""
SNAPSHOT_STEPS_SHORT = 50
"""The same in a short one; between them it is a quarter of the run."""
MOST_ROLL_BACKS = 3
"""A training that fails more often ends, whether in one run or in several."""
BF16_GAIN = 0.85
"""bf16 is taken if its step needs at most this share of an fp32 step."""
BF16_HOPELESS = 2.0
"""bf16 is given up after one step that takes more than this many times an fp32 step."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a short measurement before the run found, in seconds per step."""

    seconds_all: float
    seconds_one: float


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What the loop calls besides stepping.

    Args:
        save: make the state durable; given the training's seconds so far.
        preview: write a contact sheet.
        should_stop: asked after each step; true ends the loop early.
        on_event: told of every step.
        save_every: seconds between two saves.
        preview_every: seconds between two previews.
    """

    save: Callable[[float], None]
    preview: Callable[[], None]
    should_stop: Callable[[], bool]
    on_event: OnEvent
    save_every: float = 120.0
    preview_every: float = 60.0


def measure(trainer: Trainer, batch: Batch) -> Measured:
    """Time a step on a copy of the trainer; settle its precision if that is still open.

    The trainer itself takes no step: what a seed gives does not depend on the measurement.
    """
    if trainer.precision is Precision.AUTO:
        trainer.precision = _faster_precision(trainer, batch)
    seconds_all = _step_time(trainer, batch)
    threads = torch.get_num_threads()
    if trainer.device.type != "cpu" or threads == 1:
        return Measured(seconds_all=seconds_all, seconds_one=seconds_all)
    torch.set_num_threads(1)
    try:
        return Measured(seconds_all=seconds_all, seconds_one=_step_time(trainer, batch))
    finally:
        torch.set_num_threads(threads)


def _faster_precision(trainer: Trainer, batch: Batch) -> Precision:
    trainer.precision = Precision.FP32
    fp32 = _step_time(trainer, batch)
    trainer.precision = Precision.BF16
    try:
        bf16 = _step_time(trainer, batch, hopeless=BF16_HOPELESS * fp32)
    except RuntimeError:  # some devices and versions of torch lack an operation in bf16
        return Precision.FP32
    return Precision.BF16 if bf16 <= BF16_GAIN * fp32 else Precision.FP32


def _step_time(trainer: Trainer, batch: Batch, *, hopeless: float = math.inf) -> float:
    probe = copy.deepcopy(trainer)

    def step() -> None:
        probe.do_step(batch, 1.0)
        finish_work(probe.device)

    return time_step(step, hopeless=hopeless)


def _governor(device: torch.device, threads: int, measured: Measured) -> ThreadGovernor | None:
    """Return the governor of a training on the CPU; elsewhere the threads do not matter."""
    if device.type != "cpu":
        return None
    return ThreadGovernor(threads, measured.seconds_all, measured.seconds_one)


def _snapshot_steps(num_steps: int) -> int:
    return min(SNAPSHOT_STEPS, max(SNAPSHOT_STEPS_SHORT, num_steps // 4))


def run(
    trainer: Trainer,
    schedule: Schedule,
    make_batch: Callable[[int], Batch],
    hooks: Hooks,
    *,
    name: str,
    seconds_before: float = 0.0,
) -> float:
    """Train until the budget is used or `should_stop` says so; save at the end in either case.

    Args:
        trainer: at the step to go on from.
        schedule: the budget.
        make_batch: the batch of a step, a pure function; called in a background thread.
        hooks: saving, preview, stopping, events.
        name: of the model, for events.
        seconds_before: time that earlier runs of this training took.

    Returns:
        The training's seconds so far, earlier runs included.

    Raises:
        TrainingFailedError: it diverged or collapsed again and again; the last good state is saved.
        ResourceError: out of memory.
        OstError: a batch could not be made, a picture has vanished say; the state is saved.
    """
    try:
        with Prefetch(make_batch) as batches:
            running = _Run(trainer, schedule, batches, hooks, name, seconds_before)
            return running.until_done(make_batch(trainer.step))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"out of memory while training {name!r} on the {describe_device(trainer.device)}",
            hint="use a smaller --size, or --device cpu",
        ) from error


class _Run:
    """One call of `run`: its clock, its snapshots and its governor."""

    def __init__(
        self,
        trainer: Trainer,
        schedule: Schedule,
        batches: Prefetch,
        hooks: Hooks,
        name: str,
        seconds_before: float,
    ) -> None:
        self.trainer = trainer
        self.schedule = schedule
        self.batches = batches
        self.hooks = hooks
        self.name = name
        self.started = time.monotonic() - seconds_before
        self.saved_at = self.preview_at = time.monotonic()
        self.snapshots: deque[dict[str, Tensor]] = deque([trainer.state()], maxlen=2)
        self.snapshot_steps = SNAPSHOT_STEPS
        self.seconds_per_step = 0.0
        self.governor: ThreadGovernor | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def is_done(self) -> bool:
        """Whether the budget is used."""
        return self.schedule.done(self.trainer.step, self.seconds) >= 1.0

    def until_done(self, batch: Batch) -> float:
        """Train to the end; `batch` is what the first steps are measured with."""
        all_threads = torch.get_num_threads()
        try:
            self._plan(all_threads, batch)
            while True:
                stopped = self._steps_until_stopped()
                seconds = self._save()
                if stopped or self.is_done:  # the save may have gone back to an earlier step
                    return seconds
        finally:
            torch.set_num_threads(all_threads)

    def _steps_until_stopped(self) -> bool:
        """Step to the end of the budget; return whether a stop was asked for before that."""
        while not self.is_done:
            self._one_step()
            if self.hooks.should_stop():
                self._leave_slope()
                return True
            self._keep_up()
        return False

    def _plan(self, all_threads: int, batch: Batch) -> None:
        measured = measure(self.trainer, batch)
        self.governor = _governor(self.trainer.device, all_threads, measured)
        self.seconds_per_step = min(measured.seconds_all, measured.seconds_one)
        first, in_all = self.trainer.step, self._steps_in_all()
        self.snapshot_steps = _snapshot_steps(in_all)
        self.hooks.on_event(
            TrainingPlanned(
                name=self.name,
                device=describe_device(self.trainer.device),
                precision=self.trainer.precision.value,
                num_threads=self.governor.num_threads if self.governor else all_threads,
                first_step=first,
                num_steps=in_all,
                seconds_per_step=self.seconds_per_step,
                seconds=(in_all - first) * self.seconds_per_step,
            )
        )

    def _one_step(self) -> None:
        trainer, asked = self.trainer, time.monotonic()
        rate = self.schedule.rate(trainer.step, self.seconds)
        batch = self._next_batch()
        began = time.monotonic()  # waiting for pictures does not mean that the cores are taken
        record = trainer.do_step(batch, rate)
        losses = floats(record)
        fault = trainer.health.judge(
            losses, float(record.latent_spread.detach()), float(record.flat_error)
        )
        if fault is not None:
            self._roll_back(fault)
            return
        now = time.monotonic()
        if self.governor is not None:
            self.governor.step_took(now - began)
        self.seconds_per_step += 0.05 * (now - asked - self.seconds_per_step)
        if trainer.step % self.snapshot_steps == 0 and trainer.health.is_sound:
            self.snapshots.append(trainer.state())
        self.hooks.on_event(self._step_done(losses))

    def _next_batch(self) -> Batch:
        """Wait for the next batch; save before a failure to make it ends the run."""
        try:
            return self.batches.get(self.trainer.step)
        except OstError:
            self._save()
            raise

    def _step_done(self, losses: dict[str, float]) -> StepDone:
        in_all = self._steps_in_all()
        return StepDone(
            step=self.trainer.step,
            num_steps=in_all,
            losses=losses,
            steps_per_second=1.0 / self.seconds_per_step,
            seconds_left=(in_all - self.trainer.step) * self.seconds_per_step,
        )

    def _steps_in_all(self) -> int:
        return self.schedule.steps_in_all(self.trainer.step, self.seconds, self.seconds_per_step)

    def _roll_back(self, fault: str) -> None:
        trainer, from_step = self.trainer, self.trainer.step
        while len(self.snapshots) > 1:  # the newer one may be on the slope already
            self.snapshots.pop()
        self._go_back_to(self.snapshots[0])
        trainer.num_roll_backs += 1
        failures = trainer.num_roll_backs
        if failures > MOST_ROLL_BACKS:
            self._save()
            raise TrainingFailedError(
                f"training of {self.name!r} failed {failures} times, the last time at step "
                f"{from_step}: {fault}; the state of step {trainer.step} is kept",
                hint="give more and more varied pictures, or start over with another --seed",
            )
        self.hooks.on_event(
            RolledBack(
                reason=fault,
                from_step=from_step,
                to_step=trainer.step,
                learning_rate=trainer.optim.learning_rate * trainer.rate_factor,
            )
        )

    def _leave_slope(self) -> None:
        """Go back from the slope of what may be a collapse: a later run has no other way back."""
        if not self.trainer.health.is_sound:
            self._go_back_to(self.snapshots[-1])

    def _go_back_to(self, snapshot: Mapping[str, Tensor]) -> None:
        num_roll_backs = self.trainer.num_roll_backs
        self.trainer.load_state(snapshot)
        self.trainer.num_roll_backs = num_roll_backs

    def _keep_up(self) -> None:
        """Save and preview when it is time; never the slope of what may be a collapse."""
        now = time.monotonic()
        if now - self.saved_at >= self.hooks.save_every and self.trainer.health.is_sound:
            self._save()
            self.saved_at = time.monotonic()
        if now - self.preview_at >= self.hooks.preview_every:
            self._preview()
            self.preview_at = time.monotonic()

    def _save(self) -> float:
        """Save, and return the training's seconds so far.

        The losses tell of the weights before the last update; should that one have spoilt them, the
        last good state is saved instead.
        """
        if not self.trainer.is_finite:
            self._roll_back("the weights are not finite numbers")
        seconds = self.seconds
        self.hooks.save(seconds)
        return seconds

    def _preview(self) -> None:
        """Write a preview; one that cannot be written must not end a training."""
        try:
            self.hooks.preview()
        except OSError as error:
            self.hooks.on_event(Note(text=f"no preview: {error}", warning=True))

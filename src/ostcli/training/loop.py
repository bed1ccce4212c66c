"""The loop: step after step until the budget is used, with a way back from disaster."""

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostcli.config import Precision
from ostcli.errors import OstError, ResourceError, TrainingFailedError
from ostcli.events import Note, OnEvent, RolledBack, StepDone, TrainingPlanned
from ostcli.training.batches import Batch, Prefetch
from ostcli.training.device import describe_device, finish_work, is_out_of_memory
from ostcli.training.precision import faster
from ostcli.training.schedule import Schedule
from ostcli.training.stack import Stack, joined
from ostcli.training.threads import ThreadGovernor, governor_for, time_step
from ostcli.training.trainer import Figures, Trainer, figures_of

SNAPSHOT_STEPS = 250
"""Steps between two states kept in memory to roll back to, in a long run."""
SNAPSHOT_STEPS_SHORT = 50
"""The same in a short one; between them it is a quarter of the run."""
MOST_ROLL_BACKS = 3
"""A training that fails more often ends, whether in one run or in several."""
BF16_GAIN = 0.85
"""bf16 is taken if its step needs at most this share of an fp32 step."""

ORDER_GAIN = 0.95
"""Channels lie last if a step then needs at most this share of its time."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a short measurement before the run found, in seconds per step."""

    seconds: float
    """With the threads in use."""
    seconds_one: float
    """With a single one."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What the loop calls besides stepping.

    Args:
        save: make the state durable; given the training's seconds so far.
        preview: write a contact sheet.
        should_stop: asked after each step; true ends the loop early.
        on_event: told of the plan, of every step and of what goes wrong.
        on_step: told of every step, with the losses of this very training; `on_event` gets the
            means of those that step together.
        save_every: seconds between two saves.
        preview_every: seconds between two previews.
    """

    save: Callable[[float], None]
    preview: Callable[[], None]
    should_stop: Callable[[], bool]
    on_event: OnEvent
    on_step: Callable[[StepDone], None] = lambda _: None
    save_every: float = 120.0
    preview_every: float = 60.0


def measure(stack: Stack, batch: Batch, governor: ThreadGovernor | None = None) -> Measured:
    """Time a step on a copy of the stack; settle its precision if that is still open.

    The trainings themselves take no step: what a seed gives does not depend on the measurement.
    Should the governor change the number of threads meanwhile, all is measured once more.
    """
    threads = torch.get_num_threads()
    precision, seconds = _faster_precision(stack, batch, governor)
    if torch.get_num_threads() != threads:
        return measure(stack, batch, governor)
    stack.precision = precision
    if stack.device.type == "cuda" and stack.memory_format is torch.contiguous_format:
        seconds = _faster_order(stack, batch, seconds)
    if stack.device.type != "cpu" or threads == 1:
        return Measured(seconds=seconds, seconds_one=seconds)
    torch.set_num_threads(1)
    try:
        seconds_one = _step_time(stack, batch, hopeless=seconds)
    finally:
        torch.set_num_threads(threads)
    return Measured(seconds=seconds, seconds_one=seconds_one)


def _faster_precision(
    stack: Stack, batch: Batch, governor: ThreadGovernor | None
) -> tuple[Precision, float]:
    """Return the number format of the training, and the time of a step in it."""
    if stack.precision is not Precision.AUTO:
        return stack.precision, _step_time(stack, batch, governor)

    def seconds_in(precision: Precision, hopeless: float) -> float:
        stack.precision = precision
        return _step_time(stack, batch, governor, hopeless=hopeless)

    try:
        return faster(seconds_in, gain=BF16_GAIN)
    finally:
        stack.precision = Precision.AUTO


def _faster_order(stack: Stack, batch: Batch, seconds: float) -> float:
    """Let the channels lie last where a step is the faster for it.

    Tensor cores take them so, and torch copies what lies otherwise; but its norms copy back, so
    which of the two wins depends on the network.

    Args:
        stack: by channels.
        batch: of a step.
        seconds: of a step.

    Returns:
        The seconds of a step in the order that is taken.
    """
    seconds_last = _step_time(stack, batch, memory_format=torch.channels_last)
    if seconds_last > ORDER_GAIN * seconds:
        return seconds
    stack.memory_format = torch.channels_last
    return seconds_last


def _step_time(
    stack: Stack,
    batch: Batch,
    governor: ThreadGovernor | None = None,
    *,
    hopeless: float = math.inf,
    memory_format: torch.memory_format | None = None,
) -> float:
    """Return the seconds of a step of a copy, in the order in memory that is given, if one is."""
    probe = copy.deepcopy(stack)
    if memory_format is not None:
        probe.memory_format = memory_format

    def step() -> None:
        began = time.monotonic()
        probe.do_step(batch, 1.0)
        finish_work(probe.device)
        if governor is not None:
            governor.step_took(time.monotonic() - began)

    return time_step(step, hopeless=hopeless)


def _snapshot_steps(num_steps: int) -> int:
    return min(SNAPSHOT_STEPS, max(SNAPSHOT_STEPS_SHORT, num_steps // 4))


class Training:
    """One training as the loop sees it: its way back from disaster, its saves and previews.

    Args:
        name: of the model or adaptation, for events.
        trainer: at the step to go on from.
        make_batch: the batch of a step, a pure function; called in a background thread.
        hooks: saving, preview, stopping, events.
    """

    def __init__(
        self, name: str, trainer: Trainer[Any], make_batch: Callable[[int], Batch], hooks: Hooks
    ) -> None:
        self.name = name
        self.trainer = trainer
        self.make_batch = make_batch
        self.hooks = hooks
        self._snapshots: deque[dict[str, Tensor]] = deque([trainer.state()], maxlen=2)

    def judge(self, figures: Figures) -> str | None:
        """Take in a step; return what is wrong in words, or None."""
        return self.trainer.health.judge(*figures)

    def keep_snapshot(self) -> None:
        """Remember this state to roll back to, if it is worth it."""
        if self.trainer.health.is_sound:
            self._snapshots.append(self.trainer.state())

    def roll_back(self, fault: str, seconds: float) -> None:
        """Go back to the last good state, to go on at half the rate.

        Args:
            fault: what went wrong.
            seconds: the training's so far, for the save.

        Raises:
            TrainingFailedError: it has failed too often; that state is saved.
        """
        trainer, from_step = self.trainer, self.trainer.step
        while len(self._snapshots) > 1:  # the newer one may be on the slope already
            self._snapshots.pop()
        self._go_back_to(self._snapshots[0])
        trainer.num_roll_backs += 1
        failures = trainer.num_roll_backs
        if failures > MOST_ROLL_BACKS:
            self.hooks.save(seconds)
            raise TrainingFailedError(
                f"training of {self.name!r} failed {failures} times, the last time at step "
                f"{from_step}: {fault}; the state of step {trainer.step} is kept",
                hint="give more and more varied pictures, or start over with another --seed",
            )
        self.hooks.on_event(
            RolledBack(
                name=self.name,
                reason=fault,
                from_step=from_step,
                to_step=trainer.step,
                learning_rate=trainer.optim.learning_rate * trainer.rate_factor,
            )
        )

    def leave_slope(self) -> None:
        """Go back from the slope of what may be a collapse: a later run has no other way back."""
        if not self.trainer.health.is_sound:
            self.go_back()

    def go_back(self) -> None:
        """Go back to the last good state."""
        self._go_back_to(self._snapshots[-1])

    def preview(self) -> None:
        """Write a preview; one that cannot be written must not end a training."""
        try:
            self.hooks.preview()
        except OSError as error:
            self.hooks.on_event(Note(text=f"no preview: {error}", warning=True))

    def _go_back_to(self, snapshot: Mapping[str, Tensor]) -> None:
        num_roll_backs = self.trainer.num_roll_backs
        self.trainer.load_state(snapshot)
        self.trainer.num_roll_backs = num_roll_backs


def run(
    trainings: Sequence[Training], schedule: Schedule, *, seconds_before: float = 0.0
) -> dict[str, TrainingFailedError]:
    """Train until the budget is used or `should_stop` says so; save at the end in either case.

    Several trainings take their steps together. One that goes wrong leaves the others, and goes on
    by itself when they are done; where memory is too short for all of them, one follows another.

    Args:
        trainings: one of any kind, or several that `may_step_together`. Whether to stop, and what
            is told of all, is the first one's.
        schedule: the budget of each.
        seconds_before: time that earlier runs of each took.

    Returns:
        Of several, those that failed, by name; their last good states are saved.

    Raises:
        TrainingFailedError: a single one diverged or collapsed again and again; its last good state
            is saved.
        ResourceError: out of memory.
        OstError: a batch could not be made, a picture has vanished say; the state is saved.
    """
    together = _Run(trainings, schedule, seconds_before)
    try:
        together.until_done()
        alone = together.left
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(trainings) == 1:
            device = describe_device(trainings[0].trainer.device)
            raise ResourceError(
                f"out of memory while training {trainings[0].name!r} on the {device}",
                hint="use a smaller --size, or --device cpu",
            ) from error
        text = f"not enough memory for {len(trainings)} trainings at once: one follows another"
        together.hooks.on_event(Note(text=text))
        for training in together.trainings:
            training.go_back()
        alone = [*((training, None) for training in together.trainings), *together.left]
    return _one_by_one(alone, schedule, together.seconds)


def _one_by_one(
    trainings: Sequence[tuple[Training, str | None]], schedule: Schedule, seconds: float
) -> dict[str, TrainingFailedError]:
    """Train each by itself, after what went wrong with it if something did; return who failed."""
    failed = {}
    for training, fault in trainings:
        try:
            if fault is not None:
                training.roll_back(fault, seconds)
            run([training], schedule, seconds_before=seconds)
        except TrainingFailedError as error:
            failed[training.name] = error
    return failed


class _Run:
    """Trainings that take their steps together: their clock and their governor."""

    def __init__(
        self, trainings: Sequence[Training], schedule: Schedule, seconds_before: float
    ) -> None:
        self.trainings = list(trainings)
        self.left: list[tuple[Training, str | None]] = []
        """Those that went wrong beside others, and how: they go on by themselves."""
        self.threads = torch.get_num_threads()
        self.stack = self._stack()
        self.schedule = schedule
        self.hooks = trainings[0].hooks
        self.num_begun = len(trainings)
        self.seconds_before = seconds_before
        self.started = self.saved_at = self.preview_at = time.monotonic()
        self.snapshot_steps = SNAPSHOT_STEPS
        self.seconds_per_step = 0.0
        self.governor: ThreadGovernor | None = None
        self.told_of_threads = False

    @property
    def seconds(self) -> float:
        """The seconds of each training so far: of what it took together, its share."""
        return self.seconds_before + (time.monotonic() - self.started) / self.num_begun

    @property
    def is_done(self) -> bool:
        """Whether the budget is used, or there is nobody left to use it."""
        return not self.trainings or self.schedule.done(self.stack.step, self.seconds) >= 1.0

    def until_done(self) -> None:
        """Train to the end."""
        all_threads = torch.get_num_threads()
        try:
            self._plan()
            with Prefetch(self._make_batch) as batches:
                while True:
                    stopped = self._steps_until_stopped(batches)
                    self._save(batches)
                    if stopped or self.is_done:  # the save may have gone back to an earlier step
                        return
        finally:
            torch.set_num_threads(all_threads)

    def _stack(self) -> Stack:
        return Stack([training.trainer for training in self.trainings], self.threads)

    def _make_batch(self, step: int) -> Batch:
        return joined(training.make_batch(step) for training in self.trainings)

    def _steps_until_stopped(self, batches: Prefetch) -> bool:
        """Step to the end of the budget; return whether a stop was asked for before that."""
        while not self.is_done:
            self._one_step(batches)
            if self.hooks.should_stop():
                for training in self.trainings:
                    training.leave_slope()
                return True
            self._keep_up(batches)
        return False

    def _plan(self) -> None:
        """Measure, and tell what is to come."""
        first_one, num = self.trainings[0], len(self.trainings)
        self.governor = governor_for(self.stack.device)
        alone = Stack([first_one.trainer])  # Of several, each takes about the same.
        measured = measure(alone, first_one.make_batch(alone.step), self.governor)
        self.stack.precision = alone.precision
        self.stack.memory_format = alone.memory_format
        in_turn, seconds = num * measured.seconds_one, measured.seconds
        if num > 1:  # They share the threads out.
            seconds = in_turn / self.stack.num_lanes
        if self.governor is not None:
            self.governor.measured(seconds, in_turn)
        self.seconds_per_step = min(seconds, in_turn)
        first, in_all = self.stack.step, self._steps_in_all()
        self.snapshot_steps = _snapshot_steps(in_all)
        self.hooks.on_event(
            TrainingPlanned(
                name=first_one.name + (f" and {num - 1} more" if num > 1 else ""),
                device=describe_device(self.stack.device),
                precision=self.stack.precision.value,
                num_threads=torch.get_num_threads(),
                first_step=first,
                num_steps=in_all,
                seconds_per_step=self.seconds_per_step,
                seconds=(in_all - first) * self.seconds_per_step,
            )
        )
        self._tell_of_threads()

    def _one_step(self, batches: Prefetch) -> None:
        asked = time.monotonic()
        rate = self.schedule.rate(self.stack.step, self.seconds)
        batch = self._next_batch(batches)
        began = time.monotonic()  # waiting for pictures does not mean that the cores are taken
        figures = figures_of(self.stack.do_step(batch, rate))
        faults = [
            training.judge(each) for training, each in zip(self.trainings, figures, strict=True)
        ]
        if any(faults):
            self._go_wrong(faults, batches)
        sound = [each.losses for each, fault in zip(figures, faults, strict=True) if not fault]
        if not sound:
            return
        now = time.monotonic()
        if self.governor is not None:
            self.governor.step_took(now - began)
            self._tell_of_threads()
        self.seconds_per_step += 0.05 * (now - asked - self.seconds_per_step)
        for training, losses in zip(self.trainings, sound, strict=True):
            if self.stack.step % self.snapshot_steps == 0:
                training.keep_snapshot()
            training.hooks.on_step(self._step_done(losses))
        self.hooks.on_event(self._step_done(_means(sound)))

    def _tell_of_threads(self) -> None:
        """Say, once, that other programs have been given way to."""
        if self.governor is not None and self.governor.gave_way and not self.told_of_threads:
            self.told_of_threads = True
            threads = self.governor.num_threads
            number = "one thread" if threads == 1 else f"{threads} threads"
            text = f"other programs use the cores: training with {number} until they are free"
            self.hooks.on_event(Note(text=text))

    def _go_wrong(self, faults: Sequence[str | None], batches: Prefetch) -> None:
        """Roll back a training that is alone; of several, go on without those that went wrong.

        Args:
            faults: of each training in words, None for a sound one.
            batches: of those so far.
        """
        pairs = list(zip(self.trainings, faults, strict=True))
        if len(pairs) == 1 and faults[0]:
            self.trainings[0].roll_back(faults[0], self.seconds)
            return
        self.left += [(training, fault) for training, fault in pairs if fault]
        self.trainings = [training for training, fault in pairs if not fault]
        if self.trainings:
            self.stack = self._stack()
        batches.forget()

    def _next_batch(self, batches: Prefetch) -> Batch:
        """Wait for the next batch; save before a failure to make it ends the run."""
        try:
            return batches.get(self.stack.step)
        except OstError:
            self._save(batches)
            raise

    def _step_done(self, losses: Mapping[str, float]) -> StepDone:
        in_all = self._steps_in_all()
        return StepDone(
            step=self.stack.step,
            num_steps=in_all,
            losses=losses,
            steps_per_second=1.0 / self.seconds_per_step,
            seconds_left=(in_all - self.stack.step) * self.seconds_per_step,
        )

    def _steps_in_all(self) -> int:
        return self.schedule.steps_in_all(self.stack.step, self.seconds, self.seconds_per_step)

    def _keep_up(self, batches: Prefetch) -> None:
        """Save and preview when it is time; never the slope of what may be a collapse."""
        now, sound = time.monotonic(), all(one.trainer.health.is_sound for one in self.trainings)
        if now - self.saved_at >= self.hooks.save_every and sound:
            self._save(batches)
            self.saved_at = time.monotonic()
        if now - self.preview_at >= self.hooks.preview_every:
            self.trainings[0].preview()  # Of several, one tells how all of them go.
            self.preview_at = time.monotonic()

    def _save(self, batches: Prefetch) -> None:
        """Save.

        The losses tell of the weights before the last update; should that one have spoilt them, the
        last good state is saved instead.
        """
        faults = [
            None if training.trainer.is_finite else "the weights are not finite numbers"
            for training in self.trainings
        ]
        if any(faults):
            self._go_wrong(faults, batches)
        for training in self.trainings:
            training.hooks.save(self.seconds)


def _means(all_losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: sum(losses[name] for losses in all_losses) / len(all_losses) for name in all_losses[0]
    }

"""Trainings that step together: one, or the phase II of several examples beside one folder."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cached_property
from itertools import pairwise
from typing import Any, cast

import torch

from ostcli.config import Precision
from ostcli.method.networks import side_by_side
from ostcli.method.record import EXAMPLE, StepRecord
from ostcli.training.batches import Batch
from ostcli.training.device import autocast
from ostcli.training.phases import PhaseTwo
from ostcli.training.trainer import Trainer, on_device


def may_step_together(trainers: Sequence[Trainer[Any]]) -> bool:
    """Tell whether trainings are the same but for their examples, and leave the folder alone.

    Where the folder's losses go on, what B learns depends on the example by way of D_B, so each
    has a B of its own.
    """
    first = trainers[0]
    return all(
        isinstance(one.phase, PhaseTwo)
        and not one.phase.config.folder_learns
        and one.phase.config == cast(PhaseTwo, first.phase).config
        and (one.step, one.precision) == (first.step, first.precision)
        and one.networks.stroke_filter_a == first.networks.stroke_filter_a
        for one in trainers
    )


class Stack:
    """Trainings that take each step together.

    Each has its own weights, optimisers, average and health; only the arithmetic is shared: the
    views of several examples pass through the layers that are the same for all of them at once. On
    a CPU its threads share the examples out, and wait for one another once in a step instead of at
    every layer (decision 0039). What each training comes to is what it would come to alone, to
    rounding.

    Args:
        trainers: one of any kind, or several that `may_step_together`.
        threads: that share several out on a CPU; torch's number if None.
    """

    def __init__(self, trainers: Sequence[Trainer[Any]], threads: int | None = None) -> None:
        self.trainers = tuple(trainers)
        most = threads or torch.get_num_threads()
        num_lanes = min(len(trainers), most) if self.device.type == "cpu" else 1
        self._lanes = [_Lane(part) for part in _divided(self.trainers, num_lanes)]

    @property
    def num_lanes(self) -> int:
        """How many parts step side by side, each by its share of the threads."""
        return len(self._lanes)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.trainers[0].step

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.trainers[0].device

    @property
    def precision(self) -> Precision:
        """Of all of them."""
        return self.trainers[0].precision

    @precision.setter
    def precision(self, precision: Precision) -> None:
        for trainer in self.trainers:
            trainer.precision = precision

    @property
    def memory_format(self) -> torch.memory_format:
        """The order in memory of all their weights."""
        return self.trainers[0].memory_format

    @memory_format.setter
    def memory_format(self, memory_format: torch.memory_format) -> None:
        for trainer in self.trainers:
            if trainer.memory_format is not memory_format:
                trainer.reorder(memory_format)

    def do_step(self, batch: Batch, rate: float) -> list[StepRecord]:
        """Run one step and change the weights of all.

        Args:
            batch: views by domain; of A, those of one training after another.
            rate: share of the learning rate that the schedule leaves, 0 to 1.

        Returns:
            A record for each training.
        """
        if self.num_lanes == 1:
            return self._lanes[0].do_step(batch, rate)
        num_views = len(batch["a"]) // len(self.trainers)
        parts = torch.split(batch["a"], [num_views * len(lane.trainers) for lane in self._lanes])
        batches: list[Batch] = [{**batch, "a": part} for part in parts]
        pairs = list(zip(self._lanes, batches, strict=True))
        threads = torch.get_num_threads() // self.num_lanes
        if not threads:  # Other programs have the cores.
            made = [lane.do_step(own, rate) for lane, own in pairs]
        else:
            steps = [self._pool.submit(lane.step_with, threads, own, rate) for lane, own in pairs]
            wait(steps)  # Where one fails, the others too have to be done with their weights.
            made = [step.result() for step in steps]
        return [record for records in made for record in records]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.num_lanes, "ost-lane")


class _Lane:
    """Those trainings of a stack whose views pass through the shared layers at once.

    Args:
        trainers: as of `Stack`.
    """

    def __init__(self, trainers: Sequence[Trainer[Any]]) -> None:
        self.trainers = trainers
        self._joined = (
            side_by_side([one.networks for one in trainers]) if len(trainers) > 1 else None
        )

    def step_with(self, threads: int, batch: Batch, rate: float) -> list[StepRecord]:
        """Run one step with so many threads, in a thread that is the lane's for that time."""
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return self.do_step(batch, rate)

    def do_step(self, batch: Batch, rate: float) -> list[StepRecord]:
        """Run one step and change the weights: as of `Stack`."""
        first = self.trainers[0]
        if self._joined is None:
            return [first.do_step(batch, rate)]
        views = on_device(batch, first.device)
        with autocast(first.device, first.precision):
            records = cast(PhaseTwo, first.phase).run_together(
                self._joined, views, len(self.trainers), first.chance()
            )
        # One example's total does not depend on another's layers, so their sum has all gradients.
        total = torch.stack([record.totals[EXAMPLE] for record in records]).sum()
        weights = [weight for one in self.trainers for weight in one.table[EXAMPLE]]
        gradients = iter(torch.autograd.grad(total, weights, allow_unused=True))
        for one in self.trainers:
            own = [next(gradients) for _ in one.table[EXAMPLE]]
            one.change_weights({EXAMPLE: own}, rate)
        return records


def _divided(trainers: Sequence[Trainer[Any]], num_parts: int) -> list[Sequence[Trainer[Any]]]:
    """Return the trainings in so many runs of about the same length."""
    bounds = [round(part * len(trainers) / num_parts) for part in range(num_parts + 1)]
    return [trainers[first:last] for first, last in pairwise(bounds)]


def joined(batches: Iterable[Batch]) -> Batch:
    """Return one batch for a stack: the views of every example, and of the folder the first's."""
    first, *others = batches
    if not others:
        return first
    return {**first, "a": torch.cat([first["a"], *(batch["a"] for batch in others)])}

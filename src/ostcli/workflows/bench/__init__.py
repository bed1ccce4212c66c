"""How fast `ost` is on this machine, beside the authors' arithmetic: `ost bench`."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from ostcli import __version__
from ostcli.config import DeviceChoice
from ostcli.errors import UsageError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.training.device import prepare_arithmetic
from ostcli.workflows.bench.arithmetic import learning_row, step_row, translation_rows
from ostcli.workflows.bench.commands import Commands
from ostcli.workflows.bench.digits import together_row
from ostcli.workflows.bench.effort import FULL, QUICK, Effort
from ostcli.workflows.bench.machine import Machine, measure_machine
from ostcli.workflows.bench.rows import Row

PHASES = (1, 2)
PARTS: dict[str, Callable[[Machine, Commands, Effort], Iterable[Row]]] = {
    "steps": lambda machine, _, effort: (
        step_row(phase, machine, size=effort.step_size, rounds=effort.rounds) for phase in PHASES
    ),
    "losses": lambda machine, _, effort: (
        learning_row(phase, machine, num_steps=effort.learning_steps) for phase in PHASES
    ),
    "digits": lambda machine, _, effort: [together_row(machine, rounds=effort.rounds)],
    "translation": lambda machine, _, effort: translation_rows(machine, rounds=effort.rounds),
    "training": lambda _, commands, __: chain([commands.pretrain_row()], commands.adapt_rows()),
    "batch": lambda machine, commands, _: commands.batch_rows(machine),
    "large": lambda machine, commands, _: chain(
        commands.large_rows(), [commands.tiles_row(machine)]
    ),
    "sharing": lambda _, commands, __: commands.sharing_rows(),
    "start-up": lambda _, commands, __: commands.start_up_rows(),
}
"""What is timed, by the name that `only` takes."""


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """What a bench came to."""

    rows: tuple[Row, ...]
    machine: dict[str, object]
    version: str
    quick: bool
    stopped: bool
    """Whether a stop was asked for before the last part."""
    seconds: float


def bench(
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    device: DeviceChoice = DeviceChoice.AUTO,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> BenchResult:
    """Time what `ost` does, in turn with what it is held against.

    Args:
        quick: do less of each, within some five minutes.
        only: names of `PARTS`; all if empty.
        device: where to compute.
        on_event: told of each part and row.
        should_stop: asked after each row; true returns early.

    Raises:
        UsageError: there is no such part or device.
        OstError: a command that was to be timed failed.
    """
    if unknown := [name for name in only if name not in PARTS]:
        raise UsageError(f"the bench has no part {unknown[0]}", hint=f"use {', '.join(PARTS)}")
    began, effort = time.monotonic(), QUICK if quick else FULL
    prepare_arithmetic()
    machine = measure_machine(device)
    rows: list[Row] = []
    with Commands(device, effort) as commands:
        for name in only or PARTS:
            if should_stop():
                break
            on_event(Note(text=f"timing: {name}"))
            for row in PARTS[name](machine, commands, effort):
                rows.append(row)
                on_event(Note(text=sentence(row)))
                if should_stop():
                    break
    return BenchResult(
        rows=tuple(rows),
        machine=machine.facts(),
        version=__version__,
        quick=quick,
        stopped=should_stop(),
        seconds=round(time.monotonic() - began, 1),
    )


def sentence(row: Row) -> str:
    """Return a row in words."""
    met = "" if row.ok else ", missed"
    return (
        f"{row.name}: {row.ours:.3g} {row.unit}".rstrip()
        + f", {row.ratio:.3f} of {row.against} (goal {row.goal:.3f}{met})"
    )

"""The paper's tables and figures, made again: `ost reproduce`."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ostcli.config import DeviceChoice, Precision
from ostcli.errors import InputError, ResourceError, UsageError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.paper.digits.data import LOADERS
from ostcli.paper.domain import check_scikit_learn
from ostcli.paper.features import open_perceptual_network
from ostcli.paper.pictures.data import load_domains
from ostcli.paper.pictures.settings import TABLE_2, TABLE_3, PictureTask
from ostcli.paper.plots import can_plot
from ostcli.store.durable import make_folder
from ostcli.training.device import (
    choose_device,
    is_out_of_memory,
    keeping_all_memory,
    prepare_arithmetic,
)
from ostcli.training.precision import faster_precision
from ostcli.training.threads import using_threads
from ostcli.workflows.reproduce.book import Book, Table
from ostcli.workflows.reproduce.digits import TASKS, DigitLab, DigitTask
from ostcli.workflows.reproduce.fig_3 import fig_3
from ostcli.workflows.reproduce.minimality import minimality
from ostcli.workflows.reproduce.overfitting import overfitting
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.table_1 import table_1
from ostcli.workflows.reproduce.tables_2_3 import picture_table
from ostcli.workflows.reproduce.watch import StoppedError, Watch

OF_DIGITS: Mapping[str, Callable[[DigitLab, Book, Request], Table]] = {
    "fig3": fig_3,
    "table1": table_1,
    "overfitting": overfitting,
}
OF_PICTURES: Mapping[str, Sequence[PictureTask]] = {"table2": TABLE_2, "table3": TABLE_3}
EXPERIMENTS = (*OF_DIGITS, *OF_PICTURES, "minimality")


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A table that could not be made: there are no data, or phase I's training went wrong."""

    name: str
    reason: str
    hint: str
    """How to get the data, or what else to try."""


@dataclass(frozen=True, kw_only=True)
class ReproduceResult:
    """What `reproduce` came to."""

    tables: tuple[Table, ...]
    missing: tuple[Missing, ...]
    stopped: bool
    """Whether a stop was asked for before the end; what was done is kept."""
    seconds: float


def reproduce(
    experiments: Sequence[str],
    request: Request,
    *,
    device: DeviceChoice = DeviceChoice.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    on_event: OnEvent = ignore_events,
    should_stop: Callable[[], bool] = lambda: False,
) -> ReproduceResult:
    """Make tables and figures of the paper again; rows that are there already stay.

    Args:
        experiments: of `EXPERIMENTS`.
        request: of what, and how long.
        device: where to compute.
        precision: of every training; AUTO measures.
        threads: that it computes on; None leaves their number to what other programs take.
        on_event: told of each training and step.
        should_stop: asked between steps.

    Raises:
        UsageError: there is no such experiment, task or device, or no scikit-learn for the weights.
        InputError: no table could be made, for want of data, or as phase I went wrong.
        StoreError, ResourceError: a file cannot be written.
    """
    if unknown := [name for name in experiments if name not in EXPERIMENTS]:
        raise UsageError(
            f"there is no experiment {unknown[0]}", hint=f"use {', '.join(EXPERIMENTS)}, or all"
        )
    if request.weights and any(name in OF_PICTURES for name in experiments):
        check_scikit_learn()
    _check_tasks(request.tasks)
    prepare_arithmetic()
    began, where = time.monotonic(), choose_device(device)
    if precision is Precision.AUTO:
        precision = faster_precision(where, (Precision.BF16,))
    if not can_plot():
        on_event(
            Note(text="no plots without matplotlib: pip install 'ostcli[paper]'", warning=True)
        )
    with using_threads(threads):
        makers = _makers(experiments, request, precision, Watch(where, on_event, should_stop))
        if not makers:
            raise UsageError(
                f"{' and '.join(experiments)} have none of these tasks",
                hint="ost reproduce --help says which belong to what, or leave --task out",
            )
        make_folder(request.out)  # A folder that cannot be written is known before the work.
        return _made(makers, began)


def _made(makers: Mapping[str, Callable[[], Table]], began: float) -> ReproduceResult:
    """Make tables, past those that cannot be made, until a stop is asked for.

    Raises:
        InputError: none can be made.
        ResourceError: out of memory.
    """
    tables: list[Table] = []
    missing: list[Missing] = []
    stopped = False
    for name, make in makers.items():
        try:
            tables.append(make())
        except InputError as error:
            missing.append(Missing(name=name, reason=error.message, hint=error.hint))
        except StoppedError:
            stopped = True
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(
                f"out of memory while making {name}; finished rows are kept",
                hint="close other programs, or use --device cpu, and give the same command again",
            ) from error
    if not tables and not stopped and missing:
        raise InputError(missing[0].reason, hint=missing[0].hint)
    return ReproduceResult(
        tables=tuple(tables),
        missing=tuple(missing),
        stopped=stopped,
        seconds=time.monotonic() - began,
    )


def _makers(
    experiments: Sequence[str], request: Request, precision: Precision, watch: Watch
) -> Mapping[str, Callable[[], Table]]:
    """Return what makes each table, by its name for people."""
    makers: dict[str, Callable[[], Table]] = {}
    for name in experiments:
        if name == "minimality":
            book = Book(request.out / name, request.out / "rows" / name)
            makers[name] = partial(minimality, watch, book, request)
        for task in TASKS if name in OF_DIGITS else ():
            if request.has(task.key):
                makers[f"{name}, {task.title}"] = partial(
                    _of_digits, name, task, request, precision, watch
                )
        for of_pictures in OF_PICTURES.get(name, ()):
            if request.has(of_pictures.key):
                makers[f"{name}, {of_pictures.title}"] = partial(
                    _of_pictures, name, of_pictures, request, precision, watch
                )
    return makers


@keeping_all_memory()
def _of_digits(
    name: str,
    task: DigitTask,
    request: Request,
    precision: Precision,
    watch: Watch,
) -> Table:
    """Make the table of one direction.

    Raises:
        InputError: the data are missing or broken.
    """
    a, b = (LOADERS[domain](request.data, download=request.download) for domain in (task.a, task.b))
    lab = DigitLab(
        task, a, b, seed=request.seed, budget=request.budget, precision=precision, watch=watch
    )
    return OF_DIGITS[name](lab, Book.of(request.out, name, task.key), request)


def _of_pictures(
    name: str, task: PictureTask, request: Request, precision: Precision, watch: Watch
) -> Table:
    """Make the table of one task.

    Raises:
        InputError: the data, or the weights, are missing or broken.
    """
    network = open_perceptual_network(request.weights) if request.weights else None
    domains = load_domains(request.data / task.dataset, watch.on_event)
    lab = PictureLab(
        task,
        domains.swapped if task.swapped else domains,
        preset=request.preset,
        seed=request.seed,
        budget=request.budget,
        precision=precision,
        watch=watch,
    )
    book = Book.of(request.out, name, task.key)
    return picture_table(name, lab, book, request, network)


def _check_tasks(keys: Sequence[str]) -> None:
    """Raise unless there are such tasks.

    Raises:
        UsageError: there is none of a name.
    """
    known = [task.key for task in (*TASKS, *TABLE_2, *TABLE_3)]
    if unknown := [key for key in keys if key not in known]:
        raise UsageError(f"there is no task {unknown[0]}", hint=f"use {', '.join(known)}")

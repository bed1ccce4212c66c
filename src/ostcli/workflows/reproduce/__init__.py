"""The paper's tables and figures, made again: `ost reproduce`."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ostcli.config import DeviceChoice, Precision
from ostcli.errors import InputError, ResourceError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.paper.digits.data import LOADERS
from ostcli.paper.domain import check_scikit_learn
from ostcli.paper.features import PerceptualNetwork, open_perceptual_network
from ostcli.paper.pictures.data import load_domains
from ostcli.paper.pictures.settings import PictureTask
from ostcli.paper.plots import can_plot
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import versions
from ostcli.training.device import (
    CPU,
    choose_device,
    describe_device,
    is_out_of_memory,
    keeping_all_memory,
    prepare_arithmetic,
)
from ostcli.training.precision import faster_precision
from ostcli.training.threads import using_threads
from ostcli.workflows.reproduce.book import Book, Table
from ostcli.workflows.reproduce.digits import TASKS, DigitLab, DigitTask
from ostcli.workflows.reproduce.experiments import OF_DIGITS, OF_PICTURES, asked_for
from ostcli.workflows.reproduce.minimality import NAME as MINIMALITY
from ostcli.workflows.reproduce.minimality import minimality
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.tables_2_3 import picture_table
from ostcli.workflows.reproduce.watch import StoppedError, Watch


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
        experiments: of `experiments.EXPERIMENTS`.
        request: of what, and how long.
        device: where to compute.
        precision: of every training; AUTO measures.
        threads: that it computes on; None leaves their number to what other programs take.
        on_event: told of each training and step.
        should_stop: asked between steps.

    Raises:
        UsageError: there is no such experiment, task, row or device, or no scikit-learn for the
            weights.
        InputError: the weights are missing or broken; or no table could be made, for want of data,
            or as phase I went wrong.
        StoreError, ResourceError: a file cannot be written.
    """
    experiments = asked_for(experiments, request, on_event)
    prepare_arithmetic()
    network = _perceptual_network(experiments, request, on_event)
    began, where = time.monotonic(), choose_device(device)
    if not can_plot():
        on_event(
            Note(text="no plots without matplotlib: pip install 'ostcli[paper]'", warning=True)
        )
    with using_threads(threads):
        make_folder(request.out)  # A folder that cannot be written is known before the work.
        precision = _settled(precision, request.out, where)
        watch = Watch(where, on_event, should_stop)
        makers = _makers(experiments, request, precision, watch, network)
        return _made(makers, began, on_event)


def _perceptual_network(
    experiments: Sequence[str], request: Request, on_event: OnEvent
) -> PerceptualNetwork | None:
    """Open what figures of pictures need, where there is a task of pictures; else None.

    Raises:
        UsageError, InputError: see `reproduce`.
    """
    tasks = [task for name in experiments for task in OF_PICTURES.get(name, ())]
    if not any(request.has(task.key) for task in tasks):
        return None
    if request.weights is None:
        text = "no content, style, P(B) or KID of pictures without --weights, or --download"
        on_event(Note(text=text, warning=True))
        return None
    check_scikit_learn()
    return open_perceptual_network(request.weights)


def _settled(precision: Precision, out: Path, where: torch.device) -> Precision:
    """Return the precision of every training; AUTO is what AUTO came to when it was first measured.

    Rows of another precision are other rows, and two measurements may come out differently.
    """
    if precision is not Precision.AUTO:
        return precision
    path = out / "rows" / "precision.json"
    try:
        return Precision(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        measured = faster_precision(where, (Precision.BF16,))
        make_folder(path.parent)
        write_file(path, json.dumps(measured).encode())
        return measured


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """What makes a table."""

    name: str
    """Of the table, for people."""
    book: Book
    make: Callable[[Book], Table]


def _made(makers: Sequence[_Maker], began: float, on_event: OnEvent) -> ReproduceResult:
    """Make tables, past those that cannot be made, until a stop is asked for.

    Raises:
        InputError: none can be made.
        ResourceError: out of memory.
    """
    tables: list[Table] = []
    missing: list[Missing] = []
    stopped = False
    for maker in makers:
        try:
            tables.append(maker.make(maker.book))
            if tables[-1].is_poorer:
                text = (
                    f"{tables[-1].path} had more rows or columns before; rows are kept, and the "
                    "command that made it writes it again"
                )
                on_event(Note(text=text, warning=True))
        except InputError as error:
            missing.append(Missing(name=maker.name, reason=error.message, hint=error.hint))
            maker.book.write_missing(f"{maker.name} not made: {error.message}; {error.hint}")
        except StoppedError:
            stopped = True
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(
                f"out of memory while making {maker.name}; finished rows are kept",
                hint="close other programs, or use --device cpu, and give the same command again",
            ) from error
    if not tables and not stopped and missing:
        (reason, hint), *others = dict.fromkeys((each.reason, each.hint) for each in missing)
        for also, how in others:
            on_event(Note(text=f"{also}; {how}", warning=True))
        raise InputError(reason, hint=hint)
    return ReproduceResult(
        tables=tuple(tables),
        missing=tuple(missing),
        stopped=stopped,
        seconds=time.monotonic() - began,
    )


def _makers(
    experiments: Sequence[str],
    request: Request,
    precision: Precision,
    watch: Watch,
    network: PerceptualNetwork | None,
) -> list[_Maker]:
    """Return what makes each table."""
    makers: list[_Maker] = []
    for name in experiments:
        if name == MINIMALITY:
            book = _book(request.out, name, name, CPU)
            makers.append(_Maker(name=name, book=book, make=partial(minimality, watch, request)))
        given = request, precision, watch
        of_tasks: dict[tuple[str, str], Callable[[Book], Table]] = {
            (task.key, task.title): partial(_of_digits, name, task, *given)
            for task in TASKS
            if name in OF_DIGITS
        }
        of_tasks |= {
            (task.key, task.title): partial(_of_pictures, name, task, *given, network)
            for task in OF_PICTURES.get(name, ())
        }
        makers += [
            _Maker(
                name=f"{name}, {title}",
                book=_book(request.out, f"{name}-{key}", key, watch.device),
                make=make,
            )
            for (key, title), make in of_tasks.items()
            if request.has(key)
        ]
    return makers


def _book(out: Path, table: str, rows: str, where: torch.device) -> Book:
    """Return the book of a table, in the folder of all results, and of the rows of its task."""
    return Book(out / table, out / "rows" / rows, {**versions(), "device": describe_device(where)})


@keeping_all_memory()
def _of_digits(
    name: str,
    task: DigitTask,
    request: Request,
    precision: Precision,
    watch: Watch,
    book: Book,
) -> Table:
    """Make the table of one direction.

    Raises:
        InputError: the data are missing or broken.
    """
    a, b = (LOADERS[domain](request.data, download=request.download) for domain in (task.a, task.b))
    lab = DigitLab(
        task, a, b, seed=request.seed, budget=request.budget, precision=precision, watch=watch
    )
    book = replace(book, networks=lambda: lab.digests)
    return OF_DIGITS[name](lab, book, request)


def _of_pictures(
    name: str,
    task: PictureTask,
    request: Request,
    precision: Precision,
    watch: Watch,
    network: PerceptualNetwork | None,
    book: Book,
) -> Table:
    """Make the table of one task.

    Raises:
        InputError: the data are missing or broken.
    """
    domains = load_domains(
        task.dataset.folder(request.data), watch.on_event, hint=task.dataset.hint
    )
    lab = PictureLab(
        task=task,
        given=domains,
        runs=request.runs,
        preset=request.preset,
        seed=request.seed,
        budget=request.budget,
        precision=precision,
        watch=watch,
    )
    book = replace(book, networks=lambda: lab.digests_of_networks)
    return picture_table(name, lab, book, request, network)

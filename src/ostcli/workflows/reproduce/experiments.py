"""The experiments that there are, with their tasks and rows, and which of them are asked for."""

from collections.abc import Callable, Collection, Mapping, Sequence

from ostcli.errors import UsageError
from ostcli.events import Note, OnEvent
from ostcli.paper.pictures.settings import TABLE_2, TABLE_3, PictureTask
from ostcli.workflows.reproduce.book import Book, Table
from ostcli.workflows.reproduce.digits import TASKS, DigitLab, DigitTask
from ostcli.workflows.reproduce.fig_3 import ROWS as ROWS_OF_FIG_3
from ostcli.workflows.reproduce.fig_3 import fig_3
from ostcli.workflows.reproduce.minimality import NAME as MINIMALITY
from ostcli.workflows.reproduce.overfitting import METHODS as METHODS_OF_OVERFITTING
from ostcli.workflows.reproduce.overfitting import overfitting
from ostcli.workflows.reproduce.request import Request, rows_named
from ostcli.workflows.reproduce.table_1 import METHODS as METHODS_OF_TABLE_1
from ostcli.workflows.reproduce.table_1 import table_1
from ostcli.workflows.reproduce.tables_2_3 import ROWS as ROWS_OF_PICTURES

OF_DIGITS: Mapping[str, Callable[[DigitLab, Book, Request], Table]] = {
    "fig3": fig_3,
    "table1": table_1,
    "overfitting": overfitting,
}
OF_PICTURES: Mapping[str, Sequence[PictureTask]] = {"table2": TABLE_2, "table3": TABLE_3}
ROWS: Mapping[str, Collection[str]] = {
    "fig3": ROWS_OF_FIG_3,
    "table1": [method.name for method in METHODS_OF_TABLE_1],
    "overfitting": METHODS_OF_OVERFITTING,
    "table2": ROWS_OF_PICTURES,
    "table3": ROWS_OF_PICTURES,
    MINIMALITY: [MINIMALITY],
}
"""The names of the rows of each experiment."""
EXPERIMENTS = tuple(ROWS)


def asked_for(experiments: Sequence[str], request: Request, on_event: OnEvent) -> list[str]:
    """Return the experiments that have a task and a row which are asked for.

    Raises:
        UsageError: there is no experiment, task or row of a name, or nothing to do.
    """
    if unknown := [name for name in experiments if name not in EXPERIMENTS]:
        raise UsageError(
            f"there is no experiment {unknown[0]}", hint=f"use {', '.join(EXPERIMENTS)}, or all"
        )
    known = [task.key for task in (*TASKS, *TABLE_2, *TABLE_3)]
    if unknown := [key for key in request.tasks if key not in known]:
        raise UsageError(f"there is no task {unknown[0]}", hint=f"use {', '.join(known)}")
    of_tasks = [name for name in experiments if _has_task(name, request)]
    if not of_tasks:
        own = dict.fromkeys(task.key for name in experiments for task in _tasks_of(name))
        raise UsageError(
            f"none of these tasks belongs to {' or '.join(experiments)}",
            hint=f"use {', '.join(own)}, or leave --task out",
        )
    if not request.only:
        return of_tasks
    every = dict.fromkeys(row for name in of_tasks for row in ROWS[name])
    if unknown := [part for part in request.only if not rows_named(part, every)]:
        raise UsageError(
            f"there is no row {unknown[0]!r} in {' or '.join(of_tasks)}",
            hint=f"give a name or a part of one: {'; '.join(every)}",
        )
    asked = [
        name for name in of_tasks if any(rows_named(part, ROWS[name]) for part in request.only)
    ]
    for name in of_tasks:
        if name not in asked:
            on_event(Note(text=f"{name} has none of these rows, and is left out"))
    return asked


def _tasks_of(experiment: str) -> Sequence[DigitTask | PictureTask]:
    return TASKS if experiment in OF_DIGITS else OF_PICTURES.get(experiment, ())


def _has_task(experiment: str, request: Request) -> bool:
    tasks = _tasks_of(experiment)
    return not tasks or any(request.has(task.key) for task in tasks)

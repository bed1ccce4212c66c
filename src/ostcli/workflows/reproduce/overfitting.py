"""The talk's strip on overfitting: what becomes of a digit, selective above non-selective."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

from PIL import Image

from ostcli.events import Note
from ostcli.images.sheet import contact_sheet
from ostcli.method.networks import Networks
from ostcli.paper.digits.settings import ADAPT_STEPS, FULL, TABLE_1, TWIN
from ostcli.paper.intervals import Estimate
from ostcli.paper.plots import plot_lines
from ostcli.workflows.reproduce.book import Book, Draft, Table, Values
from ostcli.workflows.reproduce.digits import DigitLab, Drawn
from ostcli.workflows.reproduce.methods import Trained, one_shot
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.rows import cell, estimate, pieces, strip

NUM_LOOKS = 10
"""At the translations, after equal numbers of steps; one more before the first."""
LENGTH = 4
"""How many times as long as Table 1's runs: overfitting takes its time."""
NUM_RUNS = 50
"""At most."""
SHOWN = 6
"""Digits whose course the sheet shows."""
TILE = 48
"""Pixels of each look."""
HEADINGS = ("steps", "selective: accuracy", "realism", "non-selective: accuracy", "realism")
ROWS = {"selective": FULL, "non-selective": TWIN}
"""By their names in Table 1."""


def overfitting(lab: DigitLab, book: Book, request: Request) -> Table:
    """Follow runs of both kinds, and write the strip; see `table_1`."""
    steps = lab.steps(LENGTH * ADAPT_STEPS)
    looks = sorted({round(steps * index / NUM_LOOKS) for index in range(NUM_LOOKS + 1)})
    drawn = lab.drawn(min(NUM_RUNS, request.runs))
    courses = {
        name: _course(name, _method(row), looks, lab, drawn, book, request)
        for name, row in ROWS.items()
    }
    return book.write(
        Draft(
            name=f"overfitting-{lab.task.key}",
            introduction=(
                f"# Overfitting, {lab.task.title}\n\n{lab.introduction}\n\nThe same "
                f"{len(drawn.labels)} pictures of A as training goes on for {LENGTH} times as "
                "long, where their losses change A's own layers alone, and where they change "
                "every layer."
            ),
            headings=HEADINGS,
            cells=[
                [str(step), *(text for course in courses.values() for text in _at(course, step))]
                for step in looks
            ],
            values={
                "task": lab.task.key,
                "facts": lab.facts,
                "settings": lab.settings,
                "courses": courses,
            },
            plot=partial(_plot, lab, courses) if any(courses.values()) else None,
            sheet=_sheet(drawn, looks, book),
        )
    )


def _method(row: str) -> Trained[Networks]:
    [ablation] = (each for each in TABLE_1 if each.name == row)
    return one_shot(ablation, steps=LENGTH * ADAPT_STEPS)


def _course(
    name: str,
    method: Trained[Networks],
    looks: Sequence[int],
    lab: DigitLab,
    drawn: Drawn,
    book: Book,
    request: Request,
) -> Values | None:
    """Return the figures of one kind of runs by step, and keep their strips, one below another."""
    settings = {
        **lab.settings,
        "method": method.settings,
        "runs": len(drawn.labels),
        "looks": list(looks),
    }
    found = book.found(name, settings)
    if found is not None or not request.wants(name):
        return found
    lab.watch.check()
    lab.watch.on_event(Note(text=f"{lab.task.title}, overfitting: {name}"))
    made = method.translate(lab, drawn, looks)
    book.keep_pictures(name, [strip(made[step][:SHOWN, 0]) for step in looks])
    figures = {
        str(step): asdict(lab.judge.score(pictures, drawn.labels))
        for step, pictures in made.items()
    }
    return book.keep(name, settings, figures)


def _at(course: Values | None, step: int) -> list[str]:
    if course is None:
        return ["not run", "–"]
    return [cell(course[str(step)][figure]) for figure in ("accuracy", "realism")]


def _sheet(drawn: Drawn, looks: Sequence[int], book: Book) -> Image.Image:
    """Return a row of looks for each digit and kind."""
    examples = pieces(strip(drawn.pictures[:SHOWN, 0]))
    by_kind = {
        name: [pieces(at_look) for at_look in strips]
        for name in ROWS
        if (strips := book.pictures(name))
    }
    rows = {
        (index, name): [example, *(at_look[index] for at_look in course)]
        for index, example in enumerate(examples)
        for name, course in by_kind.items()
    }
    return contact_sheet(
        list(rows.values()),
        columns=["x", *(str(step) for step in looks)],
        row_labels=[name for _, name in rows],
        tile=TILE,
        widest_label=2 * TILE,
    )


def _plot(lab: DigitLab, courses: Mapping[str, Values | None]) -> bytes:
    lines: dict[str, dict[float, Estimate]] = {
        name: {float(step): estimate(scores["accuracy"]) for step, scores in course.items()}
        for name, course in courses.items()
        if course is not None
    }
    return plot_lines(
        lines, title=f"Overfitting, {lab.task.title}", x_axis="steps", y_axis="accuracy", log=False
    )

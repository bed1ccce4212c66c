"""The talk's strip on overfitting: what becomes of a digit, selective above not selective.

Below the two are the same as the authors' code trains them, UNIT and CycleGAN, so that every
method is seen at every length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from PIL import Image

from ostcli.events import Note
from ostcli.images.sheet import contact_sheet
from ostcli.paper.digits.settings import ADAPT_STEPS, FULL, TABLE_1, TWIN
from ostcli.paper.plots import plot_lines
from ostcli.paper.tables import Comparison, seconds_cell
from ostcli.workflows.reproduce.book import NOT_RUN, Book, Draft, Row, Table, Values
from ostcli.workflows.reproduce.digit_methods import (
    Trained,
    as_authors_code,
    cyclegan,
    one_shot,
    unit,
)
from ostcli.workflows.reproduce.digits import DigitLab, Drawn
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.rows import (
    CONTROLS_ELSEWHERE,
    INTERVALS,
    PLOTTED,
    SCORES,
    about,
    cell,
    compared_by_run,
    estimate,
    panels_of,
    pieces,
    strip,
    translate_in_parts,
)

LOOKS = (0.0, 1 / 6, 1 / 3, 2 / 3, 1.0, 4 / 3, 2.0, 3.0, 4.0)
"""At the translations, in lengths of Table 1's runs; many early ones, as methods part there."""
NUM_RUNS = 50
"""At most."""
SHOWN = 6
"""Digits whose course the sheet shows."""
TILE = 48
"""Pixels of each look."""
OF_TABLE_1 = {row.name: row for row in TABLE_1}
SELECTIVE = "selective"
AUTHORS, AUTHORS_TWIN = (as_authors_code(OF_TABLE_1[name]) for name in (FULL, TWIN))
METHODS: Mapping[str, Trained[Any]] = {
    SELECTIVE: one_shot(OF_TABLE_1[FULL]),
    "not selective": one_shot(OF_TABLE_1[TWIN]),
    **{
        method.name: method
        for method in (
            AUTHORS,
            AUTHORS_TWIN,
            unit(from_phase_one=True),
            cyclegan(from_phase_one=True),
        )
    },
}
"""Each goes on to the last of the looks."""
AGAINST = {
    **dict.fromkeys([name for name in METHODS if name != SELECTIVE], SELECTIVE),
    AUTHORS_TWIN.name: AUTHORS.name,
}
"""What each is compared with."""
HEADINGS = ("", "steps", *(SCORES[score] for score in PLOTTED), "s each")


def overfitting(lab: DigitLab, book: Book, request: Request) -> Table:
    """Follow runs of each kind, and write the strip; see `table_1`."""
    looks = sorted({lab.steps(round(length * ADAPT_STEPS)) for length in LOOKS})
    drawn = lab.drawn(min(NUM_RUNS, request.runs))
    rows = {
        name: book.row(
            name,
            {
                **lab.settings,
                "method": _prolonged(method).settings,
                "runs": len(drawn.labels),
                "looks": looks,
            },
        )
        for name, method in METHODS.items()
    }
    chosen = request.chosen(rows, lab.task.title, lab.watch.on_event)
    courses = {
        name: _kept(row, looks) or (_make(row, looks, lab, drawn) if name in chosen else None)
        for name, row in rows.items()
    }
    head = about(lab, book, (rows[name].made_with for name, course in courses.items() if course))
    return book.write(
        Draft(
            name=f"overfitting-{lab.task.key}",
            introduction=(
                f"# Overfitting, {lab.task.title}\n\n{head.text}\n\nThe same "
                f"{len(drawn.labels)} pictures of A as training goes on for {LOOKS[-1]:.0f} times "
                "as long: the full method, where their losses change A's own layers alone; the "
                "same where they change every layer; both as the authors' code has them (decision "
                f"0049); and UNIT and CycleGAN from phase I's networks. {INTERVALS} All steps are "
                "of the same runs, whose learning rate falls over the last quarter, and what the "
                "authors' code makes not selective is compared with what it makes selective. "
                f"{CONTROLS_ELSEWHERE}"
            ),
            headings=HEADINGS,
            cells=[line for name, course in courses.items() for line in _lines(name, course)],
            values=head.values,
            rows=[
                {
                    "method": name,
                    "step": step,
                    "figures": course and course[str(step)],
                    "made_with": rows[name].made_with,
                }
                for name, course in courses.items()
                for step in looks
            ],
            comparison=_comparison(courses, looks),
            made=[name for name, course in courses.items() if course],
            plot=partial(_plot, lab, courses) if any(courses.values()) else None,
            sheet=_sheet(drawn, looks, [row for name, row in rows.items() if courses[name]])
            if any(courses.values())
            else None,
        )
    )


def _comparison(courses: Mapping[str, Values | None], looks: Sequence[int]) -> Comparison | None:
    """Compare what is selective with the others, run by run after as many steps."""
    of_its_own = {SELECTIVE: "", AUTHORS.name: " (from its own selective)"}
    pairs = {
        f"{name}{of_its_own[ours]}, {step} steps": (selective[str(step)], course[str(step)])
        for name, ours in AGAINST.items()
        if (selective := courses[ours]) and (course := courses[name])
        for step in looks
        if step
    }
    return compared_by_run(f"{SELECTIVE}, after as many steps", pairs)


def _prolonged(method: Trained[Any]) -> Trained[Any]:
    return replace(method, steps=round(LOOKS[-1] * ADAPT_STEPS))


def _kept(row: Row, looks: Sequence[int]) -> Values | None:
    """Return what is on the disk of a kind; None unless all of it is."""
    return row.figures if row.pictures(len(looks)) else None


def _make(row: Row, looks: Sequence[int], lab: DigitLab, drawn: Drawn) -> Values:
    """Follow one kind of runs: keep its figures by step, and a strip for each look."""
    lab.watch.check()
    lab.watch.on_event(Note(text=f"{lab.task.title}, overfitting: {row.name}"))
    made, seconds = translate_in_parts(row, _prolonged(METHODS[row.name]), lab, drawn, looks)
    for index, step in enumerate(looks):
        row.keep_picture(index, strip(made[step][:SHOWN, 0]))
    course: dict[str, dict[str, Any]] = {
        str(step): asdict(lab.judge.score(pictures, drawn.labels))
        for step, pictures in made.items()
    }
    course[str(looks[-1])]["seconds_each"] = seconds / len(drawn.labels)  # Of the whole course.
    return row.keep(course, lab.digests_of_judge)


def _lines(name: str, course: Values | None) -> list[list[str]]:
    """Return a line for each look."""
    if course is None:
        return [[name, "–", *[NOT_RUN] * len(PLOTTED), "–"]]
    return [
        [name, step, *(cell(estimate(figures[score])) for score in PLOTTED), _taken(figures)]
        for step, figures in course.items()
    ]


def _taken(figures: Values) -> str:
    """Return the seconds of a run to its end, which stand at its last look."""
    return seconds_cell(figures["seconds_each"]) if "seconds_each" in figures else "–"


def _sheet(drawn: Drawn, looks: Sequence[int], rows: Sequence[Row]) -> Image.Image:
    """Return a row of looks for each digit and kind."""
    examples = pieces(strip(drawn.pictures[:SHOWN, 0]))
    by_kind = {
        row.name: [pieces(at_look) for at_look in row.pictures(len(looks)) or ()] for row in rows
    }
    shown = {
        (index, name): [example, *(at_look[index] for at_look in course)]
        for index, example in enumerate(examples)
        for name, course in by_kind.items()
    }
    return contact_sheet(
        list(shown.values()),
        columns=["x", *(str(step) for step in looks)],
        row_labels=[name for _, name in shown],
        tile=TILE,
        widest_label=5 * TILE,
    )


def _plot(lab: DigitLab, courses: Mapping[str, Values | None]) -> bytes:
    lines = {
        name: {float(step): figures for step, figures in (course or {}).items()}
        for name, course in courses.items()
    }
    title = f"Overfitting, {lab.task.title}"
    return plot_lines(panels_of(lines), title=title, x_axis="steps", log=False)

"""Figure 3: accuracy by the number of pictures of A."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ostcli.paper.digits.settings import ADAPT_STEPS, TABLE_1
from ostcli.paper.plots import plot_lines
from ostcli.paper.tables import Comparison, seconds_cell
from ostcli.workflows.reproduce.book import NOT_RUN, Book, Draft, Table, Values
from ostcli.workflows.reproduce.digit_methods import Trained, cyclegan, one_shot, unit
from ostcli.workflows.reproduce.digits import DigitLab
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.rows import (
    CONTROLS_ELSEWHERE,
    FEWEST_RUNS,
    INTERVALS,
    SCORES,
    Asked,
    about,
    cells,
    compared_by_run,
    figures_of,
    for_programs,
    make_rows,
    of_pictures_seen,
    panels_of,
)

NUMBERS = (1, 2, 5, 10, 50, 500)
"""Of pictures of A that a run has."""
METHODS: Mapping[str, Trained[Any]] = {
    "OST": one_shot(TABLE_1[-1]),
    "UNIT, from phase I": unit(from_phase_one=True),
    "CycleGAN, from phase I": cyclegan(from_phase_one=True),
}
VIEWS_OF_EACH = 3
"""Of a picture of A, on the average, where there are many: more steps then."""
MOST_PICTURES = 1_000
"""Of a point: no more runs than have so many pictures together, as the paper's averages have, but
enough to compare methods by."""
ROWS = {f"{name}, {n} of A": (n, name) for n in NUMBERS for name in METHODS}
"""The number of pictures and the method of each."""
HEADINGS = ("pictures of A", "method", "runs", *SCORES.values(), "s each")


def fig_3(lab: DigitLab, book: Book, request: Request) -> Table:
    """Make the points of one direction, and write the table; see `table_1`."""
    keys = {row: (number, name) for row, (number, name) in ROWS.items() if number <= len(lab.pool)}
    asked = {
        row: Asked(
            method=replace(METHODS[name], steps=_steps(number)),
            num_own=number,
            most_runs=max(FEWEST_RUNS, _most_pictures(request) // number),
        )
        for row, (number, name) in keys.items()
    }
    made = {keys[name]: row for name, row in make_rows(lab, book, request, asked).items()}
    found = figures_of(made)
    head = about(lab, book, (row.made_with for row in made.values() if row))
    return book.write(
        Draft(
            name=f"fig3-{lab.task.key}",
            introduction=(
                f"# Figure 3, {lab.task.title}\n\n{head.text}\n\n{_caution(lab, request)}"
                f"{of_pictures_seen(lab, list(asked.values()), request)}"
            ),
            headings=HEADINGS,
            cells=[_cells(*key, figures) for key, figures in found.items()],
            values=head.values,
            rows=[
                {"pictures_of_a": number, "method": name, **for_programs(row)}
                for (number, name), row in made.items()
            ],
            comparison=_comparison(found),
            made=[row for row, key in keys.items() if found[key]],
            plot=partial(_plot, lab, found) if any(found.values()) else None,
        )
    )


def _comparison(found: Mapping[tuple[int, str], Values | None]) -> Comparison | None:
    """Compare OST with the others at each number of pictures."""
    pairs = {}
    for (number, name), figures in found.items():
        ours = found[number, "OST"]
        if name != "OST" and ours and figures:
            pairs[f"{name}, {number} of A"] = (ours, figures)
    return compared_by_run("OST, with as many of A", pairs)


def _most_pictures(request: Request) -> int:
    """Return how many pictures the runs of a point have together, at most."""
    return max(MOST_PICTURES, request.runs)


def _caution(lab: DigitLab, request: Request) -> str:
    return (
        f"{INTERVALS} No run has a picture of another, and more than {FEWEST_RUNS} runs have at "
        f"most {_most_pictures(request):,} together, so many pictures mean few runs, and a single "
        "run has no interval. Where there are many, the steps are "
        f"{VIEWS_OF_EACH * lab.budget:g} for each. The paper gives no numbers, only curves: OST "
        "above both others at one picture (0.23 in its Table 1), overtaken as A grows. "
        f"{CONTROLS_ELSEWHERE}"
    )


def _steps(number: int) -> int:
    """Return how many steps of one view each a run with so many pictures takes, at budget 1."""
    return max(ADAPT_STEPS, VIEWS_OF_EACH * number)


def _cells(number: int, name: str, figures: Values | None) -> list[str]:
    if figures is None:
        return [str(number), name, NOT_RUN, *["–"] * len(SCORES)]
    num_runs = len(figures["of_runs"]["accuracy"])
    return [
        str(number),
        name,
        f"{num_runs}",
        *cells(figures),
        seconds_cell(figures["seconds_each"]),
    ]


def _plot(lab: DigitLab, found: Mapping[tuple[int, str], Values | None]) -> bytes:
    lines: dict[str, dict[float, Values]] = {name: {} for name in METHODS}
    for (number, name), figures in found.items():
        if figures is not None:
            lines[name][number] = figures
    title = f"Figure 3, {lab.task.title}"
    return plot_lines(panels_of(lines), title=title, x_axis="pictures of A")

"""Figure 3: accuracy by the number of pictures of A."""

from functools import partial

from ostcli.paper.digits.settings import TABLE_1
from ostcli.paper.intervals import Estimate
from ostcli.paper.plots import plot_lines
from ostcli.workflows.reproduce.book import Book, Draft, Table, Values
from ostcli.workflows.reproduce.digits import DigitLab
from ostcli.workflows.reproduce.methods import DigitMethod, cyclegan, one_shot, unit
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.rows import DigitRows, cell, estimate

NUMBERS = (1, 2, 5, 10, 50, 500)
"""Of pictures of A that a run has."""
HEADINGS = ("pictures of A", "method", "runs", "accuracy", "balanced", "realism", "s each")
CAUTION = (
    "No run has a picture of another, so many pictures mean few runs; a single run has the "
    "interval of its pictures, which says nothing of another run. The paper gives no numbers, "
    "only curves: OST above both others at one picture (0.23 in its Table 1), overtaken as A grows."
)


def fig_3(lab: DigitLab, book: Book, request: Request) -> Table:
    """Make the points of one direction, and write the table; see `table_1`."""
    methods: dict[str, DigitMethod] = {
        "OST": one_shot(TABLE_1[-1]),
        "UNIT": unit(from_phase_one=True),
        "CycleGAN": cyclegan(from_phase_one=True),
    }
    rows = DigitRows(lab, book, request)
    numbers = [number for number in NUMBERS if number <= len(lab.pool)]
    found = {
        (number, name): rows.of(f"{name}, {number} of A", method, number)
        for number in numbers
        for name, method in methods.items()
    }
    return book.write(
        Draft(
            name=f"fig3-{lab.task.key}",
            introduction=f"# Figure 3, {lab.task.title}\n\n{lab.introduction}\n\n{CAUTION}",
            headings=HEADINGS,
            cells=[_cells(*key, figures) for key, figures in found.items()],
            values={
                "task": lab.task.key,
                "facts": lab.facts,
                "settings": lab.settings,
                "points": [
                    {"pictures_of_a": number, "method": name, "figures": figures}
                    for (number, name), figures in found.items()
                ],
            },
            plot=partial(_plot, lab, found) if any(found.values()) else None,
        )
    )


def _cells(number: int, name: str, figures: Values | None) -> list[str]:
    if figures is None:
        return [str(number), name, "not run", *["–"] * 4]
    scores = [cell(figures[score]) for score in ("accuracy", "balanced", "realism")]
    return [
        str(number),
        name,
        str(len(figures["of_runs"])),
        *scores,
        f"{figures['seconds_each']:.2g}",
    ]


def _plot(lab: DigitLab, found: dict[tuple[int, str], Values | None]) -> bytes:
    lines: dict[str, dict[float, Estimate]] = {}
    for (number, name), figures in found.items():
        if figures is not None:
            lines.setdefault(name, {})[number] = estimate(figures["accuracy"])
    return plot_lines(
        lines,
        title=f"Figure 3, {lab.task.title}",
        x_axis="pictures of A",
        y_axis="accuracy",
    )

"""Tables as people read them in a report: Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import Estimated

HEADINGS = {
    "content": "content ↓",
    "style": "style ↓",
    "domain": "P(B) ↑",
    "kid": "KID ↓",
    "artefacts": "artefacts ↓",
    "error": "error ↓",
    "detail": "detail ↑",
    "within": "within 16 ↑",
}
"""Of the figures, with the direction in which a result gets better."""
COMPARED = ("content", "style", "domain", "kid", "error", "detail")
"""Figures by which ways of translating are compared on the same sources."""
FEWEST_SOURCES = 5
"""Sources below which nothing is said of differences."""
REAL = "real"
"""Pictures of B that no training saw: what a result can be at best. They are of no source."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How one row of a table compares with the others, on the same pictures."""

    ours: str
    """The name of the one."""
    figures: Sequence[str]
    """By which, as headings."""
    less: Mapping[str, Sequence[Estimate | None]]
    """Ours less another row, by its name: for each of the figures."""

    def markdown(self) -> str:
        """Return it as a table of its own, below a heading."""
        cells = [
            [name, *(_emphasised(each) for each in differences)]
            for name, differences in self.less.items()
        ]
        return (
            f"## “{self.ours}” less each other row\n\nOf the same pictures. **Bold**: the interval "
            "does not hold 0. Of twenty such figures of rows that do not differ, one is bold on "
            f"the average.\n\n{markdown_table(['less', *self.figures], cells)}"
        )


def compared(ways: Mapping[str, Estimated], ours: str) -> Comparison | None:
    """Compare one way of translating with the others, on the same sources.

    None of a few sources, or where neither features nor a truth are there to compare by.

    Args:
        ways: what they come to, by their names, the sources in the same order.
        ours: the name of the one.
    """
    own = ways.get(ours)
    if own is None or len(own.of_each) < FEWEST_SOURCES:
        return None
    # Those it has: without a network or a truth there are fewer.
    figures = [figure for figure in COMPARED if own.less(own, figure) is not None]
    if not figures:
        return None
    return Comparison(
        ours=readable(ours),
        figures=[HEADINGS[figure] for figure in figures],
        less={
            readable(name): [own.less(other, figure) for figure in figures]
            for name, other in ways.items()
            if name not in {ours, REAL}
        },
    )


def table_of_estimates(
    rows: Mapping[str, Mapping[str, Estimate]], figures: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of a table whose figures have intervals.

    Args:
        rows: the figures of each way of translating, by its name.
        figures: the columns.
    """
    cells = [
        [readable(name), *(estimate_cell(row.get(each)) for each in figures)]
        for name, row in rows.items()
    ]
    return ["", *(HEADINGS[figure] for figure in figures)], cells


def estimate_cell(estimate: Estimate | None) -> str:
    """Return a figure with the reach of its interval, which is as far to either side."""
    if estimate is None:
        return "–"
    if estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ± {estimate.high - estimate.value:.3f}"


def readable(name: str) -> str:
    """Return the name of a way of translating as it stands in a table or on a sheet."""
    return name.replace("_", " ")


def seconds_cell(seconds: float) -> str:
    """Return a length of time, to two digits where it is short."""
    return f"{seconds:.2g}" if seconds < 10 else f"{seconds:,.0f}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its first column to the left and the others to the right."""
    marks = ["---", *["--:"] * (len(headings) - 1)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (headings, marks, *rows)]
    return "\n".join(lines) + "\n"


def _emphasised(difference: Estimate | None) -> str:
    """Return a difference for people, in bold where there is one."""
    text = estimate_cell(difference)
    return f"**{text}**" if difference is not None and difference.excludes(0) else text

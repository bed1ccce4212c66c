"""Tables as people read them in a report: Markdown."""

from collections.abc import Mapping, Sequence

from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import Scores

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


def table_of_scores(
    scores: Mapping[str, Scores], figures: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of a table.

    Args:
        scores: a row for each way of translating, by its name.
        figures: the columns.
    """
    cells = {name: [_cell(getattr(row, each)) for each in figures] for name, row in scores.items()}
    return _table(cells, figures)


def table_of_estimates(
    rows: Mapping[str, Mapping[str, Estimate]], figures: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of a table whose figures have intervals.

    Args:
        rows: the figures of each way of translating, by its name.
        figures: the columns.
    """
    cells = {name: [estimate_cell(row.get(each)) for each in figures] for name, row in rows.items()}
    return _table(cells, figures)


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


def _table(
    cells: Mapping[str, Sequence[str]], figures: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    rows = [[readable(name), *of_row] for name, of_row in cells.items()]
    return ["", *(HEADINGS[figure] for figure in figures)], rows


def _cell(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"

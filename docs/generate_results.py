"""Write the tables of docs/results.md from the JSON of `ost reproduce` in docs/results.

    python docs/generate_results.py

What stands between `<!-- table NAME -->` and `<!-- end -->` there is replaced. A test compares the
page with what this would write.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ostcli.paper.pictures.settings import TABLE_2, TABLE_3, PictureTask
from ostcli.paper.tables import markdown_table
from ostcli.workflows.reproduce.digits import TASKS
from ostcli.workflows.reproduce.experiments import EXPERIMENTS
from ostcli.workflows.reproduce.rows import cell, estimate

PAGE = Path(__file__).parent / "results.md"
FOLDER = Path(__file__).parent / "results"
BLOCK = re.compile(
    r"(?P<begin><!-- table (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)

METHODS = {
    "OST, 1 of A": "OST, 1",
    "UNIT, 1 of A": "UNIT, 1",
    "CycleGAN, 1 of A": "CycleGAN, 1",
    "UNIT, all of A": "UNIT, all",
    "CycleGAN, all of A": "CycleGAN, all",
    "unadapted": "unadapted",
}
"""Rows of Tables 2 and 3 with the headings of their columns here."""

Values = Mapping[str, Any]


def table_of(experiment: str, task: str) -> Values | None:
    """Return a table's JSON; None while there is none."""
    path = FOLDER / f"{experiment}-{task}" / f"{experiment}-{task}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def rows_of(table: Values | None) -> Mapping[str, Values]:
    """Return a table's rows by their names."""
    return {row["name"]: row for row in table["rows"]} if table else {}


def reach(figure: Values) -> str:
    """Return a figure with the reach of its interval, as far to either side, where it has one."""
    if figure["high"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} ± {figure['high'] - figure['value']:.2f}"


def table_1() -> str:
    """Return accuracy, and right and real, published and ours, of every row."""
    found = {task.title: table_of("table1", task.key) for task in TASKS}
    rows = {title: rows_of(table) for title, table in found.items() if table}
    kinds = ("published", "accuracy", "right and real")
    names = dict.fromkeys(name for by_name in rows.values() for name in by_name)

    def cells(row: Values | None) -> list[str]:
        published, figures = (row or {}).get("published"), (row or {}).get("figures")
        known = "–" if published is None else f"{published:.2f}"
        if figures is None:
            return [known, "not run", "not run"]
        return [known, *(cell(estimate(figures[each])) for each in ("accuracy", "right_and_real"))]

    return markdown_table(
        ["", *(f"{title}: {kind}" for title in rows for kind in kinds)],
        [
            [name, *(text for by_name in rows.values() for text in cells(by_name.get(name)))]
            for name in names
        ],
    )


def of_pictures(
    figure: str,
    published: str,
    tasks: Mapping[str, Sequence[PictureTask]],
    columns: Mapping[str, str],
    written: Callable[[Values], str] = reach,
) -> str:
    """Return a figure of Tables 2 and 3, published and ours.

    Args:
        figure: its name in our scores.
        published: its name, or that of what it stands in for, among the published figures.
        tasks: by the experiment.
        columns: headings by the names of rows.
        written: makes a cell of ours.
    """

    def both(row: Values) -> str:
        known = (row["published"] or {}).get(published)
        ours = (row["scores"] or {}).get(figure)
        text = "not run" if ours is None else written(ours)
        return text if known is None else f"*{known:.2f}*; {text}"

    lines = []
    for experiment, of_experiment in tasks.items():
        for task in of_experiment:
            rows = rows_of(table_of(experiment, task.key))
            if rows:
                lines.append([task.title, *(both(rows[name]) for name in columns)])
    return markdown_table(["", *columns.values()], lines)


def how_made() -> str:
    """Return the command, the precision and the time of every table."""
    paths = [*sorted(FOLDER.glob("*/*.json")), *sorted(FOLDER.glob("seed-*/*/*.json"))]
    lines = []
    for path in paths:
        if path.stem.split("-")[0] not in EXPERIMENTS:
            continue
        where = path.parent.relative_to(FOLDER)
        table = json.loads(path.read_text(encoding="utf-8"))
        seconds = sum(_seconds(row) for row in table["rows"])
        taken = f"{seconds / 60:.0f} min" if seconds else "not kept"
        lines.append(
            [f"[{where}](results/{where}/{path.stem}.md)", f"`{_command(path, table)}`", taken]
        )
    return markdown_table(["", "command", "its rows' trainings"], lines)


def _command(path: Path, table: Values) -> str:
    command = f"ost reproduce {path.stem.split('-')[0]}"
    if "task" not in table:
        return command
    settings = table["settings"]
    phase_two = settings.get("two", settings)
    runs = table.get("num_sources") or _most_runs(table["rows"])
    command += f" --task {table['task']} --runs {runs} --precision {phase_two['precision']}"
    return command + (f" --seed {phase_two['seed']}" if phase_two["seed"] else "")


def _most_runs(rows: Sequence[Values]) -> int:
    """Return how many runs the row has that has most; 0 while none is there."""
    counts = [len(row["figures"]["of_runs"]["accuracy"]) for row in rows if row["figures"]]
    return max(counts, default=0)


def _seconds(row: Values) -> float:
    """Return what a row's trainings took, where that is known."""
    if row.get("cost"):
        return (row["cost"]["seconds_each"] or 0.0) * row["cost"]["trainings"]
    figures = row.get("figures")
    if not figures or "seconds_each" not in figures:
        return 0.0
    return figures["seconds_each"] * len(figures["of_runs"]["accuracy"])


BOTH = {"table2": TABLE_2, "table3": TABLE_3}
OF_TRUTH = {**METHODS, "identity": "x itself", "mean_of_folder": "mean of B"}
BLOCKS: Mapping[str, Callable[[], str]] = {
    "table-1": table_1,
    "content": lambda: of_pictures("content", "content", BOTH, METHODS),
    "style": lambda: of_pictures("style", "style", BOTH, METHODS),
    "truth": lambda: of_pictures(
        "error",
        "correct in the user study",
        {"table3": TABLE_3},
        OF_TRUTH,
        lambda error: f"{error['value']:.3f}",
    ),
    "how-made": how_made,
}


def page(text: str) -> str:
    """Return the page with its tables renewed."""
    return BLOCK.sub(lambda found: f"{found['begin']}{BLOCKS[found['name']]()}{found['end']}", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

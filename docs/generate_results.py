"""Write the tables of docs/results.md from the JSON of `ost reproduce` in docs/results.

    python docs/generate_results.py

What stands between `<!-- table NAME -->` and `<!-- end -->` there is replaced. A test compares the
page with what this would write.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "results.md"
FOLDER = Path(__file__).parent / "results"
BLOCK = re.compile(
    r"(?P<begin><!-- table (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)

DIRECTIONS = {"svhn-to-mnist": "SVHN → MNIST", "mnist-to-svhn": "MNIST → SVHN"}
STYLES = {
    "summer-to-winter": "Summer2Winter",
    "winter-to-summer": "Winter2Summer",
    "monet-to-photo": "Monet2Photo",
    "photo-to-monet": "Photo2Monet",
}
DRAWINGS = {
    "images-to-facades": "Images → Facades",
    "facades-to-images": "Facades → Images",
    "images-to-maps": "Images → Maps",
    "maps-to-images": "Maps → Images",
}
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


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, figures to the right."""
    rules = ["---", *["--:"] * (len(headings) - 1)]
    return "".join("| " + " | ".join(line) + " |\n" for line in (headings, rules, *rows))


def interval(figure: Values) -> str:
    """Return a figure with the ends of its interval."""
    return f"{figure['value']:.3f} [{figure['low']:.2f}, {figure['high']:.2f}]"


def reach(figure: Values | None) -> str:
    """Return a figure with the reach of its interval, as far to either side."""
    if figure is None:
        return "–"
    if figure["high"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} ± {figure['high'] - figure['value']:.2f}"


def table_1() -> str:
    """Return accuracy, and right and real, published and ours, of every row."""
    found = {title: table_of("table1", key) for key, title in DIRECTIONS.items()}
    of = {
        title: {row["name"]: row for row in table["rows"]}
        for title, table in found.items()
        if table
    }
    headings = [
        "",
        *(
            f"{title}: {each}"
            for title in of
            for each in ("published", "accuracy", "right and real")
        ),
    ]

    def cells(row: Values) -> list[str]:
        known = "–" if row["published"] is None else f"{row['published']:.2f}"
        if row["figures"] is None:
            return [known, "not run", "not run"]
        return [known, *(interval(row["figures"][each]) for each in ("accuracy", "right_and_real"))]

    names = next(iter(of.values()))
    return markdown(
        headings,
        [[name, *(cell for rows in of.values() for cell in cells(rows[name]))] for name in names],
    )


def of_pictures(figure: str, tasks: Mapping[str, Mapping[str, str]]) -> str:
    """Return a figure of Tables 2 and 3, published and ours, of every method."""

    def line(title: str, rows: Mapping[str, Values]) -> Iterator[str]:
        yield title
        for name in METHODS:
            published = (rows[name]["published"] or {}).get(figure)
            ours = (rows[name]["scores"] or {}).get(figure)
            yield reach(ours) if published is None else f"*{published:.2f}*; {reach(ours)}"

    lines = []
    for experiment, titles in tasks.items():
        for key, title in titles.items():
            table = table_of(experiment, key)
            if table:
                lines.append(list(line(title, {row["name"]: row for row in table["rows"]})))
    return markdown(["", *METHODS.values()], lines)


def error_to_truth() -> str:
    """Return the user study's figures, and ours of the distance to the truth."""
    columns = {**METHODS, "identity": "x itself", "mean_of_folder": "mean of B"}
    lines = []
    for key, title in DRAWINGS.items():
        table = table_of("table3", key)
        if table is None:
            continue
        rows = {row["name"]: row for row in table["rows"]}
        line = [title]
        for name in columns:
            study = (rows[name]["published"] or {}).get("correct in the user study")
            ours = f"{rows[name]['scores']['error']['value']:.3f}"
            line.append(ours if study is None else f"*{study:.2f}*; {ours}")
        lines.append(line)
    return markdown(["", *columns.values()], lines)


def how_made() -> str:
    """Return the command, the precision and the time of every table."""
    lines = []
    for path in sorted(FOLDER.glob("*/*.json")) + sorted(FOLDER.glob("seed-*/*/*.json")):
        table = json.loads(path.read_text(encoding="utf-8"))
        experiment, settings = path.stem.split("-")[0], table["settings"]
        command = f"ost reproduce {experiment}"
        if "task" not in table:
            lines.append(
                [f"[{path.stem}](results/{path.parent.name}/{path.stem}.md)", f"`{command}`", "–"]
            )
            continue
        phase_two = settings.get("two", settings)
        runs = table.get("num_sources") or _most_runs(table["rows"])
        seed = phase_two["seed"]
        command += f" --task {table['task']} --runs {runs} --precision {phase_two['precision']}"
        command += f" --seed {seed}" if seed else ""
        seconds = sum(_seconds(row) for row in table["rows"])
        where = path.parent.relative_to(FOLDER)
        lines.append(
            [
                f"[{where}](results/{where}/{path.stem}.md)",
                f"`{command}`",
                f"{seconds / 60:.0f} min" if seconds else "–",
            ]
        )
    return markdown(["", "command", "its rows' trainings"], lines)


def _most_runs(rows: Sequence[Values]) -> int:
    return max(len(row["figures"]["of_runs"]["accuracy"]) for row in rows if row["figures"])


def _seconds(row: Values) -> float:
    """Return what a row's trainings took, where that is known."""
    if row.get("cost"):
        return (row["cost"]["seconds_each"] or 0.0) * row["cost"]["trainings"]
    figures = row.get("figures")
    if not figures or "seconds_each" not in figures:
        return 0.0
    return figures["seconds_each"] * len(figures["of_runs"]["accuracy"])


BLOCKS: Mapping[str, Callable[[], str]] = {
    "table-1": table_1,
    "content": lambda: of_pictures("content", {"table2": STYLES, "table3": DRAWINGS}),
    "style": lambda: of_pictures("style", {"table2": STYLES, "table3": DRAWINGS}),
    "truth": error_to_truth,
    "how-made": how_made,
}


def page(text: str) -> str:
    """Return the page with its tables renewed."""
    return BLOCK.sub(lambda found: f"{found['begin']}{BLOCKS[found['name']]()}{found['end']}", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

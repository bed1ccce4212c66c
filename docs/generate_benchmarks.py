"""Write docs/benchmarks/README.md and its plots from the figures that `ost bench --json` gave.

    ost bench --json > docs/benchmarks/NAME.json
    python docs/generate_benchmarks.py

A test compares the files with what this would write.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "benchmarks"
NOTES = FOLDER / "notes.txt"
"""What is said of the figures, by hand; it follows the head of the page."""

HEAD = """# Benchmarks

How fast `ost` is, beside what it is held against: the authors' arithmetic in plain PyTorch
(`ostcli.paper.pictures.authors`, redundancy and all), the machine's own best, or a goal that was
set. Every row is ours by that, timed in turn in one run of `ost bench` ([how
to](../how-to.md#see-how-fast-it-is-here)), so that a noisy machine is as noisy to both; less is
better. This page is made from the figures by `python docs/generate_benchmarks.py`.
"""

ROW, WIDTH, LABELS = 20, 900, 560
"""Height of a bar's row, width of a plot and of its labels, in pixels."""
LEAST, MOST = 0.1, 4.0
"""Ends of the scale: ratio by goal."""
MET, MISSED = "#3a7d44", "#b5442e"


def plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return bars of each ratio by its goal, on a logarithmic scale, as SVG."""

    def across(value: float) -> float:
        share = math.log(min(max(value, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
        return LABELS + share * (WIDTH - LABELS)

    def lines() -> Iterator[str]:
        height = ROW * (len(rows) + 1)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            'font-family="sans-serif" font-size="12">'
        )
        yield f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
        for index, row in enumerate(rows):
            top, share = ROW * index + 4, row["ratio"] / row["goal"]
            colour = MET if row["ok"] else MISSED
            yield (
                f'<text x="{LABELS - 8}" y="{top + 11}" text-anchor="end">'
                f"{escape(row['name'])}</text>"
            )
            yield (
                f'<rect x="{LABELS}" y="{top}" width="{across(share) - LABELS:.1f}" '
                f'height="{ROW - 8}" fill="{colour}"/>'
            )
        goal = across(1.0)
        yield f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="0" y2="{height - ROW}" stroke="black"/>'
        yield (
            f'<text x="{goal:.1f}" y="{height - 6}" text-anchor="middle">the goal; left of it is '
            "better</text>"
        )
        yield "</svg>"

    return "\n".join([*lines(), ""])


def section(name: str, result: Mapping[str, Any]) -> str:
    """Return the part of the page about one machine."""
    facts = ", ".join(
        f"{key.replace('_', ' ')} {value}" for key, value in result["machine"].items()
    )
    table = [
        "| what | ours | held against | ratio | spread | goal | |",
        "|---|--:|---|--:|--:|--:|---|",
    ]
    for row in result["rows"]:
        spread = "" if row["spread"] is None else "{:.2f}–{:.2f}".format(*row["spread"])
        table.append(
            f"| {row['name']} | {row['ours']:.3g} {row['unit']} "
            f"| {row['reference']:.3g} {row['unit']}: {row['against']} | {row['ratio']:.3f} "
            f"| {spread} | ≤ {row['goal']:.3f} | {'met' if row['ok'] else '**missed**'} |"
        )
    minutes = f"{result['seconds'] / 60:.0f} minutes"
    about = f"`ost` {result['version']}; {facts}. {minutes}; [all figures]({name}.json)."
    picture = f"![{name}: each ratio by its goal]({name}.svg)"
    return "\n\n".join([f"## {name}", about, picture, "\n".join(table)]) + "\n"


def pages() -> dict[Path, str]:
    """Return what is to be written, by the file."""
    written: dict[Path, str] = {}
    parts = [HEAD, NOTES.read_text(encoding="utf-8")]
    for path in sorted(FOLDER.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))["result"]
        parts.append(section(path.stem, result))
        written[path.with_suffix(".svg")] = plot(result["rows"])
    written[FOLDER / "README.md"] = "\n".join(parts)
    return written


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")

"""What an experiment has come to so far, on the disk: it goes on where it was stopped."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ostcli.images.encode import encode_picture
from ostcli.images.read import read_picture
from ostcli.paper.plots import can_plot
from ostcli.paper.tables import markdown_table
from ostcli.store.durable import make_folder, write_file
from ostcli.store.manifest import slug

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A table before it is written."""

    name: str
    introduction: str
    """What stands above it."""
    headings: Sequence[str]
    cells: Sequence[Sequence[str]]
    """As people read them."""
    values: Values
    """The same and more, for programs."""
    remarks: Sequence[str] = ()
    """Sentences that stand below it."""
    plot: Callable[[], bytes] | None = None
    """Draws it; None where there is nothing to draw."""
    sheet: Image.Image | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on the disk."""

    draft: Draft
    path: Path
    """Of the Markdown; CSV and JSON lie beside it."""
    pictures: tuple[Path, ...]
    """The plot, if it could be drawn, and the sheet."""


@dataclass(frozen=True)
class Book:
    """The rows of one table, a file for each.

    Args:
        folder: where they are; made with the first row.
    """

    folder: Path

    def found(self, name: str, settings: Values) -> Values | None:
        """Return a row's figures from the disk, if it was made by these settings.

        Args:
            name: of the row in its table.
            settings: all that its figures depend on, as JSON values.
        """
        before = _read(self._path(name))
        if before is None or before.get("settings") != json.loads(json.dumps(settings)):
            return None
        return dict(before["figures"])

    def keep(self, name: str, settings: Values, figures: Values) -> Values:
        """Put a row's figures, JSON values, on the disk, and return them as `found` will."""
        path, row = self._path(name), {"name": name, "settings": settings, "figures": figures}
        make_folder(path.parent)
        write_file(path, _as_bytes(row))
        return dict(json.loads(json.dumps(figures)))

    def keep_pictures(self, name: str, images: Sequence[Image.Image]) -> None:
        """Put a row's pictures on the disk."""
        folder = self._path(name).with_suffix("")
        make_folder(folder)
        for index, image in enumerate(images):
            write_file(folder / f"{index:02d}.png", encode_picture(image, ".png"))

    def pictures(self, name: str) -> list[Image.Image]:
        """Return a row's pictures, as far as they are there."""
        paths = sorted(self._path(name).with_suffix("").glob("*.png"))
        return [read_picture(path).image for path in paths]

    def write(self, draft: Draft) -> Table:
        """Write a table as Markdown, CSV and JSON, its plot as SVG, its sheet as PNG."""
        make_folder(self.folder)
        path, pictures = self.folder / f"{draft.name}.md", []
        if draft.plot is not None and can_plot():
            pictures.append(path.with_suffix(".svg"))
            write_file(pictures[-1], draft.plot())
        if draft.sheet is not None:
            pictures.append(path.with_suffix(".png"))
            write_file(pictures[-1], encode_picture(draft.sheet, ".png"))
        parts = [
            draft.introduction,
            markdown_table(draft.headings, draft.cells),
            *(f"* {remark}" for remark in draft.remarks),
            *(f"![{draft.name}]({picture.name})" for picture in pictures),
        ]
        write_file(path, ("\n\n".join(part.strip() for part in parts) + "\n").encode())
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows([draft.headings, *draft.cells])
        write_file(path.with_suffix(".csv"), stream.getvalue().encode())
        write_file(path.with_suffix(".json"), _as_bytes(draft.values))
        return Table(draft=draft, path=path, pictures=tuple(pictures))

    def _path(self, name: str) -> Path:
        return self.folder / "rows" / f"{slug(name)}.json"


def _read(path: Path) -> Mapping[str, Any] | None:
    """Return what a file holds, or None if there is none, or it is no row."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and "figures" in values else None


def _as_bytes(values: Values) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()

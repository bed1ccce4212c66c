"""What an experiment has come to so far, on the disk: it goes on where it was stopped."""

import csv
import hashlib
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
class Row:
    """A row on the disk, or a place for it: other settings have another one.

    Args:
        name: of the row in its table.
        settings: all that its figures depend on, as JSON values.
        folder: where its figures and pictures are.
    """

    name: str
    settings: Values
    folder: Path

    @property
    def figures(self) -> Values | None:
        """Its figures, as JSON values; None if it was not made to its end."""
        try:
            row = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return row["figures"] if isinstance(row, dict) and "figures" in row else None

    def keep(self, figures: Values) -> Values:
        """Put the figures, JSON values, on the disk, and return them as `figures` will."""
        row = {"name": self.name, "settings": self.settings, "figures": figures}
        make_folder(self.folder)
        write_file(self._path, _as_bytes(row))
        return dict(json.loads(json.dumps(figures)))

    def keep_picture(self, index: int, image: Image.Image) -> None:
        """Put one of its pictures on the disk."""
        make_folder(self.folder)
        write_file(self._picture(index), encode_picture(image, ".png"))

    def picture(self, index: int) -> Image.Image | None:
        """Return one of its pictures; None if it is not there."""
        path = self._picture(index)
        return read_picture(path).image if path.is_file() else None

    @property
    def pictures(self) -> list[Image.Image]:
        """All of its pictures, in order."""
        return [read_picture(path).image for path in sorted(self.folder.glob("*.png"))]

    @property
    def _path(self) -> Path:
        return self.folder / "row.json"

    def _picture(self, index: int) -> Path:
        return self.folder / f"{index:02d}.png"


@dataclass(frozen=True)
class Book:
    """The rows of one table, a folder for each.

    Args:
        folder: where they are; made with the first row.
    """

    folder: Path

    def row(self, name: str, settings: Values) -> Row:
        """Return a row, made already or not.

        Args:
            name: of the row in its table.
            settings: all that its figures depend on, as JSON values.
        """
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        return Row(name, settings, self.folder / "rows" / f"{slug(name)}-{digest}")

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


def _as_bytes(values: Values) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()

"""What an experiment has come to so far, on the disk: it goes on where it was stopped."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ostcli.errors import DamagedError, PictureError
from ostcli.images.encode import encode_picture
from ostcli.images.read import read_picture
from ostcli.paper.plots import can_plot
from ostcli.paper.tables import Comparison, markdown_table
from ostcli.store.durable import make_folder, write_file
from ostcli.store.manifest import slug
from ostcli.store.tensors import decode_tensors, encode_tensors
from ostcli.workflows.reproduce.kept import Halfway

Values = Mapping[str, Any]

NOT_RUN = "not run"
"""In a cell of a row that was not made."""
SHEET_QUALITY = 80
"""Of WebP, 1 to 100: sheets are looked at, rows keep the pictures as they are."""


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
    """What holds for all of it, for programs."""
    rows: Sequence[Values]
    """Its rows for programs, as JSON values: those of the CSV are the same without lists."""
    made: Sequence[str]
    """The rows that it has figures of, by what tells them from the others."""
    comparison: Comparison | None = None
    """Stands below it."""
    plot: Callable[[], bytes] | None = None
    """Draws it; None where there is nothing to draw."""
    sheet: Image.Image | None = None

    def as_json(self) -> Values:
        """Return all of it that programs read."""
        comparison = asdict(self.comparison) if self.comparison else None
        return {
            **self.values,
            "rows": list(self.rows),
            "comparison": comparison,
            "made": list(self.made),
        }


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on the disk."""

    draft: Draft
    path: Path
    """Of the Markdown; CSV and JSON lie beside it."""
    pictures: tuple[Path, ...]
    """The plot, if it could be drawn, and the sheet."""
    is_poorer: bool = False
    """Whether the table that was there before had rows that this one has not."""


@dataclass(frozen=True)
class Row:
    """A row on the disk, or a place for it: other settings have another one.

    Args:
        name: of what it is of.
        settings: all that its figures depend on, as JSON values.
        folder: where its figures and pictures are.
        made_with_now: versions and device, which stand beside the figures once it is made.
    """

    name: str
    settings: Values
    folder: Path
    made_with_now: Values

    @property
    def figures(self) -> Values | None:
        """Its figures, as JSON values; None if it was not made to its end."""
        return self._on_disk.get("figures")

    @property
    def made_with(self) -> Values | None:
        """Versions and device that it was made with; None if that was not written down."""
        return self._on_disk.get("made_with")

    def keep(self, figures: Values) -> Values:
        """Put the figures, JSON values, on the disk, and return them as `figures` will.

        The row is at its end: its parts are removed.
        """
        row = {
            "name": self.name,
            "settings": self.settings,
            "made_with": self.made_with_now,
            "figures": figures,
        }
        make_folder(self.folder)
        write_file(self._path, _as_bytes(row))
        for path in self.folder.glob("part-*.safetensors"):
            path.unlink()
        return dict(json.loads(json.dumps(figures)))

    def keep_part(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Put what a part of the row came to on the disk, until the row is at its end."""
        make_folder(self.folder)
        write_file(self._part(name), encode_tensors(tensors))

    def part(self, name: str) -> Mapping[str, Tensor] | None:
        """Return what a part came to; None if it was not made, or its file is damaged."""
        path = self._part(name)
        try:
            return decode_tensors(path.read_bytes(), path=path) if path.is_file() else None
        except DamagedError:
            return None

    def halfway(self, name: str) -> Halfway:
        """Return the place for a training of a part, until the row is at its end."""
        return Halfway(self._part(f"{name}-halfway"))

    def keep_picture(self, index: int, image: Image.Image) -> None:
        """Put one of its pictures on the disk."""
        make_folder(self.folder)
        write_file(self._picture(index), encode_picture(image, ".png"))

    def picture(self, index: int) -> Image.Image | None:
        """Return one of its pictures; None if it is not there, or damaged."""
        path = self._picture(index)
        try:
            return read_picture(path).image if path.is_file() else None
        except PictureError:
            return None

    def pictures(self, number: int) -> list[Image.Image] | None:
        """Return its pictures, in order; None unless all of so many are there."""
        found = [picture for index in range(number) if (picture := self.picture(index))]
        return found if len(found) == number else None

    @property
    def _on_disk(self) -> Values:
        try:
            row = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return row if isinstance(row, dict) else {}

    @property
    def _path(self) -> Path:
        return self.folder / "row.json"

    def _part(self, name: str) -> Path:
        return self.folder / f"part-{name}.safetensors"

    def _picture(self, index: int) -> Path:
        return self.folder / f"{index:02d}.png"


@dataclass(frozen=True)
class Book:
    """What a table is written to, and its rows, which other tables of its task have too.

    Args:
        folder: of the table.
        rows: where a folder for each row is.
        made_with_now: see `Row`.
    """

    folder: Path
    rows: Path
    made_with_now: Values

    def row(self, name: str, settings: Values) -> Row:
        """Return a row, made already or not.

        Args:
            name: of what the row is of.
            settings: all that its figures depend on, as JSON values.
        """
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        folder = self.rows / f"{slug(name)}-{digest}"
        return Row(name, settings, folder, self.made_with_now)

    def write(self, draft: Draft) -> Table:
        """Write a table as Markdown, CSV and JSON, its plot as SVG, its sheet as WebP."""
        make_folder(self.folder)
        path, pictures = self.folder / f"{draft.name}.md", []
        is_poorer = not _made_before(path.with_suffix(".json")) <= set(draft.made)
        if draft.plot is not None and can_plot():
            pictures.append(path.with_suffix(".svg"))
            write_file(pictures[-1], draft.plot())
        if draft.sheet is not None:
            pictures.append(path.with_suffix(".webp"))
            write_file(pictures[-1], encode_picture(draft.sheet, ".webp", quality=SHEET_QUALITY))
        parts = [
            draft.introduction,
            markdown_table(draft.headings, draft.cells),
            *(f"![{draft.name}]({picture.name})" for picture in pictures),
            *([draft.comparison.markdown()] if draft.comparison else []),
        ]
        write_file(path, ("\n\n".join(part.strip() for part in parts) + "\n").encode())
        write_file(path.with_suffix(".csv"), _as_csv(draft.rows).encode())
        write_file(path.with_suffix(".json"), _as_bytes(draft.as_json()))
        return Table(draft=draft, path=path, pictures=tuple(pictures), is_poorer=is_poorer)

    def write_missing(self, sentence: str) -> None:
        """Say in a table's place why there is none; one that was written before stays."""
        path = self.folder / f"{self.folder.name}.md"
        if not path.with_suffix(".json").is_file():
            make_folder(self.folder)
            write_file(path, f"{sentence}.\n".encode())


def _as_csv(rows: Sequence[Values]) -> str:
    """Return rows of JSON values as CSV: a column for each value, named by the way to it.

    The names have a dot for each step down, as those of pandas' `json_normalize`; lists are left
    out, and what a row does not have is empty.
    """
    records = [dict(_flat(row)) for row in rows]
    columns = list(dict.fromkeys(column for record in records for column in record))
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def _flat(values: Values, way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the single values below some, each with the way to it; none of what is None."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{way}{key}.")
        elif not isinstance(value, list) and value is not None:
            yield f"{way}{key}", value


def _made_before(path: Path) -> set[str]:
    """Return the rows that a table has figures of, by its JSON; none without one."""
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["made"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _as_bytes(values: Values) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()

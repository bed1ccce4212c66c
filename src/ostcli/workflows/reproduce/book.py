"""What an experiment has come to so far, on the disk: it goes on where it was stopped."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from torch import Tensor

from ostcli.errors import DamagedError, PictureError
from ostcli.images.encode import encode_picture
from ostcli.images.read import read_picture
from ostcli.paper.plots import can_plot
from ostcli.paper.tables import Comparison, markdown_table
from ostcli.store.durable import make_folder, sweep_temporaries, write_file
from ostcli.store.manifest import slug
from ostcli.store.tensors import decode_tensors, encode_tensors
from ostcli.workflows.reproduce.kept import Halfway

Values = Mapping[str, Any]

NETWORKS = {
    "phase_one": "phase I",
    "phase_one_sampled": "phase I with a sampled latent",
    "classifier": "the classifier of digits",
    "classifier_of_domains": "the classifier of domains",
}
"""What all rows of a table are to have in common, by what `made_with` calls it."""
BETWEEN = "; "
"""Between several things of one kind that a row was made with."""
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
            "headings": list(self.headings),
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
    """Whether the table that was there before had rows or columns that this one has not."""


@dataclass(frozen=True)
class Row:
    """A row on the disk, or a place for it: other settings have another one.

    Args:
        name: of what it is of.
        settings: all that its figures depend on, as JSON values.
        folder: where its figures and pictures are.
        made_with_now: gives versions, device and digests of networks, as text, which are written
            down from its first part on.
    """

    name: str
    settings: Values
    folder: Path
    made_with_now: Callable[[], Values]

    @property
    def figures(self) -> Values | None:
        """Its figures, as JSON values; None if it was not made to its end."""
        return self._on_disk(self._path).get("figures")

    @property
    def made_with(self) -> Values | None:
        """What it was made with; None if that was not written down.

        Where its parts differ in that, one stands after the other: "2.13.0; 2.14.1".
        """
        whole = self._on_disk(self._path).get("made_with")
        return whole or self._on_disk(self._made_with_path) or None

    def keep(self, figures: Values, judged_by: Values = MappingProxyType({})) -> Values:
        """Put the figures on the disk, and return them as `figures` will.

        The row is at its end: its parts are removed.

        Args:
            figures: JSON values.
            judged_by: digests of the networks that they are by, as text.
        """
        row = {
            "name": self.name,
            "settings": self.settings,
            "made_with": {**self._made_with_so_far(), **judged_by},
            "figures": figures,
        }
        make_folder(self.folder)
        write_file(self._path, _as_bytes(row))
        for path in [*self.folder.glob("part-*.safetensors"), self._made_with_path]:
            path.unlink(missing_ok=True)
        return dict(json.loads(json.dumps(figures)))

    def keep_part(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Put what a part of the row came to on the disk, until the row is at its end."""
        self._begin()
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
        return Halfway(self._part(f"{name}-halfway"), self._begin)

    def keep_picture(self, index: int, image: Image.Image) -> None:
        """Put one of its pictures on the disk."""
        self._begin()
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

    def _begin(self) -> None:
        """Write down what makes it, until the row is at its end."""
        make_folder(self.folder)
        sweep_temporaries(self.folder)
        write_file(self._made_with_path, _as_bytes(self._made_with_so_far()))

    def _made_with_so_far(self) -> Values:
        """Return what made the parts and pictures of it that there are, and what makes more now."""
        is_begun = any(self.folder.glob("part-*")) or any(self.folder.glob("*.png"))
        begun = self._on_disk(self._made_with_path) or self.made_with or {} if is_begun else {}
        made_with = dict(begun)
        for key, value in self.made_with_now().items():
            known = begun[key].split(BETWEEN) if key in begun else []
            made_with[key] = BETWEEN.join(dict.fromkeys([*known, value]))
        return made_with

    @staticmethod
    def _on_disk(path: Path) -> Values:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    @property
    def _made_with_path(self) -> Path:
        return self.folder / "made_with.json"

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
        versions: of programs, and the device.
        networks: gives digests of the trained networks that rows are made from.
    """

    folder: Path
    rows: Path
    versions: Values
    networks: Callable[[], Values] = field(default=dict)

    def row(self, name: str, settings: Values) -> Row:
        """Return a row, made already or not.

        Args:
            name: of what the row is of.
            settings: all that its figures depend on, as JSON values.
        """
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        folder = self.rows / f"{slug(name)}-{digest}"
        return Row(name, settings, folder, lambda: {**self.versions, **self.networks()})

    def write(self, draft: Draft) -> Table:
        """Write a table as Markdown, CSV and JSON, its plot as SVG, its sheet as WebP."""
        make_folder(self.folder)
        path, pictures = self.folder / f"{draft.name}.md", []
        is_poorer = not _has_all_of_before(draft, path.with_suffix(".json"))
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


def of_other_networks(made_with: Iterable[Values | None], of_facts: Values | None = None) -> str:
    """Return what is to be said of a table whose rows are not of the same trained networks.

    Args:
        made_with: of each row, None where it was not written down.
        of_facts: of what stands above the table.
    """
    known = [row for row in made_with if row]
    found = {key: _every(key, known) for key in NETWORKS}
    several = [NETWORKS[key] for key, digests in found.items() if len(digests) > 1]
    elsewhere = [
        NETWORKS[key]
        for key, digests in found.items()
        if digests and not _every(key, [of_facts or {}]) <= digests
    ]
    said = ""
    if several:
        said += (
            f" **Rows of this table are by different trainings of {' and '.join(several)}: what "
            "tells them apart may be that.** `made_with` in the JSON has which; begun in an empty "
            "folder, all are by one."
        )
    if elsewhere:
        said += (
            f" What is said here of {' and '.join(elsewhere)} is of another training than these "
            "rows are by."
        )
    return said


def _every(key: str, made_with: Iterable[Values]) -> set[str]:
    """Return all digests of one network."""
    return {digest for row in made_with if key in row for digest in row[key].split(BETWEEN)}


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


def _has_all_of_before(draft: Draft, path: Path) -> bool:
    """Tell whether a table has all rows and columns that the JSON of the one before has."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        return set(before["made"]) <= set(draft.made) and (
            set(before.get("headings", ())) <= set(draft.headings)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def _as_bytes(values: Values) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()

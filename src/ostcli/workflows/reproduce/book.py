"""What an experiment has come to so far, on the disk: it goes on where it was stopped."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostcli.events import Note, OnEvent
from ostcli.paper.tables import markdown_table
from ostcli.store.durable import make_folder, write_file
from ostcli.store.manifest import slug

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Book:
    """The rows of one table, a file for each.

    Args:
        folder: where they are; made with the first row.
        on_event: told of rows that are there already.
    """

    folder: Path
    on_event: OnEvent

    def row(self, name: str, settings: Values, make: Callable[[], Values]) -> Values:
        """Return a row: from the disk if it was made by these settings, else made now and kept.

        Args:
            name: of the row in its table.
            settings: all that its figures depend on, as JSON values.
            make: the row's figures, as JSON values.
        """
        path = self.folder / "rows" / f"{slug(name)}.json"
        before = _read(path)
        if before is not None and before.get("settings") == json.loads(json.dumps(settings)):
            self.on_event(Note(text=f"{name}: there already"))
            return dict(before["figures"])
        figures = json.loads(json.dumps(make()))
        make_folder(path.parent)
        write_file(path, _as_bytes({"name": name, "settings": settings, "figures": figures}))
        return dict(figures)

    def write(
        self,
        name: str,
        *,
        headings: Sequence[str],
        cells: Sequence[Sequence[str]],
        values: Values,
        introduction: str,
    ) -> Path:
        """Write a table as Markdown, CSV and JSON, and return the path of the first.

        Args:
            name: of the files.
            headings, cells: as people read them.
            values: the same and more, for programs.
            introduction: what stands above the table.
        """
        make_folder(self.folder)
        path = self.folder / f"{name}.md"
        write_file(path, f"{introduction.rstrip()}\n\n{markdown_table(headings, cells)}".encode())
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows([headings, *cells])
        write_file(path.with_suffix(".csv"), stream.getvalue().encode())
        write_file(path.with_suffix(".json"), _as_bytes(values))
        return path


def _read(path: Path) -> Mapping[str, Any] | None:
    """Return what a file holds, or None if there is none, or it is no row."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and "figures" in values else None


def _as_bytes(values: Values) -> bytes:
    return f"{json.dumps(values, indent=2)}\n".encode()

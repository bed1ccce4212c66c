"""What a command says: results on standard output, the rest on standard error, or JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ostcli.errors import OstError

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
"""Of the one object that `--json` prints."""
WIDE = 100_000
"""Columns of a table that goes to a file or a pipe: nothing is cut or wrapped."""


class Output:
    """The two streams of a command.

    Args:
        arguments: of the command line, to say how to go on.
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self.arguments = tuple(arguments)
        self.command = ""
        """Such as "models show"."""
        self.quiet = False
        self.debug = False
        self.as_json = "--json" in arguments
        self._result: Mapping[str, Any] | None = None

    @cached_property
    def console(self) -> "Console":
        """Standard error, as rich draws on it."""
        from rich.console import Console

        return Console(stderr=True)

    def say(self, text: str, *, style: str = "") -> None:
        """Tell the user something that is no result."""
        if not self.quiet:
            self._print(text, style)

    def warn(self, text: str) -> None:
        """Tell the user something to think about, also when all else is quiet."""
        self._print(f"warning: {text}", "yellow")

    def fault(self, text: str) -> None:
        """Tell of something that failed, also when all else is quiet."""
        self._print(text, "red")

    def line(self, text: object) -> None:
        """Give a line of the result; `--json` gives the whole in its place."""
        if not self.as_json:
            sys.stdout.write(f"{text}\n")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, folding: Sequence[int]
    ) -> None:
        """Give a table as the result.

        Args:
            columns: their headings; no heading at all if all are empty.
            rows: of as many cells each.
            folding: the columns, from 0, that may be folded where a terminal is too narrow.
        """
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        if self.as_json:
            return
        live = sys.stdout.isatty()
        table = Table(box=None, pad_edge=False, show_header=any(columns), padding=(0, 2, 0, 0))
        for index, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=index not in folding)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console = Console(width=None if live else WIDE)
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            self.line(line.rstrip())

    def result(self, values: Mapping[str, Any]) -> None:
        """Set what `--json` prints at the end."""
        self._result = values

    def finish(self, error: OstError | None = None) -> int:
        """Print the error and the JSON object, and return the exit code."""
        if self.as_json:
            self._print_json(error)
        if error is None:
            return 0
        self._print(f"error: {error.message}", "red")
        if error.hint:
            self._print(f"→ {error.hint}", "")
        return int(error.exit_code)

    def _print(self, text: str, style: str) -> None:
        from rich.text import Text

        self.console.print(Text(text, style=style), soft_wrap=True)

    def _print_json(self, error: OstError | None) -> None:
        envelope: dict[str, Any] = {
            "schema": SCHEMA,
            "command": self.command,
            "ok": error is None,
        }
        if self._result is not None:
            envelope["result"] = self._result
        if error is not None:
            envelope["error"] = {
                "message": error.message,
                "hint": error.hint,
                "exit_code": int(error.exit_code),
            }
        if len(envelope) > len(("schema", "command", "ok")):
            sys.stdout.write(f"{json.dumps(envelope, default=_plain, indent=2)}\n")


def output_of(context: typer.Context, *, as_json: bool) -> Output:
    """Return the command's output, as JSON if that was asked for, here or before a sub-command."""
    output = context.ensure_object(Output)
    group = context.parent.params if context.parent else {}
    output.as_json = as_json or group.get("json", False)
    return output


def failures(failed: Iterable[tuple[Path, str]]) -> list[dict[str, str]]:
    """Return pictures that failed, for JSON."""
    return [{"path": str(path), "reason": reason} for path, reason in failed]


def counted(number: int, word: str, plural: str = "") -> str:
    """Return a number with its noun: "1 picture", "2 pictures"."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def duration(seconds: float) -> str:
    """Return a time for people: "25 s", "14 min", "2 h 5 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def size(num_bytes: int) -> str:
    """Return a number of bytes for people: "12.3 MB"."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 100_000 else f"{num_bytes / 1e3:.1f} kB"


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value):
        return vars(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")

"""Write docs/reference/commands.md and tests/contract/options.txt from the command line itself.

    python docs/generate_commands.py

A test compares both files with what this would write, so an option is never added by chance.
"""

import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.models import OptionInfo

from ostcli.cli.main import app

ROOT = Path(__file__).parents[1]
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
OPTIONS = ROOT / "tests" / "contract" / "options.txt"

HEAD = """# Commands

All commands of `ost` with their options. This page is made from the program by \
`python docs/generate_commands.py`; `ost COMMAND --help` says the same.

`--quiet`, `-q` and `--debug` may stand anywhere in a command. Results go to standard output, \
everything else to standard error. With `--json`, standard output holds one object: `schema` (1), \
`command`, `ok`, then `result` and, if something failed, `error` with `message`, `hint` and \
`exit_code`. `ok` is true exactly if the exit code is 0.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a bug of ours |
| 2 | the command makes no sense as given |
| 3 | done, but some pictures failed; they are named |
| 4 | a picture or a folder cannot be used |
| 5 | a model or the store cannot be used |
| 6 | out of memory or disk |
| 130, 143 | interrupted by Ctrl-C or SIGTERM; the state is kept |
"""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """An argument or an option."""

    names: str
    is_option: bool
    values: str
    """What may follow the name; empty for a flag."""
    default: str
    help: str
    panel: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command, "ost" being the first."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]


def commands(group: typer.Typer = app, name: str = "ost") -> Iterator[Command]:
    """Walk the commands in the order of the help."""
    assert group.registered_callback is not None
    yield _command(name, group.registered_callback.callback)
    for command in group.registered_commands:
        yield _command(f"{name} {command.name or _name_of(command.callback)}", command.callback)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{name} {inner.name}")


def options_text() -> str:
    """Return the list of all options: one a line, with values, default and panel."""
    lines = []
    for command in commands():
        for each in command.parameters:
            parts = (command.name, each.names, each.values, each.default and f"= {each.default}")
            lines.append(" ".join(part for part in (*parts, f"[{each.panel}]") if part))
    return "\n".join(lines) + "\n"


def commands_text() -> str:
    """Return the page of the reference."""
    return "\n".join([HEAD, *(_section(command) for command in commands())])


def _name_of(function: Callable[..., Any] | None) -> str:
    return getattr(function, "__name__", "")


def _command(name: str, function: Callable[..., Any] | None) -> Command:
    assert function is not None
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = (
        _parameter(parameter, hints[parameter.name])
        for parameter in inspect.signature(function).parameters.values()
        if hints[parameter.name] is not typer.Context
    )
    return Command(
        name=name, help=inspect.cleandoc(function.__doc__ or ""), parameters=tuple(parameters)
    )


def _parameter(parameter: inspect.Parameter, hint: Any) -> Parameter:  # noqa: ANN401
    kind, info = typing.get_args(hint)[:2]
    is_option = isinstance(info, OptionInfo)
    given = [str(name) for name in (info.default, *(info.param_decls or ())) if _is_flag(name)]
    word = parameter.name.replace("_", "-")
    return Parameter(
        names=", ".join(given or [f"--{word}"]) if is_option else info.metavar or word.upper(),
        is_option=is_option,
        values=_values(kind, info) if is_option else "",
        default=_default(parameter.default, info.show_default),
        help=info.help or "",
        panel=info.rich_help_panel or ("Options" if is_option else "Arguments"),
    )


def _is_flag(name: object) -> bool:
    return isinstance(name, str) and name.startswith("-")


def _values(kind: Any, info: OptionInfo) -> str:  # noqa: ANN401
    kind = next((part for part in typing.get_args(kind) if part is not type(None)), kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return info.metavar or {bool: "", int: "N", float: "X"}.get(kind, "TEXT")


def _default(value: object, shown: bool | str) -> str:
    if isinstance(shown, str):
        return shown
    if value is inspect.Parameter.empty or value is None or value is False:
        return ""
    return str(value)


def _section(command: Command) -> str:
    arguments = [each for each in command.parameters if not each.is_option]
    title = " ".join([command.name, *(each.names for each in arguments)])
    lines = [f"## {title}", "", command.help, ""]
    if command.parameters:
        lines += ["| option | meaning | default |", "|---|---|---|"]
        lines += [_row(each) for each in command.parameters]
        lines += [""]
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    name = " ".join(part for part in (parameter.names, parameter.values) if part)
    advanced = "" if parameter.panel in ("Options", "Arguments") else f" *{parameter.panel}.*"
    cells = [f"`{name}`", parameter.help + advanced, parameter.default]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    COMMANDS.write_text(commands_text(), encoding="utf-8")
    OPTIONS.write_text(options_text(), encoding="utf-8")

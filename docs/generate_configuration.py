"""Write docs/reference/configuration.md from the settings in `ostcli.config`.

    python docs/generate_configuration.py

A test compares the page with what this would write.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ostcli import config
from ostcli.config import Config, Look, Preset, PretrainConfig
from ostcli.presets import adapt_preset, pretrain_preset

DOCS = Path(__file__).parent
PAGE = DOCS / "reference" / "configuration.md"
WIDTH = 100
INTRODUCTION = """\
# Configuration

Generated from `ostcli.config` by `docs/generate_configuration.py`.

The commands build these records from their options; a program builds them itself
([Python API](python-api.md)). They are frozen, checked when they are made, and saved with what is
trained. Lengths are in pixels, times in steps (updates of the weights).
"""


def page() -> str:
    """Return the whole page."""
    classes = [node for node in ast.parse(inspect.getsource(config)).body if _is_shown(node)]
    records = [node for node in classes if not _is_enum(node)]
    choices = [node for node in classes if _is_enum(node)]
    parts = [
        INTRODUCTION,
        "## Presets\n",
        *_presets(),
        *(_section(node) for node in records),
        "## Choices\n",
        *(_section(node, level=3) for node in choices),
    ]
    return "\n".join(parts)


def _is_shown(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name != Config.__name__


def _is_enum(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and issubclass(getattr(config, node.name), Enum)


def _section(node: ast.stmt, level: int = 2) -> str:
    """Describe one class: its sentence, then its fields or values."""
    assert isinstance(node, ast.ClassDef)
    items = [_item(node.name, name, said) for name, said in _members(node)]
    return f"{'#' * level} {node.name}\n\n{_wrapped(_docstring(node))}\n\n{''.join(items)}"


def _members(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the names of fields or values in order, each with the docstring that follows it."""
    for statement, after in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign):
            yield ast.unparse(statement.target), _text(after)
        elif isinstance(statement, ast.Assign):
            yield ast.unparse(statement.targets[0]), _text(after)


def _item(owner: str, name: str, said: str) -> str:
    value = getattr(getattr(config, owner), name)
    if isinstance(value, Enum) and issubclass(getattr(config, owner), Enum):
        return _bullet(f"`{value.value}`", said)
    if isinstance(value, Config):
        return _bullet(f"`{name}`", f"{_linked_class(value)}{_departures(value)}")
    if isinstance(value, Enum) and not said:
        said = _linked_class(value)
    return _bullet(f"`{name}` = {_shown(value)}", said)


def _departures(record: Config) -> str:
    """Say in which fields a record differs from the defaults of its class."""
    usual, here = type(record)().to_json(), record.to_json()
    differing = [f"`{name}` = {_shown(here[name])}" for name in here if here[name] != usual[name]]
    return f" with {', '.join(differing)}" if differing else ""


def _linked_class(value: object) -> str:
    name = type(value).__name__
    return f"[{name}](#{name.lower()})"


def _presets() -> Iterator[str]:
    """Yield, for each phase, what the presets set differently."""
    columns = {
        f"`{preset}`, `{look}`": pretrain_preset(preset, look, num_pictures=100)
        for preset in Preset
        for look in Look
    }
    columns["paintings"] = pretrain_preset(num_pictures=100, of_photographs=False)
    heads, models = list(columns), list(columns.values())
    yield (
        "What differs between them, for a folder of 100 photographs; the last column is `fast`,\n"
        "`style` for 100 paintings. Phase I, `ost pretrain`:\n"
    )
    yield _table(heads, models)
    yield "Phase II, `ost adapt`:\n"
    yield _table(heads, [adapt_preset(model, num_pictures=100) for model in models])


def _table(heads: list[str], configs: list[Any]) -> str:
    flat = [_flat(one.to_json()) for one in configs]
    labels = ("preset", "look") if isinstance(configs[0], PretrainConfig) else ()
    rows = [
        f"| `{name}` | {' | '.join(_shown(one[name]) for one in flat)} |\n"
        for name in flat[0]
        if len({str(one[name]) for one in flat}) > 1 and name not in labels
    ]
    return f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}\n{''.join(rows)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _bullet(head: str, said: str) -> str:
    return _wrapped(f"* {head}: {said}" if said else f"* {head}", indent="  ") + "\n"


def _wrapped(text: str, indent: str = "") -> str:
    linked = re.sub(r"[Dd]ecision (\d{4})", _linked_decision, " ".join(text.split()))
    return textwrap.fill(
        linked,
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _linked_decision(match: re.Match[str]) -> str:
    (record,) = (DOCS / "decisions").glob(f"{match[1]}-*.md")
    return f"[{match[0]}](../decisions/{record.name})"


def _docstring(node: ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def _text(node: ast.stmt) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    return str(value.value) if isinstance(value, ast.Constant) else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

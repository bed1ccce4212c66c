"""One style of message: "error: what happened", "→ what to run", both without a full stop."""

import ast
from pathlib import Path

import pytest

import ostcli
from ostcli import errors

SOURCES = sorted(Path(ostcli.__file__).parent.rglob("*.py"))
CLASSES = {
    name: 1 if name == "PictureError" else 0  # Where its sentence stands among the arguments.
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, errors.OstError)
}


def sentences_of(path):
    """Yield the messages and hints of the errors made in a module, "…" for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = CLASSES.get(node.func.id)
            if place is not None:
                hints = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
                yield from map(text_of, [*node.args[place : place + 1], *hints])


def text_of(node):
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(text_of, parts))
        case ast.BinOp(left=left, right=right):
            return text_of(left) + text_of(right)
    return "…"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_messages_and_hints_begin_small_and_end_without_a_full_stop(path):
    wrong = [
        text
        for text in sentences_of(path)
        if not text or text[0].isupper() or text[-1] in ".!" or "\n" in text
    ]
    assert not wrong


def test_messages_are_found():
    assert sum(len(list(sentences_of(path))) for path in SOURCES) > 80

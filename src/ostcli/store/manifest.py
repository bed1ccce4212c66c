"""What a manifest says: which files make up a model, and how they came to be.

The manifest is the one file that is ever replaced; it points to files that never change. It is
read without torch, so that listing and shell completion stay fast.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from ostcli.errors import DamagedError, StoreError, UsageError

Kind = Literal["model", "adaptation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES = ("weights", "state", "keepsake")
"""For use; for resuming; the pieces of pictures of B that a model carries along."""
SCHEMA = 1
MAX_BYTES = 1_000_000

_FILE_NAME = re.compile(rf"[0-9]{{6,}}(\.({'|'.join(ROLES[1:])}))?\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPE_WORDS = {str: "text", int: "a whole number", dict: "an object"}

_PUNCTUATION = "-_+."
_MAX_NAME_LENGTH = 100
_MAX_NAME_BYTES = 200  # File systems end at 255 bytes, and ".safetensors" may follow.
_RESERVED_ON_WINDOWS = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)]
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """One immutable file."""

    name: str
    sha256: str
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The files of one save, keyed by role ("weights", "state", "keepsake")."""

    number: int
    """From 1 on, one more with each save."""
    step: int
    """Optimiser steps done when it was saved."""
    files: Mapping[str, FileRecord]


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The model that an adaptation was made from."""

    name: str
    sha256: str
    """Of the weights file of the model at that time; it finds the model under any name."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything known about a model or an adaptation, without its tensors."""

    schema: int = SCHEMA
    kind: Kind
    name: str
    parent: Parent | None
    config: Mapping[str, Any]
    """The frozen configuration of the run; JSON, finite numbers."""
    facts: Mapping[str, Any]
    """What the run learned (source folder, losses, device …); JSON, finite numbers."""
    created: str
    """ISO 8601, UTC, to the second, like `updated`."""
    updated: str
    versions: Mapping[str, str]
    """Of ost, torch and python at the last save."""
    current: Generation
    previous: Generation | None = None

    def generations(self) -> tuple[Generation, ...]:
        """List the current generation and, if there is one, the previous one."""
        return (self.current,) if self.previous is None else (self.current, self.previous)

    def file_names(self) -> set[str]:
        """List the bare names of the files that the generations need."""
        return {record.name for each in self.generations() for record in each.files.values()}

    def to_json(self) -> bytes:
        """Write the manifest as JSON: ASCII, sorted, indented, with a newline at the end.

        Returns:
            The bytes; equal manifests give equal bytes.

        Raises:
            ValueError: config or facts hold what JSON cannot, or the result exceeds 1 MB.
        """
        # Escaped to ASCII, since a folder's name on the disk need not be valid Unicode.
        text = json.dumps(vars(self), default=_plain, sort_keys=True, indent=2, allow_nan=False)
        data = f"{text}\n".encode("ascii")
        if len(data) > MAX_BYTES:
            raise ValueError(
                f"a manifest of {len(data)} bytes; at most {MAX_BYTES} can be read back"
            )
        return data

    @classmethod
    def from_json(cls, data: bytes, *, path: Path) -> "Manifest":
        """Read a manifest, checking everything.

        Args:
            data: what `to_json` wrote.
            path: where the bytes come from, for the message.

        Returns:
            The manifest.

        Raises:
            DamagedError: anything is missing, of a wrong type or impossible.
            StoreError: it has a schema that this version does not know yet.
        """
        try:
            record = _parse(data)
            schema = _take(record, "schema", int)
            if schema > SCHEMA:
                raise StoreError(
                    f"{path} was written by a newer ost",
                    hint="run: pipx upgrade ostcli",
                )
            return _manifest(record)
        except _WrongError as error:
            raise DamagedError(f"{path} is not a manifest that ost can read: {error}") from error


class _WrongError(Exception):
    """Why a manifest cannot be read, in words that follow a colon."""


def _plain(value: object) -> dict[str, Any]:
    if is_dataclass(value):
        return vars(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _parse(data: bytes) -> Mapping[str, Any]:
    if len(data) > MAX_BYTES:
        raise _WrongError(f"it is larger than {MAX_BYTES} bytes")
    try:
        record = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _WrongError("it is not JSON") from error
    if not isinstance(record, dict):
        raise _WrongError("it is not an object")
    return record


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _manifest(record: Mapping[str, Any]) -> Manifest:
    current = _generation(_take(record, "current", dict))
    previous = (
        None if record.get("previous") is None else _generation(_take(record, "previous", dict))
    )
    _require(
        previous is None or previous.number < current.number, "its generations are out of order"
    )
    schema, kind = _take(record, "schema", int), _take(record, "kind", str)
    _require(schema == SCHEMA, f"schema {schema} never existed")
    _require(kind in KINDS, f"it is neither a {' nor an '.join(KINDS)}")
    versions = _take(record, "versions", dict)
    _require(all(isinstance(value, str) for value in versions.values()), "versions should be text")
    return Manifest(
        schema=schema,
        kind=cast("Kind", kind),
        name=_name(record),
        parent=None if record.get("parent") is None else _parent(_take(record, "parent", dict)),
        config=_take(record, "config", dict),
        facts=_take(record, "facts", dict),
        created=_time(record, "created"),
        updated=_time(record, "updated"),
        versions=versions,
        current=current,
        previous=previous,
    )


def _generation(record: Mapping[str, Any]) -> Generation:
    number, step = _take(record, "number", int), _take(record, "step", int)
    _require(number >= 1 and step >= 0, "generation and step cannot be negative")
    files = _take(record, "files", dict)
    _require("weights" in files, f"generation {number} has no weights")
    _require(set(files) <= set(ROLES), f"generation {number} has files of an unknown role")
    return Generation(
        number=number, step=step, files={role: _file(_take(files, role, dict)) for role in files}
    )


def _file(record: Mapping[str, Any]) -> FileRecord:
    name, num_bytes = _take(record, "name", str), _take(record, "num_bytes", int)
    _require(is_generation_file(name), f"{name!r} is not the name of a file of ost")
    _require(num_bytes >= 0, "a file cannot have a negative size")
    return FileRecord(name=name, sha256=_sha256(record), num_bytes=num_bytes)


def _parent(record: Mapping[str, Any]) -> Parent:
    return Parent(name=_name(record), sha256=_sha256(record))


def _name(record: Mapping[str, Any]) -> str:
    name = _take(record, "name", str)
    _require(_why_no_name(name) is None, f"{name!r} cannot be the name of a model")
    return name


def _sha256(record: Mapping[str, Any]) -> str:
    text = _take(record, "sha256", str)
    _require(_SHA256.fullmatch(text) is not None, "a SHA-256 has 64 hexadecimal digits")
    return text


def _time(record: Mapping[str, Any], key: str) -> str:
    text = _take(record, key, str)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _WrongError(f"{key} is not a time") from error
    _require(moment.tzinfo is not None, f"{key} has no time zone")
    return text


def _take(record: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = record.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _WrongError(f"{key} should be {_TYPE_WORDS[kind]}")
    return value


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _WrongError(otherwise)


def now() -> str:
    """Tell the time as manifests write it.

    Returns:
        ISO 8601, UTC, to the second.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def generation_file_name(number: int, role: str) -> str:
    """Name a file of a generation.

    Args:
        number: of the generation.
        role: one of ROLES.

    Returns:
        Such as "000042.safetensors" for weights, "000042.state.safetensors" for the state.
    """
    assert role in ROLES, role
    return f"{number:06d}{'' if role == 'weights' else f'.{role}'}.safetensors"


def is_generation_file(name: str) -> bool:
    """Tell whether a file belongs to some generation, by its bare name."""
    return _FILE_NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Check what a model or an adaptation is to be called.

    Args:
        name: 1 to 100 characters: letters of any script, digits, "-", "_", "+" and ".".

    Returns:
        The name in Unicode's composed form, so that it is the same on every system.

    Raises:
        UsageError: no folder on every system could bear that name.
    """
    name = unicodedata.normalize("NFC", name)
    reason = _why_no_name(name)
    if reason is not None:
        raise UsageError(
            f"{name!r} cannot be the name of a model: {reason}",
            hint=f"use a name such as {slug(name)}",
        )
    return name


def slug(text: str) -> str:
    """Make a valid name of any text, such as a folder's name.

    Args:
        text: anything, also nothing.

    Returns:
        A name that `check_name` accepts as it is.
    """
    kept = "".join(
        character if _may_be_in_name(character) else " "
        for character in unicodedata.normalize("NFKC", text)
    )
    name = _shortened("-".join(kept.split()))
    if _stem(name) in _RESERVED_ON_WINDOWS:
        name = _shortened(f"model-{name}")
    return name or "model"


def _shortened(name: str) -> str:
    name = name.lstrip("-.")[:_MAX_NAME_LENGTH]
    return name.encode()[:_MAX_NAME_BYTES].decode(errors="ignore").rstrip("-.")


def _why_no_name(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name) > _MAX_NAME_LENGTH:
        return f"it has more than {_MAX_NAME_LENGTH} characters"
    if not all(_may_be_in_name(character) for character in name):
        return f"only letters, digits and {' '.join(_PUNCTUATION)} may be in it"
    if len(name.encode()) > _MAX_NAME_BYTES:
        return f"it takes more than {_MAX_NAME_BYTES} bytes"
    if name[0] in "-." or name[-1] == ".":
        return "it begins with - or . or ends with ."
    if _stem(name) in _RESERVED_ON_WINDOWS:
        return "Windows keeps that name for a device"
    return None


def _may_be_in_name(character: str) -> bool:
    category = unicodedata.category(character)
    return character in _PUNCTUATION or category[0] in "LM" or category == "Nd"


def _stem(name: str) -> str:
    return name.split(".")[0].lower()

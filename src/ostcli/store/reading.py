"""Read the models and adaptations of a user, without locks and without writing.

torch is imported only when tensors are read, so that listing names stays fast.
"""

import difflib
import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from ostcli.errors import DamagedError, NotFoundError, StoreError, UsageError
from ostcli.store.durable import error_in_words, os_errors_named
from ostcli.store.generation import (
    StoredModel,
    open_generation,
    problems_of,
    unreferenced_files,
)
from ostcli.store.manifest import MAX_BYTES, ROLES, Kind, Manifest, check_name

MANIFEST = "manifest.json"
PREVIEW = "preview.png"
LOG = "log.jsonl"
FOR_PEOPLE = (PREVIEW, LOG)
"""Files beside a model that nothing depends on."""


class LibraryReader:
    """What can be learned of a library by reading.

    Args:
        root: the store; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._models = root / "models"
        self._last_path = root / "last.json"

    def names(self, kind: str | None = None) -> list[str]:
        """List what can be read, sorted.

        Args:
            kind: "model" or "adaptation"; None for both.
        """
        return [
            name for name, manifest in self._manifests().items() if kind in (None, manifest.kind)
        ]

    def unreadable(self) -> dict[str, StoreError]:
        """Say why each of the other names cannot be read, sorted.

        Returns:
            A DamagedError for what is beyond repair, another StoreError for what is not: it was
            written by a newer ost, or the user has no right to read it.
        """
        entries = self._entries().items()
        return {name: entry for name, entry in entries if isinstance(entry, StoreError)}

    def exists(self, name: str) -> bool:
        """Tell whether something was saved under a name, damaged or not."""
        path = self.folder(name) / MANIFEST
        with os_errors_named(path):
            return path.exists()

    def folder(self, name: str) -> Path:
        """Name the folder of a model, which need not exist.

        Raises:
            UsageError: the name is none for a model.
        """
        return self._models / check_name(name)

    def existing_folder(self, name: str) -> Path:
        """Name the folder of a model, damaged or not.

        Raises:
            UsageError: the name is none for a model.
            NotFoundError: there is no such model; the hint names similar ones.
        """
        folder = self.folder(name)
        if not folder.exists():
            raise self._not_found(name)
        return folder

    def manifest(self, name: str) -> Manifest:
        """Read a manifest.

        Returns:
            The manifest; its name is the folder's, whoever renamed it.

        Raises:
            NotFoundError: there is no such model; the hint names similar ones.
            DamagedError: the manifest cannot be read.
        """
        manifest = self._read_manifest(self.folder(name))
        if manifest is None:
            raise self._not_found(name)
        return manifest

    def present(self, name: str, *, replacing: bool = False) -> Manifest | None:
        """Read the manifest of what has a name; None if nothing has.

        Args:
            name: of a model or an adaptation.
            replacing: what has the name is to be replaced, so nothing is None as well when damaged.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return self._read_manifest(self.folder(name))
        except DamagedError:
            if replacing:
                return None
            raise

    def open(self, name: str, roles: Collection[str] = ROLES) -> StoredModel:
        """Open the newest save whose files are all whole.

        Args:
            name: of a model or an adaptation.
            roles: of the files that will be used: of a large training state, say, nothing is read
                unless it is wanted.

        Returns:
            The current generation, or the previous one with a warning.

        Raises:
            NotFoundError: there is no such model.
            DamagedError: no save is whole; the hint says what to run next.
        """
        manifest = self.manifest(name)
        try:
            return open_generation(self.folder(name), manifest, roles)
        except DamagedError:
            if self.manifest(name) != manifest:
                return self.open(name, roles)  # It was saved twice while we looked.
            raise

    def find_parent(self, manifest: Manifest) -> str | None:
        """Find the model that an adaptation was made from, also after it was renamed.

        Args:
            manifest: of the adaptation.

        Returns:
            The name of a model that has the very weights, or None.
        """
        if manifest.parent is None:
            return None
        wanted = manifest.parent
        found = [
            name for name, other in self._manifests().items() if _has_weights(other, wanted.sha256)
        ]
        return wanted.name if wanted.name in found else next(iter(found), None)

    def verify(self, name: str) -> list[str]:
        """Compare all files of a model with what was written.

        Returns:
            What is wrong, in words; empty when all is well.

        Raises:
            NotFoundError: there is no such model.
        """
        folder = self.folder(name)
        entry = self._entry(folder)
        if entry is None:
            raise self._not_found(name)
        if isinstance(entry, StoreError):
            return [entry.message]
        problems = (problems_of(folder, each) for each in entry.generations())
        return list(dict.fromkeys(chain.from_iterable(problems)))  # They may share a keepsake.

    def size(self, name: str) -> int:
        """Add up the bytes of all files of a model."""
        folder = self.folder(name)
        with os_errors_named(folder):
            return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())

    def last(self, kind: Kind) -> str | None:
        """Name the model or adaptation used last, else the one saved last, else None."""
        manifests = {
            name: manifest for name, manifest in self._manifests().items() if manifest.kind == kind
        }
        chosen = self._read_last().get(kind)
        if isinstance(chosen, str) and chosen in manifests:
            return chosen
        return max(manifests, key=lambda name: manifests[name].updated, default=None)

    def _read_last(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            record = json.loads(self._last_path.read_text(encoding="utf-8"))
            if isinstance(record, dict):
                return record
        return {}

    def _folders(self) -> list[Path]:
        """List the folders whose names a model can have, sorted."""
        with os_errors_named(self._models):
            if not self._models.is_dir():
                return []
            return sorted(
                path for path in self._models.iterdir() if path.is_dir() and _is_name(path.name)
            )

    def _manifests(self) -> dict[str, Manifest]:
        entries = self._entries().items()
        return {name: entry for name, entry in entries if isinstance(entry, Manifest)}

    def _entries(self) -> dict[str, Manifest | StoreError]:
        entries = ((folder.name, self._entry(folder)) for folder in self._folders())
        return {name: entry for name, entry in entries if entry is not None}

    def _entry(self, folder: Path) -> Manifest | StoreError | None:
        """Return a manifest, or why it cannot be read; None where nothing was ever saved."""
        try:
            manifest = self._read_manifest(folder)
            if manifest is None and unreferenced_files(folder, None):
                raise _damaged(f"{folder} has no {MANIFEST}", folder.name)
        except StoreError as error:
            return error
        return manifest

    def _read_manifest(self, folder: Path) -> Manifest | None:
        path = folder / MANIFEST
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise error_in_words(error, path) from error
        try:
            return replace(Manifest.from_json(data, path=path), name=folder.name)
        except DamagedError as error:
            raise _damaged(error.message, folder.name) from error

    def _not_found(self, name: str) -> NotFoundError:
        close = difflib.get_close_matches(name, self.names())
        hint = f"did you mean {' or '.join(close)}?" if close else "run: ost models"
        return NotFoundError(f"there is no model or adaptation called {name}", hint=hint)


def _is_name(name: str) -> bool:
    try:
        return check_name(name) == name
    except UsageError:
        return False


def _damaged(message: str, name: str) -> DamagedError:
    return DamagedError(message, hint=f"to remove it, run: ost models rm {name}")


def _has_weights(manifest: Manifest, sha256: str) -> bool:
    return any(each.files["weights"].sha256 == sha256 for each in manifest.generations())

"""Read the models and adaptations of a user, without locks and without writing.

torch is imported only when tensors are read, so that listing names stays fast.
"""

import difflib
import json
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
from ostcli.store.manifest import MAX_BYTES, Kind, Manifest, check_name

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
            name
            for name, manifest in self._manifests().items()
            if manifest is not None and kind in (None, manifest.kind)
        ]

    def damaged(self) -> list[str]:
        """List the names, sorted, whose saves have no manifest that can be read."""
        return [
            name
            for name, manifest in self._manifests().items()
            if manifest is None
            and (self.exists(name) or unreferenced_files(self.folder(name), None))
        ]

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

    def open(self, name: str) -> StoredModel:
        """Open the newest save whose files are all whole.

        Returns:
            The current generation, or the previous one with a warning.

        Raises:
            NotFoundError: there is no such model.
            DamagedError: no save is whole; the hint says what to run next.
        """
        manifest = self.manifest(name)
        try:
            return open_generation(self.folder(name), manifest)
        except DamagedError:
            if self.manifest(name) != manifest:
                return self.open(name)  # It was saved twice while we looked.
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
        try:
            manifest = self.manifest(name)
        except NotFoundError:
            raise
        except StoreError as error:
            return [error.message]
        folder = self.folder(name)
        problems = (problems_of(folder, each) for each in manifest.generations())
        return list(dict.fromkeys(chain.from_iterable(problems)))  # They may share a keepsake.

    def size(self, name: str) -> int:
        """Add up the bytes of all files of a model."""
        folder = self.folder(name)
        with os_errors_named(folder):
            return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())

    def last(self, kind: Kind) -> str | None:
        """Name the model or adaptation used last, else the one saved last, else None."""
        manifests = {
            name: manifest
            for name, manifest in self._manifests().items()
            if manifest is not None and manifest.kind == kind
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

    def _manifests(self) -> dict[str, Manifest | None]:
        manifests: dict[str, Manifest | None] = {}
        for folder in self._folders():
            manifests[folder.name] = None
            with suppress(StoreError):
                manifests[folder.name] = self._read_manifest(folder)
        return manifests

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
            hint = f"to remove it, run: ost models rm {folder.name}"
            raise DamagedError(error.message, hint=hint) from error

    def _not_found(self, name: str) -> NotFoundError:
        close = difflib.get_close_matches(name, self.names())
        hint = f"did you mean {' or '.join(close)}?" if close else "run: ost models"
        return NotFoundError(f"there is no model or adaptation called {name}", hint=hint)


def _is_name(name: str) -> bool:
    try:
        return check_name(name) == name
    except UsageError:
        return False


def _has_weights(manifest: Manifest | None, sha256: str) -> bool:
    if manifest is None:
        return False
    return any(each.files["weights"].sha256 == sha256 for each in manifest.generations())

"""The models and adaptations of a user: list, save, open, rename, remove.

    <root>/last.json                                the model and adaptation used last
    <root>/models/<name>/manifest.json              points to the files of two generations
    <root>/models/<name>/000042.safetensors         weights; beside it .state and .keepsake
    <root>/models/.locks/<name>.lock                held while a process writes the model

torch is imported only when tensors are read or written, so that listing names stays fast.
"""

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostcli.errors import BusyError, StoreError, UsageError
from ostcli.store.durable import (
    append_line,
    error_in_words,
    make_folder,
    os_errors_named,
    sweep_temporaries,
    sync_folder,
    write_file,
)
from ostcli.store.generation import (
    newest_number,
    next_generation,
    remove_files,
    unreferenced_files,
    write_generation,
)
from ostcli.store.manifest import (
    Kind,
    Manifest,
    Parent,
    check_name,
    is_generation_file,
    now,
)
from ostcli.store.reading import FOR_PEOPLE, MANIFEST, LibraryReader
from ostcli.store.root import store_root as store_root

if TYPE_CHECKING:
    from torch import Tensor

_A = {"model": "a model", "adaptation": "an adaptation"}


class Library(LibraryReader):
    """The models and adaptations under one folder, which the first save makes."""

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes from writing a model; the same thread may take it again.

        Raises:
            BusyError: another process holds it.
        """
        from filelock import FileLock, Timeout

        path = self._models / ".locks" / f"{check_name(name)}.lock"
        try:
            make_folder(path.parent)
            lock = FileLock(path, timeout=0, is_singleton=True)
            lock.acquire()
        except Timeout as error:
            raise BusyError(
                f"{name} is being written by another ost process",
                hint="wait until it is done, or use another --name",
            ) from error
        except OSError as error:
            raise error_in_words(error, path) from error
        try:
            yield
        finally:
            lock.release()

    def commit(
        self,
        name: str,
        *,
        kind: Kind,
        config: Mapping[str, Any],
        facts: Mapping[str, Any],
        step: int,
        files: "Mapping[str, Mapping[str, Tensor]]",
        parent: Parent | None = None,
        created: str | None = None,
        replaces: bool = False,
    ) -> Manifest:
        """Save a new generation, whole or not at all, and drop the one before the previous.

        Args:
            name: of the model or adaptation.
            kind: which of both.
            config: the frozen configuration of the run; JSON.
            facts: what the run learned; JSON.
            step: optimiser steps done.
            files: tensors by role. "weights" are required; a "keepsake" that is not given
                is carried over from the save before; a "state" is not.
            parent: the model that an adaptation was made from.
            created: of the first save, when that was elsewhere.
            replaces: it is the first save of another training, in place of all that was saved
                under the name before, damaged or not; nothing is carried over.

        Returns:
            The manifest as written.

        Raises:
            UsageError: the name is taken by the other kind.
            BusyError: another process is writing it.
            ResourceError: the disk is full; what was there before is unharmed.
            StoreError: something else keeps it from being written, such as a damaged manifest
                that is not replaced; likewise.
        """
        from ostcli.store.tensors import encode_tensors

        assert "weights" in files, "a generation without weights"
        folder, contents = self.folder(name), {role: encode_tensors(files[role]) for role in files}
        with self.lock(name):
            old = self.present(name, replacing=replaces)
            if old is not None and old.kind != kind:
                raise UsageError(
                    f"{name} is the name of {_A[old.kind]} already", hint="use another --name"
                )
            last = old.current.number if old is not None else newest_number(folder)
            if replaces:
                old = None
            previous = old.current if old is not None else None
            manifest = Manifest(
                kind=kind,
                name=folder.name,
                parent=parent,
                config=config,
                facts=facts,
                created=created or (old.created if old is not None else now()),
                updated=now(),
                versions=versions(),
                current=next_generation(last + 1, previous, step=step, contents=contents),
                previous=previous,
            )
            as_json = manifest.to_json()  # Before anything is written, in case it cannot be.
            make_folder(folder)
            sweep_temporaries(folder, locked=True)
            write_generation(folder, manifest.current, contents)
            write_file(folder / MANIFEST, as_json)
            remove_files(unreferenced_files(folder, manifest))
        return manifest

    def extra_path(self, name: str, filename: str) -> Path:
        """Name a file beside the tensors, such as preview.png or log.jsonl.

        Raises:
            ValueError: the file is one of the store's own, or in another folder.
        """
        own = filename == MANIFEST or is_generation_file(filename)
        if own or filename in ("", "..") or Path(filename).name != filename:
            raise ValueError(f"{filename!r} cannot be an extra file")
        return self.folder(name) / filename

    def write_extra(self, name: str, filename: str, data: bytes) -> Path:
        """Write a file beside the tensors, whole or not at all, and return its path."""
        path = self._place_of_extra(name, filename)
        write_file(path, data)
        return path

    def append_extra(self, name: str, filename: str, line: str) -> Path:
        """Append a line to a log beside the tensors, and return its path."""
        path = self._place_of_extra(name, filename)
        append_line(path, line)
        return path

    def remove(self, name: str) -> None:
        """Remove a model, damaged or not; a reader never sees half of it.

        Raises:
            NotFoundError: there is no such model.
            BusyError: another process is writing it.
            StoreError: the system refuses.
        """
        folder = self.existing_folder(name)
        with self.lock(name), os_errors_named(folder):
            (folder / MANIFEST).unlink(missing_ok=True)
            sync_folder(folder)
            shutil.rmtree(folder)

    def rename(self, old: str, new: str) -> Manifest:
        """Give a model another name; adaptations of it still find it by its weights.

        Raises:
            NotFoundError: there is no such model.
            UsageError: the new name is taken, or none for a model.
            BusyError: another process is writing it.
        """
        source, target = self.folder(old), self.folder(new)
        with self.lock(old), self.lock(new):
            manifest = replace(self.manifest(old), name=target.name)
            if target.exists():
                raise UsageError(f"there is already a folder for {new}", hint="choose another name")
            was_last = self.last(manifest.kind) == source.name
            with os_errors_named(source):
                source.rename(target)
                sync_folder(self._models)
            write_file(target / MANIFEST, manifest.to_json())
            if was_last:
                self.set_last(manifest.kind, target.name)
        return manifest

    def prune(self) -> list[Path]:
        """Remove what killed writers left behind; models being written are passed over.

        Returns:
            The removed temporaries, files that no manifest points to, previews and logs of what was
            never saved, and empty folders.
        """
        removed = sweep_temporaries(self.root)
        for folder in self._folders():
            with suppress(BusyError), self.lock(folder.name):
                removed += self._prune_folder(folder)
        return removed

    def set_last(self, kind: Kind, name: str) -> None:
        """Remember what was used last."""
        record = self._read_last() | {kind: check_name(name)}
        make_folder(self.root)
        sweep_temporaries(self.root)
        write_file(self._last_path, f"{json.dumps(record, indent=2, sort_keys=True)}\n".encode())

    def _prune_folder(self, folder: Path) -> list[Path]:
        removed = sweep_temporaries(folder, locked=True)
        with suppress(StoreError):  # A damaged manifest does not say what is still needed.
            manifest = self.present(folder.name)
            removed += remove_files(unreferenced_files(folder, manifest))
            if manifest is None:
                removed += remove_files(folder / name for name in FOR_PEOPLE)
        with suppress(OSError):
            folder.rmdir()  # Refused by the system unless it is empty.
            removed.append(folder)
        return removed

    def _place_of_extra(self, name: str, filename: str) -> Path:
        path = self.extra_path(name, filename)
        make_folder(path.parent)
        return path


def versions() -> dict[str, str]:
    """Return those of this program, torch and Python."""
    return {
        "ost": _version("ostcli"),
        "torch": _version("torch"),
        "python": platform.python_version(),
    }


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"  # Run from a checkout.

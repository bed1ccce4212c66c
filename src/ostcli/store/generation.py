"""The files of one save: opened only when every byte is what was written."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ostcli.errors import DamagedError, NotFoundError
from ostcli.store.durable import os_errors_named, sha256, write_file
from ostcli.store.manifest import (
    ROLES,
    FileRecord,
    Generation,
    Manifest,
    generation_file_name,
    is_generation_file,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model or an adaptation whose files were found whole."""

    folder: Path
    manifest: Manifest
    generation: Generation
    """The one that is in use: the current one, or the previous one with a warning."""
    warning: str | None = None

    def has(self, role: str) -> bool:
        """Tell whether there are tensors of a role; the training state may have been dropped."""
        record = self.generation.files.get(role)
        return record is not None and (self.folder / record.name).exists()

    def tensors(self, role: str) -> "dict[str, Tensor]":
        """Read the tensors of a role, after comparing their bytes with the manifest once more.

        Args:
            role: "weights", "state" or "keepsake".

        Returns:
            The tensors by name, on the CPU.

        Raises:
            NotFoundError: there is no file of that role; ask `has` first.
            DamagedError: the file is not what was written.
        """
        from ostcli.store.tensors import decode_tensors

        if not self.has(role):
            raise NotFoundError(f"{self.manifest.name} was saved without its {role}")
        record = self.generation.files[role]
        path = self.folder / record.name
        with os_errors_named(path):
            data = path.read_bytes()
        if sha256(data) != record.sha256:
            raise DamagedError(f"{path} differs from what was written")
        return decode_tensors(data, path=path)


def open_generation(
    folder: Path, manifest: Manifest, roles: Collection[str] = ROLES
) -> StoredModel:
    """Open the newest save that is whole; files of two saves are never mixed.

    Args:
        folder: of the model.
        manifest: of the model.
        roles: of the files that will be used; the others are not looked at.

    Returns:
        The current generation, or the previous one with a warning in words.

    Raises:
        DamagedError: neither is whole.
    """
    problem = next(problems_of(folder, manifest.current, roles), None)
    if problem is None:
        return StoredModel(folder=folder, manifest=manifest, generation=manifest.current)
    previous = manifest.previous
    if previous is None or any(problems_of(folder, previous, roles)):
        again = "pretrain FOLDER" if manifest.kind == "model" else "adapt EXAMPLE"
        raise DamagedError(
            problem,
            hint=f"to make it anew, run: ost {again} --name {manifest.name} --fresh; "
            f"to remove it, run: ost models rm {manifest.name}",
        )
    warning = f"{problem}; the save before it, of step {previous.step}, is used instead"
    return StoredModel(folder=folder, manifest=manifest, generation=previous, warning=warning)


def problems_of(
    folder: Path, generation: Generation, roles: Collection[str] = ROLES
) -> Iterator[str]:
    """Compare the files of a generation with what was written.

    Args:
        folder: of the model.
        generation: what to look at. A missing training state is no problem: it may be dropped.
        roles: of the files that matter.

    Yields:
        What is wrong, in words, naming the file.
    """
    for role, record in generation.files.items():
        path = folder / record.name
        if role in roles and (role != "state" or path.exists()):
            problem = _problem_with(path, record)
            if problem is not None:
                yield problem


def _problem_with(path: Path, record: FileRecord) -> str | None:
    try:
        num_bytes = path.stat().st_size
        if num_bytes != record.num_bytes:
            return f"{path} has {num_bytes} bytes instead of {record.num_bytes}"
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    return None if digest == record.sha256 else f"{path} differs from what was written"


def next_generation(
    number: int, old: Generation | None, *, step: int, contents: Mapping[str, bytes]
) -> Generation:
    """Describe a new save before it is written.

    Args:
        number: higher than that of every save under this name.
        old: the save before it, if any.
        step: optimiser steps done.
        contents: the bytes of each role. The keepsake of the old save is referred to when there is
            no new one; its training state, which would not fit new weights, is not.

    Returns:
        The generation.
    """
    records = {
        role: FileRecord(
            name=generation_file_name(number, role), sha256=sha256(data), num_bytes=len(data)
        )
        for role, data in contents.items()
    }
    if old is not None and "keepsake" in old.files:
        records.setdefault("keepsake", old.files["keepsake"])
    return Generation(number=number, step=step, files=records)


def write_generation(folder: Path, generation: Generation, contents: Mapping[str, bytes]) -> None:
    """Write the files of a new save; when one fails, remove those before it.

    Args:
        folder: of the model.
        generation: from `next_generation`.
        contents: the bytes of each role.

    Raises:
        ResourceError: the disk or the quota is full.
        StoreError: a file cannot be written for another reason.
    """
    paths = {role: folder / generation.files[role].name for role in contents}
    try:
        for role, path in paths.items():
            write_file(path, contents[role])
    except BaseException:
        remove_files(paths.values())
        raise


def newest_number(folder: Path) -> int:
    """Return the highest number of a generation that has a file, whole or not; 0 without any."""
    files = unreferenced_files(folder, None)
    return max((int(path.name.partition(".")[0]) for path in files), default=0)


def unreferenced_files(folder: Path, manifest: Manifest | None) -> list[Path]:
    """List the generation files that no manifest points to.

    Args:
        folder: of the model; a missing one is empty.
        manifest: what it refers to is kept; None keeps nothing.

    Returns:
        Their paths, sorted.
    """
    kept = manifest.file_names() if manifest is not None else set()
    with os_errors_named(folder):
        if not folder.is_dir():
            return []
        return sorted(
            path
            for path in folder.iterdir()
            if is_generation_file(path.name) and path.name not in kept
        )


def remove_files(paths: Iterable[Path]) -> list[Path]:
    """Remove files; one that the system holds on to stays for the next time.

    Args:
        paths: of files that nothing refers to.

    Returns:
        Those that are gone.
    """
    removed = []
    for path in paths:
        try:
            path.unlink()
        except OSError:
            continue
        removed.append(path)
    return removed

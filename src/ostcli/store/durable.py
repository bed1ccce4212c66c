"""Write files so that whoever is killed when, a reader sees the old bytes or the new ones, whole.

A file is written under a temporary name beside its place, flushed to the disk and then renamed;
at last the folder is flushed, so that the new name survives a power cut as well.
"""

import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ostcli.errors import OstError, ResourceError, StoreError
from ostcli.store.root import store_root

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_FOLDERS_NOT_FLUSHED = {errno.EINVAL, errno.ENOTSUP}
_LIVE_SECONDS = 3600.0


def write_file(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a file whole or not at all, and have it on the disk before returning.

    Args:
        path: the file; its folder must exist. An older file is replaced.
        data: the whole content.

    Raises:
        ResourceError: the disk or the quota is full.
        StoreError: the file cannot be written for another reason, such as missing rights.
    """
    # Without the file's own name, which may be as long as the system allows.
    temporary = path.with_name(f".ost.{secrets.token_hex(8)}.tmp")
    try:
        with os_errors_named(path):
            with temporary.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)  # noqa: PTH105 - named as the system call that it is
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def append_line(path: Path, text: str) -> None:
    """Append a line to a log; the last lines may be lost in a power cut.

    Args:
        path: the log, made if missing.
        text: the line, with or without its newline.

    Raises:
        ResourceError: the disk or the quota is full.
        StoreError: the log cannot be written for another reason.
    """
    with os_errors_named(path), path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(text.removesuffix("\n") + "\n")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there, so that a power cut leaves them.

    Args:
        folder: where files will be written.

    Raises:
        ResourceError: the disk or the quota is full.
        StoreError: a file is in the way, or rights are missing.
    """
    with os_errors_named(folder):
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in missing:
            sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can.

    Args:
        folder: a folder in which a file was just renamed or removed.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows cannot open a folder, and keeps names safe by itself.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _FOLDERS_NOT_FLUSHED:
            raise
    finally:
        os.close(descriptor)


def sweep_temporaries(folder: Path, *, locked: bool = False) -> list[Path]:
    """Remove what killed writers left behind.

    Args:
        folder: where to look; a missing one counts as clean. Files younger than an hour stay,
            because a live writer may own them,
        locked: unless the caller holds the lock that keeps all other writers out.

    Returns:
        The removed files.
    """
    removed = []
    oldest_live = time.time() - _LIVE_SECONDS
    for path in sorted(folder.glob(".*.tmp")):
        with suppress(OSError):
            is_dead = locked or path.stat().st_mtime < oldest_live
            if is_dead and _TEMPORARY.fullmatch(path.name):
                path.unlink()
                removed.append(path)
    return removed


def sha256(data: bytes | bytearray | memoryview) -> str:
    """Hash bytes.

    Args:
        data: what to hash.

    Returns:
        The SHA-256 as 64 lower-case hexadecimal digits.
    """
    return hashlib.sha256(data).hexdigest()


@contextmanager
def os_errors_named(path: Path) -> Iterator[None]:
    """Turn the system's errors into sentences about a file.

    Args:
        path: the file that the block works on.

    Raises:
        ResourceError: the disk or the quota is full.
        StoreError: any other error of the system.
    """
    try:
        yield
    except OSError as error:
        raise error_in_words(error, path) from error


def error_in_words(error: OSError, path: Path) -> OstError:
    """Say what the system refused, and for which file.

    Args:
        error: the system's error.
        path: the file it happened to.

    Returns:
        A ResourceError when the disk or the quota is full, else a StoreError.
    """
    is_stored = path.is_relative_to(store_root())
    if error.errno in _DISK_FULL:
        return ResourceError(
            f"there is no space left on the disk to write {path}",
            hint="free some space"
            + ("; OST_HOME moves the store to another disk" if is_stored else ""),
        )
    if isinstance(error, PermissionError):
        return StoreError(
            f"{path} cannot be written or read: permission denied",
            hint="check who owns the folder"
            + ("; OST_HOME moves the store to one of your own" if is_stored else ""),
        )
    if isinstance(error, FileExistsError | NotADirectoryError):
        return StoreError(
            f"{path} cannot be written or read: a file is where a folder should be",
            hint="choose another folder, or move the file away",
        )
    return StoreError(f"{path} cannot be written or read: {error.strerror or error}")

"""Which pictures a command works on, and where their translations go."""

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ostcli.errors import InputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""What a file in a folder must end in, in lower case, to be taken for a picture."""


@dataclass(frozen=True, kw_only=True)
class FoundPicture:
    """A file to read as a picture."""

    path: Path
    relative: Path
    """Where it lies below the folder that was given; the bare name of a file given itself."""


def find_pictures(inputs: Sequence[Path], *, leave_out: Path | None = None) -> list[FoundPicture]:
    """List the pictures in files and folders, each once, in the order given.

    Folders are searched to any depth, in the order of names, for files of known suffix. Hidden
    files and folders are left out, and so are sub-folders that may not be listed.

    Args:
        inputs: files, taken whatever their suffix, and folders.
        leave_out: a folder not to be searched, unless it is itself one of the inputs; it need not
            exist.

    Raises:
        InputError: when an input is missing, unreadable, or neither a file nor a folder.
    """
    found: dict[Path, FoundPicture] = {}
    walked = {leave_out.resolve()} if leave_out is not None else set()
    for given in inputs:
        for path in _files_of(given, walked):
            relative = Path(path.name) if path == given else path.relative_to(given)
            found.setdefault(path.resolve(), FoundPicture(path=path, relative=relative))
    return list(found.values())


def plan_outputs(
    found: Sequence[FoundPicture], folder: Path, suffix_for: Callable[[Path], str]
) -> list[Path]:
    """Name the output of each picture, so that no two collide and no input is overwritten.

    An output is called like its source with another suffix. Where that name is taken twice, every
    picture concerned keeps its whole name before the new suffix: `a.gif` and `a.png` become
    `a.gif.png` and `a.png.png`.

    Args:
        found: the pictures.
        folder: where the outputs go; sub-folders of the inputs appear below it.
        suffix_for: the suffix, with its dot, of the output of a source.

    Returns:
        One path per picture, in the same order.

    Raises:
        InputError: when two pictures still want the same name, or an output is one of the inputs.
    """
    suffixes = [suffix_for(picture.path) for picture in found]
    names = [
        picture.relative.with_suffix(suffix)
        for picture, suffix in zip(found, suffixes, strict=True)
    ]
    whole: set[int] = set()
    while clashes := _clashes(names):
        unsettled = {index for clash in clashes for index in clash} - whole
        if not unsettled:
            first, second = (found[index].path for index in clashes[0][:2])
            raise InputError(
                f"{first} and {second} would both be written to {folder / names[clashes[0][0]]}",
                hint="translate them one after the other, each with its own --out",
            )
        for index in unsettled:
            relative = found[index].relative
            names[index] = relative.with_name(relative.name + suffixes[index])
        whole |= unsettled
    outputs = [folder / name for name in names]
    _check_inputs_are_safe(found, outputs)
    return outputs


def _files_of(given: Path, walked: set[Path]) -> Iterator[Path]:
    try:
        mode = given.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(
                given
            ).close()  # A folder that was asked for must open; one below it may not.
            walked.discard(given.resolve())  # Asked for, so not left out.
            return _walk(given, walked)
    except FileNotFoundError as error:
        raise InputError(f"{given}: there is no such file or folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{given}: cannot be read: {reason}") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{given}: neither a file nor a folder")
    return iter([given])


def _walk(folder: Path, walked: set[Path]) -> Iterator[Path]:
    """Yield the pictures below a folder; a folder reached before (a loop of links) has none."""
    real = folder.resolve()
    if real in walked:
        return
    walked.add(real)
    for entry in _visible_entries(folder):
        path = folder / entry.name
        if _is(entry.is_dir):
            yield from _walk(path, walked)
        elif path.suffix.lower() in SUFFIXES and _is(entry.is_file):
            yield path


def _visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(visible, key=lambda entry: entry.name)


def _is(kind: Callable[[], bool]) -> bool:
    """Ask an entry what it is; a link that leads in circles is nothing."""
    try:
        return kind()
    except OSError:
        return False


def _clashes(names: Sequence[Path]) -> list[list[int]]:
    """Group the indices of names that some file system takes for one, or for file and folder."""
    holders: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        holders[_folded(name)].append(index)
    for index, name in enumerate(names):
        for parent in name.parents:
            if _folded(parent) in holders:
                holders[_folded(parent)].append(index)
    return [group for group in holders.values() if len(group) > 1]


def _folded(name: Path) -> str:
    """Reduce a name to what a file system that ignores case and composition sees."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold())


def _check_inputs_are_safe(found: Sequence[FoundPicture], outputs: Sequence[Path]) -> None:
    inputs = {_identity(picture.path) for picture in found} - {None}
    for output in outputs:
        if _identity(output) in inputs:
            raise InputError(
                f"{output}: the result would overwrite the input",
                hint="choose another folder with --out",
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Identify a file by device and number, which see through links and letter case."""
    try:
        status = path.resolve().stat()  # Resolved, since a folder on the way may not exist yet.
    except (OSError, RuntimeError):
        return None
    return status.st_dev, status.st_ino

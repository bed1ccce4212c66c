"""Which pictures a command works on, and where their translations go."""

import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path

from ostcli.errors import InputError, PictureError
from ostcli.events import Note, OnEvent, ignore_events

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
)
"""What a file in a folder must end in, in lower case, to be taken for a picture."""

_MOST_SUFFIXES_TOLD = 5
_NO_SUFFIX = "none"
_KINDS = MimeTypes()


@dataclass(frozen=True, kw_only=True)
class FoundPicture:
    """A file to read as a picture."""

    path: Path
    relative: Path
    """Where it lies below the folder that was given; the bare name of a file given itself."""

    @property
    def folder(self) -> Path:
        """The folder that was given, or in which a file given itself lies."""
        return self.path.parents[len(self.relative.parts) - 1]


def find_pictures(
    inputs: Sequence[Path], *, leave_out: Path | None = None, on_event: OnEvent = ignore_events
) -> list[FoundPicture]:
    """List the pictures in files and folders, each once, in the order given.

    Folders are searched to any depth, in the order of names, for files of known suffix. Hidden
    files and folders are left out, and so are sub-folders that may not be listed.

    Args:
        inputs: files, taken whatever their suffix, and folders.
        leave_out: a folder not to be searched, unless it is itself one of the inputs; it need not
            exist.
        on_event: told how many files of the folders were left out for their suffix; those of a
            kind that is known to be no picture, such as text and video, are not counted.

    Raises:
        PictureError: when an input is missing, unreadable, or neither a file nor a folder.
    """
    found: dict[Path, FoundPicture] = {}
    left_out: Counter[str] = Counter()
    walked = {leave_out.resolve()} if leave_out is not None else set()
    for given in inputs:
        for path in _files_of(given, walked):
            if path != given and path.suffix.lower() not in SUFFIXES:
                left_out[path.suffix.lower() or _NO_SUFFIX] += _may_be_picture(path)
                continue
            relative = Path(path.name) if path == given else path.relative_to(given)
            found.setdefault(path.resolve(), FoundPicture(path=path, relative=relative))
    if left_out.total():
        on_event(Note(text=_left_out_in_words(left_out)))
    return list(found.values())


def split_inputs(inputs: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Tell the files and folders that are there from inputs that cannot be used.

    Returns:
        The usable ones, and the others with the reason of each.
    """
    usable: list[Path] = []
    unusable: list[tuple[Path, str]] = []
    for given in inputs:
        try:
            _is_folder(given)
        except PictureError as error:
            unusable.append((given, error.reason))
        else:
            usable.append(given)
    return usable, unusable


def plan_outputs(
    found: Sequence[FoundPicture], folder: Path, suffix_for: Callable[[Path], str]
) -> list[Path]:
    """Name the output of each picture, so that no two collide and no input is overwritten.

    An output is called like its source with another suffix. Where that name is taken twice, every
    picture concerned keeps its whole name before the new suffix: `a.gif` and `a.png` become
    `a.gif.png` and `a.png.png`. Pictures that lie alike in different folders are told apart by the
    names of these folders: `May/a.png` and `June/a.png`.

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
    relatives = _told_apart(found)
    names = [
        relative.with_suffix(suffix) for relative, suffix in zip(relatives, suffixes, strict=True)
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
            relative = relatives[index]
            names[index] = relative.with_name(relative.name + suffixes[index])
        whole |= unsettled
    outputs = [folder / name for name in names]
    _check_inputs_are_safe(found, outputs)
    return outputs


def _files_of(given: Path, walked: set[Path]) -> Iterator[Path]:
    if not _is_folder(given):
        return iter([given])
    walked.discard(given.resolve())  # Asked for, so not left out.
    return _walk(given, walked)


def _is_folder(given: Path) -> bool:
    """Tell whether an input is a folder, which opens, rather than a file.

    Raises:
        PictureError: it is neither.
    """
    try:
        mode = given.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(given).close()  # One below it need not open.
            return True
    except FileNotFoundError as error:
        raise PictureError(given, "there is no such file or folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(given, f"cannot be read: {reason}") from error
    if not stat.S_ISREG(mode):
        raise PictureError(given, "neither a file nor a folder")
    return False


def _walk(folder: Path, walked: set[Path]) -> Iterator[Path]:
    """Yield the files below a folder; a folder reached before (a loop of links) has none."""
    real = folder.resolve()
    if real in walked:
        return
    walked.add(real)
    for entry in _visible_entries(folder):
        path = folder / entry.name
        if _is(entry.is_dir):
            yield from _walk(path, walked)
        elif _is(entry.is_file):
            yield path


def _may_be_picture(path: Path) -> bool:
    kind, _ = _KINDS.guess_type(path.name)
    return kind is None or kind.startswith("image/")


def _left_out_in_words(left_out: Counter[str]) -> str:
    suffixes = sorted(suffix for suffix, number in left_out.items() if number)
    told = [*suffixes[:_MOST_SUFFIXES_TOLD], *["…"][: len(suffixes) > _MOST_SUFFIXES_TOLD]]
    files = "1 file" if left_out.total() == 1 else f"{left_out.total()} files"
    return f"{files} left out for the suffix ({', '.join(told)})"


def _told_apart(found: Sequence[FoundPicture]) -> list[Path]:
    """Say where each picture lies, from its folder's own name on if others lie there as well."""
    lying = Counter(_folded(picture.relative) for picture in found)
    return [
        Path(picture.folder.resolve().name, picture.relative)
        if lying[_folded(picture.relative)] > 1
        else picture.relative
        for picture in found
    ]


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

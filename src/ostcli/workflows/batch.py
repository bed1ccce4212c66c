"""A batch of pictures to files, past every picture that cannot be translated."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ostcli.errors import ExitCode, InputError, PictureError, ResourceError, StoreError
from ostcli.events import Note, OnEvent, PictureDone, PictureFailed, PictureSkipped
from ostcli.images.encode import encode_picture
from ostcli.images.find import FoundPicture
from ostcli.images.read import Picture
from ostcli.store.durable import make_folder, write_file
from ostcli.training.device import is_out_of_memory
from ostcli.workflows.translator import Translator

TranslatorFor = Callable[[Picture], Translator]
"""What a picture is translated by: one for all, or one made for it."""


class NoMemoryError(PictureError):
    """There is not enough memory to translate one picture; smaller ones may do."""

    exit_code = ExitCode.RESOURCES


@dataclass(kw_only=True)
class Tally:
    """What a batch has come to so far; see `TranslateResult`."""

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    num_without_memory: int = 0
    stopped: bool = False


def translate_each(
    pairs: Sequence[tuple[FoundPicture, Path]],
    *,
    read: Callable[[FoundPicture], Picture],
    translator_for: TranslatorFor,
    overwrite: bool,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> Tally:
    """Translate pictures to files, past every picture that cannot be."""
    tally = Tally()
    for index, (picture, output) in enumerate(pairs, start=1):
        if not overwrite and _is_there(output):
            tally.skipped.append(output)
            on_event(PictureSkipped(source=picture.path, output=output))
            continue
        began = time.monotonic()
        try:
            with want_of_memory_named(picture.path):
                source = read(picture)
                translator = translator_for(source)
                tally.stopped = should_stop()
                if tally.stopped:
                    break
                data = encoded(source, translator, output.suffix)
            _write(picture.path, output, data)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else error.message
            tally.num_without_memory += isinstance(error, NoMemoryError)
            tally.failed.append((picture.path, reason))
            on_event(PictureFailed(path=picture.path, reason=reason))
            continue
        tally.written.append(output)
        on_event(
            PictureDone(
                source=picture.path,
                output=output,
                seconds=time.monotonic() - began,
                index=index,
                num_pictures=len(pairs),
            )
        )
    return tally


def _is_there(output: Path) -> bool:
    try:
        return output.exists()
    except OSError:  # Such as a name that is too long; writing it will say so.
        return False


def _write(source: Path, output: Path, data: bytes) -> None:
    """Write an output.

    Raises:
        PictureError: this one cannot be written; others may.
        ResourceError: the disk is full.
    """
    try:
        make_folder(output.parent)
        write_file(output, data)
    except StoreError as error:
        raise PictureError(source, error.message, hint=error.hint) from error


def encoded(source: Picture, translator: Translator, suffix: str) -> bytes:
    """Return the file of a translation, with what else the source holds: alpha and EXIF."""
    result = translator.translate(source.image)
    return encode_picture(result, suffix, alpha=source.alpha, exif=source.exif)


def tell_of_each(num_pictures: int, on_event: OnEvent) -> None:
    """Say how often an adaptation comes, since only one is planned at a time."""
    if num_pictures > 1:
        text = f"each of the {num_pictures} pictures is adapted to by itself; the plan is for one"
        on_event(Note(text=text))


@contextmanager
def want_of_memory_named(path: Path) -> Iterator[None]:
    """Make an error about one picture of whatever runs out of memory: reading, network, writing."""
    try:
        yield
    except PictureError as error:
        if not isinstance(error.__cause__, MemoryError):
            raise
        raise NoMemoryError(path, error.reason, hint="make it smaller first") from error
    except (RuntimeError, MemoryError, ResourceError) as error:
        if not isinstance(error, ResourceError) and not is_out_of_memory(error):
            raise
        raise NoMemoryError(
            path, "not enough memory to translate it", hint="make it smaller, or use --device cpu"
        ) from error

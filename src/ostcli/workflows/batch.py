"""A batch of pictures to files, past every picture that cannot be translated."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import ExitCode, InputError, PictureError, ResourceError, StoreError
from ostcli.events import Event, Note, OnEvent, PictureDone, PictureFailed, PictureSkipped
from ostcli.images.encode import encode_picture
from ostcli.images.find import FoundPicture
from ostcli.images.folder import reduce_to_working_size
from ostcli.images.read import Picture
from ostcli.store.durable import make_folder, write_file
from ostcli.training.device import is_out_of_memory
from ostcli.workflows.line import MOST_PIXELS, Job, Line, Read
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
    view: ViewConfig,
    read: Callable[[FoundPicture], Picture],
    translator_for: TranslatorFor,
    overlap: bool,
    overwrite: bool,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> Tally:
    """Translate pictures to files, past every picture that cannot be.

    While the network sees a picture, those after it are read, and those before it are finished and
    written, in the background. What is told comes from this thread, in the order of the pictures.

    Args:
        pairs: the pictures and where their translations go.
        view: says how large the network sees them.
        read: reads a picture, in the background.
        translator_for: called in this thread, as is the network.
        overlap: false lets nothing run beside `translator_for`, which may train.
        overwrite: translate those again whose output is there.
        on_event: told of each picture.
        should_stop: asked before the network sees a picture; what it has seen by then is written.
    """
    tally = Tally()
    jobs = [
        Job(index=index, found=found, output=output, overwrite=overwrite)
        for index, (found, output) in enumerate(pairs, start=1)
    ]

    def read_and_reduce(job: Job) -> Read:
        picture = read(job.found)
        return Read(picture, reduce_to_working_size(picture.image, view))

    told_at = time.monotonic()
    with Line(jobs, read_and_reduce, most_pixels=MOST_PIXELS if overlap else 0) as line:
        while line.begin():
            if line.reading and not _translate_next(line, translator_for, should_stop):
                tally.stopped = True
                line.stop()
            for job in line.written():
                seconds = -told_at + (told_at := time.monotonic())
                on_event(_outcome(job, tally, seconds, len(jobs)))
    return tally


def _translate_next(
    line: Line, translator_for: TranslatorFor, should_stop: Callable[[], bool]
) -> bool:
    """Show the network what was read first, and what follows of its size; false for a stop."""
    job = line.reading.popleft()
    if job.is_passed_over:
        line.writing.append(job)
        return True
    try:
        with want_of_memory_named(job.found.path):
            picture, seen = job.reading.result()
            translator = translator_for(picture)
    except InputError as error:
        line.fail(job, error)
        return True
    if should_stop():
        return False
    group = [job, *line.alike(seen.size, translator.num_at_once(seen.size) - 1)]
    for each, pixels in zip(group, _network_pixels(group, translator), strict=True):
        if isinstance(pixels, InputError):
            line.fail(each, pixels)
        else:
            line.write(each, partial(_finish, each, each.reading.result(), pixels, translator))
    return True


def _network_pixels(
    group: Sequence[Job], translator: Translator
) -> list[Image.Image | NoMemoryError]:
    """Return what the network makes of pictures of one size; one by one if memory wants it."""
    try:
        with want_of_memory_named(group[0].found.path):
            return [*translator.network_pixels_of([job.reading.result().seen for job in group])]
    except NoMemoryError as error:
        if len(group) == 1:
            return [error]
    return [pixels for job in group for pixels in _network_pixels([job], translator)]


def _finish(job: Job, read: Read, pixels: Image.Image, translator: Translator) -> None:
    """Do for a picture what follows the network."""
    with want_of_memory_named(job.found.path):
        result = translator.finished(read.picture.image, read.seen, pixels)
        data = _encoded(result, read.picture, job.output.suffix)
    _write(job.found.path, job.output, data)


def _outcome(job: Job, tally: Tally, seconds: float, num_pictures: int) -> Event:
    """Take what a job has come to into the tally; return what there is to tell."""
    source, output = job.found.path, job.output
    if job.is_passed_over:
        tally.skipped.append(output)
        return PictureSkipped(source=source, output=output)
    try:
        job.writing.result()
    except InputError as error:
        reason = error.reason if isinstance(error, PictureError) else error.message
        tally.num_without_memory += isinstance(error, NoMemoryError)
        tally.failed.append((source, reason))
        return PictureFailed(path=source, reason=reason)
    tally.written.append(output)
    return PictureDone(
        source=source, output=output, seconds=seconds, index=job.index, num_pictures=num_pictures
    )


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
    return _encoded(translator.translate(source.image), source, suffix)


def _encoded(result: Image.Image, source: Picture, suffix: str) -> bytes:
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

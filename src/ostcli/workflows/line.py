"""Pictures on their way through a batch: read ahead, and finished and written in the background.

The network has the calling thread; Pillow, numpy and the disk, which leave Python to others while
they work, have some more (decision 0035).
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from PIL import Image

from ostcli.images.find import FoundPicture
from ostcli.images.read import Picture, count_pixels

MOST_PIXELS = 50_000_000
"""Pixels of all pictures on their way, unless a single one has more: two photographs of 24
megapixels, which take some 300 MB beside the network."""
MOST_PICTURES = 16
"""Pictures on their way: enough for a GPU that sees several at once."""
MOST_WORKERS = 4
"""Threads in the background."""


class Read(NamedTuple):
    """A picture that was read.

    Args:
        picture: at its own size.
        seen: as the network sees it. RGB.
    """

    picture: Picture
    seen: Image.Image


@dataclass(kw_only=True, eq=False)
class Job:
    """A picture to be translated."""

    index: int
    found: FoundPicture
    output: Path
    overwrite: bool
    reading: Future[Read] = field(init=False)
    """Of one that is not passed over, from when it is begun until the network has seen it."""
    writing: Future[None] = field(init=False)
    """Of the same, from then on."""

    @cached_property
    def is_passed_over(self) -> bool:
        """Whether the output is there and is to stay."""
        try:
            return not self.overwrite and self.output.exists()
        except OSError:  # Such as a name that is too long; writing it will say so.
            return False

    @cached_property
    def num_pixels(self) -> int:
        """What it takes of the room that there is."""
        return 0 if self.is_passed_over else max(1, count_pixels(self.found.path))

    def is_seen_at(self, size: tuple[int, int]) -> bool:
        """Whether the network sees it at a size; waits until it is read."""
        if self.is_passed_over or self.reading.exception() is not None:
            return False
        return self.reading.result().seen.size == size


class Line:
    """Jobs on their way, in their order: first they are `reading`, then they are `writing`.

    Args:
        jobs: all of them.
        read: reads one, in the background.
        most_pixels: how many pixels may be on their way; 0 for one picture after the other.
    """

    def __init__(
        self, jobs: Iterable[Job], read: Callable[[Job], Read], *, most_pixels: int
    ) -> None:
        self._coming = deque(jobs)
        self._read = read
        self._most_pixels = most_pixels
        self._executor = ThreadPoolExecutor(
            min(MOST_WORKERS, os.cpu_count() or 1), thread_name_prefix="ost-pictures"
        )
        self.reading: deque[Job] = deque()
        self.writing: deque[Job] = deque()

    def begin(self) -> bool:
        """Begin to read what there is room for; return whether any job is on its way."""
        while self._coming and self._has_room(self._coming[0]):
            job = self._coming.popleft()
            if not job.is_passed_over:
                job.reading = self._executor.submit(self._read, job)
            self.reading.append(job)
        return bool(self.reading or self.writing)

    def alike(self, size: tuple[int, int], most: int) -> list[Job]:
        """Take, of those that are next, what the network sees at a size; at most so many."""
        taken: list[Job] = []
        while self.reading and len(taken) < most and self.reading[0].is_seen_at(size):
            taken.append(self.reading.popleft())
        return taken

    def write(self, job: Job, work: Callable[[], None]) -> None:
        """Do the rest of a job's work in the background."""
        job.writing = self._executor.submit(work)
        del job.reading  # Its picture now belongs to the work.
        self.writing.append(job)

    def fail(self, job: Job, error: Exception) -> None:
        """Let a job come to an error, in its turn."""
        job.writing = Future()
        job.writing.set_exception(error)
        self.writing.append(job)

    def written(self) -> Iterator[Job]:
        """Take the jobs that are done, in order; the first in any case if there is none to read."""
        if self.writing and not self.reading:
            yield self.writing.popleft()
        while self.writing and (self.writing[0].is_passed_over or self.writing[0].writing.done()):
            yield self.writing.popleft()

    def stop(self) -> None:
        """Drop the jobs that are not writing yet."""
        self._coming.clear()
        for job in self.reading:
            if not job.is_passed_over:
                job.reading.cancel()
        self.reading.clear()

    def _has_room(self, job: Job) -> bool:
        on_way = [*self.reading, *self.writing]
        num_pixels = job.num_pixels + sum(each.num_pixels for each in on_way)
        return not on_way or (len(on_way) < MOST_PICTURES and num_pixels <= self._most_pixels)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

"""The folder B as training sees it: every picture that can be read, decoded and ready for crops."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import InputError, PictureError
from ostcli.events import OnEvent, PictureFailed, PicturesFound
from ostcli.images.find import FoundPicture, find_pictures
from ostcli.images.read import read_picture
from ostcli.method.augment import Pictures, working_scale

MEMORY_FOR_PICTURES = 1_500_000_000
"""Bytes of decoded pictures kept in memory; those beyond are decoded again when drawn."""
BYTES_PER_PIXEL = 4
"""As Pillow keeps RGB."""
DECODERS = 4
"""Files decoded at once while a folder is opened; reading waits for the disk as well."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    found: FoundPicture
    height: int
    width: int
    image: Image.Image | None


class PictureFolder:
    """The usable pictures of a folder, by index, in the order of their paths.

    Args:
        folder: where they are.
        entries: the pictures; some decoded already.
        failed: the unusable ones with the reason of each.
        view: says how many pixels the network sees.
    """

    def __init__(
        self,
        folder: Path,
        entries: Sequence[_Entry],
        failed: Sequence[tuple[Path, str]],
        view: ViewConfig,
    ) -> None:
        self.folder = folder
        self.failed = tuple(failed)
        self._entries = entries
        self._view = view

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Image.Image:
        """Return a picture: RGB, its own pixels, or scaled down to what the network sees."""
        entry = self._entries[index]
        return entry.image or _decode(entry.found.path, self._view)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each picture as the network sees it, in pixels."""
        return [(entry.height, entry.width) for entry in self._entries]

    @property
    def stems(self) -> list[str]:
        """The names of the pictures' files, without suffixes."""
        return [entry.found.path.stem for entry in self._entries]

    @property
    def fingerprint(self) -> str:
        """A digest of the pictures' names and file sizes: tells whether the folder has changed."""
        digest = hashlib.sha256()
        for entry in self._entries:
            size = entry.found.path.stat().st_size
            digest.update(f"{entry.found.relative.as_posix()}\0{size}\n".encode(errors="replace"))
        return digest.hexdigest()


def open_folder(
    folder: Path, view: ViewConfig, on_event: OnEvent, *, leave_out: Path | None = None
) -> PictureFolder:
    """Decode every picture below a folder once; leave out, and name, those that cannot be read.

    Args:
        folder: searched recursively.
        view: says how many pixels the network sees.
        on_event: told of files of other suffixes, each picture that fails, and what was found.
        leave_out: a folder below it that is not searched; it need not exist.

    Raises:
        InputError: there is no such folder, or no usable picture in it.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist",
            hint="give the folder with the pictures of the look you want",
        )
    entries: list[_Entry] = []
    failed: list[tuple[Path, str]] = []
    memory_left = MEMORY_FOR_PICTURES
    with _decoders() as executor:
        found = find_pictures([folder], leave_out=leave_out, on_event=on_event)
        for picture, decoded in zip(
            found, executor.map(lambda one: _try_decode(one.path, view), found), strict=True
        ):
            if isinstance(decoded, PictureError):
                failed.append((picture.path, decoded.reason))
                on_event(PictureFailed(path=picture.path, reason=decoded.reason))
                continue
            memory_left -= BYTES_PER_PIXEL * decoded.width * decoded.height
            entries.append(
                _Entry(
                    found=picture,
                    height=decoded.height,
                    width=decoded.width,
                    image=decoded if memory_left >= 0 else None,
                )
            )
    if not entries:
        raise InputError(
            f"{folder} holds no picture that can be used"
            + (f"; {len(failed)} could not be read" if failed else ""),
            hint="put JPEG, PNG, WebP, TIFF, BMP or GIF pictures into it",
        )
    opened = PictureFolder(folder, entries, failed, view)
    by_area = sorted(opened.sizes, key=math.prod)
    on_event(
        PicturesFound(
            folder=folder,
            num_pictures=len(opened),
            num_failed=len(failed),
            smallest=by_area[0],
            largest=by_area[-1],
        )
    )
    return opened


def spread(pictures: Pictures, most: int) -> list[Image.Image]:
    """Take pictures at even distances, at most so many, the first included."""
    number = min(most, len(pictures))
    return [pictures[i * len(pictures) // number] for i in range(number)]


@contextmanager
def _decoders() -> Iterator[ThreadPoolExecutor]:
    """Decode in the background; on the way out, drop what has not begun."""
    executor = ThreadPoolExecutor(DECODERS, thread_name_prefix="ost-decode")
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _try_decode(path: Path, view: ViewConfig) -> Image.Image | PictureError:
    try:
        return _decode(path, view)
    except PictureError as error:
        return error


def _decode(path: Path, view: ViewConfig) -> Image.Image:
    """Decode a picture at what the network sees of it: exactly the file's pixels if they fit."""
    at_least = math.isqrt(view.working_pixels)
    return reduce_to_working_size(read_picture(path, at_least=at_least).image, view)


def reduce_to_working_size(image: Image.Image, view: ViewConfig) -> Image.Image:
    """Scale a picture larger than the network sees it down to that; others are unchanged.

    Args:
        image: RGB.
        view: says how large the network sees it; see `working_scale`.

    Returns:
        The picture with its aspect kept, or the very same one.
    """
    scale = working_scale(image.height, image.width, view)
    if scale == 1.0:
        return image
    size = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    return image.resize(size, Image.Resampling.LANCZOS)

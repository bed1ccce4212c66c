"""Read any picture a user may have as upright 8-bit sRGB.

Pillow opens and decodes; here is what it leaves to its caller: refusing what is damaged or too
large, turning by EXIF, scaling deep greys, setting transparency apart, and colour management.
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from ostcli.errors import PictureError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""What is read, in Pillow's words; JPEG includes MPO, which many cameras write as .jpg."""

MAX_PIXELS = 200_000_000
"""Larger pictures are refused: as RGB they would take a gigabyte and more."""

# Pillow would warn above 89 megapixels and refuse above 179. Its limit is raised to ours, so that
# it stays in force for other users of Pillow in this process; a limited scope does not exist, and
# `warnings.catch_warnings` is not safe beside other threads.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

STANDARD_INPUT = Path("standard input")
"""How errors name a picture that came through a pipe."""

_FAULTS: tuple[type[Exception], ...] = (
    # What Pillow and its codecs raise on broken files, and warnings where they are made errors.
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    LookupError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    ImageCms.PyCMSError,
    Warning,
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its EXIF orientation."""

_CARRIED_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Rating,
    ExifTags.Base.RatingPercent,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
"""What the first EXIF directory says about a picture rather than about the layout of its file."""

_BITS_PER_SAMPLE = 258  # TIFF tag
_GREY_MODES = frozenset({"1", "L", "LA"})
_FULL_SCALES = (1, 255, 32767, 65535)
_MODE_OF_SPACE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""The mode that a profile of each colour space (in ICC's words) is for."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture ready for work."""

    image: Image.Image
    """Mode RGB, 8 bit, upright, in sRGB."""
    alpha: Image.Image | None
    """Mode L, of the same size, upright; None for a picture without transparency."""
    exif: bytes | None
    """The EXIF block without orientation and thumbnail; None if there is none that holds."""


def read_picture(source: Path | BinaryIO, *, at_least: int | None = None) -> Picture:
    """Read the first frame of a picture, upright, as 8-bit RGB in sRGB.

    Colours under full transparency stay what they are in the file. An embedded colour profile that
    is broken, or made for another kind of picture, is ignored.

    Args:
        source: a file, or a stream to its end.
        at_least: pixels wanted on the short side. A JPEG is then decoded at a half, a quarter or
            an eighth of its size if that is still enough, which saves time and memory.

    Raises:
        PictureError: when there is no such file, it is no picture of a known format, is damaged,
            or has more than `MAX_PIXELS` pixels.
    """
    with _opened(source) as opened:
        if at_least is not None:
            opened.draft(None, (at_least, at_least))
        opened.load()
        turn, exif = _turn(opened), _carried_exif(opened)
        colour, alpha = _split_alpha(opened)
        image = _to_srgb(colour, opened.info.get("icc_profile"))
        image.info = {}  # Encoders would act on what the source left there.
        return Picture(
            image=_upright(image, turn),
            alpha=None if alpha is None else _upright(alpha, turn),
            exif=exif,
        )


def count_pixels(path: Path) -> int:
    """Return how many pixels a picture has by its header; 0 where that does not open."""
    with suppress(PictureError), _opened(path) as opened:
        return opened.width * opened.height
    return 0


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open a picture, of which only the header is read; faults inside become `PictureError`."""
    path = source if isinstance(source, Path) else STANDARD_INPUT
    # Our own stream, since Pillow would close its own before the last EXIF directory is read.
    with _plain_reasons(path), _stream(source) as stream:
        if not stream.read(1):
            raise PictureError(path, "empty")
        with Image.open(stream, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            yield image


def _stream(source: Path | BinaryIO) -> BinaryIO:
    if not isinstance(source, Path):
        return BytesIO(source.read())
    if not stat.S_ISREG(source.stat().st_mode):
        raise PictureError(source, "not a file")
    return source.open("rb")


@contextmanager
def _plain_reasons(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong into a sentence about this picture."""
    try:
        yield
    except UnidentifiedImageError as fault:
        raise PictureError(
            path,
            "not a picture that ost can read (JPEG, PNG, WebP, TIFF, BMP or GIF)",
            hint="convert it to JPEG or PNG first",
        ) from fault
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
        raise PictureError(
            path, f"larger than {MAX_PIXELS // 1_000_000} megapixels", hint="make it smaller first"
        ) from fault
    except MemoryError as fault:
        raise PictureError(path, "not enough memory to read it") from fault
    except _FAULTS as fault:
        reason = getattr(fault, "strerror", None)
        raise PictureError(
            path, reason or "the file is damaged, cut short or of an unusual kind"
        ) from fault


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Find what makes the picture upright; an EXIF block that does not open asks for nothing."""
    if image.format == "TIFF":
        return None  # Pillow turns these itself, and gives their upright size.
    with suppress(*_FAULTS):
        # The base class, since PNG's own method decodes the whole picture to find a late EXIF.
        return _TURNS.get(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1))
    return None


def _upright(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in a mode; one that is in it is not copied, as Pillow would do."""
    return image if image.mode == mode else image.convert(mode)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Separate the colours (mode L, RGB, CMYK or LAB) from the transparency (mode L)."""
    if image.mode in {"CMYK", "LAB"}:
        return image, None
    if image.mode[0] in "IF":
        return _deep_grey(image)
    grey = image.mode in _GREY_MODES
    if not image.has_transparency_data:
        return _in_mode(image, "L" if grey else "RGB"), None
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # of a 16-bit picture, which Pillow cuts to 8
        image.info["transparency"] = tuple(level >> 8 for level in key)
    whole = image.convert("RGBA")
    return whole.convert("L" if grey else "RGB"), whole.getchannel("A")


def _deep_grey(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Bring greys of more than 8 bit, whole or floating, to 8 bit, and a key level to alpha."""
    levels = np.asarray(image)
    key = image.info.get("transparency")
    alpha = None if key is None else Image.fromarray(np.where(levels == key, 0, 255).astype("u1"))
    if image.mode.startswith("I;16"):
        num_bits: int = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0]
        return Image.fromarray((levels >> (num_bits - 8)).clip(0, 255).astype(np.uint8)), alpha
    grey = _stretched(np.nan_to_num(levels).astype(np.float64))
    return Image.fromarray(grey.astype(np.uint8)), alpha


def _stretched(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map levels to 0 … 255 by the full scale they seem to use; strange ones from end to end.

    Integers of 32 bit and floating-point numbers do not say which level is white.
    """
    low, high = float(levels.min()), float(levels.max())
    full_scale: float | None = next(
        (full for full in _FULL_SCALES if low >= 0 and high <= full), None
    )
    if full_scale is None:
        levels, full_scale = levels - low, high - low or 1.0  # Of one level: black.
    return np.rint(levels * (255 / full_scale))


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert a picture (mode L, RGB, CMYK or LAB) to RGB, by its profile where that fits."""
    if image.mode == "LAB":
        return _lab_to_srgb().apply(image)
    if icc:
        with suppress(*_FAULTS):
            mode, to_srgb = _profile_to_srgb(icc)
            if mode == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if mode == image.mode:
                return to_srgb.apply(image)
    return _in_mode(image, "RGB")


# A transform takes longer to build than a small picture to go through it, and threads may share it.
@lru_cache(maxsize=16)
def _profile_to_srgb(icc: bytes) -> tuple[str, ImageCms.ImageCmsTransform]:
    """Return the mode that a profile is for and the way from there to sRGB."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc))
    mode = _MODE_OF_SPACE[profile.profile.xcolor_space]
    return mode, _to_srgb_from(profile, mode)


@cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return _to_srgb_from(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _to_srgb_from(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)


def _carried_exif(image: Image.Image) -> bytes | None:
    """Build a fresh EXIF block of what describes the picture, if the old one can be understood."""
    with suppress(*_FAULTS):
        old, new = image.getexif(), Image.Exif()
        new.endian = old.endian  # Maker notes are kept as bytes and rely on it.
        for tag in _CARRIED_TAGS:
            if tag in old:
                new[tag] = old[tag]
        for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if entries := dict(old.get_ifd(directory)):
                new[directory] = entries
                if ExifTags.IFD.Interop in entries:  # Here an offset into the old block.
                    entries[ExifTags.IFD.Interop] = dict(old.get_ifd(ExifTags.IFD.Interop))
        return new.tobytes() if len(new) else None
    return None

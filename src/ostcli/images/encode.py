"""Turn a finished picture into the bytes of a file."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, TiffImagePlugin

from ostcli.errors import InputError, UsageError

_SUFFIX_OF_FORMAT = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}
_FORMAT_OF_SUFFIX = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
_OTHERWISE = ".png"

_TIFF_HEADER = 8  # bytes
_STRIP_OFFSETS = 273  # TIFF tag

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"subsampling": "4:4:4", "optimize": True},
    # Of 24 megapixels, level 4 makes 20 MB in 2.5 s, Pillow's own choice of 6 19 MB in 6.2 s.
    "PNG": {"compress_level": 4},
    "WEBP": {"exact": True},  # Keeps the colours under full transparency.
    # With a predictor (tag 317), LZW is as small as Deflate and four times as fast.
    "TIFF": {"compression": "tiff_lzw", "tiffinfo": {317: 2}},
}


def suffix_for_source(path: Path) -> str:
    """Name the suffix of a translation by the name of its source, which is not opened.

    Returns:
        The source's own kind where it keeps a photograph well, else ".png".
    """
    return _SUFFIX_OF_FORMAT.get(_FORMAT_OF_SUFFIX.get(path.suffix.lower(), ""), _OTHERWISE)


def format_of_suffix(suffix: str) -> str:
    """Name the format, in Pillow's words, that a suffix asks for.

    Raises:
        UsageError: when no format has this suffix.
    """
    format_name = _FORMAT_OF_SUFFIX.get(suffix.lower())
    if format_name is None:
        known = ", ".join(_FORMAT_OF_SUFFIX)
        raise UsageError(f"there is no picture format for {suffix!r}", hint=f"use one of {known}")
    return format_name


def encode_picture(
    image: Image.Image,
    suffix: str,
    *,
    alpha: Image.Image | None = None,
    exif: bytes | None = None,
    quality: int = 95,
) -> bytes:
    """Encode a picture, marked as sRGB; the same picture always gives the same bytes.

    Args:
        image: mode RGB, in sRGB.
        suffix: with its dot; says which format.
        alpha: mode L, of the same size; JPEG has no transparency and gets the picture on white.
        exif: a block as `Picture.exif` has it; dropped where the format does not take it.
        quality: of JPEG and WebP, 1 to 100.

    Raises:
        UsageError: when no format has this suffix.
        InputError: when the picture is too large for the format.
    """
    format_name = format_of_suffix(suffix)
    if alpha is not None and format_name == "JPEG":
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    elif alpha is not None:
        image = Image.merge("RGBA", (*image.split(), alpha))
    if exif is not None:
        # Whatever a strange block does to the encoder, the picture itself matters more.
        with suppress(Exception):
            return _saved(image, format_name, quality, exif)
    try:
        return _saved(image, format_name, quality, b"")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{image.width} × {image.height} pixels do not fit into a {format_name} file",
            hint="save it as .png or .tif",
        ) from error


def _saved(image: Image.Image, format_name: str, quality: int, exif: bytes) -> bytes:
    content = BytesIO()
    options = dict(_OPTIONS[format_name])
    if format_name != "TIFF":
        options |= {"quality": quality, "exif": exif}
    image.save(content, format_name, icc_profile=_srgb_profile(), **options)
    if format_name == "TIFF" and exif:
        return _tiff_with_exif(content.getvalue(), exif)
    return content.getvalue()


def _tiff_with_exif(tiff: bytes, exif: bytes) -> bytes:
    """Give a TIFF a new first directory, which has the entries of the EXIF block as well.

    Needed because libtiff, which compresses, does not write nested directories through Pillow.
    """
    layout = TiffImagePlugin.ImageFileDirectory_v2(tiff[:_TIFF_HEADER])
    stream = BytesIO(tiff)
    stream.seek(layout.next)
    layout.load(stream)
    tags = Image.Exif()
    tags.load(exif)
    for tag in layout:
        tags[tag] = layout[tag]
    # Pillow takes the offsets of the pixels as counted from the end of the directory it writes.
    tags[_STRIP_OFFSETS] = tuple(offset - _TIFF_HEADER for offset in layout[_STRIP_OFFSETS])
    return tags.tobytes().removeprefix(b"Exif\0\0") + tiff[_TIFF_HEADER:]


@cache
def _srgb_profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # The time of its making, which would differ between runs.
    return bytes(profile)

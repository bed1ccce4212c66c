from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ostcli.errors import InputError, UsageError
from ostcli.images.encode import encode_picture, suffix_for_source
from ostcli.images.read import read_picture

MODEL, EXIF_IFD, GPS_IFD, EXPOSURE = 0x0110, 0x8769, 0x8825, 0x829A
INTEROP_IFD = 0xA005
SUFFIXES = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"]


def smooth():
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 4, y * 5, 255 - x - y], -1).astype(np.uint8)


PICTURE = Image.fromarray(smooth())
ALPHA = Image.fromarray(smooth()[..., 0])


def pixels(image):
    return np.asarray(image).astype(int)


def exif_block():
    exif = Image.Exif()
    exif[MODEL] = "Box"
    exif[EXIF_IFD] = {EXPOSURE: 0.25, INTEROP_IFD: {1: "R98"}}
    exif[GPS_IFD] = {2: (47.0, 30.0, 0.0)}
    return exif.tobytes()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.JPEG", ".jpg"),
        ("a.jpe", ".jpg"),
        ("a.jfif", ".jpg"),
        ("a.png", ".png"),
        ("a.webp", ".webp"),
        ("a.tiff", ".tif"),
        ("a.bmp", ".png"),
        ("a.gif", ".png"),
        ("a", ".png"),
    ],
)
def test_a_translation_keeps_the_kind_that_its_source_is_named_for_if_that_is_good(name, suffix):
    assert suffix_for_source(Path("nowhere", name)) == suffix


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG"])
def test_what_is_encoded_reads_back(suffix):
    picture = read_picture(BytesIO(encode_picture(PICTURE, suffix)))

    exact = suffix.lower() in {".png", ".tif", ".tiff"}
    assert abs(pixels(picture.image) - smooth()).max() <= (0 if exact else 12)
    assert picture.alpha is None
    assert picture.exif is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_result_is_marked_as_srgb_and_reproducible(suffix):
    content = encode_picture(PICTURE, suffix)
    with Image.open(BytesIO(content)) as opened:
        profile = ImageCms.ImageCmsProfile(BytesIO(opened.info["icc_profile"]))

    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert opened.info["icc_profile"][24:36] == bytes(12)  # no date
    assert content == encode_picture(PICTURE, suffix)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_attached_and_hides_no_colour(suffix):
    clear = Image.new("L", PICTURE.size, 0)
    clear.paste(ALPHA, (0, 0, *PICTURE.size))
    picture = read_picture(BytesIO(encode_picture(PICTURE, suffix, alpha=clear)))

    assert (pixels(picture.alpha) == pixels(ALPHA)).all()
    assert abs(pixels(picture.image) - smooth()).max() <= (12 if suffix == ".webp" else 0)


def test_a_jpeg_shows_what_is_transparent_on_white():
    alpha = Image.new("L", PICTURE.size, 255)
    alpha.paste(0, (0, 0, 32, 48))
    made = pixels(read_picture(BytesIO(encode_picture(PICTURE, ".jpg", alpha=alpha))).image)

    assert made[:, :24].min() > 250
    assert abs(made[:, 40:] - smooth()[:, 40:]).max() <= 12


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("alpha", [None, Image.new("L", PICTURE.size, 254)])
def test_exif_goes_into_every_format_and_comes_out_again(tmp_path, suffix, alpha):
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encode_picture(PICTURE, suffix, alpha=alpha, exif=exif_block()))
    picture = read_picture(path)
    carried = Image.Exif()
    carried.load(picture.exif)

    assert carried[MODEL] == "Box"
    assert carried.get_ifd(EXIF_IFD)[EXPOSURE] == 0.25
    assert carried.get_ifd(INTEROP_IFD)[1] == "R98"
    assert carried.get_ifd(GPS_IFD)[2] == (47.0, 30.0, 0.0)
    assert abs(pixels(picture.image) - smooth()).max() <= 12


def test_exif_in_a_tiff_of_many_strips_leaves_the_pixels_alone():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)
    content = encode_picture(Image.fromarray(noise), ".tif", exif=exif_block())

    assert (pixels(read_picture(BytesIO(content)).image) == noise).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("exif", [b"Exif\0\0" + bytes(70_000), b"nonsense"], ids=["long", "odd"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_exif_that_a_format_does_not_take_costs_only_itself(suffix, exif):
    picture = read_picture(BytesIO(encode_picture(PICTURE, suffix, exif=exif)))

    assert picture.exif is None
    assert abs(pixels(picture.image) - smooth()).max() <= 12


def test_jpeg_keeps_full_colour_resolution():
    with Image.open(BytesIO(encode_picture(PICTURE, ".jpg"))) as opened:
        assert {layer[1:3] for layer in opened.layer} == {(1, 1)}


def test_a_lower_quality_is_smaller():
    for suffix in (".jpg", ".webp"):
        best, worse = (len(encode_picture(PICTURE, suffix, quality=q)) for q in (95, 30))
        assert worse < best


def test_an_unknown_suffix_names_the_known_ones():
    with pytest.raises(UsageError, match=r"\.gif") as caught:
        encode_picture(PICTURE, ".gif")
    assert ".webp" in caught.value.hint


@pytest.mark.parametrize("suffix", [".webp", ".jpg"])
def test_a_picture_too_long_for_a_format_is_refused(suffix):
    with pytest.raises(InputError, match="70000 × 1 pixels do not fit"):
        encode_picture(Image.new("RGB", (70_000, 1)), suffix)

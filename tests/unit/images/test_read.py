import os
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from ostcli.errors import PictureError
from ostcli.images.read import MAX_PIXELS, count_pixels, read_picture

ORIENTATION, MODEL, EXIF_IFD, GPS_IFD = 0x0112, 0x0110, 0x8769, 0x8825
EXPOSURE, LATITUDE = 0x829A, 2


def gradient(height=24, width=40):
    """RGB pixels that differ in every corner; smooth, so that JPEG keeps them."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 6, y * 10, 255 - x * 3 - y * 3], -1).clip(0, 255).astype(np.uint8)


def stored(image, format_name, **options):
    stream = BytesIO()
    image.save(stream, format_name, **options)
    stream.seek(0)
    return stream


def pixels(image):
    return np.asarray(image).astype(int)


def read_back(image, format_name="PNG", **options):
    return read_picture(stored(image, format_name, **options))


def exif_block(orientation=1):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MODEL] = "Box"
    exif[EXIF_IFD] = {EXPOSURE: 0.25}
    exif[GPS_IFD] = {LATITUDE: (47.0, 30.0, 0.0)}
    return exif.tobytes()


def as_stored_with(orientation, upright):
    """Lay pixels out as a camera does that notes this orientation."""
    undo = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }
    return Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("format_name", "options", "tolerance"),
    [
        ("JPEG", {"quality": 100, "subsampling": 0}, 4),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
    ],
)
def test_every_orientation_comes_out_upright(
    tmp_path, orientation, format_name, options, tolerance
):
    path = tmp_path / "picture"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    as_stored_with(orientation, gradient()).save(path, format_name, exif=exif, **options)

    picture = read_picture(path)

    assert abs(pixels(picture.image) - gradient()).max() <= tolerance


def test_alpha_is_turned_with_its_picture():
    upright = np.dstack([gradient(), gradient()[..., 0]])
    picture = read_back(as_stored_with(6, upright), exif=exif_block(6))

    assert (pixels(picture.alpha) == upright[..., 3]).all()
    assert (pixels(picture.image) == upright[..., :3]).all()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_exif_is_carried_without_orientation(format_name):
    picture = read_back(Image.fromarray(gradient()), format_name, exif=exif_block(3))
    carried = Image.Exif()
    carried.load(picture.exif)

    assert ORIENTATION not in carried
    assert carried[MODEL] == "Box"
    assert carried.get_ifd(EXIF_IFD)[EXPOSURE] == 0.25
    assert carried.get_ifd(GPS_IFD)[LATITUDE] == (47.0, 30.0, 0.0)


def test_exif_of_a_tiff_says_nothing_about_its_layout():
    picture = read_back(Image.fromarray(gradient()), "TIFF", tiffinfo={MODEL: "Box"})
    carried = Image.Exif()
    carried.load(picture.exif)

    assert dict(carried) == {MODEL: "Box"}


def test_a_thumbnail_is_not_carried():
    thumbnail = b"\xff\xd8 small picture \xff\xd9"
    first = struct.pack("<HHHII", 1, MODEL, 2, 4, int.from_bytes(b"Box\0", "little"))
    second_at = 8 + len(first) + 4
    second = struct.pack("<HHHIIHHII", 2, 0x0201, 4, 1, second_at + 30, 0x0202, 4, 1, 18)
    block = (
        b"II*\0\x08\0\0\0" + first + struct.pack("<I", second_at) + second + bytes(4) + thumbnail
    )
    picture = read_back(Image.fromarray(gradient()), "JPEG", exif=b"Exif\0\0" + block)

    assert b"Box" in picture.exif
    assert b"small picture" not in picture.exif


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0nonsense"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_picture_with_no_or_broken_exif_is_read_without(exif):
    picture = read_back(Image.fromarray(gradient()), "JPEG", exif=exif)

    assert picture.exif is None
    assert picture.image.size == (40, 24)


GREY = gradient()[..., 0]
ALPHA = gradient()[..., 1]


@pytest.mark.parametrize(
    ("image", "format_name", "colours", "alpha"),
    [
        (Image.fromarray(gradient()), "BMP", gradient(), None),
        (Image.fromarray(GREY), "PNG", np.dstack([GREY] * 3), None),
        (Image.fromarray(GREY > 99), "PNG", np.dstack([255 * (GREY > 99)] * 3), None),
        (Image.fromarray(GREY > 99), "TIFF", np.dstack([255 * (GREY > 99)] * 3), None),
        (Image.fromarray(np.dstack([GREY, ALPHA])), "PNG", np.dstack([GREY] * 3), ALPHA),
        (Image.fromarray(np.dstack([gradient(), ALPHA])), "PNG", gradient(), ALPHA),
        (Image.fromarray(np.dstack([gradient(), ALPHA])), "TIFF", gradient(), ALPHA),
    ],
    ids=["RGB", "L", "1", "1 TIFF", "LA", "RGBA", "RGBA TIFF"],
)
def test_each_mode_becomes_rgb_and_alpha(image, format_name, colours, alpha):
    picture = read_back(image, format_name)

    assert picture.image.mode == "RGB"
    assert (pixels(picture.image) == colours).all()
    assert (picture.alpha is None) == (alpha is None)
    assert alpha is None or (pixels(picture.alpha) == alpha).all()


def test_colour_under_full_transparency_is_kept():
    clear = np.dstack([gradient(), np.zeros_like(ALPHA)])

    assert (pixels(read_back(Image.fromarray(clear)).image) == gradient()).all()


@pytest.mark.parametrize("format_name", ["PNG", "GIF"])
@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_give_their_colours_and_transparency(format_name, transparent):
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 200, 0, 0, 0, 100])
    image.putdata([0, 1, 2])
    picture = read_back(image, format_name, **({"transparency": 1} if transparent else {}))

    assert pixels(picture.image).tolist() == [[[255, 0, 0], [0, 200, 0], [0, 0, 100]]]
    assert (picture.alpha is not None) == transparent
    assert not transparent or pixels(picture.alpha).tolist() == [[255, 0, 255]]


def test_a_palette_may_be_half_transparent():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    picture = read_back(image, transparency=bytes([7, 128]))

    assert pixels(picture.alpha).tolist() == [[7, 128]]


@pytest.mark.parametrize(
    ("image", "key"),
    [
        (Image.fromarray(GREY), int(GREY[0, 5])),
        (Image.fromarray(gradient()), tuple(int(level) for level in gradient()[0, 5])),
        (Image.fromarray(GREY.astype(np.uint16) * 200), int(GREY[0, 5]) * 200),
    ],
    ids=["L", "RGB", "I;16"],
)
def test_a_colour_named_transparent_becomes_alpha(image, key):
    alpha = pixels(read_back(image, transparency=key).alpha)

    assert alpha[0, 5] == 0
    assert alpha[0, 6] == 255


def test_16_bit_grey_is_scaled_exactly_and_not_clipped():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    for format_name in ("PNG", "TIFF"):
        picture = read_back(Image.fromarray(levels), format_name)
        assert (pixels(picture.image)[..., 0] == levels >> 8).all()


def test_16_bit_colour_keeps_its_high_bytes():
    levels = np.arange(0, 65536, 257 * 5, dtype=">u2")[:48].reshape(4, 4, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    picture = read_picture(BytesIO(png_of(4, 4, rows, depth=16, colour_type=2)))

    assert (pixels(picture.image) == levels >> 8).all()


def test_a_16_bit_transparent_colour_becomes_alpha():
    levels = np.array([[[0xFFFF, 0xFFFF, 0xFFFF], [0x1234, 0x5678, 0x9ABC]]], dtype=">u2")
    key = (b"tRNS", levels[0, 1].tobytes())
    content = png_of(2, 1, b"\0" + levels.tobytes(), depth=16, colour_type=2, extra=[key])

    assert pixels(read_picture(BytesIO(content)).alpha).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("levels", "grey"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255]),
        (np.array([[0.0, 32896.0, 65535.0]], np.float32), [0, 128, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, np.nan, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[0, 16384, 32767]], np.int32), [0, 128, 255]),
        (np.array([[0, 2**30, 2**31 - 1]], np.int32), [0, 128, 255]),
        (np.zeros((1, 3), np.int32), [0, 0, 0]),
        (np.full((1, 3), -7, np.int32), [0, 0, 0]),
        (np.full((1, 3), 1e5, np.float32), [0, 0, 0]),
    ],
    ids=[
        "0…1", "0…255", "0…65535", "-1…1", "nan", "signed 16", "signed 32", "black",
        "one level below 0", "one level above 65535",
    ],
)  # fmt: skip
def test_float_and_32_bit_grey_fill_the_scale_they_use(levels, grey):
    picture = read_back(Image.fromarray(levels), "TIFF")

    assert pixels(picture.image)[0, :, 0].tolist() == grey


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk_without_profile_becomes_rgb(format_name):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = read_back(cmyk, format_name)

    assert abs(pixels(picture.image) - [255, 0, 0]).max() <= 3


def test_ycbcr_becomes_rgb():
    image = Image.fromarray(gradient()).convert("YCbCr")
    assert abs(pixels(read_back(image, "TIFF").image) - gradient()).max() <= 3


def test_lab_becomes_rgb():
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = to_lab.apply(Image.new("RGB", (8, 8), (200, 100, 50)))

    assert abs(pixels(read_back(image, "TIFF").image) - [200, 100, 50]).max() <= 3


def srgb_profile():
    return bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def red_and_green_swapped_profile():
    """sRGB with its red and green primaries exchanged, which no reader can mistake."""
    profile = srgb_profile()
    entries = {bytes(profile[at : at + 4]): at + 4 for at in range(132, 132 + 12 * 17, 12)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red : red + 8], profile[green : green + 8] = (
        profile[green : green + 8],
        profile[red : red + 8],
    )
    return bytes(profile)


def test_an_srgb_profile_changes_nothing():
    levels = np.arange(0, 256, 3, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(86, -1, 3)
    picture = read_back(Image.fromarray(cube), icc_profile=bytes(srgb_profile()))

    assert (pixels(picture.image) == cube).all()


def test_another_profile_is_converted_to_srgb():
    picture = read_back(
        Image.fromarray(np.dstack([gradient(), ALPHA])), icc_profile=red_and_green_swapped_profile()
    )

    assert abs(pixels(picture.image) - gradient()[..., [1, 0, 2]]).max() <= 2
    assert (pixels(picture.alpha) == ALPHA).all()


def test_pictures_of_one_profile_are_converted_side_by_side():
    profile = red_and_green_swapped_profile()
    files = [
        stored(Image.fromarray(np.roll(gradient(200, 200), n, 0)), "PNG", icc_profile=profile)
        for n in range(16)
    ]
    contents = [file.getvalue() for file in files]
    alone = [read_picture(BytesIO(each)).image.tobytes() for each in contents]
    with ThreadPoolExecutor(4) as executor:
        together = list(executor.map(lambda each: read_picture(BytesIO(each)), contents))
    assert [picture.image.tobytes() for picture in together] == alone


def test_pixels_are_counted_by_the_header(tmp_path):
    path = tmp_path / "one.png"
    assert count_pixels(path) == 0
    path.write_bytes(b"nonsense")
    assert count_pixels(path) == 0
    path.write_bytes(stored(Image.new("RGB", (300, 200)), "PNG").getvalue()[:100])
    assert count_pixels(path) == 300 * 200


def test_an_rgb_profile_in_a_grey_picture_is_used():
    picture = read_back(Image.fromarray(GREY), icc_profile=bytes(srgb_profile()))

    assert (pixels(picture.image)[..., 0] == GREY).all()


@pytest.mark.parametrize("profile", [b"broken", bytes(128), bytes(srgb_profile()[:200])])
def test_a_broken_profile_is_ignored(profile):
    picture = read_back(Image.fromarray(gradient()), icc_profile=profile)

    assert (pixels(picture.image) == gradient()).all()


def test_a_profile_for_another_kind_of_picture_is_ignored():
    picture = read_back(Image.new("CMYK", (4, 4)), "TIFF", icc_profile=bytes(srgb_profile()))

    assert pixels(picture.image).min() == 255


def test_only_the_first_frame_is_read():
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    for format_name in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format_name == "WEBP" else {}
        picture = read_back(first, format_name, save_all=True, append_images=[second], **options)
        assert pixels(picture.image)[0, 0].tolist() == [255, 0, 0]


def test_a_stereo_jpeg_is_read_as_a_picture():
    picture = read_back(
        Image.new("RGB", (8, 8), "red"),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (8, 8))],
    )

    assert pixels(picture.image)[0, 0, 0] > 250


@pytest.mark.parametrize(
    ("at_least", "size"),
    [(100, (150, 100)), (101, (300, 200)), (25, (75, 50)), (800, (600, 400)), (None, (600, 400))],
)
def test_a_jpeg_is_decoded_no_smaller_than_needed(at_least, size):
    jpeg = stored(Image.new("RGB", (600, 400), "teal"), "JPEG")

    assert read_picture(jpeg, at_least=at_least).image.size == size


def test_other_formats_ignore_the_size_needed():
    png = stored(Image.new("RGB", (600, 400)), "PNG")

    assert read_picture(png, at_least=10).image.size == (600, 400)


def png_of(width, height, data, *, depth=8, colour_type=2, extra=()):
    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize("side", [15_000, 60_000])
def test_a_picture_that_claims_too_many_pixels_is_refused_unread(tmp_path, side):
    assert side * side > MAX_PIXELS
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(side, side, b""))

    with pytest.raises(PictureError, match="larger than 200 megapixels"):
        read_picture(path)


def test_a_file_cut_anywhere_is_read_or_refused():
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    for format_name in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"):
        whole = stored(noise, format_name, exif=exif_block(6))
        content = whole.getvalue()
        for length in range(0, len(content) * 9 // 10, max(1, len(content) // 23)):
            with pytest.raises(PictureError) as caught:
                read_picture(BytesIO(content[:length]))
            assert caught.value.message.startswith("standard input: ")


@pytest.mark.filterwarnings("ignore")
def test_a_file_with_flipped_bytes_is_read_or_refused():
    rng = np.random.default_rng(1)
    image = Image.fromarray(gradient())
    for format_name in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"):
        content = stored(image, format_name, exif=exif_block(6)).getvalue()
        for _ in range(60):
            damaged = bytearray(content)
            for at in rng.integers(0, len(content), 4):
                damaged[at] = rng.integers(256)
            try:
                assert read_picture(BytesIO(bytes(damaged))).image.mode == "RGB"
            except PictureError as error:
                assert error.reason  # noqa: PT017 - either outcome is right


def refusal(path):
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert caught.value.path == path
    return caught.value


def test_refusals_say_why_in_plain_words(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture at all")
    (tmp_path / "cut.png").write_bytes(png_of(9, 9, b"\0"))

    assert refusal(tmp_path / "empty.jpg").reason == "empty"
    assert refusal(tmp_path / "missing.jpg").reason == "No such file or directory"
    assert refusal(tmp_path).reason == "not a file"
    assert "damaged" in refusal(tmp_path / "cut.png").reason
    text = refusal(tmp_path / "text.jpg")
    assert "not a picture that ost can read" in text.reason
    assert text.hint == "convert it to JPEG or PNG first"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")

    assert refusal(tmp_path / "pipe.png").reason == "not a file"


def test_a_stream_that_cannot_seek_is_read():
    reading, writing = os.pipe()
    content = stored(Image.fromarray(gradient()), "PNG").getvalue()

    def write():
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        picture = read_picture(pipe)
    writer.join()

    assert (pixels(picture.image) == gradient()).all()


def test_nothing_of_the_source_lingers_in_the_picture():
    image = Image.fromarray(gradient())
    picture = read_back(image, transparency=(0, 0, 255), dpi=(300, 300), exif=exif_block())

    assert picture.image.info == {}

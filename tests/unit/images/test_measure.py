"""How near and how clean a result is, on examples made up for each fault."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ostcli.images.measure import (
    artefacts,
    detail_correlation,
    mean_absolute_error,
    share_within,
)

CLEAN = 1.3
"""Times the source's own figure that a clean result may have."""


def colours(*row):
    return Image.fromarray(np.array([row], dtype=np.uint8))


@pytest.fixture
def landscape():
    """Draw a sky with a soft slope and fine grain, above dark hills with texture."""
    rng = np.random.default_rng(0)
    image = Image.new("RGB", (128, 128))
    pen = ImageDraw.Draw(image)
    for y in range(128):
        pen.line((0, y, 127, y), (90 + y // 2, 130 + y // 2, 190 + y // 3))
    pen.polygon([(0, 90), (40, 60), (80, 85), (127, 55), (127, 127), (0, 127)], (40, 60, 30))
    pixels = np.asarray(image).astype(float)
    grain = np.where((np.asarray(image)[..., 2:] < 60), 20, 1)
    noisy = pixels + rng.normal(size=(128, 128, 1)) * grain
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def changed(picture, add):
    pixels = np.asarray(picture).astype(float) + add
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def test_the_error_is_the_mean_over_pixels_and_channels():
    black = colours((0, 0, 0), (0, 0, 0))
    assert mean_absolute_error(black, black) == 0
    assert mean_absolute_error(black, colours((255, 0, 0), (0, 51, 0))) == pytest.approx(0.2)
    assert mean_absolute_error(colours((0, 255, 0), (0, 0, 0)), black) == pytest.approx(1 / 6)


def test_a_pixel_is_within_if_all_its_channels_are():
    truth = colours((0, 0, 0), (100, 100, 100), (200, 200, 200), (9, 9, 9))
    image = colours((16, 0, 0), (100, 117, 100), (190, 210, 200), (9, 9, 9))
    assert share_within(image, truth) == 0.75


def test_detail_is_the_same_in_another_light_and_opposite_in_a_negative(landscape):
    assert detail_correlation(landscape, landscape) == pytest.approx(1)
    dimmed = landscape.point(lambda level: level // 2 + 40)
    assert detail_correlation(dimmed, landscape) == pytest.approx(1, abs=0.02)
    negative = landscape.point(lambda level: 255 - level)
    assert detail_correlation(negative, landscape) == pytest.approx(-1)


def test_a_bland_picture_is_near_in_error_but_has_no_detail_of_the_truth(landscape):
    mean = tuple(int(level) for level in np.asarray(landscape).mean((0, 1)))
    bland = Image.new("RGB", landscape.size, mean)
    assert detail_correlation(bland, landscape) == 0
    other = landscape.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert abs(detail_correlation(other, landscape)) < 0.3


def checkerboard(picture):
    y, x = np.mgrid[0:128, 0:128]
    return changed(picture, 5 * np.where((x + y) % 2, 1, -1)[..., None])


def grid_of_four_pixels(picture):
    y, x = np.mgrid[0:128, 0:128]
    return changed(picture, 12.0 * ((x % 4 == 0) & (y % 4 == 0))[..., None])


def stripes(picture):
    x = np.arange(128)[None, :, None]
    return changed(picture, 4 * np.sin(2 * np.pi * x / 7))


def noise(picture):
    return changed(picture, np.random.default_rng(1).normal(0, 4, (128, 128, 3)))


def coloured_noise(picture):
    field = np.random.default_rng(2).normal(0, 8, (128, 128, 3))
    return changed(picture, field - field.mean(-1, keepdims=True))


def halo(picture):
    pixels = np.asarray(picture).astype(float)
    smooth = np.asarray(picture.filter(ImageFilter.GaussianBlur(6))).astype(float)
    return changed(picture, 0.8 * (pixels - smooth))


def specks(picture):
    spots = np.random.default_rng(3).random((128, 128, 1)) < 0.01
    return changed(picture, 60.0 * spots)


@pytest.mark.parametrize(
    "fault",
    [checkerboard, grid_of_four_pixels, stripes, noise, coloured_noise, halo, specks],
)
def test_every_kind_of_artefact_is_flagged(landscape, fault):
    assert artefacts(fault(landscape), landscape) > CLEAN * artefacts(landscape, landscape)


def recoloured(picture):
    return changed(
        picture.convert("RGB", (0.4, 0.3, 0.2, 5, 0.2, 0.5, 0.2, 5, 0.2, 0.3, 0.6, 9)), 0
    )


@pytest.mark.parametrize(
    "clean",
    [
        lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
        lambda picture: picture.point(lambda level: 255 - level),
        lambda picture: picture.point(lambda level: level // 2),
        recoloured,
        lambda picture: Image.new("RGB", picture.size, "white"),
    ],
    ids=["blurred", "negative", "dimmed", "recoloured", "flat"],
)
def test_what_is_clean_is_not_flagged(landscape, clean):
    assert artefacts(clean(landscape), landscape) < CLEAN * artefacts(landscape, landscape)


def test_what_is_added_where_the_source_is_busy_is_no_artefact(landscape):
    snow = np.random.default_rng(4).normal(0, 25, (128, 128, 1))
    snow[:95] = 0
    figure = artefacts(changed(landscape, snow), landscape)
    assert figure < CLEAN * artefacts(landscape, landscape)


def test_a_picture_without_a_flat_place_is_measured_where_it_is_quietest(noise_picture):
    source = noise_picture(40, 40)
    assert 40 < artefacts(source, source) < 80
    source = source.resize((128, 128))
    strong = changed(source, np.random.default_rng(3).normal(0, 40, (128, 128, 3)))
    assert artefacts(strong, source) > 1.1 * artefacts(source, source)


@pytest.mark.parametrize("sizes", [((20, 20), (20, 21)), ((8, 40), (8, 40))])
def test_artefacts_need_two_pictures_of_one_size(sizes):
    image, source = (Image.new("RGB", size) for size in sizes)
    with pytest.raises(ValueError, match="one size"):
        artefacts(image, source)

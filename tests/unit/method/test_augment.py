import dataclasses

import numpy as np
import pytest
from PIL import Image

from ostcli.config import Preset, ViewConfig
from ostcli.method.augment import draw_view, view_scales, working_scale
from ostcli.presets import pretrain_preset

STILL = ViewConfig(size=16, span=0.0, rotation=0.0, flip=False)


def pixels_of(view):
    """A view as whole numbers of shape (size, size, 3)."""
    levels = (view.numpy() + 1) * 127.5
    return np.rint(levels).astype(np.uint8).transpose(1, 2, 0)


def drawn(picture, view, count=50):
    return [draw_view(picture, view, np.random.default_rng(number)) for number in range(count)]


def windows_of(picture, size):
    """Every window of a picture by its bytes: (left, top)."""
    pixels = np.asarray(picture)
    return {
        pixels[top : top + size, left : left + size].tobytes(): (left, top)
        for top in range(picture.height - size + 1)
        for left in range(picture.width - size + 1)
    }


def coordinates(width, height):
    """A picture whose red says the column and whose green the row, 0 to 255 over its length."""
    red = np.broadcast_to(np.linspace(0, 255, width)[None, :], (height, width))
    green = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return Image.fromarray(np.dstack([red, green, 0 * red]).round().astype(np.uint8))


def scale_of(view, width):
    """How many columns of a `coordinates` picture one column of an unturned view spans."""
    red = pixels_of(view)[:, :, 0].astype(float).mean(0)
    edge = 3  # the resampling clamps there
    return (red[-1 - edge] - red[edge]) / (len(red) - 1 - 2 * edge) / 255 * (width - 1)


@pytest.mark.parametrize(("width", "height"), [(24, 20), (31, 16), (16, 16)])
def test_a_view_at_scale_1_is_a_window_of_the_picture_to_the_pixel(width, height, noise_picture):
    picture = noise_picture(width, height)
    windows = windows_of(picture, 16)

    found = [windows[pixels_of(view).tobytes()] for view in drawn(picture, STILL)]

    assert len(set(found)) > min(len(windows), 10) / 2


def test_half_of_the_views_are_mirrored(noise_picture):
    picture = noise_picture(24, 20)
    windows = windows_of(picture, 16)
    flipping = dataclasses.replace(STILL, flip=True)

    upright = 0
    for view in drawn(picture, flipping, 200):
        pixels = pixels_of(view)
        upright += pixels.tobytes() in windows
        assert pixels.tobytes() in windows or pixels[:, ::-1].tobytes() in windows

    assert 70 < upright < 130


def test_views_reach_every_window_of_the_picture(noise_picture):
    picture = noise_picture(18, 17)
    windows = windows_of(picture, 16)

    seen = {pixels_of(view).tobytes() for view in drawn(picture, STILL, 200)}

    assert {windows[window] for window in seen} == set(windows.values())


@pytest.mark.parametrize(("width", "height"), [(48, 40), (16, 16), (9, 7), (200, 20), (21, 300)])
def test_a_view_is_a_square_of_float32_within_the_range(width, height, noise_picture):
    for view in drawn(noise_picture(width, height), ViewConfig(size=16), 10):
        assert view.shape == (3, 16, 16)
        assert str(view.dtype) == "torch.float32"
        assert view.is_contiguous()
        assert -1 <= view.min() <= view.max() <= 1


@pytest.mark.parametrize("size", [16, 64, 100])
@pytest.mark.parametrize("rotation", [0.0, 7.0, 45.0])
@pytest.mark.parametrize(("wider", "higher"), [(0, 0), (3, 9), (60, 60)])
def test_no_view_reaches_out_of_the_picture(size, rotation, wider, higher):
    white = Image.new("RGB", (size + wider, size + higher), "white")

    for view in drawn(white, ViewConfig(size=size, rotation=rotation), 30):
        assert view.min() == 1  # no black corner


def test_rotation_is_bounded_and_goes_both_ways():
    view = ViewConfig(size=40, rotation=7.0, flip=False)

    angles = []
    for turned in drawn(coordinates(64, 64), view, 100):
        down, right = np.gradient(turned[0, 4:-4, 4:-4].numpy())
        angles.append(np.degrees(np.arctan2(down.mean(), right.mean())))

    assert min(angles) == pytest.approx(-7, abs=1)
    assert max(angles) == pytest.approx(7, abs=1)
    assert np.mean(np.abs(angles)) == pytest.approx(3.5, abs=0.7)


def test_a_small_picture_is_enlarged_to_hold_a_crop():
    picture = coordinates(8, 8)

    for view in drawn(picture, STILL, 5):
        assert scale_of(view, 8) == pytest.approx(0.5, abs=0.06)


def test_a_picture_is_viewed_at_any_scale_between_use_and_the_whole_short_side():
    picture = coordinates(256, 192)
    view = dataclasses.replace(STILL, span=1.0, working_pixels=128 * 96)

    scales = [scale_of(one, 256) for one in drawn(picture, view, 100)]

    assert view_scales(192, 256, view) == (2.0, 12.0)
    assert min(scales) == pytest.approx(2, abs=0.3)
    assert max(scales) == pytest.approx(12, abs=0.5)


def test_the_generator_decides_everything(noise_picture):
    picture, view = noise_picture(64, 48), ViewConfig(size=16)
    first, again, other = (draw_view(picture, view, np.random.default_rng(n)) for n in (1, 1, 2))

    assert first.equal(again)
    assert not first.equal(other)


def test_a_picture_of_one_crop_can_still_be_turned(noise_picture):
    views = drawn(noise_picture(16, 16), ViewConfig(size=16, rotation=7.0, flip=False), 5)

    assert len({view.numpy().tobytes() for view in views}) == 5


@pytest.mark.parametrize(
    ("height", "width", "scale"),
    [
        (100, 100, 1.0),
        (1000, 1000, 1.0),
        (500, 2000, 1.0),
        (2000, 2000, 2.0),
        (3000, 4000, 12**0.5),
    ],
)
def test_the_network_sees_at_most_the_working_size(height, width, scale):
    assert working_scale(height, width, ViewConfig()) == pytest.approx(scale)


@pytest.mark.parametrize(
    ("height", "width", "least", "largest"),
    [
        (64, 90, 0.5, 0.5),  # shorter than a crop: enlarged
        (128, 128, 1.0, 1.0),
        (256, 256, 1.0, 2.0),
        (400, 256, 1.0, 2.0),
        (512, 600, 1.0, 4.0),
        (2000, 2000, 2.0, 15.625),
        (64, 64_000, 0.5, 0.5),  # a strip of 4 megapixels is still no wider than itself
        (256, 40_000, 2.0, 2.0),  # the short side holds one crop at most
    ],
)
def test_scales_of_views(height, width, least, largest):
    assert view_scales(height, width, ViewConfig(size=128)) == pytest.approx((least, largest))


@pytest.mark.parametrize("short", [100, 286, 1000])
def test_the_authors_scale_every_picture_to_one_short_side(short):
    view = pretrain_preset(Preset.PAPER).view

    assert view_scales(short, 2 * short, view) == (short / 286, short / 286)


@pytest.mark.parametrize("short", [286, 1000, 4000])
def test_a_large_picture_is_seen_in_use_at_the_scale_that_the_authors_train_at(short):
    view = dataclasses.replace(pretrain_preset(Preset.PAPER).view, working_pixels=10**9)

    assert working_scale(short, 2 * short, view) == view_scales(short, 2 * short, view)[0]


@pytest.mark.parametrize(("height", "width"), [(256, 256), (100, 900)])
def test_a_small_picture_is_seen_at_its_own_size_whatever_the_authors_train_at(height, width):
    assert working_scale(height, width, pretrain_preset(Preset.PAPER).view) == 1.0

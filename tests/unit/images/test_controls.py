"""What a translation must beat, by numbers worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from ostcli.images.controls import (
    colour_match,
    mean_absolute_error,
    mean_of_folder,
    nearest_in_folder,
    picture_of,
    pixels_of,
)


def picture(*rows):
    """Make a picture of rows of grey levels or of (red, green, blue)."""
    levels = np.array(rows, dtype=np.uint8)
    return Image.fromarray(levels if levels.ndim == 3 else np.stack([levels] * 3, axis=-1))


def levels(image, channel=0):
    return np.asarray(image)[..., channel].tolist()


def test_pixels_are_shares_of_white_by_row_and_column():
    pixels = pixels_of(picture([0, 51, 255], [102, 153, 204]))
    assert pixels.shape == (2, 3, 3)
    assert pixels[..., 1] == pytest.approx(np.array([[0, 0.2, 1], [0.4, 0.6, 0.8]]))


def test_pixels_out_of_range_are_clipped_and_others_rounded():
    one = picture_of(np.array([[[-0.5, 0.5, 1.5], [0.2, 0.201, 0.203]]]))
    assert np.asarray(one).tolist() == [[[0, 128, 255], [51, 51, 52]]]


def test_a_picture_comes_back_from_its_pixels(noise_picture):
    image = noise_picture(7, 5)
    assert picture_of(pixels_of(image)).tobytes() == image.tobytes()


def test_the_error_is_the_mean_over_pixels_and_channels():
    black = picture([(0, 0, 0), (0, 0, 0)])
    assert mean_absolute_error(black, black) == 0
    assert mean_absolute_error(black, picture([(255, 0, 0), (0, 51, 0)])) == pytest.approx(0.2)
    assert mean_absolute_error(picture([(0, 255, 0), (0, 0, 0)]), black) == pytest.approx(1 / 6)


def test_matching_gives_the_mean_and_the_spread_of_the_folder():
    source = picture([10, 30])  # mean 20, deviation 10
    folder = [picture([100, 100]), picture([140, 140])]  # mean 120, deviation 20
    assert levels(colour_match(source, folder)) == [[100, 140]]


def test_matching_is_by_channel():
    source = picture([(10, 10, 10), (30, 30, 30)])
    folder = [picture([(100, 0, 60), (140, 10, 60)])]
    matched = colour_match(source, folder)
    assert [levels(matched, channel) for channel in range(3)] == [
        [[100, 140]], [[0, 10]], [[60, 60]]
    ]  # fmt: skip


def test_matching_a_flat_picture_gives_the_mean_of_the_folder():
    assert levels(colour_match(picture([7, 7]), [picture([50, 70])])) == [[60, 60]]


def test_matching_weighs_the_pixels_of_pictures_of_any_size():
    folder = [picture([0, 0, 0]), picture([200])]  # mean 50
    assert levels(colour_match(picture([9]), folder)) == [[50]]


def test_the_mean_of_a_folder_is_by_pixel():
    folder = [picture([0, 10], [20, 255]), picture([100, 30], [21, 255])]
    assert levels(mean_of_folder(folder)) == [[50, 20], [20, 255]]


def test_the_nearest_is_nearest_after_matching():
    near, far = picture([100, 140]), picture([140, 100])
    assert nearest_in_folder(picture([10, 30]), [far, near]) is near
    assert nearest_in_folder(picture([30, 10]), [far, near]) is far

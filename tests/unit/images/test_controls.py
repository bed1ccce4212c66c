"""What a translation must beat, by numbers worked out by hand."""

import numpy as np
from PIL import Image

from ostcli.images.controls import Controls


def picture(*rows):
    """Make a picture of rows of grey levels or of (red, green, blue)."""
    levels = np.array(rows, dtype=np.uint8)
    return Image.fromarray(levels if levels.ndim == 3 else np.stack([levels] * 3, axis=-1))


def levels(image, channel=0):
    return np.asarray(image)[..., channel].tolist()


def test_matching_gives_the_mean_and_the_spread_of_the_folder():
    source = picture([10, 30])  # mean 20, deviation 10
    folder = [picture([100, 100]), picture([140, 140])]  # mean 120, deviation 20
    assert levels(Controls(folder).colour_match(source)) == [[100, 140]]


def test_matching_is_by_channel():
    source = picture([(10, 10, 10), (30, 30, 30)])
    folder = [picture([(100, 0, 60), (140, 10, 60)])]
    matched = Controls(folder).colour_match(source)
    assert [levels(matched, channel) for channel in range(3)] == [
        [[100, 140]], [[0, 10]], [[60, 60]]
    ]  # fmt: skip


def test_matching_a_flat_picture_gives_the_mean_of_the_folder():
    assert levels(Controls([picture([50, 70])]).colour_match(picture([7, 7]))) == [[60, 60]]


def test_matching_weighs_the_pixels_of_pictures_of_any_size():
    folder = [picture([0, 0, 0]), picture([200])]  # mean 50
    assert levels(Controls(folder).colour_match(picture([9]))) == [[50]]


def test_grey_is_a_control_that_keeps_brightness_alone():
    grey = Controls([picture([0])]).results(picture([(200, 200, 200), (255, 0, 0)]))["grey"]
    assert [levels(grey, channel) for channel in range(3)] == [[[200, 76]]] * 3


def test_the_mean_of_a_folder_is_by_pixel():
    folder = [picture([0, 10], [20, 255]), picture([100, 30], [21, 255])]
    assert levels(Controls(folder).mean_of_folder((2, 2))) == [[50, 20], [20, 255]]


def test_the_nearest_is_nearest_after_matching():
    near, far = picture([100, 140]), picture([140, 100])
    assert Controls([far, near]).nearest_in_folder(picture([10, 30])) is near
    assert Controls([far, near]).nearest_in_folder(picture([30, 10])) is far

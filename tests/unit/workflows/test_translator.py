"""One picture through one path, of any size."""

import numpy as np
import pytest
import torch

from ostcli.config import Direction, Finish, ViewConfig
from ostcli.method.networks import build_networks
from ostcli.workflows.translator import SMALLEST, Translator, path_to

VIEW = ViewConfig(size=16, working_pixels=40 * 30)
SIZES = [(1, 1), (2, 31), (17, 33), (32, 32), (33, 20), (300, 4), (40, 30)]


@pytest.fixture
def networks(tiny_network):
    return build_networks(tiny_network, seed=3, with_domain_a=True).eval().requires_grad_(False)


def array(image):
    return np.asarray(image).astype(int)


def test_each_direction_has_its_path(networks):
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for to, path in ((Direction.A, networks.translate_ba), (Direction.B, networks.translate_ab)):
        assert torch.equal(path_to(networks, to)(x), path(x))


@pytest.mark.parametrize("size", SIZES)
def test_a_path_that_changes_nothing_gives_the_picture_back(networks, noise_picture, size):
    image = noise_picture(*size)
    translator = Translator(networks, lambda x: x, VIEW)
    assert translator.translate(image).tobytes() == image.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_the_path_sees_sizes_that_the_networks_divide_evenly(networks, noise_picture, size):
    seen = []
    image = noise_picture(*size)
    Translator(networks, lambda x: seen.append(x) or -x, VIEW).network_pixels(image)
    [x] = seen
    height, width = x.shape[-2:]
    assert x.shape[:2] == (1, 3)
    assert height % networks.multiple == width % networks.multiple == 0
    assert SMALLEST <= height < max(SMALLEST + 1, image.height + networks.multiple)
    assert SMALLEST <= width < max(SMALLEST + 1, image.width + networks.multiple)
    inside = x[0, :, : image.height, : image.width].permute(1, 2, 0)
    assert np.abs((inside.numpy() + 1) * 127.5 - array(image)).max() < 0.01
    assert x.min() >= inside.min()  # Continued by the picture's own pixels, not by black.
    assert x.max() <= inside.max()


def test_the_pixels_are_those_of_the_path(networks, noise_picture):
    image = noise_picture(17, 33)
    negative = Translator(networks, lambda x: -x, VIEW).network_pixels(image)
    assert np.array_equal(array(negative), 255 - array(image))


def test_a_large_picture_is_seen_small_and_given_back_large(networks, noise_picture):
    seen = []
    translator = Translator(networks, lambda x: seen.append(x.shape) or x, VIEW)
    assert translator.translate(noise_picture(160, 120)).size == (160, 120)
    assert seen == [(1, 3, 32, 40)]


def test_the_photo_finish_keeps_the_detail_that_the_network_did_not_see(networks, noise_picture):
    image = noise_picture(160, 120)

    def detail(finish):
        made = Translator(networks, lambda x: 0.9 * x, VIEW, finish=finish).translate(image)
        return np.diff(array(made), axis=0).std() / np.diff(array(image), axis=0).std()

    assert detail(Finish.PHOTO) > 0.8
    assert detail(Finish.NETWORK) < 0.3


@pytest.mark.parametrize("finish", [Finish.PHOTO, Finish.NETWORK])
def test_strength_goes_from_the_source_to_the_translation(networks, noise_picture, finish):
    image = noise_picture(60, 50)

    def made(strength):
        path = networks.translate_ab
        translator = Translator(networks, path, VIEW, finish=finish, strength=strength)
        return array(translator.translate(image))

    assert np.array_equal(made(0.0), array(image))
    assert np.abs(made(0.25) - (0.75 * array(image) + 0.25 * made(1.0))).max() <= 1


def test_the_same_picture_gives_the_same_pixels(networks, noise_picture):
    image = noise_picture(50, 30)
    translator = Translator(networks, networks.translate_ab, VIEW, finish=Finish.PHOTO)
    assert translator.translate(image).tobytes() == translator.translate(image).tobytes()

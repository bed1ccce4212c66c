"""Colour maps of one size on pictures of another."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from ostcli.images.recolour import apply_local_colour
from ostcli.images.tensors import image_to_tensor


def picture(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def colour_map(height, width):
    return np.random.default_rng(1).standard_normal((12, height, width), np.float32)


@pytest.mark.parametrize("small", [(1, 1), (4, 5), (1, 6), (20, 31), (40, 50)])
@pytest.mark.parametrize("large", [(1, 1), (1, 17), (23, 1), (20, 31), (67, 101)])
def test_enlarging_agrees_with_bilinear_interpolation(small, large):
    source = picture(*large)
    coefficients = 0.2 * colour_map(*small)
    enlarged = F.interpolate(
        torch.from_numpy(coefficients)[None], large, mode="bilinear", align_corners=False
    )[0]
    pixels = image_to_tensor(source)
    mapped = (enlarged[:9].reshape(3, 3, *large) * pixels).sum(1) + enlarged[9:]
    expected = ((mapped.clamp(-1, 1) + 1) * 127.5).round()
    result = apply_local_colour(source, coefficients)
    assert (result.mode, result.size) == ("RGB", source.size)
    difference = np.abs(np.array(result, np.float32) - expected.permute(1, 2, 0).numpy())
    assert difference.max() <= 1  # a value halfway between two bytes may fall either way
    assert difference.mean() < 0.01


@pytest.mark.parametrize("small", [(5, 9), (67, 101)])
@pytest.mark.parametrize("tile", [1, 7, 66, 1000])
def test_result_does_not_depend_on_the_tiles(small, tile):
    source, coefficients = picture(67, 101), colour_map(*small)
    tiles = apply_local_colour(source, coefficients, tile=tile)
    assert tiles.tobytes() == apply_local_colour(source, coefficients).tobytes()


def test_identity_map_keeps_every_byte():
    source = picture(40, 30)
    identity = np.append(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    identity = np.tile(identity[:, None, None], (1, 3, 4))
    assert apply_local_colour(source, identity).tobytes() == source.tobytes()


def test_colours_out_of_range_are_cut_off():
    white = np.array([0] * 9 + [5, -5, 0], np.float32)[:, None, None]
    assert apply_local_colour(picture(2, 3), white).getpixel((1, 1)) == (255, 0, 128)


@pytest.mark.parametrize(
    ("shape", "tile", "words"), [((11, 2, 2), 256, "12 planes"), ((12, 2, 2), 0, "tile")]
)
def test_impossible_maps_are_refused(shape, tile, words):
    with pytest.raises(ValueError, match=words):
        apply_local_colour(picture(2, 2), np.zeros(shape, np.float32), tile=tile)

"""The rule behind `--finish auto`, on photograph-like, painted and drawn pictures made in code."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ostcli.images.texture import PHOTO_GAP_LIMIT, unlike_photo

SIDE = 256


def photograph(seed, tint=(1.0, 1.0, 1.0)):
    """Things of all sizes before one another, each shaded, seen through a lens."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), (170, 180, 190))
    draw = ImageDraw.Draw(picture)
    for radius in np.sort(4 * (1 - rng.random(900)) ** -0.6)[::-1]:
        x, y = rng.uniform(0, 2 * SIDE), rng.uniform(SIDE * 0.6, 2 * SIDE)
        level = rng.integers(20, 230)
        colour = tuple(int(level * part) for part in tint)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def painting(seed):
    """Broad blurred strokes of many colours all over the canvas."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 200, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8))
    strokes = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return strokes.filter(ImageFilter.GaussianBlur(1))


def labels(seed):
    """Flat rectangles of a few strong colours."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), (0, 0, 170))
    draw = ImageDraw.Draw(picture)
    palette = [(255, 85, 0), (0, 255, 170), (170, 255, 85), (0, 85, 255), (255, 0, 0)]
    for _ in range(25):
        x, y = rng.integers(0, SIDE - 60, 2)
        width, height = rng.integers(15, 60, 2)
        draw.rectangle((x, y, x + width, y + height), fill=palette[rng.integers(len(palette))])
    return picture


def winter_photograph(seed):
    return photograph(seed, tint=(0.9, 0.95, 1.0))


@pytest.mark.parametrize("seed", range(6))
def test_photographs_are_told_from_paintings_and_labels(seed):
    assert unlike_photo(photograph(seed)) <= PHOTO_GAP_LIMIT
    assert unlike_photo(winter_photograph(seed)) <= PHOTO_GAP_LIMIT
    assert unlike_photo(painting(seed)) > PHOTO_GAP_LIMIT
    assert unlike_photo(labels(seed)) > PHOTO_GAP_LIMIT


def test_a_large_picture_is_judged_at_the_size_of_the_small_ones():
    large = photograph(0).resize((4 * SIDE, 4 * SIDE), Image.Resampling.BICUBIC)
    assert unlike_photo(large) <= PHOTO_GAP_LIMIT


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 7), (300, 40)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_flat_tiny_and_grey_pictures_have_a_finite_score(size, mode):
    assert math.isfinite(unlike_photo(Image.new(mode, size, 128)))

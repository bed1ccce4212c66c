"""Landscapes drawn by code, each in two seasons: the pictures of the demo.

The same seed gives the same place in summer and in winter, so the true winter version of a summer
picture is known. Chance is spent on the place alone (`layout`, the crowns of trees), never on a
season's paint.
"""

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
from PIL import Image

from ostcli.images.scenes.canvas import Canvas
from ostcli.images.scenes.land import paint_ground, paint_ridges, paint_sky, paint_water
from ostcli.images.scenes.layout import Layout, lay_out
from ostcli.images.scenes.palette import SUMMER, WINTER, Palette, lit
from ostcli.images.scenes.things import paint_shadows, paint_things

__all__ = ["EXAMPLE_SEEDS", "Season", "draw_folder", "draw_scene", "folder_seeds"]

EXAMPLE_SEEDS = range(2**32)
"""Seeds that no folder uses."""


class Season(StrEnum):
    """The two looks of a place."""

    SUMMER = "summer"
    WINTER = "winter"


def draw_scene(seed: int, season: Season, size: int = 128) -> Image.Image:
    """Draw a landscape.

    Args:
        seed: names the place; at least 0. The season does not move a pixel of its outlines.
        season: which look to paint.
        size: side of the square picture in pixels.

    Returns:
        An RGB picture, size × size.

    Raises:
        ValueError: the seed is negative or the size is below 16.
    """
    if seed < 0 or size < 16:
        raise ValueError("a scene needs a seed of at least 0 and a size of at least 16")
    layout = lay_out(np.random.Generator(np.random.PCG64(seed)))
    palette = SUMMER if season is Season.SUMMER else WINTER
    return _paint(layout, lit(palette, layout.warmth, layout.cloudiness), size)


def draw_folder(
    seed: int, num_scenes: int, season: Season, size: int = 128
) -> Iterator[Image.Image]:
    """Draw many different places in one season.

    Args:
        seed: names the folder, one of EXAMPLE_SEEDS; another seed, other places.
        num_scenes: how many, at most 2**32.
        season: which look to paint.
        size: side of the square pictures in pixels.

    Returns:
        The pictures, drawn one by one as they are asked for.

    Raises:
        ValueError: the seed or the number is out of range.
    """
    return (draw_scene(scene_seed, season, size) for scene_seed in folder_seeds(seed, num_scenes))


def folder_seeds(seed: int, num_scenes: int) -> range:
    """Return the scene seeds of a folder: disjoint from EXAMPLE_SEEDS and from other folders."""
    if seed not in EXAMPLE_SEEDS or not 0 <= num_scenes <= len(EXAMPLE_SEEDS):
        raise ValueError("a folder needs a seed from 0 to 2**32 - 1 and at most 2**32 scenes")
    first = (seed + 1) * len(EXAMPLE_SEEDS)
    return range(first, first + num_scenes)


def _paint(layout: Layout, palette: Palette, size: int) -> Image.Image:
    """Paint from far to near; what stands behind the water is painted before it mirrors it."""
    canvas = Canvas(size)
    paint_sky(canvas, layout, palette)
    paint_ridges(canvas, layout, palette)
    paint_ground(canvas, layout, palette)
    paint_shadows(canvas, layout, palette)
    paint_things(canvas, layout, palette, layout.behind_water)
    paint_water(canvas, layout, palette)
    paint_things(canvas, layout, palette, layout.before_water)
    return canvas.develop()

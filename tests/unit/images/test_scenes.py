from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from ostcli.images.scenes import EXAMPLE_SEEDS, Season, draw_folder, draw_scene, folder_seeds
from ostcli.images.scenes.canvas import Canvas, noise
from ostcli.images.scenes.layout import Kind, Layout, lay_out
from ostcli.images.scenes.palette import SUMMER, WINTER, lit

SEEDS = range(8)


def values(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.float64) / 255


def place(seed: int) -> Layout:
    return lay_out(np.random.Generator(np.random.PCG64(seed)))


def edges(picture: np.ndarray) -> np.ndarray:
    """Where brightness or colour steps, 1 for the strongest tenth."""
    steps = np.abs(np.diff(picture, axis=0))[:, :-1] + np.abs(np.diff(picture, axis=1))[:-1]
    strength = steps.max(axis=-1)
    return strength > np.quantile(strength, 0.9)


@pytest.mark.parametrize("season", Season)
@pytest.mark.parametrize("size", [16, 61, 128])
def test_a_scene_is_an_rgb_square_of_the_asked_size(season, size):
    picture = draw_scene(3, season, size)
    assert (picture.mode, picture.size) == ("RGB", (size, size))


def test_128_pixels_are_the_default():
    assert draw_scene(3, Season.SUMMER).size == (128, 128)


@pytest.mark.parametrize("season", Season)
def test_the_same_seed_gives_the_same_bytes(season):
    assert draw_scene(5, season).tobytes() == draw_scene(5, season).tobytes()


def test_a_picture_does_not_depend_on_what_was_drawn_before():
    first = draw_scene(5, Season.WINTER).tobytes()
    draw_scene(6, Season.SUMMER)
    np.random.default_rng(0).uniform(size=10)
    assert draw_scene(5, Season.WINTER).tobytes() == first


def test_another_seed_is_another_place():
    pictures = {draw_scene(seed, Season.SUMMER, 32).tobytes() for seed in range(20)}
    assert len(pictures) == 20


@pytest.mark.parametrize("seed", SEEDS)
def test_both_seasons_share_their_outlines(seed):
    summer, winter = (edges(values(draw_scene(seed, season))) for season in Season)
    elsewhere = edges(values(draw_scene(seed + 1, Season.WINTER)))
    shared, by_chance = (summer & winter).sum(), (summer & elsewhere).sum()
    assert shared > 0.35 * summer.sum()
    assert shared > 1.3 * by_chance


@pytest.mark.parametrize("seed", SEEDS)
def test_winter_is_whiter_and_less_green(seed):
    summer, winter = (values(draw_scene(seed, season)) for season in Season)
    lower = slice(80, None)
    assert winter[lower].mean() > summer[lower].mean() + 0.1
    red, green, blue = np.moveaxis(np.stack([summer, winter])[:, lower], -1, 0)
    greenness = (green - (red + blue) / 2).mean(axis=(1, 2))
    assert greenness[0] > greenness[1] + 0.02
    assert abs(greenness[1]) < 0.02


def test_winter_is_not_uniformly_white():
    for seed in SEEDS:
        winter = values(draw_scene(seed, Season.WINTER)).mean(axis=-1)
        assert winter.std() > 0.07
        assert winter.min() < 0.4


def test_the_size_only_changes_the_resolution():
    large = draw_scene(4, Season.SUMMER, 256).resize((64, 64), Image.Resampling.BOX)
    small = draw_scene(4, Season.SUMMER, 64)
    assert np.abs(values(large) - values(small)).mean() < 0.03


def test_the_controls_leave_room_for_a_translation():
    folder = np.stack([values(p) for p in draw_folder(0, 30, Season.WINTER, 64)])
    change, blandness = [], []
    for seed in SEEDS:
        summer, winter = (values(draw_scene(seed, season, 64)) for season in Season)
        change.append(np.abs(summer - winter).mean())
        blandness.append(np.abs(folder.mean(axis=0) - winter).mean())
    assert 0.1 < np.mean(change) < 0.3
    assert np.mean(blandness) > 0.4 * np.mean(change)


def test_a_folder_holds_different_places():
    pictures = [values(picture) for picture in draw_folder(0, 12, Season.WINTER, 64)]
    assert len(pictures) == 12
    assert all(np.abs(one - other).mean() > 0.02 for one, other in pairwise(pictures))


def test_a_folder_is_drawn_as_it_is_asked_for():
    pictures = draw_folder(0, 10**9, Season.SUMMER, 16)
    expected = draw_scene(folder_seeds(0, 1)[0], Season.SUMMER, 16)
    assert next(pictures).tobytes() == expected.tobytes()


@pytest.mark.parametrize("seed", [0, 1, EXAMPLE_SEEDS[-1]])
def test_no_folder_shares_a_seed_with_an_example(seed):
    assert folder_seeds(seed, 2**32)[0] > EXAMPLE_SEEDS[-1]


def test_folders_share_no_seed():
    assert folder_seeds(0, 2**32)[-1] < folder_seeds(1, 1)[0]


@pytest.mark.parametrize("arguments", [(-1, 1), (2**32, 1), (0, -1), (0, 2**32 + 1)])
def test_a_folder_out_of_range_is_refused(arguments):
    with pytest.raises(ValueError, match="seed from 0"):
        draw_folder(*arguments, Season.WINTER)


@pytest.mark.parametrize("arguments", [(-1, Season.SUMMER, 64), (0, Season.SUMMER, 8)])
def test_a_scene_out_of_range_is_refused(arguments):
    with pytest.raises(ValueError, match="at least"):
        draw_scene(*arguments)


def test_things_stand_on_dry_ground_and_are_ordered_from_far_to_near():
    for seed in range(20):
        layout = place(seed)
        feet = [thing.y for thing in layout.things]
        assert feet == sorted(feet)
        assert min(feet) >= layout.horizon
        assert layout.things == layout.behind_water + layout.before_water
        for thing in layout.things if layout.water else ():
            foot = np.float32([[thing.x]]), np.float32([[thing.y]])
            assert layout.water.inside(*foot) < 0


def test_places_vary():
    layouts = [place(seed) for seed in range(60)]
    assert {len(layout.ridges) for layout in layouts} == {2, 3, 4}
    assert {layout.water and layout.water.river for layout in layouts} == {None, False, True}
    assert {t.kind for layout in layouts for t in layout.things} == set(Kind)
    assert np.std([layout.horizon for layout in layouts]) > 0.04
    assert np.std([len(layout.things) for layout in layouts]) > 8


def test_light_tints_colours_and_leaves_the_palette_alone():
    before = SUMMER.ground.copy()
    noon, evening = lit(SUMMER, 0, 0), lit(SUMMER, 1, 0)
    assert evening.ground[2] / evening.ground[0] < noon.ground[2] / noon.ground[0]
    assert (lit(WINTER, 0, 1).ground < WINTER.ground).all()
    assert (SUMMER.ground == before).all()


def test_noise_is_smooth_and_repeats_after_a_tile():
    x, y = np.float32([[0.25, 0.26, 512.25]]), np.float32([[7.5]])
    near, beside, around = noise(1.0, x, y)[0]
    assert near == pytest.approx(around, abs=1e-3)
    assert near == pytest.approx(beside, abs=0.1)


def test_a_window_is_clipped_to_the_canvas():
    canvas = Canvas(16)
    assert canvas.window(-1, 2, 0.5, 3).view.shape == (16, 32, 3)
    assert canvas.window(1.2, 1.4, 0, 1).view.size == 0

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import DamagedError
from ostcli.images.keepsake import (
    NUM_CROPS,
    bytes_of_tensor,
    make_keepsake,
    open_bytes_tensor,
    open_keepsake,
    to_bytes_tensor,
)
from ostcli.method.augment import draw_view, view_scales

VIEW = ViewConfig(size=16)
AT_ITS_OWN_SCALE = dataclasses.replace(VIEW, span=0.0)


def test_a_keepsake_is_a_number_of_jpegs_as_bytes(pictures):
    keepsake = make_keepsake(pictures(3), VIEW, seed=0)

    assert list(keepsake) == [f"{n:04d}" for n in range(NUM_CROPS)]
    for tensor in keepsake.values():
        assert tensor.dtype == torch.uint8
        assert tensor.ndim == 1
        assert bytes_of_tensor(tensor).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("width", "height", "side"),
    [
        (48, 40, 20),  # room for a view and a quarter
        (200, 150, 20),
        (20, 30, 20),
        (18, 30, 18),  # as much as the picture holds
        (16, 16, 16),
        (9, 12, 16),  # enlarged, as a view of it would be
    ],
)
def test_crops_are_a_little_larger_than_a_view(width, height, side, pictures):
    images = pictures(2, width, height)
    crops = open_keepsake(make_keepsake(images, AT_ITS_OWN_SCALE, seed=0))

    assert len(crops) == NUM_CROPS
    assert {(crop.mode, crop.size) for crop in crops} == {("RGB", (side, side))}


def test_crops_of_reduced_pictures_show_all_that_is_between_a_part_and_the_whole(pictures):
    (picture,) = pictures(1, 64, 64)
    whole = np.asarray(picture.resize((16, 16), Image.Resampling.BICUBIC), dtype=float)
    crops = open_keepsake(make_keepsake([picture], VIEW, seed=0))

    sides = {crop.width for crop in crops}
    assert sides == set(range(16, 21))
    near = [crop for crop in crops if crop.width == 16]
    assert min(np.abs(np.asarray(crop) - whole).mean() for crop in near) < 5


def test_every_picture_is_cut_and_equally_often():
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (128, 128, 128)]
    crops = open_keepsake(make_keepsake([Image.new("RGB", (40, 40), c) for c in colours], VIEW, 0))

    nearest = [
        int(np.argmin([np.abs(np.asarray(crop)[8, 8] - np.array(c)).sum() for c in colours]))
        for crop in crops
    ]

    assert [nearest.count(n) for n in range(4)] == [NUM_CROPS // 4] * 4


def test_more_pictures_than_crops_give_one_crop_each():
    class Counted:
        asked: list[int] = []  # noqa: RUF012 - of this test alone

        def __len__(self):
            return 1000

        def __getitem__(self, index):
            self.asked.append(index)
            return Image.new("RGB", (20, 20))

    make_keepsake(Counted(), VIEW, seed=0)

    assert len(set(Counted.asked)) == len(Counted.asked) == NUM_CROPS


def test_crops_at_scale_1_are_the_picture_s_own_pixels_but_for_the_compression(pictures):
    (picture,) = pictures(1, 32, 28)
    crops = open_keepsake(make_keepsake([picture], AT_ITS_OWN_SCALE, seed=0))
    whole = np.asarray(picture, dtype=float)

    for crop in crops[:20]:
        pixels = np.asarray(crop, dtype=float)
        errors = [
            np.abs(whole[top : top + 20, left : left + 20] - pixels).mean()
            for top in range(9)
            for left in range(13)
        ]
        assert min(errors) < 4


def test_views_can_be_drawn_from_every_crop_at_the_crop_s_own_scale(pictures):
    for crop in open_keepsake(make_keepsake(pictures(3), VIEW, seed=0))[:30]:
        assert view_scales(crop.height, crop.width, AT_ITS_OWN_SCALE) == (1.0, 1.0)
        assert draw_view(crop, AT_ITS_OWN_SCALE, np.random.default_rng(0)).shape == (3, 16, 16)


def test_the_seed_decides_where_is_cut(pictures):
    images = pictures(2)
    first, again, other = (make_keepsake(images, VIEW, seed) for seed in (0, 0, 1))

    assert all(first[name].equal(again[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_no_crop_reaches_out_of_a_picture_by_a_rounding():
    view = ViewConfig(size=128, short_side=143)  # the authors' proportions

    for short in range(150, 200):
        make_keepsake([Image.new("RGB", (short + 3, short))] * 3, view, seed=0)


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 5])
def test_bytes_survive_as_tensors(data):
    if data:  # torch has no tensor over an empty buffer
        assert bytes_of_tensor(to_bytes_tensor(data)) == data


def test_crops_survive_the_way_through_a_file(pictures):
    from safetensors.torch import load, save

    keepsake = make_keepsake(pictures(2), VIEW, seed=0)
    there_and_back = load(save(keepsake))

    before, after = open_keepsake(keepsake), open_keepsake(there_and_back)
    assert [crop.tobytes() for crop in before] == [crop.tobytes() for crop in after]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:2],
        lambda data: b"no picture",
        lambda data: b"\x89PNG" + data[4:],
    ],
)
def test_a_crop_that_does_not_decode_is_damage_to_the_model(damage, pictures):
    keepsake = make_keepsake(pictures(1), VIEW, seed=0)
    broken = damage(bytes_of_tensor(keepsake["0003"]))
    keepsake["0003"] = to_bytes_tensor(broken)

    with pytest.raises(DamagedError, match="does not decode"):
        open_bytes_tensor(keepsake["0003"])
    with pytest.raises(DamagedError):
        open_keepsake(keepsake)

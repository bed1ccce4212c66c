"""What `--finish auto` comes to for an adaptation."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ostcli.config import Finish, Look, Medium, Preset
from ostcli.images.texture import PAINTING, PHOTO_GAP_LIMIT
from ostcli.presets import STROKE_FILTER, pretrain_preset
from ostcli.workflows import finish
from ostcli.workflows.finish import (
    NUM_JUDGED,
    decide_filter,
    decide_finish,
    folder_texture,
)
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.stored import open_model


@pytest.fixture
def texture(monkeypatch):
    """Let the measure of texture give a number; return the pictures that it is asked about."""

    def give(score_of):
        asked = []
        monkeypatch.setattr(finish, "unlike_photo", lambda one: asked.append(one) or score_of(one))
        return asked

    return give


@pytest.mark.parametrize(
    ("example", "folder", "decided"),
    [
        (-0.5, -0.5, Finish.PHOTO),
        (-0.5, 0.0, Finish.PHOTO),
        (-0.5, 0.001, Finish.NETWORK),
        (0.001, -0.5, Finish.NETWORK),
    ],
)
def test_photographs_keep_their_pixels_and_paintings_do_not(
    texture, pictures, example, folder, decided
):
    texture(lambda _: PHOTO_GAP_LIMIT + example)
    assert decide_finish(pictures(1)[0], PHOTO_GAP_LIMIT + folder, Look.STYLE) == {
        "finish": decided.value,
        "texture_gap": PHOTO_GAP_LIMIT + max(example, folder),
    }


PHOTOGRAPHS = pretrain_preset()


@pytest.mark.parametrize(
    ("example", "folder", "model", "decided"),
    [
        (0.001, -0.5, PHOTOGRAPHS, STROKE_FILTER),
        (-0.5, -0.5, PHOTOGRAPHS, 0.0),
        (0.001, 0.001, PHOTOGRAPHS, 0.0),
        (0.001, -0.5, pretrain_preset(look=Look.STRUCTURE), 0.0),
        (0.001, -0.5, pretrain_preset(Preset.PAPER), 0.0),
    ],
)
def test_strokes_are_filtered_from_a_painting_that_is_to_be_a_photograph(
    texture, pictures, example, folder, model, decided
):
    texture(lambda _: PHOTO_GAP_LIMIT + example)
    assert decide_filter(pictures(1)[0], PHOTO_GAP_LIMIT + folder, model) == decided


def test_a_structure_is_the_networks_own_without_a_measurement(texture, pictures):
    asked = texture(lambda _: -1.0)
    assert decide_finish(pictures(1)[0], -1.0, Look.STRUCTURE) == {"finish": "network"}
    assert asked == []


@pytest.mark.parametrize("count", [1, 39, 40, 41, 79, 100, 240])
def test_some_pictures_spread_over_the_folder_are_judged(texture, count):
    asked = texture(float)
    folder_texture(range(count))
    assert len(set(asked)) == min(count, NUM_JUDGED)
    assert count - asked[-1] <= count / NUM_JUDGED + 1


def test_a_few_odd_pictures_do_not_decide_for_a_folder(texture):
    texture(float)
    assert folder_texture([-1.0, -1.0, 9.0, -1.0, 9.0]) == -1.0


def test_it_is_decided_by_the_pictures_themselves(pictures):
    [example, *folder] = pictures(4)
    facts = decide_finish(example, folder_texture(folder), Look.STYLE)
    assert facts["finish"] == "network"  # Flat areas with sharp edges are drawn.


def speckled(number, size=256):
    """Draw things of all sizes, the smallest of a pixel: what scaling down takes away."""
    rng = np.random.default_rng(number)
    planes = np.zeros((size, size, 3))
    for octave in range(8):
        side = 2 << octave
        grid = Image.fromarray(rng.integers(256, size=(side, side, 3), dtype=np.uint8))
        planes += np.asarray(grid.resize((size, size), Image.Resampling.NEAREST), float) / 8
    return Image.fromarray(planes.astype(np.uint8))


def test_a_model_judges_its_folder_by_whole_pictures_not_by_the_pieces_it_keeps(
    tmp_path, library, phase_one
):
    folder = tmp_path / "photographs"
    folder.mkdir()
    photographs = [speckled(number) for number in range(3)]
    for number, photograph in enumerate(photographs):
        photograph.save(folder / f"{number}.png")
    view = replace(phase_one.view, working_pixels=256 * 256)
    pretrain(folder, replace(phase_one, view=view), library=library)

    model = open_model("photographs", library)

    assert model.texture == folder_texture(photographs)
    assert model.texture != folder_texture(model.folder_pictures)


def test_the_medium_is_the_model_s_whatever_folder_stands_in(library, phase_one, winter):
    pretrain(winter, phase_one, library=library, medium=Medium.PAINTING)
    model = open_model("winter", library, data=winter)
    assert model.texture == PAINTING
    assert decide_finish(speckled(9), model.texture, Look.STYLE)["finish"] == "network"

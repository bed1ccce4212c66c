"""What `--finish auto` comes to for an adaptation."""

import pytest

from ostcli.config import Finish, Look, ViewConfig
from ostcli.images.folder import reduce_to_working_size
from ostcli.images.texture import PHOTO_GAP_LIMIT
from ostcli.workflows import finish
from ostcli.workflows.finish import NUM_COMPARED, decide_finish

VIEW = ViewConfig(size=16, working_pixels=48 * 40)


@pytest.fixture
def gap(monkeypatch):
    """Let the measure of texture give a number; return the folders that it is asked about."""

    def give(value):
        asked = []
        monkeypatch.setattr(finish, "texture_gap", lambda _, folder: asked.append(folder) or value)
        return asked

    return give


@pytest.mark.parametrize(
    ("above", "decided"), [(-0.5, Finish.PHOTO), (0.0, Finish.PHOTO), (0.001, Finish.NETWORK)]
)
def test_photographs_keep_their_pixels_and_paintings_do_not(gap, pictures, above, decided):
    gap(PHOTO_GAP_LIMIT + above)
    [example, *folder] = pictures(4)
    assert decide_finish(example, folder, Look.STYLE, VIEW) == {
        "finish": decided.value,
        "texture_gap": round(PHOTO_GAP_LIMIT + above, 3),
    }


def test_a_structure_is_the_networks_own_without_a_measurement(gap, pictures):
    asked = gap(-1.0)
    [example, *folder] = pictures(3)
    assert decide_finish(example, folder, Look.STRUCTURE, VIEW) == {"finish": "network"}
    assert asked == []


@pytest.mark.parametrize("count", [1, 39, 40, 41, 79, 100, 240])
def test_some_pictures_spread_over_the_folder_are_compared(gap, pictures, count):
    asked = gap(0.0)
    decide_finish(pictures(1)[0], range(count), Look.STYLE, VIEW)
    [compared] = asked
    assert len(set(compared)) == min(count, NUM_COMPARED)
    assert count - compared[-1] <= count / NUM_COMPARED + 1


def test_it_is_decided_by_the_pictures_themselves(pictures):
    [example, *folder] = pictures(4)
    facts = decide_finish(example, folder, Look.STYLE, VIEW)
    assert facts == decide_finish(example, folder, Look.STYLE, VIEW)
    assert facts["finish"] == "network"  # Flat areas with sharp edges are drawn.


def test_a_large_example_is_judged_as_the_network_sees_it(pictures):
    [example, *folder] = pictures(4)
    large = example.resize((480, 400))
    seen = reduce_to_working_size(large, VIEW)
    assert seen.size == example.size
    assert decide_finish(large, folder, Look.STYLE, VIEW) == decide_finish(
        seen, folder, Look.STYLE, VIEW
    )

"""Data sets of the CycleGAN family are read in both their forms."""

import pytest
from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import InputError
from ostcli.events import Collected, PictureFailed
from ostcli.paper.pictures.data import load_domains
from ostcli.paper.pictures.settings import TABLE_2, TABLE_3


def save(path, *colours):
    """Save a picture of stripes side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (16 * len(colours), 16))
    for index, colour in enumerate(colours):
        image.paste(colour, (16 * index, 0, 16 * index + 16, 16))
    image.save(path)


def colours_of(pictures):
    return [pictures[index].getpixel((8, 8)) for index in range(len(pictures))]


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("test_part", ["val", "test"])
def test_pairs_side_by_side_are_parted(tmp_path, test_part):
    save(tmp_path / "train" / "1.png", RED, BLUE)
    save(tmp_path / test_part / "1.png", GREEN, BLUE)
    domains = load_domains(tmp_path, Collected(), hint="look elsewhere")

    assert colours_of(domains.train_a) == [RED]
    assert colours_of(domains.train_b) == [BLUE]
    assert colours_of(domains.test_a) == [GREEN]
    assert domains.are_pairs
    assert domains.test_a[0].size == (16, 16)


def test_four_folders_are_two_domains(tmp_path):
    for name, colour in (("trainA", RED), ("trainB", BLUE), ("testA", RED), ("testB", GREEN)):
        save(tmp_path / name / f"of {name}.png", colour)
    domains = load_domains(tmp_path, Collected(), hint="look elsewhere")

    assert colours_of(domains.train_a) == [RED]
    assert colours_of(domains.test_b) == [GREEN]
    assert not domains.are_pairs
    swapped = domains.swapped
    assert colours_of(swapped.train_a) == [BLUE]
    assert colours_of(swapped.test_a) == [GREEN]


def test_four_folders_are_pairs_if_their_names_say_so(tmp_path):
    for part in ("train", "test"):
        for domain, colour in (("A", RED), ("B", BLUE)):
            for number in (1, 2, 10):
                save(tmp_path / f"{part}{domain}" / f"{number}_{domain}.png", colour)

    assert load_domains(tmp_path, Collected(), hint="look elsewhere").are_pairs


def test_pictures_of_two_sizes_are_no_pairs_whatever_their_names(tmp_path):
    for part in ("train", "test"):
        save(tmp_path / f"{part}A" / "1.png", RED)
        save(tmp_path / f"{part}B" / "1.png", BLUE, BLUE)

    assert not load_domains(tmp_path, Collected(), hint="look elsewhere").are_pairs


def test_pictures_are_as_large_as_networks_see_them(tmp_path):
    for part in ("train", "val"):
        save(tmp_path / part / "1.png", RED, BLUE)
        with Image.open(tmp_path / part / "1.png") as pair:
            pair.resize((64, 32)).save(tmp_path / part / "1.png")
    domains = load_domains(tmp_path, Collected(), hint="look elsewhere").seen_by(
        ViewConfig(size=16, short_side=18)
    )

    assert {part[0].size for part in (domains.train_a, domains.test_b)} == {(18, 18)}
    assert colours_of(domains.train_b) == [BLUE]


def test_a_broken_picture_is_named_and_left_out(tmp_path):
    save(tmp_path / "train" / "1.png", RED, BLUE)
    save(tmp_path / "val" / "1.png", RED, BLUE)
    (tmp_path / "train" / "2.png").write_bytes(b"no picture")
    told = Collected()

    assert len(load_domains(tmp_path, told, hint="look elsewhere").train_a) == 1
    assert [event.path.name for event in told.of(PictureFailed)] == ["2.png"]


def test_anything_else_is_an_error(tmp_path):
    (tmp_path / "trainA").mkdir()
    with pytest.raises(InputError, match="neither trainA"):
        load_domains(tmp_path, Collected(), hint="look elsewhere")
    with pytest.raises(InputError, match="there is no folder") as raised:
        load_domains(tmp_path / "nowhere", Collected(), hint="look elsewhere")
    assert raised.value.hint == "look elsewhere"


def test_each_set_says_how_to_get_it():
    for task in (*TABLE_2, *TABLE_3):
        assert "pytorch-CycleGAN-and-pix2pix" in task.dataset.hint
    assert "summer2winter_yosemite" in TABLE_2[0].dataset.hint

import math
import time

import numpy as np
import pytest
from PIL import Image

from ostcli.config import ViewConfig
from ostcli.errors import InputError
from ostcli.events import Collected, Note, PictureFailed, PicturesFound
from ostcli.images import folder as folder_module
from ostcli.images.folder import open_folder, reduce_to_working_size, spread

VIEW = ViewConfig(size=16)


def pixels(image):
    return np.asarray(image.convert("RGB"))


def open_quietly(folder, view=VIEW):
    return open_folder(folder, view, Collected())


def test_pictures_come_in_the_order_of_their_paths_with_their_own_pixels(picture_folder):
    folder = picture_folder(5)
    opened = open_quietly(folder)

    assert len(opened) == 5
    assert opened.sizes == [(40, 48)] * 5
    for number in range(5):
        with Image.open(folder / f"{number:02d}.png") as stored:
            assert np.array_equal(pixels(opened[number]), pixels(stored))
        assert opened[number].mode == "RGB"


def test_what_was_found_is_told(picture_folder, noise_picture):
    folder, events = picture_folder(3), Collected()
    noise_picture(10, 70).save(folder / "tall.png")
    noise_picture(90, 80).save(folder / "wide.png")

    open_folder(folder, VIEW, events)

    assert events.events == [
        PicturesFound(
            folder=folder, num_pictures=5, num_failed=0, smallest=(70, 10), largest=(80, 90)
        )
    ]


def test_bad_pictures_are_named_and_left_out(picture_folder):
    folder, events = picture_folder(3), Collected()
    (folder / "01.png").write_bytes((folder / "01.png").read_bytes()[:60])
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no picture, and not called one")

    opened = open_folder(folder, VIEW, events)

    *failures, found = events.events
    assert [failure.path.name for failure in failures] == ["01.png", "empty.jpg"]
    assert all(isinstance(failure, PictureFailed) and failure.reason for failure in failures)
    assert opened.failed == tuple((failure.path, failure.reason) for failure in failures)
    assert (found.num_pictures, found.num_failed) == (len(opened), 2) == (2, 2)


def test_files_of_other_suffixes_are_told(picture_folder):
    folder, events = picture_folder(1), Collected()
    (folder / "raw.cr2").touch()

    open_folder(folder, VIEW, events)

    assert events.of(Note) == [Note(text="1 file left out for the suffix (.cr2)")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no picture that can be used"),
        ({"notes.txt": b"words"}, "holds no picture that can be used"),
        ({"a.png": b"", "b.jpg": b"x"}, "2 could not be read"),
    ],
)
def test_a_folder_without_a_usable_picture_is_an_input_error(files, message, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=message) as caught:
        open_quietly(tmp_path)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "does not exist"), ("00.png", "is not a folder")]
)
def test_what_is_no_folder_is_an_input_error(name, message, picture_folder):
    folder = picture_folder(1)

    with pytest.raises(InputError, match=message):
        open_quietly(folder / name)


def test_pictures_beyond_the_memory_are_decoded_again_when_asked(picture_folder, monkeypatch):
    folder = picture_folder(4)
    in_memory = open_quietly(folder)
    for_two_and_a_bit = 9 * 48 * 40  # At 4 bytes a pixel, as Pillow keeps them.
    monkeypatch.setattr(folder_module, "MEMORY_FOR_PICTURES", for_two_and_a_bit)

    opened = open_quietly(folder)

    assert [opened[n] is opened[n] for n in range(4)] == [True, True, False, False]
    assert all(np.array_equal(pixels(opened[n]), pixels(in_memory[n])) for n in range(4))
    assert opened.sizes == in_memory.sizes


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_larger_pictures_are_reduced_to_the_working_size_with_their_aspect(
    suffix, tmp_path, noise_picture
):
    view = ViewConfig(size=16, working_pixels=40 * 30)
    noise_picture(400, 300).save(tmp_path / f"large.{suffix}")

    opened = open_quietly(tmp_path, view)

    assert opened.sizes == [(30, 40)]
    assert opened[0].size == (40, 30)


@pytest.mark.parametrize(
    ("width", "height"), [(40, 30), (41, 30), (400, 300), (5000, 10), (17, 1200), (33, 77)]
)
def test_a_reduced_picture_holds_about_the_working_size_and_none_is_enlarged(width, height):
    view = ViewConfig(size=16, working_pixels=40 * 30)
    image = Image.new("RGB", (width, height))

    reduced = reduce_to_working_size(image, view)

    if width * height <= view.working_pixels:
        assert reduced is image
    else:
        shrink = math.sqrt(width * height / view.working_pixels)
        assert reduced.width == pytest.approx(width / shrink, abs=0.51)
        assert reduced.height == pytest.approx(height / shrink, abs=0.51)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((256, 256), (256, 256)),
        ((200, 900), (200, 900)),
        ((4000, 3000), (381, 286)),
        ((600, 1200), (286, 572)),
    ],
)
def test_where_pictures_are_trained_at_one_short_side_larger_ones_are_reduced_to_it(size, expected):
    view = ViewConfig(size=256, short_side=286)

    assert reduce_to_working_size(Image.new("RGB", size), view).size == expected


def test_a_panorama_of_the_working_size_keeps_its_pixels(tmp_path, noise_picture):
    view = ViewConfig(size=16, working_pixels=200 * 20)
    noise_picture(200, 20).save(tmp_path / "wide.jpg", quality=95)

    opened = open_quietly(tmp_path, view)

    with Image.open(tmp_path / "wide.jpg") as stored:
        assert np.array_equal(pixels(opened[0]), pixels(stored))


def test_the_fingerprint_tells_whether_the_folder_has_changed(picture_folder, noise_picture):
    folder = picture_folder(3)
    before = open_quietly(folder).fingerprint
    assert open_quietly(folder).fingerprint == before

    changed = [before]
    noise_picture(48, 40).save(folder / "01.png")
    changed.append(open_quietly(folder).fingerprint)
    (folder / "02.png").rename(folder / "03.png")
    changed.append(open_quietly(folder).fingerprint)
    noise_picture(20, 20).save(folder / "04.png")
    changed.append(open_quietly(folder).fingerprint)
    (folder / "00.png").unlink()
    changed.append(open_quietly(folder).fingerprint)

    assert len(set(changed)) == 5


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies(picture_folder):
    here = picture_folder(2, name="here")
    before = open_quietly(here).fingerprint

    there = here.rename(here.with_name("there"))

    assert open_quietly(there).fingerprint == before


@pytest.mark.parametrize(
    ("count", "most", "taken"),
    [(1, 3, [0]), (3, 3, [0, 1, 2]), (7, 3, [0, 2, 4]), (240, 4, [0, 60, 120, 180])],
)
def test_a_selection_is_spread_over_all_pictures(count, most, taken):
    assert spread(range(count), most) == taken


def test_ctrl_c_while_decoding_drops_what_has_not_begun(picture_folder, monkeypatch):
    folder, decoded = picture_folder(40), []
    (folder / "00.png").write_bytes(b"nonsense")
    decode = folder_module._try_decode

    def slowly(path, view):
        decoded.append(path)
        time.sleep(0.01)
        return decode(path, view)

    def stop(event):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_module, "_try_decode", slowly)
    with pytest.raises(KeyboardInterrupt):
        open_folder(folder, VIEW, stop)
    assert len(decoded) < 40

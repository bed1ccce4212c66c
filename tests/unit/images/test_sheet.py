import numpy as np
import pytest
from PIL import Image

from ostcli.images.sheet import contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def solid(colour, width=8, height=8):
    return Image.new("RGB", (width, height), colour)


def extent(sheet, colour):
    """Left, top, right, bottom of the area of one colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_pictures_fill_tiles_in_a_grid_with_even_margins():
    sheet = contact_sheet([[solid(RED), solid(BLUE)]], columns=[], tile=64)
    red, blue = extent(sheet, RED), extent(sheet, BLUE)

    assert (red[2] - red[0], red[3] - red[1]) == (64, 64)
    assert blue[0] > red[2]
    assert (blue[1], blue[3]) == (red[1], red[3])
    assert red[0] == red[1] == sheet.width - blue[2] == sheet.height - blue[3]


@pytest.mark.parametrize(("size", "fitted"), [((20, 10), (64, 32)), ((500, 2000), (16, 64))])
def test_aspect_is_kept_and_the_picture_centred(size, fitted):
    sheet = contact_sheet([[solid(RED, *size), solid(BLUE)]], columns=[], tile=64)
    left, top, right, bottom = extent(sheet, RED)
    tile_top = extent(sheet, BLUE)[1]

    assert (right - left, bottom - top) == fitted
    assert top - tile_top == (64 - fitted[1]) // 2


def test_a_needle_is_still_seen():
    sheet = contact_sheet([[solid(RED, 2000, 1)]], columns=[], tile=32)

    assert (np.asarray(sheet) == RED).all(-1).sum() == 32


def test_none_and_short_rows_leave_blanks_of_the_same_size():
    full = contact_sheet([[solid(RED), solid(RED)], [solid(RED), solid(RED)]], columns=["a", "b"])
    holes = contact_sheet([[None, solid(RED)], [solid(RED)]], columns=["a", "b"])

    assert holes.size == full.size
    assert 0 < (np.asarray(holes) == RED).all(-1).sum() < (np.asarray(full) == RED).all(-1).sum()


def test_labels_and_title_have_room_of_their_own():
    bare = contact_sheet([[solid(RED)]], columns=[])
    labelled = contact_sheet([[solid(RED)]], columns=["x"], row_labels=["summer"], title="winter")

    assert labelled.width > bare.width
    assert labelled.height > bare.height
    assert (np.asarray(labelled) == RED).all(-1).sum() == 192 * 192  # nothing drawn over it


def test_long_labels_are_shortened_to_fit():
    label = "a very long name " * 50
    rows = [[solid(RED), solid(BLUE)]]
    long = contact_sheet(rows, columns=[label, label], row_labels=[label], title=label, tile=64)
    short = contact_sheet(rows, columns=["a", "b"], row_labels=[""], title="c", tile=64)

    assert long.width <= short.width + 64 + 8
    assert long.height == short.height
    paper = np.asarray(long)[:, -8:]
    assert (paper == paper[0, 0]).all()


def test_more_labels_than_rows_and_odd_modes_are_no_matter():
    pictures = [Image.new("L", (4, 4)), Image.new("RGBA", (4, 4)), Image.new("1", (4, 4))]

    sheet = contact_sheet([pictures], columns=["a"], row_labels=["x", "y", "z\nline two"])

    assert sheet.mode == "RGB"


def test_the_same_input_gives_the_same_sheet():
    sheets = [contact_sheet([[solid(RED)]], columns=["a"], title="t").tobytes() for _ in range(2)]

    assert sheets[0] == sheets[1]

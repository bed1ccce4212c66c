import os
import sys
from pathlib import Path

import pytest

from ostcli.errors import InputError
from ostcli.events import Collected, Note
from ostcli.images.encode import suffix_for_source
from ostcli.images.find import FoundPicture, find_pictures, plan_outputs, split_inputs

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def make_files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def relatives(found):
    return [picture.relative.as_posix() for picture in found]


def found(*relative_names):
    """Pictures from as many roots as there are names."""
    return [
        FoundPicture(path=Path(f"/root{index}", name), relative=Path(name))
        for index, name in enumerate(relative_names)
    ]


def planned(*relative_names):
    outputs = plan_outputs(found(*relative_names), Path("/out"), suffix_for_source)
    return [path.relative_to("/out").as_posix() for path in outputs]


def test_folder_is_searched_deeply_in_order_for_known_suffixes(tmp_path):
    make_files(tmp_path, "b.JPG", "a.png", "notes.txt", "sub/c.webp", "sub/deeper/d.tiff", "e.heic")
    make_files(tmp_path, "sub/saved.jfif")

    pictures = find_pictures([tmp_path])

    names = ["a.png", "b.JPG", "sub/c.webp", "sub/deeper/d.tiff", "sub/saved.jfif"]
    assert relatives(pictures) == names
    assert pictures[0].path == tmp_path / "a.png"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.heic", "b/c.HEIC", "d.cr2"], "3 files left out for the suffix (.cr2, .heic)"),
        (["a.txt", "b.json", "c.mp4", "d"], "1 file left out for the suffix (none)"),
        ([f"{n}.x{n}" for n in range(7)], "7 files left out for the suffix (.x0, .x1, .x2, .x3, "
         ".x4, …)"),
        (["a.txt"], None),
        ([".hidden.heic"], None),
    ],
    ids=["pictures", "other kinds", "many", "text", "hidden"],
)  # fmt: skip
def test_what_is_left_out_for_its_suffix_is_told(tmp_path, names, told):
    make_files(tmp_path, "a.png", *names)
    events = Collected()
    assert relatives(find_pictures([tmp_path], on_event=events)) == ["a.png"]
    assert events.events == ([Note(text=told)] if told else [])


def test_inputs_that_cannot_be_used_are_told_from_the_others(tmp_path):
    make_files(tmp_path, "a.png", "sub/b.png")
    there, missing = [tmp_path / "a.png", tmp_path / "sub"], tmp_path / "c.png"
    assert split_inputs([there[0], missing, there[1]]) == (
        there, [(missing, "there is no such file or folder")]
    )  # fmt: skip


def test_hidden_files_and_folders_are_left_out_unless_given(tmp_path):
    make_files(tmp_path, ".a.png", ".trash/b.png", "._c.jpg", "d.jpg")

    assert relatives(find_pictures([tmp_path])) == ["d.jpg"]
    assert relatives(find_pictures([tmp_path / ".a.png", tmp_path / ".trash"])) == [
        ".a.png",
        "b.png",
    ]


def test_a_file_given_by_name_is_taken_whatever_its_suffix(tmp_path):
    make_files(tmp_path, "scan.001")

    assert relatives(find_pictures([tmp_path / "scan.001"])) == ["scan.001"]


def test_a_folder_named_like_a_picture_is_searched(tmp_path):
    make_files(tmp_path, "album.jpg/a.png")

    assert relatives(find_pictures([tmp_path])) == ["album.jpg/a.png"]


def test_the_same_file_twice_is_taken_once_where_it_came_first(tmp_path, monkeypatch):
    make_files(tmp_path, "a.png", "sub/b.png")
    monkeypatch.chdir(tmp_path)

    inputs = [Path("sub/b.png"), tmp_path, Path("sub/../a.png"), Path()]

    assert relatives(find_pictures(inputs)) == ["b.png", "a.png"]


@needs_links
def test_links_are_followed_but_not_in_circles(tmp_path):
    make_files(tmp_path, "photos/a.png", "elsewhere/b.png")
    (tmp_path / "photos/loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos/self.png").symlink_to(tmp_path / "photos/self.png")
    (tmp_path / "photos/dead.png").symlink_to(tmp_path / "nowhere.png")

    assert relatives(find_pictures([tmp_path / "photos"])) == ["a.png", "more/b.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipes_are_skipped_in_folders_and_refused_by_name(tmp_path):
    make_files(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")

    assert relatives(find_pictures([tmp_path])) == ["a.png"]
    with pytest.raises(InputError, match=r"pipe\.png: neither a file nor a folder"):
        find_pictures([tmp_path / "pipe.png"])


@pytest.mark.parametrize("name", ["missing.png", "a\0b.png"])
def test_an_input_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(InputError) as caught:
        find_pictures([tmp_path / name])
    assert str(tmp_path / name) in caught.value.message


@needs_links
def test_a_given_link_in_a_circle_is_refused(tmp_path):
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(InputError, match="round: cannot be read"):
        find_pictures([tmp_path / "round"])


def test_nothing_found_is_an_empty_list(tmp_path):
    assert find_pictures([tmp_path]) == []


@pytest.mark.parametrize(
    ("names", "outputs"),
    [
        (["a.jpg", "sub/b.gif"], ["a.jpg", "sub/b.png"]),
        (["a.gif", "a.png", "b.png"], ["a.gif.png", "a.png.png", "b.png"]),
        (["A.gif", "a.png"], ["A.gif.png", "a.png.png"]),
        (["caf\u00e9.gif", "cafe\u0301.png"], ["caf\u00e9.gif.png", "cafe\u0301.png.png"]),
        (["a.gif", "a.png", "a.gif.bmp"], ["a.gif.png", "a.png.png", "a.gif.bmp.png"]),
        (["album.gif", "album.png/a.png"], ["album.gif.png", "album.png/a.png.png"]),
        (["scan.001", "scan.002"], ["scan.001.png", "scan.002.png"]),
        ([".gif"], [".gif.png"]),
    ],
    ids=["plain", "same stem", "case", "composition", "chain", "file and folder", "odd", "dot"],
)
def test_outputs_keep_whole_names_where_they_would_collide(names, outputs):
    assert planned(*names) == outputs


@pytest.mark.parametrize("names", [("a.png", "a.png"), ("a.png", "A.PNG")])
def test_pictures_that_lie_alike_are_told_apart_by_their_folders(names):
    second = f"{Path(names[1]).stem}.png"
    assert planned(*names, "b.png") == ["root0/a.png", f"root1/{second}", "b.png"]
    assert planned("sub/a.gif", "sub/a.gif") == ["root0/sub/a.png", "root1/sub/a.png"]


def test_the_working_folder_has_a_name_too(tmp_path, monkeypatch):
    make_files(tmp_path, "here/a.png", "here/sub/a.png", "there/a.png")
    monkeypatch.chdir(tmp_path / "here")
    pictures = find_pictures([Path(), Path("../there")])
    outputs = plan_outputs(pictures, Path("out"), suffix_for_source)
    assert outputs == [Path("out", name) for name in ("here/a.png", "sub/a.png", "there/a.png")]


def test_pictures_that_want_the_same_name_are_both_named():
    pictures = [
        FoundPicture(path=Path(root, "May", name), relative=Path(name))
        for root, name in (("/one", "a.png"), ("/two", "A.PNG"))
    ]
    with pytest.raises(InputError) as caught:
        plan_outputs(pictures, Path("/out"), suffix_for_source)
    for picture in pictures:
        assert str(picture.path) in caught.value.message
    assert "--out" in caught.value.hint


def test_outputs_never_overwrite_an_input(tmp_path):
    make_files(tmp_path, "a.png", "b.gif")
    pictures = find_pictures([tmp_path])

    with pytest.raises(InputError, match=r"a\.png: the result would overwrite the input") as caught:
        plan_outputs(pictures, tmp_path / "sub" / "..", suffix_for_source)
    assert "--out" in caught.value.hint

    gif = [picture for picture in pictures if picture.path.suffix == ".gif"]
    assert plan_outputs(gif, tmp_path, suffix_for_source) == [tmp_path / "b.png"]


def test_a_folder_may_be_left_out_unless_it_was_asked_for(tmp_path):
    for name in ("a.png", "out/a.png", "out/deep/b.png", "other/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*inputs, leave_out):
        found = find_pictures(inputs, leave_out=leave_out)
        return [picture.relative.as_posix() for picture in found]

    out = tmp_path / "other" / ".." / "out"
    assert names(tmp_path, leave_out=out) == ["a.png", "other/c.png"]
    assert names(tmp_path, leave_out=tmp_path / "nowhere") == [
        "a.png", "other/c.png", "out/a.png", "out/deep/b.png"
    ]  # fmt: skip
    assert names(tmp_path / "out", leave_out=out) == ["a.png", "deep/b.png"]
    assert names(tmp_path / "out" / "a.png", leave_out=out) == ["a.png"]

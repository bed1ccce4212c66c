"""Pictures to pictures: size, detail, order and safety of what is written."""

import errno
import io
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from ostcli.config import Direction, Finish, Precision, Reach
from ostcli.errors import (
    ExitCode,
    InputError,
    NotFoundError,
    PictureError,
    ResourceError,
    StoreError,
    UsageError,
)
from ostcli.events import (
    Collected,
    Note,
    PictureDone,
    PictureFailed,
    PictureSkipped,
    TrainingPlanned,
)
from ostcli.store.exchange import export_file, import_file
from ostcli.store.library import Library
from ostcli.training import precision
from ostcli.workflows import batch
from ostcli.workflows import translate as module
from ostcli.workflows.adapt import adapt
from ostcli.workflows.batch import NoMemoryError
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.stored import open_adaptation, parent_of
from ostcli.workflows.translate import translate, translate_stream
from ostcli.workflows.translator import Translator

FINISHES = (Finish.PHOTO, Finish.NETWORK)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def convert(trained, out):
    """Translate by "snow+meadow" into the folder `out`."""

    def call(*inputs, **options):
        given = {"to": Direction.B, "out": out, "library": trained, **options}
        return translate(inputs, **given)

    return call


@pytest.fixture
def save(tmp_path, noise_picture):
    """Save a picture of noise, or the one given, under a name."""

    def call(name="one.png", width=48, height=40, image=None, **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        (image or noise_picture(width, height)).save(path, **options)
        return path

    return call


# The example


def test_without_inputs_the_example_is_translated(convert, meadow, out):
    result = convert()
    assert result.outputs == (out / "meadow.png",)
    assert (result.adaptation, result.to) == ("snow+meadow", Direction.B)
    assert pixels(out / "meadow.png").shape == pixels(meadow).shape
    assert not np.array_equal(pixels(out / "meadow.png"), pixels(meadow))


def test_the_example_is_translated_when_its_file_has_moved(trained, tmp_path, phase_two, save, out):
    example = save("away/moor.png")
    adapt(example, phase_two, library=trained)
    here = translate([example], to=Direction.B, out=tmp_path / "before", library=trained)
    shutil.rmtree(example.parent)

    result = translate((), to=Direction.B, out=out, library=trained)

    assert result.adaptation == "snow+moor"
    assert result.outputs == (out / "moor.png",)
    assert (out / "moor.png").read_bytes() == here.outputs[0].read_bytes()


def test_an_adaptation_that_has_travelled_translates_the_same(
    convert, trained, library, tmp_path, out
):
    convert()
    exported = export_file(trained, "snow+meadow", tmp_path / "sent.safetensors")
    import_file(library, exported)
    [there] = convert(out=tmp_path / "there", library=library).outputs
    assert there.read_bytes() == (out / "meadow.png").read_bytes()


def test_an_adaptation_sent_without_pictures_needs_the_file(
    convert, trained, library, tmp_path, meadow, save
):
    exported = export_file(
        trained, "snow+meadow", tmp_path / "sent.safetensors", with_pictures=False
    )
    import_file(library, exported)
    assert convert(library=library).outputs  # The example is still where it was.
    assert convert(save(), library=library).outputs


# Each picture


@pytest.mark.parametrize("finish", FINISHES)
@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (17, 33), (300, 5), (3, 250), (32, 32), (150, 90)]
)
def test_every_size_is_kept(convert, save, finish, width, height):
    result = convert(save(width=width, height=height), finish=finish)
    assert result.failed == ()
    assert pixels(result.outputs[0]).shape == (height, width, 3)


@pytest.mark.parametrize("finish", FINISHES)
def test_transparency_is_carried(convert, save, finish):
    alpha = Image.linear_gradient("L").resize((48, 40))
    path = save()
    with Image.open(path) as image:
        image.putalpha(alpha)
        image.save(path)
    with Image.open(convert(path, finish=finish).outputs[0]) as made:
        assert made.mode == "RGBA"
        assert made.getchannel("A").tobytes() == alpha.tobytes()


def test_grey_pictures_get_colours(convert, save):
    path = save(image=Image.radial_gradient("L").resize((41, 29)))
    with Image.open(convert(path, finish=Finish.NETWORK).outputs[0]) as made:
        assert (made.mode, made.size) == ("RGB", (41, 29))


def test_exif_is_kept_but_for_the_orientation(convert, save):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Pinhole & Sons"
    exif[ExifTags.Base.Orientation] = 6
    path = save("turned.jpg", exif=exif)
    with Image.open(convert(path).outputs[0]) as made:
        assert made.format == "JPEG"
        assert made.size == (40, 48)  # Upright.
        assert made.getexif()[ExifTags.Base.Make] == "Pinhole & Sons"
        assert ExifTags.Base.Orientation not in made.getexif()


@pytest.mark.parametrize("finish", FINISHES)
@pytest.mark.parametrize("width", [48, 150])
def test_strength_zero_gives_the_source_exactly(convert, save, finish, width):
    path = save(width=width)
    [made] = convert(path, strength=0.0, finish=finish).outputs
    assert np.array_equal(pixels(made), pixels(path))


def test_half_the_strength_lies_between(convert, save, tmp_path):
    path = save()
    whole, half = (
        pixels(convert(path, strength=s, out=tmp_path / str(s)).outputs[0]).astype(int)
        for s in (1.0, 0.5)
    )
    assert np.abs(half - (pixels(path) + whole) / 2).max() <= 1


@pytest.mark.parametrize("finish", FINISHES)
def test_the_two_directions_differ(convert, save, tmp_path, finish):
    path = save()
    to_a, to_b = (
        pixels(convert(path, to=to, out=tmp_path / to, finish=finish).outputs[0])
        for to in Direction
    )
    assert not np.array_equal(to_a, to_b)


def test_by_default_it_goes_beside_the_working_folder(convert, save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for to in Direction:
        assert convert(save(), to=to, out=None).outputs == (Path(f"translated-{to}/one.png"),)


# The batch


def test_folders_keep_their_structure_and_formats(convert, save, out):
    save("in/b.png"), save("in/a.jpg"), save("more/deep.webp")
    shutil.move(save("more/deep.webp").parent, save("in/b.png").parent / "more")
    events = Collected()

    result = convert(out.parent / "in", on_event=events)

    assert [path.relative_to(out).as_posix() for path in result.outputs] == [
        "a.jpg", "b.png", "more/deep.webp"
    ]  # fmt: skip
    assert [(e.index, e.num_pictures, e.output) for e in events.of(PictureDone)] == [
        (number, 3, path) for number, path in enumerate(result.outputs, start=1)
    ]
    [note] = events.of(Note)
    assert "--adapt-each" in note.text


def test_the_way_back_recommends_nothing_that_it_would_refuse(convert, save):
    events = Collected()
    convert(save(), to=Direction.A, on_event=events)
    assert not events.of(Note)


def test_translations_are_no_inputs_of_the_next_time(convert, save, tmp_path, monkeypatch):
    save()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained").rename(tmp_path.parent / f"{tmp_path.name}-store")
    library = Library(tmp_path.parent / f"{tmp_path.name}-store")
    for out in (None, Path("new/deep")):
        first = convert(Path(), out=out, library=library)
        again = convert(Path(), out=out, library=library)
        assert again.skipped == first.outputs
        assert again.outputs == ()
        shutil.rmtree(first.outputs[0].parent)


def test_the_example_by_its_name_is_the_example(convert, meadow, monkeypatch):
    monkeypatch.chdir(meadow.parent)
    events = Collected()
    result = convert(Path(meadow.name), on_event=events)
    assert not events.of(Note)
    assert result.example == meadow


def test_another_format_may_be_asked_for(convert, save, out):
    assert convert(save("one.jpg"), suffix=".png").outputs == (out / "one.png",)


def test_what_is_there_is_skipped_unless_overwriting(convert, save, out):
    path = save()
    convert(path)
    (out / "one.png").write_bytes(b"mine")
    events = Collected()

    again = convert(path, on_event=events)
    assert (again.outputs, again.skipped) == ((), (out / "one.png",))
    assert (out / "one.png").read_bytes() == b"mine"
    assert events.of(PictureSkipped) == [PictureSkipped(source=path, output=out / "one.png")]

    over = convert(path, overwrite=True)
    assert (over.outputs, over.skipped) == ((out / "one.png",), ())
    assert pixels(out / "one.png").shape == (40, 48, 3)


def test_a_broken_picture_does_not_stop_the_others(convert, save, tmp_path, out):
    good, bad, last = save("a.png"), tmp_path / "b.png", save("c.png")
    bad.write_bytes(good.read_bytes()[:80])
    events = Collected()

    result = convert(good, bad, last, on_event=events)

    assert result.outputs == (out / "a.png", out / "c.png")
    [(path, reason)] = result.failed
    assert path == bad
    assert reason
    assert events.of(PictureFailed) == [PictureFailed(path=bad, reason=reason)]
    assert not (out / "b.png").exists()


def test_a_picture_that_memory_does_not_hold_is_a_failed_one(convert, save, monkeypatch):
    def full(*_arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Translator, "network_pixels_of", full)
    result = convert(save())
    assert result.failed == ((save(), "not enough memory to translate it"),)
    assert (result.num_without_memory, result.num_pictures) == (1, 1)


@pytest.mark.parametrize(
    ("owner", "place"),
    [(batch, "encode_picture"), (module, "adapt_in_memory"), (module, "read_picture")],
)
@pytest.mark.parametrize("error", [MemoryError(), ResourceError("out of memory")])
def test_memory_may_want_in_every_part_of_a_picture(
    convert, save, monkeypatch, owner, place, error
):
    calls, part = [], getattr(owner, place)

    def full_at_first(*given, **options):
        calls.append(given)
        if len(calls) == 1:
            raise error
        return part(*given, **options)

    monkeypatch.setattr(owner, place, full_at_first)
    result = convert(save("a.png"), save("b.png"), adapt_each=True, steps=1)
    assert [path.name for path, _ in result.failed] == ["a.png"]
    assert [path.name for path in result.outputs] == ["b.png"]
    assert (result.num_without_memory, result.num_pictures) == (1, 2)


def test_a_file_too_large_to_be_read_wants_memory_too(convert, save, monkeypatch):
    def full(*_given, **_options):
        raise PictureError(Path("x"), "not enough memory to read it") from MemoryError()

    monkeypatch.setattr(module, "read_picture", full)
    result = convert(save())
    assert (result.num_without_memory, result.failed[0][1]) == (1, "not enough memory to read it")


def test_a_stream_that_memory_does_not_hold_is_a_want_of_resources(trained, save, monkeypatch):
    monkeypatch.setattr(Translator, "translate", lambda *_: bytearray(1 << 62))
    with save().open("rb") as stream, pytest.raises(NoMemoryError) as caught:
        translate_stream(stream, to=Direction.B, library=trained)
    assert caught.value.exit_code == ExitCode.RESOURCES


@pytest.mark.parametrize("part", ["network_pixels_of", "finished"])
def test_a_bug_is_not_taken_for_a_broken_picture(convert, save, monkeypatch, part):
    monkeypatch.setattr(Translator, part, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        convert(save())


def test_a_picture_too_large_for_its_format_is_a_failed_one(convert, save, out):
    wide = save("wide.png", width=17_000, height=1)
    good = save("good.png")
    result = convert(wide, good, suffix=".webp")
    assert result.outputs == (out / "good.webp",)
    [(path, reason)] = result.failed
    assert path == wide
    assert "do not fit into a WEBP file" in reason


def test_no_input_is_overwritten(convert, save, tmp_path):
    path = save()
    before = path.read_bytes()
    with pytest.raises(InputError, match="would overwrite the input"):
        convert(path, out=tmp_path, overwrite=True)
    assert path.read_bytes() == before


def test_a_missing_input_does_not_stop_the_others(convert, save, tmp_path, out):
    events, gone = Collected(), tmp_path / "nothing.png"
    result = convert(gone, save(), on_event=events)
    assert result.outputs == (out / "one.png",)
    assert result.failed == ((gone, "there is no such file or folder"),)
    assert result.num_pictures == 2
    assert [event.path for event in events.of(PictureFailed)] == [gone]


def test_inputs_without_any_picture_are_an_error_before_any_work(convert, tmp_path, out):
    (tmp_path / "empty").mkdir()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.cr2").touch()
    gone = tmp_path / "nothing.png"
    for given in ([gone], [tmp_path / "empty"], [tmp_path / "raw"]):
        events = Collected()
        with pytest.raises(InputError, match=f"there is no picture in {given[0]}"):
            convert(*given, on_event=events)
        told = [event.text for event in events.of(Note)]
        assert told == (["1 file left out for the suffix (.cr2)"] if "raw" in str(given) else [])
    with pytest.raises(InputError, match="there is no picture in the 2 inputs"):
        convert(gone, tmp_path / "empty")
    assert not out.exists()


def test_a_picture_that_cannot_be_written_does_not_stop_the_others(convert, save, out):
    save("in/b.png"), save("in/c.png"), save("in/sub/a.png")
    out.mkdir()
    (out / "sub").write_text("a file where a folder should be")
    (out / "b.png").mkdir()

    result = convert(out.parent / "in", overwrite=True)

    assert result.outputs == (out / "c.png",)
    assert [path.name for path, _ in result.failed] == ["b.png", "a.png"]
    assert all(str(out) in reason for _, reason in result.failed)
    assert (result.num_pictures, result.num_without_memory) == (3, 0)
    assert {path.name for path in out.iterdir()} == {"sub", "b.png", "c.png"}


def test_a_name_that_is_too_long_with_its_new_suffix_is_a_failed_picture(convert, save):
    path = save(f"{'n' * 251}.png")
    result = convert(path, suffix=".webp")
    assert (result.outputs, [failed for failed, _ in result.failed]) == ((), [path])


def test_a_full_disk_ends_the_batch(convert, save, monkeypatch):
    def full(path, _data):
        raise ResourceError(f"no space left for {path}")

    monkeypatch.setattr(batch, "write_file", full)
    with pytest.raises(ResourceError, match="no space left"):
        convert(save("a.png"), save("b.png"))


def test_pictures_that_lie_alike_keep_the_names_of_their_folders(convert, save, tmp_path, out):
    save("May/a.png"), save("June/a.png")
    result = convert(tmp_path / "May", tmp_path / "June")
    assert result.outputs == (out / "May" / "a.png", out / "June" / "a.png")


def test_paths_may_be_words(convert, trained, save, out):
    for given in (str(save()), [str(save())]):
        result = translate(
            given, to=Direction.B, out=str(out), library=trained, overwrite=True
        )  # fmt: skip
        assert result.outputs == (out / "one.png",)


def test_a_file_where_the_folder_should_be_is_a_sentence(convert, save, out):
    out.write_text("mine")
    with pytest.raises(StoreError, match="a file is where a folder should be") as caught:
        convert(save())
    assert str(out) in caught.value.message
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EACCES, StoreError), (errno.ENOSPC, ResourceError)]
)
def test_a_folder_that_cannot_be_made_is_a_sentence(convert, save, out, monkeypatch, code, kind):
    path, make = save(), Path.mkdir

    def refuse(self, *arguments, **options):
        if self == out:
            raise OSError(code, "refused")
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(kind, match="out"):
        convert(path)


def test_a_stop_leaves_whole_pictures_and_the_rest_for_the_next_time(
    convert, save, out, stop_after
):
    paths = [save(f"{number}.png") for number in range(3)]
    first = convert(*paths, should_stop=stop_after(2))
    assert (first.stopped, first.num_pictures) == (True, 3)
    assert first.outputs == (out / "0.png",)
    assert [path.name for path in out.iterdir()] == ["0.png"]
    again = convert(*paths)
    assert [path.name for path in again.outputs] == ["1.png", "2.png"]
    assert not again.stopped


@pytest.fixture
def several_at_once(monkeypatch):
    """Let the network see up to four pictures at once; return how many it saw each time."""
    seen, see = [], Translator.network_pixels_of
    monkeypatch.setattr(Translator, "num_at_once", lambda *_: 4)
    monkeypatch.setattr(
        Translator, "network_pixels_of", lambda *given: seen.append(len(given[1])) or see(*given)
    )
    return seen


@pytest.mark.parametrize("finish", FINISHES)
def test_pictures_of_one_size_go_through_the_network_at_once(
    convert, save, tmp_path, finish, several_at_once
):
    sizes = [40, 40, 30, 40, 40, 40, 40, 40]
    paths = [save(f"{n}.png", height=height) for n, height in enumerate(sizes)]
    paths[4].write_bytes(b"nonsense")
    events = Collected()
    together = convert(*paths, finish=finish, on_event=events)
    assert several_at_once == [2, 1, 1, 3]
    assert [path.name for path in together.outputs] == [f"{n}.png" for n in (0, 1, 2, 3, 5, 6, 7)]
    told = [event.path if isinstance(event, PictureFailed) else event.source
            for event in events.events if not isinstance(event, Note)]  # fmt: skip
    assert told == paths
    for path in together.outputs:
        [alone] = convert(tmp_path / path.name, out=tmp_path / "alone", finish=finish).outputs
        assert np.abs(pixels(path).astype(int) - pixels(alone)).max() <= 1


def test_pictures_too_many_for_memory_go_one_by_one(convert, save, several_at_once, monkeypatch):
    see = Translator.network_pixels_of

    def little_memory(self, images):
        pixels = see(self, images)
        if len(images) > 1 or images[0].width == 20:
            raise RuntimeError("CUDA out of memory")
        return pixels

    monkeypatch.setattr(Translator, "network_pixels_of", little_memory)
    result = convert(*(save(f"{n}.png") for n in range(3)), save("x.png", width=20))
    assert several_at_once == [3, 1, 1, 1, 1]
    assert [path.name for path in result.outputs] == ["0.png", "1.png", "2.png"]
    assert (result.num_without_memory, result.failed[0][0].name) == (1, "x.png")


def test_a_stop_after_several_at_once_leaves_them_whole(
    convert, save, out, several_at_once, stop_after
):
    paths = [save(f"{n}.png") for n in range(6)]
    result = convert(*paths, should_stop=stop_after(2))
    assert (result.stopped, len(result.outputs)) == (True, 4)
    assert sorted(path.name for path in out.iterdir()) == [f"{n}.png" for n in range(4)]


def test_others_are_read_while_the_network_sees_a_picture(convert, save, monkeypatch):
    second_is_read, see, read = threading.Event(), Translator.network_pixels_of, module.read_picture

    def reading(path):
        picture = read(path)
        if path.name == "1.png":
            second_is_read.set()
        return picture

    def seeing(self, images):
        assert second_is_read.wait(20)
        return see(self, images)

    monkeypatch.setattr(module, "read_picture", reading)
    monkeypatch.setattr(Translator, "network_pixels_of", seeing)
    assert len(convert(save("0.png"), save("1.png")).outputs) == 2


def test_what_is_passed_over_and_what_fails_is_told_in_its_place(convert, save, tmp_path, out):
    paths = [save(f"{n}.png") for n in range(8)]
    for n in (1, 2, 7):
        paths[n].write_bytes(b"nonsense")
    out.mkdir()
    for n in (2, 4, 5):
        (out / f"{n}.png").write_bytes(b"there")
    events = Collected()
    convert(*paths, on_event=events)
    kinds = {PictureDone: "done", PictureSkipped: "over", PictureFailed: "bad"}
    assert [kinds[type(event)] for event in events.events if type(event) in kinds] == [
        "done", "bad", "over", "done", "over", "over", "done", "bad"
    ]  # fmt: skip


def test_a_stop_at_once_leaves_nothing_half(convert, save, out):
    asked = iter([False, False])

    def interrupt():
        if next(asked, None) is None:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        convert(*(save(f"{n}.png") for n in range(5)), should_stop=interrupt)
    written = sorted(path.name for path in out.iterdir())
    assert written == [f"{n}.png" for n in range(len(written))]
    assert all(pixels(out / name).shape == (40, 48, 3) for name in written)


def test_the_precision_is_measured_unless_it_is_given(convert, monkeypatch):
    monkeypatch.setattr(precision, "faster_precision", lambda *_: Precision.BF16)
    measured = convert()
    assert measured.precision is Precision.BF16
    in_bf16 = pixels(measured.outputs[0]).astype(int)
    in_fp32 = convert(precision=Precision.FP32, overwrite=True)
    assert in_fp32.precision is Precision.FP32
    assert 0 < np.abs(pixels(in_fp32.outputs[0]) - in_bf16).max() <= 8


# Each adapted to itself


def test_each_picture_can_be_adapted_to_and_nothing_is_stored(
    convert, trained, save, tmp_path, bytes_below, pictures
):
    paths = [save(f"{n}.png", image=one) for n, one in enumerate(pictures(2))]
    before, events = bytes_below(trained.root), Collected()

    options = {"adapt_each": True, "steps": 2, "finish": Finish.NETWORK}
    result = convert(*paths, on_event=events, **options)

    assert result.adapted_each
    assert bytes_below(trained.root) == before
    assert [plan.num_steps for plan in events.of(TrainingPlanned)] == [2, 2]
    [note] = events.of(Note)
    assert "each of the 2 pictures" in note.text
    shared = convert(*paths, out=tmp_path / "shared", finish=Finish.NETWORK)
    for mine, others in zip(result.outputs, shared.outputs, strict=True):
        assert not np.array_equal(pixels(mine), pixels(others))
    [alone] = convert(paths[1], out=tmp_path / "alone", **options).outputs
    assert alone.read_bytes() == result.outputs[1].read_bytes()


def test_nothing_runs_beside_the_training(convert, save, monkeypatch):
    order, train, read, write = [], module.adapt_in_memory, module.read_picture, batch.write_file
    parts = {(module, "read_picture"): read, (module, "adapt_in_memory"): train,
             (batch, "write_file"): write}  # fmt: skip
    for (owner, name), part in parts.items():

        def told(*given, name=name, part=part):
            order.append(name)
            return part(*given)

        monkeypatch.setattr(owner, name, told)
    convert(save("0.png"), save("1.png"), adapt_each=True, steps=1)
    assert order == ["read_picture", "adapt_in_memory", "write_file"] * 2


def test_the_finish_of_each_is_its_own(convert, save, pictures, tmp_path, monkeypatch):
    paths = [save(f"{n}.png", image=one) for n, one in enumerate(pictures(2))]
    decisions = iter([Finish.PHOTO, Finish.NETWORK])
    monkeypatch.setattr(module, "decide_finish", lambda *_: {"finish": next(decisions).value})
    auto = convert(*paths, adapt_each=True, steps=1)
    assert auto.finish is Finish.AUTO
    for path, made, finish in zip(paths, auto.outputs, FINISHES, strict=True):
        [same] = convert(
            path, out=tmp_path / finish, adapt_each=True, steps=1, finish=finish
        ).outputs
        assert same.read_bytes() == made.read_bytes()


def test_each_adaptation_is_as_long_as_that_of_the_example(convert, save, phase_two, stop_after):
    events = Collected()
    assert convert(save(), adapt_each=True, on_event=events, should_stop=stop_after(1)).stopped
    assert events.of(TrainingPlanned)[0].num_steps == phase_two.steps


@pytest.mark.parametrize(
    ("given", "asked", "becomes"),
    [
        ({"steps": 2}, 1, {"steps": 1}),
        ({"steps": 2}, None, {"steps": 2}),
        ({"steps": None, "minutes": 0.01}, 1, {"steps": 1, "minutes": None}),
        ({"steps": None, "minutes": 0.01}, None, {"steps": None, "minutes": 0.01}),
    ],
)
def test_each_is_adapted_to_with_the_adaptations_own_settings(
    convert, trained, summer, phase_two, save, monkeypatch, given, asked, becomes
):
    own = {"reach": Reach.EVERYTHING, "seed": 3, "precision": Precision.AUTO}
    settings = replace(phase_two, **own, **given)
    made = adapt(summer, settings, library=trained)
    seen, fit = [], module.adapt_in_memory
    monkeypatch.setattr(
        module, "adapt_in_memory", lambda *given: seen.append(given[2]) or fit(*given)
    )
    convert(save(), adapt_each=True, steps=asked)
    settled = Precision(made.facts["precision"])
    assert seen == [replace(settings, precision=settled, **becomes)]


def test_adapting_to_each_goes_one_way_only(convert, save, monkeypatch):
    monkeypatch.setattr(module, "open_adaptation", lambda *_: pytest.fail("work before the check"))
    with pytest.raises(UsageError, match="--adapt-each"):
        convert(save(), to=Direction.A, adapt_each=True)


def test_adapting_to_each_does_not_need_the_shared_adaptation_on_the_device(
    convert, save, monkeypatch
):
    monkeypatch.setattr(module, "_shared", lambda *_: pytest.fail("never used"))
    assert convert(save(), adapt_each=True, steps=1).outputs


def test_adapting_to_each_does_not_take_another_model_of_the_name(
    convert, trained, save, winter, phase_one
):
    pretrain(winter, phase_one, name="snow", fresh=True, library=trained)
    with pytest.raises(NotFoundError, match="snow has the look of another folder now") as caught:
        convert(save(), adapt_each=True)
    assert "leave out --adapt-each" in caught.value.hint


def test_adapting_to_each_needs_a_model_with_pictures(
    convert, trained, library, save, summer, snow, tmp_path, phase_two, out
):
    bare = export_file(trained, "snow", tmp_path / "bare.safetensors", with_pictures=False)
    adapt(summer, phase_two, model=str(bare), data=snow, library=library)
    with pytest.raises(UsageError, match="needs a model that carries its pictures") as caught:
        convert(save(), adapt_each=True, library=library)
    assert "ost adapt" not in caught.value.hint
    assert not out.exists()


def test_adapting_to_each_needs_the_model(convert, trained, save, snow, phase_one):
    pretrain(snow, replace(phase_one, steps=8), library=trained)
    opened = open_adaptation("snow+meadow", trained)
    assert parent_of(opened, trained) == "snow"  # Trained on since.
    trained.remove("snow")
    with pytest.raises(NotFoundError, match=r"the model of snow\+meadow is gone"):
        convert(save(), adapt_each=True)
    assert convert(save()).outputs


# Which adaptation, and streams


def test_the_finish_is_the_adaptations_or_the_one_asked_for(convert, trained):
    decided = trained.manifest("snow+meadow").facts["finish"]
    assert convert().finish == decided
    for finish in FINISHES:
        assert convert(finish=finish, overwrite=True).finish is finish


def test_a_model_alone_does_not_translate(convert, trained, library):
    with pytest.raises(UsageError, match="not seen any example") as caught:
        convert(adaptation="snow")
    assert caught.value.hint == "run: ost adapt EXAMPLE --model snow"
    with pytest.raises(NotFoundError) as missing:
        convert(library=library)
    assert missing.value.hint.startswith("run: ost adapt EXAMPLE")


def test_what_was_translated_by_was_used_last(convert, trained, summer, phase_two, save, tmp_path):
    adapt(summer, phase_two, library=trained)
    assert convert(save()).adaptation == "snow+summer"
    convert(save(), adaptation="snow+meadow")
    assert convert(save()).adaptation == "snow+meadow"
    with save().open("rb") as stream:
        translate_stream(stream, to=Direction.B, adaptation="snow+summer", library=trained)
    assert convert(save()).adaptation == "snow+summer"


def test_a_store_that_can_only_be_read_translates(convert, trained, save, monkeypatch):
    def refuse(*_arguments):
        raise StoreError("denied")

    monkeypatch.setattr(Library, "set_last", refuse)
    assert convert(save(), adaptation="snow+meadow").outputs


@pytest.mark.parametrize("megapixels", [None, 24])
def test_a_stream_gives_what_a_file_gives(convert, trained, save, megapixels):
    path = save()
    [made] = convert(path, megapixels=megapixels).outputs
    with path.open("rb") as stream:
        given = translate_stream(stream, to=Direction.B, megapixels=megapixels, library=trained)
    assert given == made.read_bytes()


@pytest.mark.parametrize("adapt_each", [False, True])
def test_more_megapixels_show_the_network_more_of_a_picture(
    convert, save, tmp_path, noise_picture, adapt_each
):
    path = save(image=noise_picture(16, 12).resize((160, 120)))  # The model's view has 40 × 30.
    options = {"finish": Finish.NETWORK, "adapt_each": adapt_each, "steps": adapt_each or None}
    results = [
        convert(path, out=tmp_path / f"by {megapixels}", megapixels=megapixels, **options)
        for megapixels in (None, 1)
    ]
    less, more = (pixels(result.outputs[0]).astype(float) for result in results)
    assert less.shape == more.shape == (120, 160, 3)
    assert (
        np.abs(np.diff(more, n=2, axis=0)).mean() > 1.2 * np.abs(np.diff(less, n=2, axis=0)).mean()
    )


def test_a_stream_without_a_picture_is_an_error(trained):
    with pytest.raises(PictureError, match="standard input"):
        translate_stream(io.BytesIO(b"nonsense"), to=Direction.B, library=trained)

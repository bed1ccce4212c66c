"""`ost translate`, from the inputs to the outputs."""

import io
import signal
import sys

import pytest
from PIL import Image

from ostcli.images.read import read_picture
from ostcli.store.library import Library, store_root


@pytest.fixture
def pipe(monkeypatch):
    """Give standard input these bytes."""

    def give(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def test_without_inputs_the_example_is_translated(ost, trained, tmp_path):
    run = ost("translate")
    assert (run.code, run.lines) == (0, ["translated-B/meadow.jpg"])
    with Image.open(tmp_path / "translated-B" / "meadow.jpg") as image:
        assert image.size == (61, 43)
    assert "1 picture translated to B by snow+meadow, adapted to meadow.jpg" in run.err


def test_folders_keep_their_structure_and_names_are_literal(ost, trained, winter):
    run = ost("translate", winter, "--out", "there", "--to", "A")
    assert run.lines == ["there/0.png", "there/1.png", "there/2.png", "there/sub/a[red]b.jpg"]
    assert "--adapt-each" not in run.err  # It goes to B only.
    assert "\x1b" not in run.out + run.err


def test_one_adaptation_for_all_recommends_one_for_each(ost, trained, winter):
    assert "--adapt-each adapts to each one first" in ost("translate", winter).err


def test_directions_may_be_small(ost, trained):
    assert ost("translate", "--to", "b").lines == ["translated-B/meadow.jpg"]


def test_what_is_missing_or_cannot_be_written_is_listed_with_the_others(
    ost, trained, winter, tmp_path
):
    out = tmp_path / "there"
    (out / "0.png").mkdir(parents=True)
    (out / "sub").touch()
    given = (winter, "nowhere.png", "--out", out, "--overwrite", "--json")
    run = ost("translate", *given)
    assert run.code == 3
    failed = [each["path"] for each in run.json["result"]["failed"]]
    assert failed == ["nowhere.png", f"{winter}/0.png", f"{winter}/sub/a[red]b.jpg"]
    assert len(run.json["result"]["outputs"]) == 2
    assert run.json["error"]["message"] == "3 of 5 pictures could not be translated"
    assert all(f"cannot use {path}: " in run.err for path in failed)


def test_pictures_of_other_suffixes_are_told(ost, trained, winter, tmp_path):
    (winter / "phone.heic").touch()
    assert "1 file left out for the suffix (.heic)" in ost("translate", winter).err
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.cr2").touch()
    run = ost("translate", "raw")
    assert (run.code, run.out) == (4, "")
    assert "1 file left out for the suffix (.cr2)" in run.err
    assert "error: there is no picture in raw" in run.err


def test_the_adaptation_used_last_is_the_one_named_last(ost, trained, winter):
    ost("adapt", winter / "0.png", "--steps", "1", "--precision", "fp32")
    assert "by snow+0," in ost("translate", winter).err
    assert "by snow+meadow," in ost("translate", winter, "-a", "snow+meadow").err
    assert "by snow+meadow," in ost("translate", winter).err


def test_what_is_there_already_is_passed_over(ost, trained, winter):
    ost("translate", winter)
    again = ost("translate", winter)
    assert (again.code, again.out) == (0, "")
    assert "4 pictures passed over" in again.err
    assert "--overwrite" in again.err
    assert len(ost("translate", winter, "--overwrite").lines) == 4


def test_a_broken_picture_does_not_stop_the_others(ost, trained, winter):
    (winter / "1.png").write_bytes(b"nonsense")
    run = ost("translate", winter, "--json")
    assert run.code == 3
    assert len(run.json["result"]["outputs"]) == 3
    assert run.json["result"]["failed"][0]["path"] == str(winter / "1.png")
    assert run.json["ok"] is False
    assert f"cannot use {winter}/1.png" in run.err
    assert "error: 1 of 4 pictures could not be translated" in run.err


def test_quiet_still_names_what_failed(ost, trained, winter):
    (winter / "1.png").write_bytes(b"nonsense")
    run = ost("-q", "translate", winter)
    assert f"cannot use {winter}/1.png" in run.err
    assert "translated to" not in run.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("bad.png",), 4),
        (("nowhere.png",), 4),
        (("--adaptation", "nothing"), 5),
        (("--adaptation", "snow"), 2),
        (("--strength", "2"), 2),
        (("--megapixels", "0"), 2),
        (("--adapt-each", "--to", "A"), 2),
        (("--format", "bmp"), 2),
        (("-", "bad.png"), 2),
        (("-", "--out", "there"), 2),
        (("-", "--json"), 2),
        (("--steps", "5"), 2),
        (("-", "--steps", "5"), 2),
        (("nowhere.png", "nothing.png"), 4),
    ],
)
def test_exit_codes(ost, trained, tmp_path, arguments, code):
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    run = ost("translate", *arguments)
    assert run.code == code
    assert "error: " in run.err


def test_a_model_where_an_adaptation_is_wanted_is_told_so(ost, trained):
    run = ost("translate", "--model", "snow")
    assert run.code == 2
    assert "--adaptation NAME" in run.err
    assert "--help" not in run.err


def test_without_an_adaptation_it_says_what_to_run(ost):
    run = ost("translate", "--json")
    assert run.code == 5
    assert "ost adapt EXAMPLE" in run.json["error"]["hint"]


def test_strength_zero_gives_the_picture_back(ost, trained, winter, tmp_path):
    ost("translate", winter / "0.png", "--strength", "0", "--finish", "network")
    given, made = (read_picture(f / "0.png") for f in (winter, tmp_path / "translated-B"))
    assert made.image.tobytes() == given.image.tobytes()


def test_a_format_is_the_suffix(ost, trained, winter):
    assert ost("translate", winter / "0.png", "--format", "webp").lines == ["translated-B/0.webp"]


def test_each_picture_can_be_adapted_to_first(ost, trained, winter):
    run = ost("translate", winter / "0.png", winter / "1.png", "--adapt-each", "--steps", "2")
    assert (run.code, len(run.lines)) == (0, 2)
    assert run.err.count("2 steps of") == 1
    assert "each adapted to itself" in run.err


def test_help_says_how_long_each_adaptation_takes(ost):
    words = " ".join(ost("translate", "--help").out.replace("│", " ").split())
    assert "[default: (what ost adapt was given)]" in words


def test_a_pipe_takes_a_picture_and_gives_one(trained, winter, pipe, capsysbinary):
    from ostcli.cli.main import main

    pipe((winter / "0.png").read_bytes())
    assert main(["translate", "-", "--format", "jpg"]) == 0
    out, err = capsysbinary.readouterr()
    image = Image.open(io.BytesIO(out))
    assert (image.format, image.size) == ("JPEG", (48, 40))
    assert err == b""


def test_megapixels_count_for_files_and_for_a_pipe(trained, pipe, capsysbinary, tmp_path):
    from ostcli.cli.main import main

    source, made = tmp_path / "one.png", []
    Image.effect_noise((240, 200), 90).convert("RGB").save(source)
    for megapixels in ("1", "0.02"):
        options = ("--finish", "network", "--megapixels", megapixels)
        assert main(["translate", str(source), "--out", str(tmp_path / megapixels), *options]) == 0
        capsysbinary.readouterr()
        pipe(source.read_bytes())
        assert main(["translate", "-", *options]) == 0
        made.append((tmp_path / megapixels / "one.png").read_bytes())
        assert (capsysbinary.readouterr().out == made[-1]) is True  # No bytes in the report.
    assert made[0] != made[1]


def test_a_pipe_without_a_picture_is_an_error_of_input(ost, trained, pipe):
    pipe(b"nonsense")
    run = ost("translate", "-")
    assert (run.code, run.out) == (4, "")


def test_a_picture_is_not_written_to_a_terminal(ost, trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    run = ost("translate", "-")
    assert run.code == 2
    assert "not to a terminal" in run.err


def test_the_summary_knows_a_renamed_adaptation(ost, trained):
    Library(store_root()).rename("snow+meadow", "mine")
    assert "by mine, adapted to meadow.jpg" in ost("translate", "-a", "mine").err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_done_and_the_same_command_goes_on(
    ost, trained, winter, monkeypatch, number, code
):
    from ostcli.workflows.translator import Translator

    see, calls = Translator.network_pixels_of, []

    def signalled_at_the_second(*given):
        calls.append(given)
        if len(calls) == 2:
            signal.raise_signal(number)
        return see(*given)

    monkeypatch.setattr(Translator, "network_pixels_of", signalled_at_the_second)
    run = ost("translate", winter, "--json")
    assert run.code == code
    assert run.json["result"]["outputs"] == ["translated-B/0.png", "translated-B/1.png"]
    assert run.json["result"]["stopped"] is True
    assert run.json["error"]["message"] == "stopped after 2 of 4 pictures"
    assert len(ost("translate", winter).lines) == 2


@pytest.mark.parametrize(("num_failing", "code"), [(1, 3), (4, 6)])
def test_a_want_of_memory_for_all_pictures_has_a_code_of_its_own(
    ost, trained, winter, monkeypatch, num_failing, code
):
    from ostcli.workflows import batch as workflow

    encode, calls = workflow.encode_picture, []

    def full(*given, **options):
        calls.append(given)
        if len(calls) <= num_failing:
            raise MemoryError
        return encode(*given, **options)

    monkeypatch.setattr(workflow, "encode_picture", full)
    run = ost("translate", winter)
    assert run.code == code
    assert run.err.count("not enough memory to translate it") == num_failing


def test_the_working_folder_is_translated_again_without_its_translations(
    ost, trained, summer, monkeypatch
):
    folder = summer.parent / "holiday"
    folder.mkdir()
    summer.rename(folder / summer.name)
    monkeypatch.chdir(folder)
    assert ost("translate", ".").lines == ["translated-B/summer.jpg"]
    assert ost("translate", ".").code == 0
    assert ost("translate", ".").out == ""


def test_json_names_the_example(ost, trained):
    assert ost("translate", "--json").json["result"]["example"].endswith("meadow.jpg")

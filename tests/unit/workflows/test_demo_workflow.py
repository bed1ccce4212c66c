"""The demo, small: its numbers are those of its pictures, and it tidies up."""

import tempfile
from pathlib import Path

import pytest
from PIL import Image

from ostcli.config import Finish
from ostcli.errors import UsageError
from ostcli.events import Collected, PreviewReady, Saved, StepDone, TrainingPlanned
from ostcli.images.controls import Controls
from ostcli.images.measure import mean_absolute_error
from ostcli.images.scenes import Season, draw_folder, draw_scene
from ostcli.workflows import demo as module
from ostcli.workflows.demo import demo
from ostcli.workflows.translator import Translator

SIZE, NUM_SCENES, SEED = 48, 4, 2


@pytest.fixture(autouse=True)
def _small(monkeypatch, phase_one, phase_two, tmp_path):
    monkeypatch.setattr(module, "PHASE_ONE", phase_one)
    monkeypatch.setattr(module, "PHASE_TWO", phase_two)
    monkeypatch.setattr(module, "SIZE", SIZE)
    monkeypatch.setattr(module, "NUM_SCENES", NUM_SCENES)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def networks_used(monkeypatch):
    """Return the adapted networks of the demos that ran."""
    used, load = [], module.open_adaptation

    def remember(*given):
        opened = load(*given)
        used.append(opened.networks)
        return opened

    monkeypatch.setattr(module, "open_adaptation", remember)
    return used


def test_the_errors_are_those_of_the_pictures(tmp_path, networks_used, phase_one):
    result = demo(seed=SEED, out=tmp_path / "sheet.png")

    source, truth = (draw_scene(SEED, season, SIZE) for season in (Season.SUMMER, Season.WINTER))
    folder = list(draw_folder(SEED, NUM_SCENES, Season.WINTER, SIZE))
    [networks] = networks_used

    def error(image):
        return pytest.approx(mean_absolute_error(image, truth), abs=1e-5)

    def translated(finish, path):
        return Translator(networks, path, phase_one.view, finish=finish).translate(source)

    by_finish = {
        finish: mean_absolute_error(translated(finish, networks.translate_ab), truth)
        for finish in (Finish.PHOTO, Finish.NETWORK)
    }
    assert result.identity_error == error(source)
    assert result.network_error == pytest.approx(by_finish[Finish.NETWORK], abs=1e-5)
    assert result.translation_error == pytest.approx(by_finish[Finish.PHOTO], abs=1e-5)
    assert result.ratio == pytest.approx(result.translation_error / result.identity_error, abs=1e-4)
    expected = {name: error(one) for name, one in Controls(folder).results(source).items()}
    assert expected.pop("identity") == result.identity_error
    assert {name: result.controls[name] for name in expected} == expected
    assert result.controls.keys() == {*expected, "unadapted"}
    assert 0 < result.controls["unadapted"] < 1
    assert (result.seed, result.pictures) == (SEED, None)
    assert result.seconds > 0


def test_the_sheet_is_there_and_nothing_else_is_left(tmp_path):
    result = demo(out=tmp_path / "sheet.png")
    assert result.sheet == tmp_path / "sheet.png"
    with Image.open(result.sheet) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 5 * SIZE
        assert sheet.height > 3 * SIZE
    assert {path.name for path in tmp_path.iterdir()} == {"sheet.png", "temporary"}
    assert list((tmp_path / "temporary").iterdir()) == []


def test_kept_pictures_are_those_of_the_demo(tmp_path):
    keep = tmp_path / "kept"
    result = demo(seed=SEED, out=tmp_path / "sheet.png", keep=keep)
    assert result.pictures == keep
    names = sorted(path.relative_to(keep).as_posix() for path in keep.rglob("*.png"))
    assert names == ["summer.png", *(f"winter/winter-{n:03d}.png" for n in range(NUM_SCENES))]
    with Image.open(keep / "summer.png") as image:
        assert image.tobytes() == draw_scene(SEED, Season.SUMMER, SIZE).tobytes()


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    first, second = (demo(seed=SEED, out=tmp_path / f"{n}.png") for n in range(2))
    assert first.translation_error == second.translation_error
    assert first.sheet.read_bytes() == second.sheet.read_bytes()


def test_both_trainings_are_told_but_no_file_that_goes_away(tmp_path):
    events = Collected()
    demo(out=tmp_path / "sheet.png", on_event=events)
    plans = [event for event in events.events if isinstance(event, TrainingPlanned)]
    assert [plan.name for plan in plans] == ["winter", "summer"]
    assert any(isinstance(event, StepDone) for event in events.events)
    assert not any(isinstance(event, PreviewReady | Saved) for event in events.events)


@pytest.mark.parametrize(("name", "format_name"), [("a.jpg", "JPEG"), ("new/b.webp", "WEBP")])
def test_the_suffix_says_the_format_and_its_folder_is_made(tmp_path, name, format_name):
    with Image.open(demo(out=tmp_path / name).sheet) as sheet:
        assert sheet.format == format_name


@pytest.mark.parametrize(
    ("name", "words"),
    [(".", "is a folder"), ("sheet", "no picture format for ''"), ("a.xyz", "no picture format")],
)
def test_a_sheet_that_cannot_be_is_refused_before_the_work(tmp_path, name, words):
    events = Collected()
    with pytest.raises(UsageError, match=words):
        demo(out=tmp_path / name, on_event=events)
    assert events.events == []


@pytest.mark.parametrize("steps", [2, 8])
def test_a_stopped_demo_has_no_result_and_leaves_nothing(tmp_path, stop_after, steps):
    out = tmp_path / "sheet.png"
    assert demo(out=out, should_stop=stop_after(steps)) is None
    assert not out.exists()
    assert list(Path(tmp_path, "temporary").iterdir()) == []

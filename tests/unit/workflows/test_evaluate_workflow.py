"""`evaluate` on tiny networks: every way to translate, beside the controls."""

import json

import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_0

from ostcli.config import Finish
from ostcli.errors import InputError, UsageError
from ostcli.events import Collected, PictureDone, PictureFailed
from ostcli.workflows.evaluate import Yardsticks, evaluate, values_of

CONTROLS = ["identity", "colour_match", "mean_of_folder", "nearest_in_folder"]
NETWORKS = ["unadapted", "unadapted_finished", "network", "finished"]


@pytest.fixture
def sources(picture_folder):
    return picture_folder(3, name="sources")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "evaluation"


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.pth"
    torch.save(squeezenet1_0(weights=None).state_dict(), path)
    return path


@pytest.fixture
def darker(sources, tmp_path):
    """Write darker pictures of the sources' names, in another format and size."""
    folder = tmp_path / "darker"
    folder.mkdir()
    for path in sources.iterdir():
        with Image.open(path) as picture:
            dark = picture.point(lambda level: level // 2).resize((96, 80))
        dark.save(folder / f"{path.stem}.bmp")
    return folder


def test_one_adaptation_is_measured_beside_the_controls(trained, sources, out, snow):
    result = evaluate(sources, library=trained, out=out)
    assert list(result.scores) == [*CONTROLS, *NETWORKS]
    assert (result.num_pictures, result.num_folder) == (3, 4)
    assert result.finish in (Finish.PHOTO, Finish.NETWORK)
    assert result.scores["identity"].content is None
    assert result.classifier_accuracy is None
    assert result.failed == ()


def test_everything_is_measured_that_something_is_given_for(
    trained, sources, out, darker, snow, weights
):
    yardsticks = Yardsticks(
        folder=snow, domain_a=darker, held_out=snow, truth=darker, weights=weights
    )
    result = evaluate(sources, library=trained, out=out, yardsticks=yardsticks)
    assert list(result.scores) == [*CONTROLS, *NETWORKS, "real"]
    for name in (*CONTROLS, *NETWORKS):
        assert None not in vars(result.scores[name]).values(), name
    assert result.scores["identity"].content == 0
    assert result.scores["identity"].error > 0
    assert result.scores["real"].style == pytest.approx(0, abs=1e-5)
    assert result.scores["real"].content is None
    assert 0 <= result.classifier_accuracy <= 1


def test_a_model_is_adapted_to_each_source(trained, sources, out, phase_two):
    heard = Collected()
    result = evaluate(
        sources, model="snow", config=phase_two, count=2, library=trained, out=out, on_event=heard
    )
    assert list(result.scores) == [*CONTROLS, *NETWORKS]
    assert result.num_pictures == 2
    assert [(done.index, done.num_pictures) for done in heard.of(PictureDone)] == [(1, 2), (2, 2)]
    assert trained.names() == ["snow", "snow+meadow"]


def test_results_made_elsewhere_are_found_by_their_names(sources, darker, out, snow, trained):
    result = evaluate(
        sources,
        translations=darker,
        yardsticks=Yardsticks(folder=snow, truth=sources),
        library=trained,
        out=out,
    )
    assert list(result.scores) == [*CONTROLS, "translation"]
    assert result.scores["identity"].error == 0
    assert result.scores["translation"].error > 0.05
    assert result.finish is None


def test_what_it_writes(trained, sources, out):
    result = evaluate(sources, library=trained, out=out)
    assert {path.name for path in out.iterdir()} == {"scores.md", "scores.json", "sheet.webp"}
    assert json.loads((out / "scores.json").read_text()) == json.loads(
        json.dumps(values_of(result))
    )
    table = result.table.read_text("utf-8")
    assert table.splitlines()[2].startswith("| identity |")
    assert len(table.splitlines()) == 2 + len(result.scores)
    with Image.open(result.sheet) as sheet:
        assert sheet.width > 6 * 100
        assert sheet.height > 3 * 100


def test_each_picture_has_its_own_figures(trained, sources, out):
    result = evaluate(sources, library=trained, out=out)
    assert list(result.pictures) == [str(sources / f"0{n}.png") for n in range(3)]
    for rows in result.pictures.values():
        assert list(rows) == [*CONTROLS, *NETWORKS]
    figures = [rows["network"].artefacts for rows in result.pictures.values()]
    assert result.scores["network"].artefacts == pytest.approx(sum(figures) / 3)


def test_a_bad_source_and_a_missing_partner_do_not_stop_the_others(
    trained, sources, darker, out, snow
):
    (sources / "00.png").write_bytes(b"no picture")
    (darker / "01.bmp").unlink()
    heard = Collected()
    result = evaluate(
        sources,
        translations=darker,
        yardsticks=Yardsticks(folder=snow),
        library=trained,
        out=out,
        on_event=heard,
    )
    assert [path.name for path, _ in result.failed] == ["00.png", "01.png"]
    assert [event.path for event in heard.of(PictureFailed)] == [path for path, _ in result.failed]
    assert str(darker) in result.failed[1][1]
    assert list(result.pictures) == [str(sources / "02.png")]


def test_no_usable_source_is_an_error(trained, sources, out):
    for path in sources.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of the pictures"):
        evaluate(sources, library=trained, out=out)


def test_two_ways_to_translate_are_one_too_many(trained, sources, darker, out):
    with pytest.raises(UsageError, match="three ways"):
        evaluate(sources, translations=darker, model="snow", library=trained, out=out)


def test_without_any_folder_of_b_there_is_nothing_to_measure_by(trained, sources, darker, out):
    with pytest.raises(UsageError, match="real pictures of B"):
        evaluate(sources, translations=darker, library=trained, out=out)
    assert not out.exists()


def test_an_empty_folder_of_sources_is_refused(trained, tmp_path, out):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture"):
        evaluate(tmp_path / "empty", library=trained, out=out)


def test_a_stop_leaves_nothing_behind(trained, sources, out, stop_after, phase_two):
    stopped = evaluate(
        sources,
        model="snow",
        config=phase_two,
        library=trained,
        out=out,
        should_stop=stop_after(3),
    )
    assert stopped is None
    assert list(out.iterdir()) == []

"""`evaluate` on tiny networks: every way to translate, beside the controls."""

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_0

from ostcli.config import Finish
from ostcli.errors import (
    InputError,
    PictureError,
    ResourceError,
    TrainingFailedError,
    UsageError,
)
from ostcli.events import Collected, Note, PictureDone, PictureFailed
from ostcli.images.find import FoundPicture
from ostcli.paper.scores import Digest
from ostcli.store.exchange import export_file
from ostcli.store.library import Library
from ostcli.workflows import scoring, ways
from ostcli.workflows.evaluate import ROW_OF, Yardsticks, evaluate, values_of
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.ways import Partners

CONTROLS = ["identity", "grey", "colour_match", "mean_of_folder", "nearest_in_folder"]
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
    assert result.scores["real"].style < result.scores["identity"].style
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
    assert len([line for line in table.splitlines() if line[:1] == "|"]) == 2 + len(result.scores)
    assert result.comparison is None, "of three sources nothing is said"
    with Image.open(result.sheet) as sheet:
        assert sheet.width > 6 * 100
        assert sheet.height > 3 * 100


def test_figures_have_intervals_and_ways_are_compared(trained, picture_folder, out, snow):
    five = picture_folder(5, name="five")
    result = evaluate(
        five,
        yardsticks=Yardsticks(folder=snow, truth=five),
        library=trained,
        out=out,
    )

    error = result.estimates["network"]["error"]
    assert error.low < error.value == result.scores["network"].error < error.high
    assert result.comparison.ours == ROW_OF[result.finish]
    assert set(result.comparison.less) == {
        each.replace("_", " ") for each in result.scores if each != ROW_OF[result.finish]
    }
    table = result.table.read_text("utf-8")
    assert " ± " in table
    assert f"## “{ROW_OF[result.finish]}” less each other row" in table
    assert json.loads((out / "scores.json").read_text())["comparison"]["figures"]


@pytest.mark.parametrize(
    ("num_held_out", "sizes"), [(2, [2]), (3, [3]), (11, [3, 3, 3]), (100, [3] * 10)]
)
def test_real_pictures_are_drawn_as_many_as_there_are_sources(num_held_out, sizes):
    held_out = [Digest([torch.ones(1, 1)], torch.ones(1))] * num_held_out
    perceptual = scoring.Perceptual(network=Mock(), held_out=held_out)
    told = Collected()

    assert [len(draw) for draw in perceptual.draws(3, told)] == sizes
    assert any("fewer than the 3 sources" in note.text for note in told.of(Note)) is (sizes == [2])


def test_each_picture_has_its_own_figures(trained, sources, out):
    result = evaluate(sources, library=trained, out=out)
    assert list(result.pictures) == [str(sources / f"0{n}.png") for n in range(3)]
    for rows in result.pictures.values():
        assert list(rows) == [*CONTROLS, *NETWORKS]
    figures = [rows["network"].artefacts for rows in result.pictures.values()]
    assert result.scores["network"].artefacts == pytest.approx(sum(figures) / 3)


def test_the_model_may_be_gone(trained, sources, out):
    trained.remove("snow")
    heard = Collected()
    result = evaluate(sources, library=trained, out=out, on_event=heard)
    assert list(result.scores) == [*CONTROLS, "network", "finished"]
    assert any("is gone" in note.text for note in heard.of(Note))


def test_a_model_that_was_trained_on_is_not_the_one_before_the_adaptation(
    trained, sources, out, snow, phase_one
):
    longer = replace(phase_one, steps=phase_one.steps + 2)
    assert pretrain(snow, longer, name="snow", library=trained).finished
    heard = Collected()
    result = evaluate(sources, library=trained, out=out, on_event=heard)
    assert list(result.scores) == [*CONTROLS, "network", "finished"]
    assert any("trained on since" in note.text for note in heard.of(Note))


def test_it_says_what_was_measured(trained, sources, out, darker, snow, phase_two):
    by_adaptation = evaluate(sources, library=trained, out=out)
    assert (by_adaptation.by, by_adaptation.config) == ("snow+meadow", phase_two)
    heard = Collected()
    by_model = evaluate(
        sources, model="snow", config=phase_two, library=trained, out=out, on_event=heard
    )
    assert (by_model.by, by_model.config) == ("snow", phase_two)
    assert any("each of the 3 pictures" in note.text for note in heard.of(Note))
    elsewhere = evaluate(
        sources, translations=darker, yardsticks=Yardsticks(folder=snow), library=trained, out=out
    )
    assert elsewhere.by is elsewhere.config is None


def test_a_model_without_pictures_is_refused_before_the_work(trained, sources, out, tmp_path):
    bare = tmp_path / "bare.safetensors"
    export_file(trained, "snow", bare, with_pictures=False)
    with pytest.raises(UsageError, match="without pictures") as refused:
        evaluate(sources, model=str(bare), library=Library(tmp_path / "other"), out=out)
    assert "import" in refused.value.hint
    assert not out.exists()


@pytest.mark.parametrize("count", [1, 3])
def test_a_single_picture_of_a_look_has_no_probability(trained, sources, out, snow, weights, count):
    one = out.parent / "one"
    one.mkdir()
    (one / "a.png").write_bytes((snow / "0.png").read_bytes())
    folder = snow if count == 1 else one
    heard = Collected()
    result = evaluate(
        sources,
        count=count,
        yardsticks=Yardsticks(folder=folder, weights=weights),
        library=trained,
        out=out,
        on_event=heard,
    )
    assert result.classifier_accuracy is result.scores["network"].domain is None
    assert result.scores["network"].content > 0
    assert result.scores["network"].kid is None
    assert any("two pictures" in note.text for note in heard.of(Note))


def test_a_folder_of_one_picture_twice_has_no_kernel_distance(
    trained, sources, out, snow, weights, tmp_path
):
    alike = tmp_path / "alike"
    alike.mkdir()
    for name in ("a.png", "b.png"):
        (alike / name).write_bytes((snow / "0.png").read_bytes())
    yardsticks = Yardsticks(folder=alike, weights=weights)
    result = evaluate(sources, library=trained, out=out, yardsticks=yardsticks)
    assert result.scores["network"].kid is None
    assert "NaN" not in (out / "scores.json").read_text()


@pytest.mark.parametrize("option", ["domain_a", "held_out"])
def test_what_needs_features_is_refused_without_weights(trained, sources, out, snow, option):
    with pytest.raises(UsageError, match="features"):
        evaluate(sources, library=trained, out=out, yardsticks=Yardsticks(**{option: snow}))


@pytest.mark.parametrize("option", ["domain_a", "held_out", "folder"])
def test_a_folder_that_is_not_there_is_named_with_its_option(
    trained, sources, out, weights, option
):
    yardsticks = Yardsticks(weights=weights, **{option: out / "nowhere"})
    with pytest.raises(InputError, match="nowhere") as refused:
        evaluate(sources, library=trained, out=out, yardsticks=yardsticks)
    assert f"--{option.replace('_', '-')}" in refused.value.hint


def test_sources_among_the_pictures_of_a_are_not_counted_twice(
    trained, sources, out, snow, weights
):
    yardsticks = Yardsticks(folder=snow, domain_a=sources, weights=weights)
    alone = Yardsticks(folder=snow, weights=weights)
    first, second = (
        evaluate(sources, library=trained, out=out, yardsticks=given)
        for given in (yardsticks, alone)
    )
    assert first.scores == second.scores


def test_its_own_sheet_is_no_source(trained, sources, snow):
    out = sources / "evaluation"
    for _ in range(2):
        result = evaluate(sources, library=trained, out=out)
    assert (result.num_pictures, result.failed) == (3, ())


def test_its_own_sheet_is_no_picture_of_either_look(trained, sources, darker, snow, weights):
    def measured(out):
        yardsticks = Yardsticks(
            folder=snow, domain_a=darker, held_out=snow, truth=darker, weights=weights
        )
        return evaluate(sources, library=trained, yardsticks=yardsticks, out=out)

    for folder in (snow, darker):
        first = measured(folder / "evaluation")
        again = measured(folder / "evaluation")
        assert (again.num_folder, again.scores) == (first.num_folder, first.scores)


def test_training_that_fails_on_one_source_does_not_stop_the_others(
    trained, sources, out, monkeypatch, phase_two
):
    fit, calls = ways.adapt_in_memory, []

    def fail_at_first(*given):
        calls.append(given)
        if len(calls) == 1:
            raise TrainingFailedError("training failed 4 times")
        if len(calls) == 2:
            raise MemoryError
        return fit(*given)

    monkeypatch.setattr(ways, "adapt_in_memory", fail_at_first)
    result = evaluate(sources, model="snow", config=phase_two, library=trained, out=out)
    assert [path.name for path, _ in result.failed] == ["00.png", "01.png"]
    assert len(result.pictures) == 1


def test_too_little_memory_for_any_source_is_said_as_that(
    trained, sources, out, monkeypatch, phase_two
):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(ways, "adapt_in_memory", full)
    with pytest.raises(ResourceError, match="memory"):
        evaluate(sources, model="snow", config=phase_two, library=trained, out=out)


def test_a_source_that_fails_half_way_leaves_no_half_of_its_figures(
    trained, sources, out, monkeypatch
):
    measure, calls = scoring.measure, []

    def full_at_the_third(*given, **options):
        calls.append(given)
        if len(calls) == 3:
            raise MemoryError
        return measure(*given, **options)

    monkeypatch.setattr(scoring, "measure", full_at_the_third)
    result = evaluate(sources, library=trained, out=out)
    assert [path.name for path, _ in result.failed] == ["00.png"]
    assert [len(rows) for rows in result.pictures.values()] == [len(CONTROLS + NETWORKS)] * 2
    figures = [rows["identity"].artefacts for rows in result.pictures.values()]
    assert result.scores["identity"].artefacts == pytest.approx(sum(figures) / 2)


def test_a_picture_of_a_that_cannot_be_read_is_named(trained, sources, out, snow, weights, darker):
    (darker / "broken.png").write_bytes(b"no picture")
    heard = Collected()
    yardsticks = Yardsticks(folder=snow, domain_a=darker, weights=weights)
    evaluate(sources, library=trained, out=out, yardsticks=yardsticks, on_event=heard)
    assert [event.path.name for event in heard.of(PictureFailed)] == ["broken.png"]


def test_a_missing_source_is_named_and_the_others_go_on(trained, sources, out):
    result = evaluate([sources, sources / "nothing.png"], library=trained, out=out)
    assert [path.name for path, _ in result.failed] == ["nothing.png"]
    assert (result.num_pictures, len(result.pictures)) == (4, 3)


def test_many_sources_fit_on_the_sheet(trained, sources, out, monkeypatch):
    monkeypatch.setattr(scoring, "MOST_SHOWN", 2)
    result = evaluate(sources, library=trained, out=out)
    assert len(result.pictures) == 3
    with Image.open(result.sheet) as sheet:
        assert sheet.height < 3 * 204


def test_partners_lie_at_the_same_place_or_have_a_name_of_their_own(tmp_path, pictures):
    first, second = pictures(2)
    for place, picture in (("May/a.png", first), ("June/a.png", second), ("June/b.png", second)):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        picture.save(tmp_path / place)
    partners = Partners(tmp_path)

    def partner(relative):
        return partners.of(FoundPicture(path=Path(relative), relative=Path(relative)), first)

    assert partner("May/a.jpg").tobytes() == first.tobytes()
    assert partner("June/a.jpg").tobytes() == partner("b.jpg").tobytes() == second.tobytes()
    with pytest.raises(PictureError, match="more than one picture called a"):
        partner("a.jpg")
    with pytest.raises(PictureError, match="no picture called c"):
        partner("c.jpg")


def test_a_partner_that_is_broken_or_of_another_shape_is_named(tmp_path, pictures):
    [source] = pictures(1)
    source.resize((48, 60)).save(tmp_path / "tall.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    partners = Partners(tmp_path)
    for name, reason in (("tall", "another aspect"), ("broken", "broken.png: not a picture")):
        found = FoundPicture(path=Path(f"{name}.jpg"), relative=Path(f"{name}.jpg"))
        with pytest.raises(PictureError, match=reason):
            partners.of(found, source)


def test_a_folder_of_partners_that_is_not_there_is_told_before_the_work(trained, sources, out):
    with pytest.raises(InputError, match="does not exist") as refused:
        evaluate(
            sources,
            yardsticks=Yardsticks(truth=out / "nothing"),
            library=trained,
            out=out,
        )
    assert refused.value.hint
    assert not out.exists()


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

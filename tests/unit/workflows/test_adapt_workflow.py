"""Phase II on one example: continued, guarded, and independent of the folder."""

import copy
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from ostcli.config import Birth, Finish, LossWeights, Precision, PretrainConfig
from ostcli.errors import DamagedError, NotFoundError, PictureError, UsageError
from ostcli.events import Collected, Note, PicturesFound, StepDone, TrainingPlanned
from ostcli.images.keepsake import bytes_of_tensor
from ostcli.images.read import read_picture
from ostcli.images.sheet import MOST_PREVIEW_PIXELS
from ostcli.images.tensors import image_to_tensor
from ostcli.method.strokes import without_strokes
from ostcli.presets import adapt_preset
from ostcli.store.exchange import export_file
from ostcli.store.library import Library
from ostcli.workflows import adapt as module
from ostcli.workflows.adapt import (
    ExampleRefusedError,
    adapt,
    adapt_all,
)
from ostcli.workflows.load import load_model
from ostcli.workflows.phase_two import adapt_in_memory, prepare_adaptation, views_of_b
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.stored import EXAMPLE_KEY, Model, open_adaptation, open_model


@pytest.fixture
def fit(trained, phase_two):
    """Adapt with small settings in the library that holds "snow"."""

    def call(example, config=phase_two, **options):
        return adapt(example, config, **{"library": trained, **options})

    return call


@pytest.fixture
def without_pictures(trained, tmp_path):
    """Export "snow" without pictures and give the file."""
    return export_file(trained, "snow", tmp_path / "bare.safetensors", with_pictures=False)


def test_an_example_gives_an_adaptation_that_knows_its_model(fit, trained, summer):
    events = Collected()
    result = fit(summer, on_event=events)

    assert (result.name, result.model, result.step) == ("snow+summer", "snow", 5)
    assert (result.finished, result.example) == (True, summer.resolve())
    assert result.finish in (Finish.PHOTO, Finish.NETWORK)
    assert result.preview.read_bytes().startswith(b"\x89PNG")
    manifest = trained.manifest("snow+summer")
    assert manifest.kind == "adaptation"
    assert trained.find_parent(manifest) == manifest.parent.name == "snow"
    assert manifest.parent.sha256 == trained.manifest("snow").current.files["weights"].sha256
    kept = trained.open("snow+summer").tensors("keepsake")[EXAMPLE_KEY]
    assert bytes_of_tensor(kept) == summer.read_bytes()
    assert trained.last("adaptation") == "snow+summer"
    assert {"rec_b", "rec_a", "cycle_a", "gan_ab"} <= events.of(StepDone)[0].losses.keys()


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_stopped_run_that_goes_on_equals_one_that_was_not_stopped(
    fit, trained, summer, tmp_path, stop_after, saved_bytes, stop
):
    shutil.copytree(trained.root, tmp_path / "other")
    other = Library(tmp_path / "other")
    fit(summer, library=other)

    first = fit(summer, should_stop=stop_after(stop))
    assert (first.step, first.finished) == (stop, False)
    second = fit(summer)

    assert (second.step, second.finished) == (5, True)
    assert saved_bytes(trained, "snow+summer") == saved_bytes(other, "snow+summer")


def test_the_model_is_left_as_it_was(fit, trained, summer, bytes_below):
    before = bytes_below(trained.folder("snow"))
    fit(summer)
    assert bytes_below(trained.folder("snow")) == before


def test_a_finished_run_is_not_run_again_and_a_longer_one_goes_on(
    fit, trained, summer, phase_two, bytes_below
):
    fit(summer)
    before, events = bytes_below(trained.folder("snow+summer")), Collected()
    assert fit(summer, on_event=events).finished
    assert not events.of(TrainingPlanned)
    assert bytes_below(trained.folder("snow+summer")) == before

    assert fit(summer, replace(phase_two, steps=7), on_event=events).step == 7
    assert events.of(TrainingPlanned)[0].first_step == 5


def test_a_damaged_save_is_made_good_from_the_one_before(
    fit, trained, summer, stop_after, saved_bytes
):
    fit(summer, name="whole")
    fit(summer, should_stop=stop_after(2))
    fit(summer, should_stop=stop_after(1))
    state = trained.manifest("snow+summer").current.files["state"].name
    (trained.folder("snow+summer") / state).write_bytes(b"nonsense")
    events = Collected()

    assert fit(summer, on_event=events).finished

    assert [note.warning for note in events.of(Note)] == [True]
    assert events.of(TrainingPlanned)[0].first_step == 2
    assert saved_bytes(trained, "snow+summer") == saved_bytes(trained, "whole")


def test_other_settings_are_refused_unless_fresh(fit, trained, summer, phase_two):
    fit(summer)
    other = replace(phase_two, seed=3)
    with pytest.raises(UsageError, match=r"begun with other settings \(seed 0 → 3\)") as caught:
        fit(summer, other)
    assert "--fresh" in caught.value.hint
    assert fit(summer, other, fresh=True).step == 5
    assert trained.manifest("snow+summer").config["seed"] == 3


def test_another_example_does_not_take_over_a_name(fit, summer, meadow):
    fit(summer, name="mine")
    for name, taken_by in (("mine", summer.resolve()), ("snow", "a model")):
        with pytest.raises(UsageError) as caught:
            fit(meadow, name=name)
        assert caught.value.message == f"the name {name} is taken by {taken_by}"
        assert "--name" in caught.value.hint


def test_an_example_that_has_changed_is_another_one(fit, summer, meadow):
    fit(summer)
    shutil.copy(meadow, summer)
    with pytest.raises(UsageError, match=r"summer\.png has changed since snow\+summer was begun"):
        fit(summer)
    assert fit(summer, fresh=True).finished


def test_a_model_that_was_trained_on_wants_a_new_adaptation(fit, trained, summer, snow, phase_one):
    fit(summer)
    pretrain(snow, replace(phase_one, steps=8), library=trained)
    with pytest.raises(UsageError, match="begun from another state of snow"):
        fit(summer)
    assert fit(summer, fresh=True).finished


def test_the_model_used_last_is_the_one_meant(fit, trained, summer, winter, phase_one):
    pretrain(winter, phase_one, library=trained)
    assert fit(summer).model == "winter"
    assert fit(summer, model="snow").model == "snow"
    assert trained.last("model") == "snow"


def test_the_folder_may_be_gone(library, winter, summer, phase_one, phase_two):
    pretrain(winter, phase_one, library=library)
    shutil.rmtree(winter)
    assert adapt(summer, phase_two, library=library).finished


def test_an_exported_file_is_a_model(fit, trained, library, summer, tmp_path, saved_bytes):
    exported = export_file(trained, "snow", tmp_path / "sent.safetensors")
    result = fit(summer, model=str(exported), library=library)
    assert (result.model, result.finished) == ("snow", True)
    assert library.find_parent(library.manifest(result.name)) == "snow"
    fit(summer)
    assert saved_bytes(library, result.name) == saved_bytes(trained, result.name)


def test_a_model_without_pictures_says_what_to_do(fit, library, summer, without_pictures):
    with pytest.raises(UsageError) as caught:
        fit(summer, model=str(without_pictures), library=library)
    assert caught.value.message == (
        "snow was exported without pictures, so it cannot adapt by itself"
    )
    assert caught.value.hint == "run: ost adapt EXAMPLE --model snow --data FOLDER"


@pytest.mark.parametrize("count", [1, 5])
def test_a_model_without_pictures_adapts_with_a_folder(
    fit, library, summer, picture_folder, without_pictures, count
):
    events, folder = Collected(), picture_folder(count)
    result = fit(summer, model=str(without_pictures), data=folder, library=library, on_event=events)
    assert result.finished
    assert events.of(PicturesFound)[0].num_pictures == count


def test_a_model_without_pictures_still_reconstructs(trained, library, pictures, without_pictures):
    picture = pictures(1)[0]
    bare = load_model(str(without_pictures), library=library).reconstruct(picture)
    assert bare.tobytes() == load_model("snow", library=trained).reconstruct(picture).tobytes()


def test_paths_may_be_words(fit, library, summer, snow, without_pictures):
    options = {"model": without_pictures, "data": str(snow), "library": library}
    assert fit(str(summer), **options).example == summer.resolve()


def test_the_figure_that_decided_the_finish_is_told(fit, trained, summer):
    result = fit(summer)
    assert result.texture_gap == trained.manifest("snow+summer").facts["texture_gap"]


def test_settings_may_follow_from_the_model(fit, phase_two, summer):
    seen = []

    def config(model):
        seen.append((model.name, model.num_pictures, len(model.folder_pictures)))
        return phase_two

    assert fit(summer, config).finished
    assert seen == [("snow", 4, 240)]


def test_without_settings_they_are_the_presets(trained, summer, stop_after):
    adapt(summer, library=trained, should_stop=stop_after(1))
    model = PretrainConfig.from_json(trained.manifest("snow").config)
    assert trained.manifest("snow+summer").config["steps"] == adapt_preset(model).steps


def test_a_broken_example_is_refused_before_all_else(fit, tmp_path, trained):
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    with pytest.raises(PictureError, match=r"bad\.png"):
        fit(tmp_path / "bad.png")
    assert trained.names() == ["snow", "snow+meadow"]


def test_an_adaptation_is_no_model(fit, summer):
    with pytest.raises(UsageError, match=r"snow\+meadow is an adaptation, not a model"):
        fit(summer, model="snow+meadow")


def test_without_a_model_it_says_what_to_run(fit, library, summer):
    with pytest.raises(NotFoundError) as caught:
        fit(summer, library=library)
    assert caught.value.hint == "run: ost pretrain FOLDER"
    with pytest.raises(NotFoundError, match="called nothing"):
        fit(summer, model="nothing")


def test_settings_of_another_version_are_damage(trained):
    manifest = trained.manifest("snow")
    trained.commit(
        "snow",
        kind="model",
        config={**manifest.config, "colour": "red"},
        facts=manifest.facts,
        step=6,
        files={"weights": trained.open("snow").tensors("weights")},
    )
    with pytest.raises(DamagedError, match="unknown fields") as caught:
        open_model("snow", trained)
    assert "--fresh" in caught.value.hint


def test_crops_of_a_keepsake_are_viewed_at_their_own_scale_a_folder_as_in_phase_one(
    trained, winter, phase_one
):
    assert open_model("snow", trained).folder_view == replace(phase_one.view, span=0.0)
    assert open_model("snow", trained, data=winter).folder_view == phase_one.view


def test_adapting_in_memory_gives_the_stored_weights_and_stores_nothing(
    fit, trained, summer, phase_two, bytes_below
):
    fit(summer)
    before = bytes_below(trained.root)
    model = open_model("snow", trained)
    assert isinstance(model, Model)
    raw = {name: tensor.clone() for name, tensor in model.networks.state_dict().items()}

    networks = adapt_in_memory(read_picture(summer).image, model, phase_two, torch.device("cpu"))

    stored = trained.open("snow+summer").tensors("weights")
    assert all(torch.equal(stored[n], t) for n, t in networks.state_dict().items())
    assert all(torch.equal(raw[n], t) for n, t in model.networks.state_dict().items())
    assert bytes_below(trained.root) == before


def test_fresh_never_replaces_a_model(fit, trained, summer, bytes_below):
    before = bytes_below(trained.root)
    with pytest.raises(UsageError, match="snow is taken by a model") as caught:
        fit(summer, name="snow", fresh=True)
    assert "--fresh" not in caught.value.hint
    assert bytes_below(trained.root) == before


def test_fresh_without_pictures_of_b_leaves_what_is_there(
    fit, library, summer, without_pictures, winter, bytes_below
):
    fit(summer, model=str(without_pictures), data=winter, library=library)
    before = bytes_below(library.folder("snow+summer"))
    with pytest.raises(UsageError, match="exported without pictures"):
        fit(summer, fresh=True, library=library)
    assert bytes_below(library.folder("snow+summer")) == before


def test_fresh_under_a_name_takes_the_new_example_along(fit, trained, summer, meadow):
    fit(summer, name="mine")
    fit(meadow, name="mine", fresh=True)
    kept = trained.open("mine").tensors("keepsake")[EXAMPLE_KEY]
    assert bytes_of_tensor(kept) == meadow.read_bytes()


def test_a_renamed_model_is_the_same(fit, trained, summer, phase_two):
    fit(summer)
    trained.rename("snow", "ice")
    result = fit(summer, replace(phase_two, steps=7), model="ice", name="snow+summer")
    assert (result.step, result.model) == (7, "ice")


def test_examples_of_one_name_get_adaptations_of_different_names(fit, tmp_path, pictures):
    examples = [tmp_path / place / "moor.png" for place in "ab"]
    for example, picture in zip(examples, pictures(2), strict=True):
        example.parent.mkdir()
        picture.save(example)
    assert [fit(example).name for example in examples] == ["snow+moor", "snow+moor-2"]
    assert [fit(example).name for example in examples] == ["snow+moor", "snow+moor-2"]


def test_a_preview_shows_pictures_made_small(phase_two, trained, noise_picture, tmp_path):
    noise_picture(900, 700).save(tmp_path / "large.png")
    view = replace(phase_two.view, working_pixels=900 * 700)
    seen = []
    sheet = module.preview_sheet
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "preview_sheet", lambda *given: seen.append(given) or sheet(*given))
        config = replace(phase_two, view=view, precision=Precision.BF16)
        adapt(tmp_path / "large.png", config, library=trained)
    width, height = seen[0][1].size
    assert seen[0][-1] is Precision.BF16
    assert 0.95 < width * height / MOST_PREVIEW_PIXELS <= 1.01
    assert width / height == pytest.approx(9 / 7, rel=0.02)


def test_an_adaptation_sees_every_picture_through_the_filter_of_its_example(
    fit, trained, summer, phase_two, pictures
):
    config = replace(phase_two, stroke_filter=0.05)
    fit(summer, config)
    networks = open_adaptation("snow+summer", trained).networks
    [picture] = pictures(1)
    x = image_to_tensor(picture)[None]
    without = copy.deepcopy(networks)
    without.stroke_filter_a = 0.0
    assert networks.translate_ab(x).equal(without.translate_ab(without_strokes(x, 0.05)))
    assert not networks.translate_ab(x).equal(without.translate_ab(x))
    assert networks.reconstruct_bb(x).equal(without.reconstruct_bb(x))

    in_memory = adapt_in_memory(picture, open_model("snow", trained), config, torch.device("cpu"))
    assert in_memory.stroke_filter_a == 0.05


def test_one_that_was_begun_without_a_filter_goes_on_without(fit, trained, summer, monkeypatch):
    manifest = trained.manifest
    fit(summer, should_stop=lambda: True)
    monkeypatch.setattr("ostcli.workflows.phase_two.decide_filter", lambda *_: 0.02)

    def of_before(name):
        known = manifest(name)
        facts = {key: fact for key, fact in known.facts.items() if key != "stroke_filter"}
        return replace(known, facts=facts)

    with monkeypatch.context() as before:
        before.setattr(trained, "present", lambda name, **_: of_before(name))
        assert fit(summer).finished
    assert manifest("snow+summer").facts["stroke_filter"] == 0.0


@pytest.mark.parametrize("birth", list(Birth))
def test_phase_two_begins_with_b_as_the_model_has_it_and_a_born_as_asked(
    trained, meadow, phase_two, birth
):
    model = open_model("snow", trained)
    config = replace(phase_two, birth=birth)
    trainer, _ = prepare_adaptation(
        read_picture(meadow).image,
        model,
        config,
        torch.device("cpu"),
        precision=config.precision,
        stroke_filter=0.0,
        views_b=views_of_b(model, config),
    )
    now, stored = trainer.networks.state_dict(), trained.open("snow").tensors("weights")

    def same(part, of):
        names = [name for name in stored if name.startswith(f"{of}.")]
        return names and all(now[n.replace(of, part)].equal(stored[n]) for n in names)

    for part in ("encoder_b", "encoder_shared", "decoder_shared", "decoder_b", "discriminator_b"):
        assert same(part, part)
    is_clone = birth is Birth.CLONE
    assert same("encoder_a", "encoder_b") == same("decoder_a", "decoder_b") == is_clone


@pytest.mark.skipif(os.cpu_count() == 1, reason="denormals are lost in a second thread")
def test_denormals_are_flushed_in_every_thread_of_an_adaptation(trained, meadow):
    script = f"""
from pathlib import Path
import ostcli, torch
from dataclasses import replace
from ostcli.presets import adapt_preset
from ostcli.store.library import Library
from ostcli.workflows import adapt
def open_large(*arguments, **options):
    torch.ones(1 << 20) * 2  # starts the threads, as loading a model of the usual size does
    return open_model(*arguments, **options)
open_model, adapt.open_model = adapt.open_model, open_large
adapt.adapt(
    Path({str(meadow)!r}),
    lambda model: replace(adapt_preset(model.config), steps=1),
    name="again",
    library=Library(Path({str(trained.root)!r})),
)
torch.set_num_threads(2)
denormal = torch.ones(1 << 20, dtype=torch.int32).view(torch.float32)
assert ((denormal * 1.0).view(torch.int32) == 0).all()
"""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


# Several examples


@pytest.fixture
def by_patches(phase_two):
    """Give settings that leave the folder alone, so that examples take their steps together."""
    weights = LossWeights(weight_adversarial_ab=0.0, weight_patch_ab=10.0)
    return replace(phase_two, weights=weights, folder_learns=False)


@pytest.fixture
def examples(tmp_path, noise_picture):
    paths = [tmp_path / f"example-{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        noise_picture(6 + number, 5).resize((45, 37), Image.Resampling.BICUBIC).save(path)
    return paths


def weights_of(library, name):
    return library.open(name).tensors("weights")


@pytest.mark.parametrize("together", [True, False])
def test_several_come_to_what_each_comes_to_alone(
    trained, examples, phase_two, by_patches, together
):
    config, events = by_patches if together else phase_two, Collected()
    for path in examples:
        adapt(path, config, name=f"alone-{path.stem[-1]}", library=trained)

    result = adapt_all(examples, config, library=trained, on_event=events)

    assert [one.name for one in result.done] == [f"snow+{path.stem}" for path in examples]
    assert [one.example for one in result.done] == [path.resolve() for path in examples]
    assert result.failed == ()
    assert len(events.of(TrainingPlanned)) == (1 if together else 3)
    for one in result.done:
        assert (one.finished, one.step) == (True, 5)
        assert one.losses["rec_a"] > 0
        assert one.verdict is not None
        alone = weights_of(trained, f"alone-{one.name[-1]}")
        for name, weight in weights_of(trained, one.name).items():
            torch.testing.assert_close(weight, alone[name], atol=1e-4, rtol=1e-3)


def test_what_was_stopped_together_goes_on_together(trained, examples, by_patches, stop_after):
    adapt_all(examples, by_patches, library=trained, should_stop=stop_after(2))
    assert {trained.manifest(f"snow+{path.stem}").current.step for path in examples} == {2}
    events = Collected()
    result = adapt_all(examples, by_patches, library=trained, on_event=events)
    assert [one.step for one in result.done] == [5, 5, 5]
    assert [plan.first_step for plan in events.of(TrainingPlanned)] == [2]


def test_what_has_come_further_is_left_alone(trained, examples, by_patches):
    adapt(examples[1], by_patches, library=trained)
    before = weights_of(trained, "snow+example-1")
    result = adapt_all(examples, by_patches, library=trained)
    assert [one.has_trained for one in result.done] == [True, False, True]
    after = weights_of(trained, "snow+example-1")
    assert all(after[name].equal(weight) for name, weight in before.items())


def test_examples_of_one_stem_do_not_share_a_name(trained, examples, by_patches, tmp_path):
    other = tmp_path / "other" / examples[0].name
    other.parent.mkdir()
    shutil.copy(examples[1], other)
    result = adapt_all([examples[0], other], by_patches, library=trained)
    assert [one.name for one in result.done] == ["snow+example-0", "snow+example-0-2"]


def test_an_example_given_twice_is_one(trained, examples, by_patches):
    result = adapt_all([examples[0], examples[0]], by_patches, library=trained)
    assert [one.name for one in result.done] == ["snow+example-0"]


def test_one_that_cannot_be_used_stops_no_other(trained, examples, by_patches, phase_two):
    adapt(examples[1], phase_two, library=trained)
    examples[0].write_bytes(b"nonsense")
    result = adapt_all(examples, by_patches, library=trained)
    assert [path for path, _ in result.failed] == examples[:2]
    assert [type(error) for _, error in result.failed] == [PictureError, ExampleRefusedError]
    assert [one.name for one in result.done] == ["snow+example-2"]


def test_more_than_fit_together_follow_one_another(trained, examples, by_patches, monkeypatch):
    monkeypatch.setattr(module, "MOST_TOGETHER", 2)
    events = Collected()
    result = adapt_all(examples, by_patches, library=trained, on_event=events)
    assert len(result.done) == 3
    assert len(events.of(TrainingPlanned)) == 2


def test_a_stop_leaves_out_those_that_were_not_begun(
    trained, examples, by_patches, monkeypatch, stop_after
):
    monkeypatch.setattr(module, "MOST_TOGETHER", 2)
    result = adapt_all(examples, by_patches, library=trained, should_stop=stop_after(2))
    assert [one.finished for one in result.done] == [False, False]
    assert not trained.exists("snow+example-2")


def test_one_name_is_for_one_example(trained, examples, by_patches):
    with pytest.raises(UsageError, match="--name goes with one example"):
        adapt_all(examples, by_patches, name="mine", library=trained)

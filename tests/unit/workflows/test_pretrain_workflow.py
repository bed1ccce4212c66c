"""Phase I of a folder: continued, guarded, safe. (`ost pretrain` without its terminal.)"""

import math
from dataclasses import replace

import pytest
import torch

from ostcli.config import DeviceChoice, Medium, Precision
from ostcli.errors import InputError, ResourceError, StoreError, TrainingFailedError, UsageError
from ostcli.events import (
    Collected,
    Note,
    PictureFailed,
    PreviewReady,
    RolledBack,
    Saved,
    StepDone,
    TrainingPlanned,
)
from ostcli.images.keepsake import NUM_CROPS
from ostcli.method.losses import reconstruction_loss
from ostcli.store.library import Library
from ostcli.store.reading import LOG
from ostcli.workflows import pretrain as module
from ostcli.workflows.load import load_model
from ostcli.workflows.pretrain import name_for, pretrain, settings_for


@pytest.fixture
def learn(library, phase_one):
    """Pretrain with small settings into the test's library."""

    def call(folder, config=phase_one, **options):
        return pretrain(folder, config, **{"library": library, **options})

    return call


def test_a_folder_gives_a_model_with_its_pictures_losses_and_preview(learn, library, winter):
    events = Collected()
    result = learn(winter, on_event=events)

    assert (result.name, result.step, result.finished) == ("winter", 6, True)
    assert (result.num_pictures, result.failed) == (5, ())
    assert result.path == library.folder("winter")
    assert result.preview.read_bytes().startswith(b"\x89PNG")
    manifest = library.manifest("winter")
    assert (manifest.kind, manifest.parent, manifest.current.step) == ("model", None, 6)
    assert manifest.facts["folder"] == str(winter.resolve())
    assert manifest.facts["finished"]
    assert len(library.open("winter").tensors("keepsake")) == NUM_CROPS
    assert library.last("model") == "winter"
    assert [event.step for event in events.of(StepDone)] == [1, 2, 3, 4, 5, 6]
    assert events.of(Saved)[-1].step == 6
    assert events.of(PreviewReady)[-1].path == result.preview


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_stopped_run_that_goes_on_equals_one_that_was_not_stopped(
    learn, library, winter, tmp_path, stop_after, saved_bytes, stop
):
    other = type(library)(tmp_path / "other")
    learn(winter, library=other)

    first = learn(winter, should_stop=stop_after(stop))
    assert (first.step, first.finished) == (stop, False)
    second = learn(winter)

    assert (second.step, second.finished) == (6, True)
    assert saved_bytes(library, "winter") == saved_bytes(other, "winter")


def test_going_on_begins_where_it_stopped(learn, winter, stop_after):
    events = Collected()
    learn(winter, should_stop=stop_after(2))
    learn(winter, on_event=events)
    assert events.of(TrainingPlanned)[0].first_step == 2
    assert [event.step for event in events.of(StepDone)] == [3, 4, 5, 6]
    assert not events.of(Note)


def test_a_finished_run_is_not_run_again(learn, library, winter, bytes_below):
    learn(winter)
    before, events = bytes_below(library.folder("winter")), Collected()

    result = learn(winter, on_event=events)

    assert (result.step, result.finished) == (6, True)
    assert not events.of(TrainingPlanned)
    assert bytes_below(library.folder("winter")) == before


def test_a_longer_budget_goes_on(learn, winter, phase_one):
    learn(winter)
    events = Collected()
    result = learn(winter, replace(phase_one, steps=8), on_event=events)
    assert (result.step, result.finished) == (8, True)
    assert events.of(TrainingPlanned)[0].first_step == 6


def test_other_settings_are_refused_by_name(learn, winter, phase_one):
    learn(winter)
    other = replace(phase_one, seed=1, optim=replace(phase_one.optim, learning_rate=2e-3), steps=9)
    with pytest.raises(UsageError) as caught:
        learn(winter, other)
    assert caught.value.message == (
        "winter was begun with other settings (optim.learning_rate 0.001 → 0.002, seed 0 → 1)"
    )
    assert "--fresh" in caught.value.hint


def test_the_number_format_that_auto_came_to_is_no_other_setting(learn, winter, phase_one):
    learn(winter, replace(phase_one, precision=Precision.AUTO))
    settled = learn(winter, replace(phase_one, precision=Precision.AUTO, steps=7))
    precision = Precision(settled.facts["precision"])
    assert learn(winter, replace(phase_one, precision=precision, steps=8)).step == 8
    other = Precision.FP32 if precision is Precision.BF16 else Precision.BF16
    with pytest.raises(UsageError, match=f"precision {precision} → {other}"):
        learn(winter, replace(phase_one, precision=other))


def test_another_folder_does_not_take_over_a_name(learn, winter, picture_folder):
    learn(winter)
    spring = picture_folder(2, name="spring")
    with pytest.raises(UsageError) as caught:
        learn(spring, name="winter")
    assert caught.value.message == f"the name winter is taken by {winter.resolve()}"
    assert "--name" in caught.value.hint


def test_fresh_starts_over(learn, library, winter, phase_one, saved_bytes):
    learn(winter, replace(phase_one, seed=1))
    assert learn(winter, fresh=True).step == 6
    again = saved_bytes(library, "winter")
    learn(winter, name="other")
    assert again == saved_bytes(library, "other")
    assert library.manifest("winter").previous is None
    assert library.manifest("winter").current.number == 2


def kill(event):
    """Die as by a power cut, after the first step: nothing is saved."""
    if isinstance(event, StepDone):
        raise KeyboardInterrupt


def test_fresh_leaves_the_old_model_until_the_first_save(learn, library, winter, bytes_below):
    learn(winter)
    before = bytes_below(library.folder("winter"))
    with pytest.raises(KeyboardInterrupt):
        learn(winter, fresh=True, on_event=kill)
    assert bytes_below(library.folder("winter")) == before


@pytest.mark.parametrize("device", [DeviceChoice.CUDA, DeviceChoice.MPS])
def test_fresh_checks_before_it_replaces(learn, library, winter, device, monkeypatch, bytes_below):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    learn(winter)
    before = bytes_below(library.root)
    with pytest.raises(UsageError, match="that torch can use here"):
        learn(winter, fresh=True, device=device)
    assert bytes_below(library.root) == before


def test_fresh_replaces_the_model_of_another_folder_with_all_its_traces(
    learn, library, winter, picture_folder
):
    learn(winter, name="mine")
    library.append_extra("mine", LOG, "of winter")
    old = library.open("mine").tensors("keepsake")
    spring = picture_folder(2, name="spring")

    learn(spring, name="mine", fresh=True)

    assert library.manifest("mine").facts["folder"] == str(spring.resolve())
    assert not library.extra_path("mine", LOG).exists()
    new = library.open("mine").tensors("keepsake")
    assert any(not torch.equal(old[name], new[name]) for name in old)
    assert len(list(library.folder("mine").glob("*.safetensors"))) == 3


def test_fresh_does_not_replace_an_adaptation(trained, snow, phase_one, bytes_below):
    before = bytes_below(trained.root)
    with pytest.raises(UsageError, match=r"snow\+meadow is taken by an adaptation"):
        pretrain(snow, phase_one, name="snow+meadow", fresh=True, library=trained)
    assert bytes_below(trained.root) == before


@pytest.mark.parametrize("error", [ResourceError("disk full"), StoreError("denied"), OSError("no")])
def test_what_only_people_look_at_does_not_end_a_training(
    learn, winter, phase_one, monkeypatch, error
):
    def refuse(*_arguments):
        raise error

    monkeypatch.setattr(Library, "write_extra", refuse)
    monkeypatch.setattr(Library, "append_extra", refuse)
    events = Collected()
    result = learn(winter, replace(phase_one, steps=50), on_event=events)
    assert result.finished
    notes = events.of(Note)
    assert all(note.warning for note in notes)
    assert {note.text for note in notes} == {f"no log: {error}", f"no preview: {error}"}


def test_a_short_training_tells_its_losses(learn, library, winter):
    result = learn(winter)
    assert result.losses["rec_b"] > 0
    assert library.manifest("winter").facts["losses"] == result.losses


def test_folders_of_one_name_get_models_of_different_names(learn, tmp_path, pictures):
    folders = [tmp_path / place / "winter" for place in "abc"]
    for folder in folders:
        folder.mkdir(parents=True)
        pictures(1)[0].save(folder / "0.png")
    names = [learn(folder).name for folder in folders]
    assert names == ["winter", "winter-2", "winter-3"]
    assert [learn(folder).name for folder in folders] == names


def test_a_name_of_an_adaptation_is_passed_over(trained, tmp_path):
    assert name_for(tmp_path / "snow+meadow", trained) == "snow+meadow-2"


def test_a_name_that_cannot_be_one_is_refused_before_training(learn, winter):
    events = Collected()
    with pytest.raises(UsageError, match="cannot be the name"):
        learn(winter, name="../winter", on_event=events)
    assert not events.of(TrainingPlanned)


def test_a_changed_folder_is_told_and_gone_on_with(learn, winter, pictures, stop_after):
    learn(winter, should_stop=stop_after(2))
    pictures(7)[6].save(winter / "new.png")
    events = Collected()
    result = learn(winter, on_event=events)
    [note] = events.of(Note)
    assert note.warning
    assert "have changed since winter was begun; going on with" in note.text
    assert (result.step, result.num_pictures) == (6, 6)


def test_a_changed_folder_of_a_finished_model_wants_a_fresh_one(learn, winter, pictures):
    learn(winter)
    pictures(7)[6].save(winter / "new.png")
    events = Collected()
    assert learn(winter, on_event=events).step == 6
    [note] = events.of(Note)
    assert "have changed since winter was begun; --fresh learns it anew" in note.text


def test_a_name_that_is_taken_is_refused_before_any_picture_is_decoded(
    learn, trained, winter, monkeypatch
):
    monkeypatch.setattr("ostcli.workflows.pretrain.open_folder", lambda *_: pytest.fail("opened"))
    for name in ("snow", "snow+meadow", "../winter"):
        with pytest.raises(UsageError):
            learn(winter, name=name, library=trained)


def test_a_folder_may_be_a_word(learn, winter):
    assert learn(str(winter)).num_pictures == 5


def test_a_damaged_save_is_made_good_from_the_one_before(
    learn, library, winter, tmp_path, stop_after, saved_bytes
):
    learn(winter, should_stop=stop_after(2))
    learn(winter, should_stop=stop_after(2))
    weights = library.folder("winter") / library.manifest("winter").current.files["weights"].name
    weights.write_bytes(weights.read_bytes()[:-1])
    events = Collected()

    result = learn(winter, on_event=events)

    [note] = events.of(Note)
    assert note.warning
    assert weights.name in note.text
    assert "of step 2, is used instead" in note.text
    assert events.of(TrainingPlanned)[0].first_step == 2
    other = type(library)(tmp_path / "other")
    learn(winter, library=other)
    assert result.finished
    assert saved_bytes(library, "winter") == saved_bytes(other, "winter")


def test_settings_may_follow_from_the_number_of_pictures(learn, winter, phase_one):
    result = learn(winter, lambda facts: replace(phase_one, steps=max(2, facts.num_pictures - 1)))
    assert result.step == 4


@pytest.mark.parametrize(("device", "on_gpu"), [("cpu", False), ("cuda", True), ("mps", True)])
def test_settings_are_told_whether_there_is_a_gpu(learn, winter, monkeypatch, device, on_gpu):
    def refuse(facts):
        assert facts.on_gpu == on_gpu
        raise UsageError("seen")

    monkeypatch.setattr(module, "choose_device", lambda _: torch.device(device))
    with pytest.raises(UsageError, match="seen"):
        learn(winter, refuse)


@pytest.mark.parametrize(("texture", "radius"), [(-0.5, 4), (0.5, 0)])
def test_detail_goes_past_the_network_in_a_folder_of_photographs_alone(
    learn, library, winter, phase_one, monkeypatch, texture, radius
):
    monkeypatch.setattr(module, "folder_texture", lambda _: texture)
    events = Collected()

    def small(facts):
        network = settings_for(facts).network
        assert facts.texture in (texture, 0.0)
        return replace(
            phase_one, network=replace(phase_one.network, detail_radius=network.detail_radius)
        )

    learn(winter, small, on_event=events)
    assert library.manifest("winter").config["network"]["detail_radius"] == radius
    assert any("painted" in note.text for note in events.of(Note)) == (radius == 0)


def test_a_training_goes_on_with_the_texture_that_it_began_with(
    learn, library, winter, phase_one, monkeypatch, stop_after
):
    monkeypatch.setattr(module, "folder_texture", lambda _: -0.5)
    learn(winter, should_stop=stop_after(2))
    monkeypatch.setattr(module, "folder_texture", lambda _: pytest.fail("looked again"))
    assert learn(winter).finished
    assert library.manifest("winter").facts["texture"] == -0.5


@pytest.mark.parametrize(
    ("medium", "of_photographs"), [(Medium.PHOTOGRAPH, True), (Medium.PAINTING, False)]
)
def test_what_the_pictures_are_can_be_told_and_stays(
    learn, library, winter, phase_one, monkeypatch, stop_after, medium, of_photographs
):
    monkeypatch.setattr(module, "folder_texture", lambda _: pytest.fail("looked, though told"))
    events = Collected()

    def small(facts):
        assert facts.of_photographs == of_photographs
        return phase_one

    learn(winter, small, medium=medium, on_event=events, should_stop=stop_after(2))
    assert not any("painted" in note.text for note in events.of(Note))
    assert learn(winter, small).finished
    assert learn(winter, small, medium=medium).finished
    other = ({*Medium} - {Medium.AUTO, medium}).pop()
    with pytest.raises(UsageError, match=f"winter were taken for {medium}s"):
        learn(winter, small, medium=other)


def test_pictures_that_cannot_be_read_are_named(learn, winter):
    (winter / "bad.png").write_bytes(b"nonsense")
    events = Collected()
    result = learn(winter, on_event=events)
    assert result.num_pictures == 5
    assert [path.name for path, _ in result.failed] == ["bad.png"]
    assert events.of(PictureFailed)[0].path == winter / "bad.png"


def test_a_folder_without_pictures_leaves_nothing_in_the_store(learn, library, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        learn(tmp_path / "empty")
    assert not library.root.exists()


class NotANumber:
    """Spoil the folder's reconstruction loss in some of its steps; a listener, to count them."""

    def __init__(self, monkeypatch, calls):
        self.calls, self.number, self.events = calls, -math.inf, Collected()
        self.loss = reconstruction_loss
        monkeypatch.setattr("ostcli.method.phase_one.reconstruction_loss", self)

    def listen(self, event):
        self.events(event)
        if isinstance(event, TrainingPlanned):
            self.number = 0  # What was before it measured a copy.

    def __call__(self, *tensors):
        self.number += 1
        return self.loss(*tensors) * (math.nan if self.number in self.calls else 1.0)


def test_a_loss_that_is_no_number_rolls_back_and_the_model_is_good(
    learn, library, winter, monkeypatch
):
    spoilt = NotANumber(monkeypatch, {4})

    result = learn(winter, on_event=spoilt.listen)

    [back] = spoilt.events.of(RolledBack)
    assert (back.from_step, back.to_step, back.learning_rate) == (4, 0, 5e-4)
    assert back.reason == "the loss rec_b is not a finite number"
    assert (result.step, result.finished) == (6, True)
    for role in ("weights", "state"):
        tensors = library.open("winter").tensors(role)
        finite = {n: bool(torch.isfinite(t).all()) for n, t in tensors.items() if n != "health"}
        assert all(finite.values()), [name for name in finite if not finite[name]]


def test_training_that_fails_again_and_again_keeps_the_last_good_state(
    learn, library, winter, monkeypatch, pictures
):
    spoilt = NotANumber(monkeypatch, range(1, 1000))
    with pytest.raises(TrainingFailedError, match="failed 4 times") as caught:
        learn(winter, on_event=spoilt.listen)
    assert "--seed" in caught.value.hint
    picture = pictures(1)[0]
    assert load_model("winter", library=library).reconstruct(picture).size == picture.size


def test_a_want_of_memory_is_a_sentence(learn, winter, monkeypatch):
    def full(*_arguments, **_options):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr("ostcli.training.phases.phase_one_step", full)
    with pytest.raises(ResourceError, match="out of memory while training 'winter' on the CPU"):
        learn(winter)

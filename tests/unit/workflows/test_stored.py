"""What is stored, opened: once, checked, and told when it is not the newest."""

from dataclasses import replace

import pytest

from ostcli.config import NetworkConfig, Precision
from ostcli.errors import DamagedError, NotFoundError, UsageError
from ostcli.events import Collected, Note
from ostcli.store import generation
from ostcli.store.exchange import export_file
from ostcli.workflows.adapt import adapt
from ostcli.workflows.load import load_model
from ostcli.workflows.pretrain import pretrain
from ostcli.workflows.stored import find_model, load_networks, open_adaptation, open_model
from ostcli.workflows.translate import translate


@pytest.fixture
def with_facts(trained):
    """Commit an entry again with other facts; None takes one away."""

    def commit(name, **changes):
        manifest, stored = trained.manifest(name), trained.open(name)
        facts = {**manifest.facts, **changes}
        trained.commit(
            name,
            kind=manifest.kind,
            config=manifest.config,
            facts={key: value for key, value in facts.items() if value is not None},
            step=manifest.current.step,
            files={role: stored.tensors(role) for role in manifest.current.files},
            parent=manifest.parent,
        )

    return commit


@pytest.mark.parametrize(
    "wrong",
    [
        {"example": None},
        {"example": 5},
        {"example": "/"},
        {"finish": None},
        {"finish": "gloss"},
        {"model_config": None},
        {"model_config": []},
        {"model_config": {"colour": "red"}},
        {"precision": "fp7"},
    ],
    ids=str,
)
def test_a_missing_or_wrong_fact_of_an_adaptation_is_damage(trained, with_facts, wrong):
    with_facts("snow+meadow", **wrong)
    [key] = wrong
    with pytest.raises(DamagedError, match=f"its {key} is missing or wrong") as caught:
        open_adaptation("snow+meadow", trained)
    assert "--fresh" in caught.value.hint


@pytest.mark.parametrize("wrong", [{"seconds": "long"}, {"losses": 5}], ids=str)
def test_a_wrong_fact_is_damage_to_what_would_go_on(trained, with_facts, snow, phase_one, wrong):
    with_facts("snow", **wrong)
    with pytest.raises(DamagedError, match="missing or wrong"):
        pretrain(snow, replace(phase_one, steps=8), library=trained)


def test_a_wrong_number_of_pictures_is_damage(trained, with_facts):
    with_facts("snow", num_pictures="many")
    with pytest.raises(DamagedError, match="its num_pictures"):
        open_model("snow", trained)


def test_an_adaptation_without_its_example_is_damage(trained, with_facts):
    stored = trained.open("snow+meadow")
    manifest = stored.manifest
    trained.commit(
        "snow+meadow",
        kind="adaptation",
        config=manifest.config,
        facts=manifest.facts,
        step=5,
        files={
            "weights": stored.tensors("weights"),
            "keepsake": trained.open("snow").tensors("keepsake"),
        },
        parent=manifest.parent,
    )
    with pytest.raises(DamagedError, match="does not hold its example"):
        open_adaptation("snow+meadow", trained)


def test_facts_of_an_adaptation(trained):
    opened = open_adaptation(None, trained)
    assert opened.precision is Precision.FP32
    assert opened.example.relative.name == "meadow.png"


@pytest.mark.parametrize("call", [open_model, lambda name, library: open_adaptation(name, library)])
def test_each_file_is_compared_with_what_was_written_once_when_opened(trained, call, monkeypatch):
    name = "snow" if call is open_model else "snow+meadow"
    looked_at = []
    problem = generation._problem_with
    monkeypatch.setattr(
        generation,
        "_problem_with",
        lambda path, record: looked_at.append(path) or problem(path, record),
    )
    call(name, trained)
    assert len(looked_at) == len(set(looked_at)) == 2  # The training state is not for this.
    assert not any("state" in path.name for path in looked_at)


@pytest.fixture
def passed_over(trained, with_facts):
    """Save both once more and damage that save."""
    for name in ("snow", "snow+meadow"):
        with_facts(name)
        weights = trained.manifest(name).current.files["weights"].name
        (trained.folder(name) / weights).write_bytes(b"nonsense")
    return trained


def test_a_save_that_is_passed_over_is_told_by_everything_that_opens(
    passed_over, tmp_path, summer, phase_two
):
    def warned(call):
        events = Collected()
        call(events)
        notes = [event for event in events.events if isinstance(event, Note) and event.warning]
        return sum("is used instead" in note.text for note in notes)

    here = {"library": passed_over}
    out = tmp_path / "out"
    assert warned(lambda e: load_model("snow", on_event=e, **here)) == 1
    assert warned(lambda e: load_model("snow+meadow", on_event=e, **here)) == 1
    assert warned(lambda e: translate(to="B", out=out, on_event=e, **here)) == 1
    assert warned(lambda e: adapt(summer, phase_two, on_event=e, **here)) == 1
    each = {"to": "B", "out": tmp_path / "each", "adapt_each": True, "steps": 1}
    by = {"adaptation": "snow+meadow"}
    assert warned(lambda e: translate(on_event=e, **each, **by, **here)) == 2  # And its model.


def test_networks_are_loaded_for_use(trained, phase_one):
    model = load_networks(trained.open("snow"), phase_one.network)
    adaptation = load_networks(trained.open("snow+meadow"), phase_one.network)
    assert model.encoder_a is None
    assert adaptation.encoder_a is not None
    for networks in (model, adaptation):
        assert not networks.training
        assert not any(parameter.requires_grad for parameter in networks.parameters())


def test_weights_of_another_architecture_are_damage(trained):
    with pytest.raises(DamagedError, match="but the architecture asks for"):
        load_networks(trained.open("snow"), NetworkConfig(width=8, num_blocks=1))


def test_a_stored_name_comes_before_a_file_of_that_name(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "snow").write_bytes(b"nonsense")
    (tmp_path / "snow.jpg").write_bytes(b"nonsense")
    assert find_model("snow", trained) == "snow"
    for path in ("./snow", "snow.jpg"):
        with pytest.raises(DamagedError, match="not a model exported by ost"):
            find_model(path, trained)


def test_a_file_without_a_suffix_is_imported_where_no_model_has_its_name(
    trained, library, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    export_file(trained, "snow", tmp_path / "sent")
    assert find_model("sent", library) == "snow"
    assert library.names() == ["snow"]


@pytest.mark.parametrize(
    "reference", ["dir/missing.safetensors", "dir/missing", "gone.safetensors"]
)
def test_a_path_that_is_no_file_is_called_one(trained, reference):
    with pytest.raises(NotFoundError, match=f"there is no file {reference}"):
        find_model(reference, trained)


def test_a_model_may_be_called_like_a_file(trained):
    trained.rename("snow", "snow.safetensors")
    assert find_model("snow.safetensors", trained) == "snow.safetensors"


def test_a_file_whose_name_is_taken_has_to_be_imported_by_itself(trained, with_facts, tmp_path):
    sent = export_file(trained, "snow", tmp_path / "sent.safetensors")
    trained.remove("snow")
    trained.rename("snow+meadow", "snow")
    with pytest.raises(UsageError, match="already another adaptation called snow") as caught:
        find_model(str(sent), trained)
    assert f"ost models import {sent} --name NEW" in caught.value.hint


def test_starting_over_replaces_a_damaged_manifest(trained, snow, meadow, phase_one, phase_two):
    for name, again in (
        ("snow", lambda **options: pretrain(snow, phase_one, **options)),
        ("snow+meadow", lambda **options: adapt(meadow, phase_two, **options)),
    ):
        (trained.folder(name) / "manifest.json").write_text("{")
        with pytest.raises(DamagedError, match="not a manifest"):
            again(name=name, library=trained)
        assert again(name=name, library=trained, fresh=True).finished
        assert trained.verify(name) == []

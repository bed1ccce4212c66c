"""One training of a stored name: what may differ, what is checked, what is logged."""

import json
from dataclasses import replace

import pytest
import torch

from ostcli.config import Precision
from ostcli.errors import DamagedError, InputError, UsageError
from ostcli.events import Collected, Note, StepDone
from ostcli.store.reading import LOG
from ostcli.workflows.job import (
    check_same_settings,
    load_trainer_state,
    settled_precision,
)
from ostcli.workflows.journal import STEPS_PER_LINE, Journal
from ostcli.workflows.pretrain import BUDGET, pretrain


@pytest.fixture
def manifest(trained):
    return trained.manifest("snow")


def with_precision(manifest, asked, settled):
    """Say that a training was begun with a number format, and which one it came to."""
    return replace(
        manifest,
        config={**manifest.config, "precision": asked.value},
        facts={**manifest.facts, "precision": settled.value},
    )


AUTO, FP32, BF16 = Precision.AUTO, Precision.FP32, Precision.BF16


@pytest.mark.parametrize(
    ("before", "settled", "now", "allowed"),
    [
        (AUTO, BF16, AUTO, True),
        (AUTO, BF16, BF16, True),
        (AUTO, BF16, FP32, False),
        (FP32, FP32, AUTO, True),
        (FP32, FP32, FP32, True),
        (FP32, FP32, BF16, False),
    ],
)
def test_auto_stands_for_the_format_that_it_came_to(
    manifest, phase_one, before, settled, now, allowed
):
    begun = with_precision(manifest, before, settled)
    config = replace(phase_one, precision=now)
    if allowed:
        check_same_settings(begun, config, budget=BUDGET)
    else:
        with pytest.raises(UsageError, match=f"precision {settled.value} → {now.value}"):
            check_same_settings(begun, config, budget=BUDGET)


def test_the_format_of_an_earlier_run_is_gone_on_with(manifest):
    assert settled_precision(manifest, AUTO) is FP32
    assert settled_precision(manifest, BF16) is BF16
    assert settled_precision(None, AUTO) is AUTO


def test_only_the_budget_may_differ(manifest, phase_one):
    check_same_settings(manifest, replace(phase_one, steps=99), budget=BUDGET)
    check_same_settings(manifest, replace(phase_one, steps=None, minutes=1.0), budget=BUDGET)
    with pytest.raises(UsageError, match="steps 6 → 99"):
        check_same_settings(manifest, replace(phase_one, steps=99), budget=())
    other = replace(phase_one, view=replace(phase_one.view, flip=False, size=32))
    with pytest.raises(UsageError, match=r"view\.flip True → False, view\.size 16 → 32"):
        check_same_settings(manifest, other, budget=BUDGET)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: {},
        lambda state: {name: t for name, t in state.items() if not name.startswith("average")},
        lambda state: state | {"raw.encoder_b.1.weight": torch.zeros(1)},
    ],
)
def test_a_state_that_does_not_fit_is_damage(make_trainer, spoil):
    trainer = make_trainer("one")
    with pytest.raises(DamagedError, match="the training state of snow does not fit") as caught:
        load_trainer_state(make_trainer("one"), spoil(trainer.state()), "snow")
    assert "--fresh" in caught.value.hint


def test_a_training_without_its_state_is_not_gone_on_with(trained, snow, phase_one):
    state = trained.manifest("snow").current.files["state"].name
    (trained.folder("snow") / state).unlink()
    with pytest.raises(DamagedError, match="snow has no training state") as caught:
        pretrain(snow, replace(phase_one, steps=8), library=trained)
    assert "--fresh" in caught.value.hint


def test_seconds_add_up_over_runs(library, winter, phase_one, stop_after):
    first = pretrain(winter, phase_one, library=library, should_stop=stop_after(3))
    second = pretrain(winter, phase_one, library=library)
    assert 0 < first.seconds < second.seconds
    assert second.facts["seconds"] == pytest.approx(second.seconds, abs=0.051)
    assert second.facts["device"] == "cpu"


def step_done(step, **losses):
    return StepDone(step=step, num_steps=1000, losses=losses, steps_per_second=1, seconds_left=1)


def test_the_journal_has_a_line_of_averages_for_each_stretch(library):
    library.write_extra("winter", LOG, b"of before\n")
    journal = Journal(library, "winter", replace=True)
    for step in range(1, 2 * STEPS_PER_LINE + 10):
        journal.step_done(step_done(step, rec_b=float(step)))
        if step == STEPS_PER_LINE + 3:
            journal.write()
    assert len(library.extra_path("winter", LOG).read_text().splitlines()) == 1
    journal.write()
    lines = library.extra_path("winter", LOG).read_text().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first == {"step": STEPS_PER_LINE, "rec_b": (STEPS_PER_LINE + 1) / 2}
    assert second["rec_b"] == first["rec_b"] + STEPS_PER_LINE
    assert journal.latest == {"rec_b": second["rec_b"]}


def without(config, *names):
    """Return a manifest's settings as a version wrote them that knew fewer."""
    return {
        name: without(value, *names) if isinstance(value, dict) else value
        for name, value in config.items()
        if name not in names
    }


NEW = (
    "detail_radius",
    "padding",
    "weight_patch_ab",
    "weight_gram_ab",
    "unshared_blocks",
    "folder_learns",
    "random_light",
    "stroke_filter",
)


def test_settings_that_were_new_since_then_have_their_defaults(manifest, phase_one):
    old = replace(manifest, config=without(manifest.config, *NEW))
    check_same_settings(old, phase_one, budget=BUDGET)
    changed = replace(phase_one, network=replace(phase_one.network, detail_radius=4))
    with pytest.raises(UsageError, match=r"network\.detail_radius 0 → 4"):
        check_same_settings(old, changed, budget=BUDGET)


def test_a_training_of_before_goes_on_with_the_network_it_was_begun_with(
    trained, snow, phase_one, monkeypatch
):
    manifest = trained.manifest("snow")
    monkeypatch.setattr(
        trained, "manifest", lambda _: replace(manifest, config=without(manifest.config, *NEW))
    )
    monkeypatch.setattr(
        trained,
        "present",
        lambda *_given, **_options: trained.manifest("snow"),
    )

    known = []

    def settings(facts):
        known.append(facts.begun)
        return facts.begun or replace(phase_one, network=replace(phase_one.network, width=8))

    result = pretrain(snow, settings, library=trained)
    assert result.finished
    assert known[-1] == phase_one


def test_a_verdict_that_cannot_be_given_does_not_spoil_a_training(
    winter, library, phase_one, monkeypatch
):
    def gone(*_given):
        raise InputError("the pictures are gone")

    monkeypatch.setattr("ostcli.workflows.pretrain.judge_model", gone)
    heard = Collected()
    result = pretrain(winter, phase_one, library=library, on_event=heard)
    assert (result.finished, result.verdict) == (True, None)
    assert any("no verdict: the pictures are gone" in note.text for note in heard.of(Note))

"""The digits' tables: every row is listed, figures are kept, and a stop loses nothing."""

import csv
import itertools
import json
import math
import shutil
import sys
from collections import Counter
from dataclasses import asdict, replace
from statistics import mean
from unittest.mock import Mock

import pytest
import torch
from PIL import Image

from ostcli.config import Precision
from ostcli.errors import InputError, ResourceError, StoreError, UsageError
from ostcli.events import Collected, Note, StepDone, TrainingPlanned
from ostcli.method.networks import Networks
from ostcli.paper.digits import classify
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import DEPARTURES, FULL, TABLE_1, TWIN
from ostcli.paper.digits.train import Course, begin_phase_one
from ostcli.paper.intervals import difference_of_shares
from ostcli.store.root import store_root
from ostcli.store.tensors import decode_tensors, encode_tensors
from ostcli.workflows.reproduce import digits as lab
from ostcli.workflows.reproduce import reproduce, watch
from ostcli.workflows.reproduce.digit_methods import Trained, as_authors_code, one_shot
from ostcli.workflows.reproduce.request import Request
from ostcli.workflows.reproduce.watch import Watch

overfitting = sys.modules["ostcli.workflows.reproduce.overfitting"]
rows_module = sys.modules["ostcli.workflows.reproduce.rows"]
kept = sys.modules["ostcli.workflows.reproduce.kept"]

SHORT = 1e-4
"""A budget of one step for every training."""


@pytest.fixture(autouse=True)
def _short_trainings(monkeypatch):
    monkeypatch.setattr(classify, "STEPS", 1)
    monkeypatch.setattr(lab, "DOMAIN_STEPS", 1)
    monkeypatch.setattr(lab, "PRETRAIN_STEPS", 50)


@pytest.fixture
def request_(digits, tmp_path):
    return Request(
        data=digits,
        out=tmp_path / "out",
        runs=2,
        budget=SHORT,
        only=("full: ", "identity"),
        tasks=("svhn-to-mnist",),
    )


def made(name, request, **options):
    return reproduce([name], request, precision=Precision.FP32, threads=1, **options)


def courses_of(table):
    """The figures of each method by step."""
    courses = {}
    for row in table.draft.rows:
        courses.setdefault(row["method"], {})[row["step"]] = row["figures"]
    return courses


def train_few_runs_at_a_time(monkeypatch, number=1):
    table_1 = sys.modules["ostcli.workflows.reproduce.table_1"]
    alone = [
        replace(method, at_once=number) if isinstance(method, Trained) else method
        for method in table_1.METHODS
    ]
    monkeypatch.setattr(table_1, "METHODS", alone)


def after_one_run():
    """A stop that is asked for after the first of several runs of one step."""
    asked = itertools.count(1)
    return lambda: next(asked) == 3  # Before the row, after its first run, after its second.


def test_table_1_lists_every_row_and_holds_figures_of_those_asked_for(request_):
    [table] = made("table1", request_).tables
    rows = {row["name"]: row for row in table.draft.rows}

    assert set(rows) >= {ablation.name for ablation in TABLE_1}
    assert {name for name, row in rows.items() if row["figures"]} == {FULL, "identity"}
    assert rows[FULL]["published"] == 0.23
    assert rows["identity"]["published"] is None
    figures = rows[FULL]["figures"]
    versions = {"ost", "torch", "python", "device"}
    networks = {"phase_one", "classifier", "classifier_of_domains"}
    assert set(rows[FULL]["made_with"]) == versions | networks
    assert len(figures["of_runs"]["accuracy"]) == 2
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    assert figures["seconds_each"] > 0
    assert figures["steps"] == 1


def test_a_table_says_how_well_phase_one_gives_digits_back_once_it_is_trained(request_):
    [before] = made("table1", replace(request_, only=("identity",))).tables
    [table] = made("table1", request_).tables

    assert before.draft.values["facts"]["phase_one"] is None, "no control needs its training"
    phase_one = table.draft.values["facts"]["phase_one"]
    assert 0 < phase_one["error_of_flat_colour"] < 1
    assert 0 < phase_one["error"] < 4
    assert 0 < phase_one["error_alone"] < 4
    assert phase_one["error"] != phase_one["error_alone"], "a batch has its own statistics"
    assert 0 <= phase_one["accuracy_alone"] <= 1
    assert f"squared error of {phase_one['error']:.3f} in batches" in table.path.read_text()


@pytest.mark.parametrize(
    ("error", "alone", "told"),
    [(0.3, 0.3, "what follows says little"), (0.02, 0.3, "own light is lost"), (0.02, 0.07, "")],
)
def test_a_phase_one_that_is_worse_than_flat_colour_is_told(error, alone, told):
    flat = {"error_of_flat_colour": 0.08, "accuracy_alone": 0.9}
    said = lab._given_back({"error": error, "error_alone": alone, **flat})
    assert told in said
    assert ("worse than flat colour" in said) is bool(told)


def test_a_table_is_written_for_people_for_programs_and_as_pictures(request_):
    [table] = made("table1", request_).tables

    text = table.path.read_text()
    assert "SVHN → MNIST" in text
    assert "| not run |" in text
    assert "less each other row" not in text, "of two runs nothing can be told"
    with table.path.with_suffix(".csv").open() as stream:
        lines = {line["name"]: line for line in csv.DictReader(stream)}
    accuracy = next(row for row in table.draft.rows if row["name"] == FULL)["figures"]["accuracy"]
    assert len(lines) == len(table.draft.rows)
    assert {key: float(lines[FULL][f"figures.accuracy.{key}"]) for key in accuracy} == accuracy
    assert lines["identity"]["published"] == ""
    assert lines[TWIN]["figures.accuracy.value"] == "", "not run"
    assert json.loads(table.path.with_suffix(".json").read_text()) == {
        **json.loads(json.dumps(table.draft.values)),
        "headings": list(table.draft.headings),
        "rows": json.loads(json.dumps(table.draft.rows)),
        "comparison": None,
        "made": [FULL, "identity"],
    }
    svg, webp = table.pictures
    assert svg.read_bytes().startswith(b"<?xml")
    with Image.open(webp) as sheet:
        assert sheet.mode == "RGB"


def test_the_other_direction_has_its_own_published_figures(request_):
    [table] = made("table1", replace(request_, tasks=("mnist-to-svhn",), only=("identity",))).tables
    rows = {row["name"]: row for row in table.draft.rows}

    assert rows[TABLE_1[0].name]["published"] == 0.07
    assert [name for name, row in rows.items() if row["figures"]] == ["identity"]


def test_rows_that_are_there_are_not_made_again(request_):
    [first] = made("table1", request_).tables
    told = Collected()
    [again] = made("table1", request_, on_event=told).tables

    assert again.draft.values == first.draft.values
    assert again.draft.rows == first.draft.rows
    assert not told.of(TrainingPlanned)


def test_a_row_from_before_versions_were_written_down_is_found(request_):
    [first] = made("table1", replace(request_, only=("identity",))).tables
    [path] = request_.out.rglob("identity-*/row.json")
    row = json.loads(path.read_text())
    assert row.pop("made_with")["torch"]
    path.write_text(json.dumps(row))
    [again] = made("table1", replace(request_, only=("identity",))).tables

    was, now = (
        next(row for row in table.draft.rows if row["name"] == "identity")
        for table in (first, again)
    )
    assert now == {**was, "made_with": None}


def test_more_rows_join_those_that_are_there(request_):
    made("table1", request_)
    [table] = made("table1", replace(request_, only=("no phase-II update",))).tables

    known = {row["name"] for row in table.draft.rows if row["figures"]}
    assert known == {FULL, "identity", "full, but no phase-II update of E^S and G^S"}


def test_other_settings_are_other_rows(request_):
    made("table1", request_)
    [table] = made("table1", replace(request_, seed=1, only=("identity",))).tables

    known = {row["name"] for row in table.draft.rows if row["figures"]}
    assert known == {"identity"}


def test_rows_of_other_settings_stay(request_):
    [before] = made("table1", replace(request_, only=("identity",))).tables
    made("table1", replace(request_, runs=3, only=("identity",)))
    [again] = made("table1", replace(request_, only=("nearest in B",))).tables
    was, now = (
        {row["name"]: row["figures"] for row in table.draft.rows} for table in (before, again)
    )

    assert now["identity"] == was["identity"]
    assert now["nearest in B"]


def test_a_whole_name_is_that_row_alone(request_):
    [table] = made("table1", replace(request_, only=(TWIN,))).tables

    assert [row["name"] for row in table.draft.rows if row["figures"]] == [TWIN]


def test_differences_are_told_run_by_run(request_):
    [table] = made("table1", replace(request_, runs=10, only=("identity", FULL))).tables

    assert list(table.draft.comparison.less) == ["identity"]
    kept = json.loads(table.path.with_suffix(".json").read_text())
    of_runs = {row["name"]: row["figures"]["of_runs"] for row in kept["rows"] if row["figures"]}
    expected = [
        asdict(difference_of_shares(of_runs[FULL][score], of_runs["identity"][score], 1))
        for score in ("accuracy", "right_and_real")
    ]
    assert kept["comparison"]["less"]["identity"] == expected
    assert "| less | accuracy | right and real |" in table.path.read_text()


def test_equal_seeds_give_equal_figures(request_):
    [one] = made("table1", request_).tables
    strip_of_one = _strip(one, "full-augmentation")
    shutil.rmtree(request_.out)
    [other] = made("table1", request_).tables

    for mine, theirs in zip(one.draft.rows, other.draft.rows, strict=True):
        for figure in ("accuracy", "realism", "of_runs") if mine["figures"] else ():
            assert mine["figures"][figure] == theirs["figures"][figure]
    assert strip_of_one == _strip(other, "full-augmentation")


def test_a_stop_keeps_the_rows_that_are_done(request_):
    rows = replace(request_, only=(FULL, "full, L_GAN_B goes on"))
    told = Collected()
    stopped = made(
        "table1",
        rows,
        on_event=told,
        should_stop=lambda: len(list(rows.out.rglob("full-*/row.json"))) > 0,
    )
    assert stopped.stopped
    assert not stopped.tables
    [kept_row] = rows.out.rglob("full-*/row.json")
    figures = json.loads(kept_row.read_text())["figures"]

    again = Collected()
    [table] = made("table1", rows, on_event=again).tables
    found = {row["name"]: row["figures"] for row in table.draft.rows if row["figures"]}
    assert found[FULL] == figures, "its seconds too: it was not made again"
    assert len(again.of(TrainingPlanned)) == 1


def test_a_table_remade_without_the_cache_says_what_its_rows_were_made_with(request_):
    [first] = made("table1", request_).tables
    before = first.path.read_bytes()
    shutil.rmtree(store_root() / "reproduce")
    told = Collected()
    [again] = made("table1", request_, on_event=told).tables

    assert not told.of(TrainingPlanned), "nothing is trained that nothing asks for"
    assert again.path.read_bytes() == before
    assert again.draft.values["facts"]["phase_one"]


def test_rows_by_another_training_of_the_classifiers_are_told(request_, monkeypatch):
    [table] = made("table1", request_).tables
    before = table.path.read_text()
    shutil.rmtree(store_root() / "reproduce")
    train = lab.train_classifier  # As on another machine, the same settings come to other weights.
    monkeypatch.setattr(
        lab, "train_classifier", lambda *args, seed, **more: train(*args, seed=seed + 1, **more)
    )
    [again] = made("table1", replace(request_, only=("colour",))).tables

    assert "different trainings" not in before
    text = again.path.read_text()
    assert "different trainings of the classifier of digits and the classifier of domains" in text


def test_facts_of_another_training_than_the_rows_are_told(request_):
    [table] = made("table1", request_).tables
    [facts] = request_.out.rglob("facts-*/row.json")
    row = json.loads(facts.read_text())
    row["made_with"]["classifier"] = "another"
    facts.write_text(json.dumps(row))
    before = table.path.read_text()
    [again] = made("table1", request_).tables

    told = "What is said here of the classifier of digits is of another training"
    assert told not in before
    assert told in again.path.read_text()
    assert "different trainings" not in again.path.read_text()
    assert again.draft.values["facts_made_with"]["classifier"] == "another"


def test_controls_need_no_classifier_once_they_are_scored(request_):
    request = replace(request_, only=("identity",))
    [first] = made("table1", request).tables
    shutil.rmtree(store_root() / "reproduce")
    told = Collected()
    [again] = made("table1", request, on_event=told).tables

    assert not any("training" in note.text for note in told.of(Note))
    assert again.draft.values == first.draft.values


@pytest.mark.parametrize("seed", [0, 1])
def test_each_run_has_fresh_weights_of_its_own(request_, monkeypatch, seed):
    methods = sys.modules["ostcli.workflows.reproduce.digit_methods"]
    born, seeds = [], []

    def noted(begin, *args, seed, **options):
        begin = list(begin)
        born.append([next(iter(networks.encoder_a.parameters())) for networks in begin])
        seeds.append(seed)
        return Course(begin, *args, seed=seed, **options)

    monkeypatch.setattr(methods, "Course", noted)
    train_few_runs_at_a_time(monkeypatch, number=2)
    made("table1", replace(request_, seed=seed, runs=4, only=("full, A born at random",)))

    weights = [weight for part in born for weight in part]
    assert len(weights) == 4
    assert not any(torch.equal(*pair) for pair in itertools.combinations(weights, 2))
    assert seeds == [seed * 2**20, seed * 2**20 + 2]


def test_parts_by_other_versions_are_told(request_, monkeypatch):
    train_few_runs_at_a_time(monkeypatch)
    request = replace(request_, only=(FULL,))
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.
    made("table1", request, should_stop=after_one_run())
    package = sys.modules["ostcli.workflows.reproduce"]
    now = package.versions()
    monkeypatch.setattr(package, "versions", lambda: {**now, "torch": "9.9"})

    [table] = made("table1", request).tables
    made_with = next(row for row in table.draft.rows if row["name"] == FULL)["made_with"]
    assert made_with["torch"] == f"{now['torch']}; 9.9"
    assert made_with["python"] == now["python"]
    assert not list(request.out.rglob("made_with.json"))


def test_a_row_that_is_made_anew_is_by_what_made_it_now(request_, monkeypatch):
    request = replace(request_, only=(FULL,))
    made("table1", request)
    [strip] = request.out.rglob("full-*/00.png")
    strip.unlink()
    package = sys.modules["ostcli.workflows.reproduce"]
    now = package.versions()
    monkeypatch.setattr(package, "versions", lambda: {**now, "torch": "9.9"})

    [table] = made("table1", request).tables
    assert next(r for r in table.draft.rows if r["name"] == FULL)["made_with"]["torch"] == "9.9"


def test_a_stop_within_phase_one_goes_on_and_comes_to_the_same(request_, monkeypatch):
    monkeypatch.setattr(lab, "PRETRAIN_STEPS", round(6 / SHORT))
    request = replace(request_, only=("unadapted",))
    steps = itertools.count(1)
    assert made("table1", request, should_stop=lambda: next(steps) == 5).stopped
    [halfway] = list((kept.store_root() / "reproduce").glob("*halfway*"))

    told = Collected()
    [table] = made("table1", request, on_event=told).tables
    [plan] = [plan for plan in told.of(TrainingPlanned) if plan.name == "phase I of MNIST"]
    assert 0 < plan.first_step < 6
    assert plan.num_steps == 6
    assert not halfway.exists()

    shutil.rmtree(kept.store_root() / "reproduce")
    [whole] = made("table1", replace(request, out=request.out / "again")).tables
    assert _strip(table) == _strip(whole)


@pytest.mark.parametrize(
    ("num_runs", "num_own", "is_enough"),
    [(9, 1, False), (10, 1, True), (3, 500, False), (4, 500, True), (4, 2, False)],
)
def test_few_runs_tell_no_difference(num_runs, num_own, is_enough):
    figures = {
        "num_own": num_own,
        "of_runs": {"accuracy": [1.0] * num_runs, "right_and_real": [0.0] * num_runs},
    }
    comparison = rows_module.compared_by_run("full", {"other": (figures, figures)})

    assert (comparison is not None) == is_enough


def test_differences_have_their_sign():
    ones, zeros = [1.0] * 10, [0.0] * 10
    ours = {"num_own": 1, "of_runs": {"accuracy": ones, "right_and_real": zeros}}
    other = {"num_own": 1, "of_runs": {"accuracy": zeros, "right_and_real": ones}}
    comparison = rows_module.compared_by_run("full", {"identity": (ours, other)})

    assert comparison.ours == "full"
    assert [each.value for each in comparison.less["identity"]] == [1.0, -1.0]


def test_a_state_that_does_not_fit_is_none(tmp_path):
    trainer = begin_phase_one(DigitLayers(colours_b=1, colours_a=3), seed=0)
    before, halfway = trainer.state(), kept.Halfway(tmp_path / "halfway.safetensors")
    for state in (
        {"step": torch.tensor(7)},
        {**before, "step": torch.tensor(7), "health": torch.ones(2, 2)},
        before,  # Without the seconds.
    ):
        halfway.path.write_bytes(encode_tensors(state))
        assert halfway.go_on(trainer) == 0.0
        assert trainer.step == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.state().items())

    halfway.keep(trainer, 3.0)
    assert halfway.go_on(trainer) == 3.0


def _strip(table, row="T_BB"):
    [folder] = (table.path.parents[1] / "rows" / "svhn-to-mnist").glob(f"{row}*")
    return (folder / "00.png").read_bytes()


def test_a_stop_within_a_row_keeps_the_runs_that_are_done(request_, monkeypatch):
    train_few_runs_at_a_time(monkeypatch)
    [whole] = made("table1", replace(request_, runs=3, only=(FULL,))).tables
    strip_of_whole = _strip(whole, "full")
    shutil.rmtree(request_.out)
    request = replace(request_, runs=3, only=(FULL,))
    assert made("table1", request, should_stop=after_one_run()).stopped
    assert len(list(request.out.rglob("part-*[0-9].safetensors"))) == 1

    again = Collected()
    [table] = made("table1", request, on_event=again).tables
    assert [event.num_steps for event in again.of(StepDone)] == [2], "those of two runs"
    assert not list(request.out.rglob("part-*"))
    assert _strip(table, "full") == strip_of_whole
    rows, known = ({row["name"]: row for row in t.draft.rows} for t in (table, whole))
    for figure in ("accuracy", "realism", "of_runs"):
        assert rows[FULL]["figures"][figure] == known[FULL]["figures"][figure]


def test_a_stop_within_a_training_costs_no_step_of_it(request_):
    request = replace(request_, only=(TWIN,), budget=6 / 150)
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.
    [whole] = made("table1", replace(request, out=request.out / "whole")).tables
    steps = itertools.count()
    assert made("table1", request, should_stop=lambda: next(steps) == 3).stopped
    assert len(list(request.out.glob("rows/*/*/part-*-halfway.safetensors"))) == 1

    told = Collected()
    [table] = made("table1", request, on_event=told).tables
    [plan] = told.of(TrainingPlanned)
    assert (plan.first_step, plan.num_steps) == (3, 6)
    assert [event.step for event in told.of(StepDone)] == [6]
    assert not list(request.out.rglob("part-*"))
    assert _strip(table, "augmentation") == _strip(whole, "augmentation")


def test_a_kill_within_a_training_costs_no_more_than_since_its_state_was_kept(
    request_, monkeypatch
):
    monkeypatch.setattr(sys.modules[Trained.__module__], "KEPT_EVERY", 0.0)
    train_few_runs_at_a_time(monkeypatch)
    request = replace(request_, only=(TWIN,), budget=6 / 150)
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.

    def kill(event):
        if isinstance(event, StepDone) and event.step == 6 + 4:  # Of the second run.
            raise SystemExit

    with pytest.raises(SystemExit):
        made("table1", request, on_event=kill)
    [path] = request.out.glob("rows/*/*/part-*-halfway.safetensors")
    assert path.name == "part-2-of-2-halfway.safetensors"
    state = decode_tensors(path.read_bytes(), path=path)
    path.write_bytes(encode_tensors({**state, kept.SECONDS: torch.tensor(1000.0)}))
    told = Collected()
    [table] = made("table1", request, on_event=told).tables

    [plan] = told.of(TrainingPlanned)
    assert plan.first_step == 3
    [row] = [row for row in table.draft.rows if row["name"] == TWIN]
    assert row["figures"]["seconds_each"] > 1000 / 2, "those before the kill count"
    [whole] = made("table1", replace(request, out=request.out / "whole")).tables
    assert _strip(table, "augmentation") == _strip(whole, "augmentation")


def test_a_state_that_cannot_be_kept_ends_no_training(request_, monkeypatch):
    def is_full(*_):
        raise ResourceError("the disk is full", hint="make room")

    monkeypatch.setattr(sys.modules[Trained.__module__], "KEPT_EVERY", 0.0)
    monkeypatch.setattr(kept.Halfway, "keep", is_full)
    told = Collected()
    request = replace(request_, only=(TWIN,))
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.
    [table] = made("table1", request, on_event=told).tables

    assert table.draft.made == ["augmentation, one-way cycle, not selective", "T_BB(x), unadapted"]
    assert any("the disk is full: a kill now would cost" in note.text for note in told.of(Note))


def test_a_damaged_part_is_made_again(request_, monkeypatch):
    train_few_runs_at_a_time(monkeypatch)
    request = replace(request_, only=(FULL,))
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.
    made("table1", request, should_stop=after_one_run())
    [part] = request.out.rglob("part-*[0-9].safetensors")
    part.write_bytes(b"nothing")

    [table] = made("table1", request).tables
    rows = {row["name"]: row["figures"] for row in table.draft.rows}
    assert len(rows[FULL]["of_runs"]["accuracy"]) == 2


def test_a_stop_is_heard_while_a_classifier_learns(request_):
    told = Collected()
    stopped = made(
        "table1",
        replace(request_, only=("identity",)),
        on_event=told,
        should_stop=lambda: bool(told.of(Note)),
    )
    assert stopped.stopped
    assert not list(request_.out.rglob("row.json"))


def test_a_row_whose_strip_is_gone_is_made_again(request_):
    made("table1", replace(request_, only=(FULL,)))
    [strip] = request_.out.rglob("00.png")
    strip.unlink()
    told = Collected()
    made("table1", replace(request_, only=(FULL,)), on_event=told)

    assert told.of(TrainingPlanned)
    assert strip.is_file()


def test_a_strip_of_overfitting_goes_on_within_a_kind(request_, monkeypatch):
    methods = {name: replace(each, at_once=1) for name, each in overfitting.METHODS.items()}
    monkeypatch.setattr(overfitting, "METHODS", methods)
    request = replace(request_, only=("not selective",), budget=12 / 600)
    made("table1", replace(request, only=("unadapted",)))  # Phase I is there.
    steps = itertools.count(1)
    stopped = made("overfitting", request, should_stop=lambda: next(steps) == 15)
    assert stopped.stopped
    assert len(list(request.out.rglob("part-*[0-9].safetensors"))) == 1

    again = Collected()
    [table] = made("overfitting", request, on_event=again).tables
    assert {event.num_steps for event in again.of(StepDone)} == {12}, "those of one run"
    course = courses_of(table)["not selective"]
    assert list(course) == [0, 1, 2, 3, 4, 6, 9, 12]
    assert all(len(at_step["of_runs"]["accuracy"]) == 2 for at_step in course.values())


def test_every_training_begins_with_all_threads(monkeypatch):
    class Governor:
        def step_took(self, seconds):
            torch.set_num_threads(1)

    monkeypatch.setattr(watch, "governor_for", lambda _: Governor())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        watching = Watch(torch.device("cpu"), Collected(), lambda: False)
        watching.of("a training")(1, 2)
        assert torch.get_num_threads() == 1
        watching.of("another")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_stop_is_heard_while_minimality_trains(request_):
    steps = itertools.count(1)
    stopped = made("minimality", replace(request_, only=()), should_stop=lambda: next(steps) == 5)

    assert stopped.stopped
    assert not list(request_.out.rglob("row.json"))


def test_tables_of_a_task_share_their_rows(request_):
    made("table1", replace(request_, only=(FULL,)))
    told = Collected()
    [table] = made("fig3", replace(request_, only=("OST, 1 of A",)), on_event=told).tables

    points = {(p["pictures_of_a"], p["method"]): p["figures"] for p in table.draft.rows}
    assert len(points[1, "OST"]["of_runs"]["accuracy"]) == 2
    assert not told.of(TrainingPlanned)


def test_steps_are_told(request_):
    told = Collected()
    made("table1", replace(request_, only=(FULL,)), on_event=told)

    names = [plan.name for plan in told.of(TrainingPlanned)]
    assert names == [
        "phase I of MNIST",
        FULL,
        "classifier of MNIST",
        "classifier of SVHN and MNIST",
    ]
    assert all(event.num_steps == 1 for event in told.of(StepDone))


def test_baselines_and_departures_run(request_):
    only = ("UNIT", "CycleGAN", "born at random", "sampled", "anew", "goes on", "absolute")
    [table] = made("table1", replace(request_, only=only)).tables

    known = [row["name"] for row in table.draft.rows if row["figures"]]
    assert known == [
        "full, A born at random",
        "full, sampled latent",
        "full, D_B begun anew",
        "full, L_GAN_B goes on",
        "full, absolute error in phase II",
        "UNIT, from phase I",
        "UNIT, from random weights",
        "CycleGAN, from phase I",
        "CycleGAN, from random weights",
    ]


def test_no_two_rows_are_the_same_training():
    rows = [one_shot(ablation) for ablation in (*TABLE_1, *DEPARTURES)]
    rows += [as_authors_code(ablation) for ablation in TABLE_1]

    assert len({json.dumps(row.settings) for row in rows}) == len(rows)


def test_a_discriminator_that_is_begun_anew_has_seen_nothing():
    phase_one = Networks(DigitLayers(colours_b=1, colours_a=3), torch.Generator().manual_seed(1))
    lab = Mock(pretrained=lambda _: phase_one)
    [anew] = [ablation for ablation in DEPARTURES if ablation.fresh_discriminator]
    began, went_on = (
        one_shot(ablation).begin(lab, torch.Generator()) for ablation in (anew, TABLE_1[-1])
    )

    before = phase_one.discriminator_b[0].weight
    assert torch.equal(went_on.discriminator_b[0].weight, before)
    assert not torch.equal(began.discriminator_b[0].weight, before)
    assert torch.equal(began.decoder_b[0].weight, phase_one.decoder_b[0].weight)


def test_as_in_the_authors_code_all_but_bs_autoencoder_begins_with_fresh_weights_of_the_seed():
    phase_one = Networks(DigitLayers(colours_b=3, colours_a=3), torch.Generator().manual_seed(1))
    lab = Mock(pretrained=lambda _: phase_one)
    method = as_authors_code(TABLE_1[-1])
    one, again, other = (
        method.begin(lab, torch.Generator().manual_seed(seed)) for seed in (0, 0, 2)
    )

    begun = one.networks
    for part in ("encoder_b", "encoder_shared", "decoder_shared", "decoder_b"):
        kept, before = (getattr(each, part).state_dict() for each in (begun, phase_one))
        assert all(torch.equal(kept[name], before[name]) for name in before)
    firsts = [begun.encoder_a[0], begun.discriminator_b[0], one.discriminator_a[0]]
    firsts += [phase_one.encoder_b[0], phase_one.discriminator_b[0]]
    assert len({layer.weight.detach().numpy().tobytes() for layer in firsts}) == len(firsts)
    for name, weight in one.named_parameters():
        assert torch.equal(weight, dict(again.named_parameters())[name])
    assert not torch.equal(begun.encoder_a[0].weight, other.networks.encoder_a[0].weight)


def test_figure_3_has_a_point_for_each_number_of_pictures(request_):
    [table] = made(
        "fig3", replace(request_, only=("OST, 1 of A", "UNIT, from phase I, 10 of A"))
    ).tables
    points = {(p["pictures_of_a"], p["method"]): p["figures"] for p in table.draft.rows}

    assert {number for number, _ in points} == {1, 2, 5, 10}, "as many as A has pictures for"
    assert len(points[1, "OST"]["of_runs"]["accuracy"]) == 2
    assert len(points[10, "UNIT, from phase I"]["of_runs"]["accuracy"]) == 2
    assert points[2, "OST"] is None


def test_methods_are_compared_at_each_number_of_pictures_and_at_each_length(request_, monkeypatch):
    monkeypatch.setattr(rows_module, "is_enough", lambda *_: True)
    only = ("OST, 1 of A", "OST, 2 of A", "UNIT, from phase I, 1 of A")
    [points] = made("fig3", replace(request_, only=only)).tables
    assert list(points.draft.comparison.less) == ["UNIT, from phase I, 1 of A"]

    only = ("selective", "UNIT, from phase I")
    [strip] = made("overfitting", replace(request_, only=only, budget=2 / 600)).tables
    assert list(strip.draft.comparison.less) == [
        "UNIT, from phase I, 1 steps",
        "UNIT, from phase I, 2 steps",
    ]

    only = ("selective", "as the authors' code: selective", "as the authors' code: not selective")
    [strip] = made("overfitting", replace(request_, only=only, budget=1 / 600)).tables
    in_code = (courses_of(strip)[name][1]["of_runs"]["accuracy"] for name in only[1:])
    expected = [one - other for one, other in zip(*in_code, strict=True)]
    name = "as the authors' code: not selective (from its own selective), 1 steps"
    assert strip.draft.comparison.less[name][0].value == pytest.approx(mean(expected))
    assert "“selective, after as many steps” less each other row" in strip.path.read_text()


def test_points_of_many_pictures_have_fewer_runs(request_, monkeypatch):
    monkeypatch.setattr(sys.modules["ostcli.workflows.reproduce.fig_3"], "MOST_PICTURES", 10)
    request = replace(request_, runs=6, only=("OST, 2 of A", "OST, 5 of A"))
    [table] = made("fig3", request).tables
    points = {p["pictures_of_a"]: p["figures"] for p in table.draft.rows[3:9:3]}

    runs = {number: len(figures["of_runs"]["accuracy"]) for number, figures in points.items()}
    assert runs == {2: 5, 5: 4}


def test_the_overfitting_strip_shows_every_method_at_every_length(request_):
    [table] = made("overfitting", replace(request_, only=(), budget=12 / 600)).tables

    courses = courses_of(table)
    assert list(courses)[:2] == ["selective", "not selective"]
    assert [name.split(",")[0] for name in list(courses)[4:]] == ["UNIT", "CycleGAN"]
    as_authors_code = [name for name in courses if name.startswith("as the authors' code")]
    for name, course in courses.items():
        assert list(course) == [0, 1, 2, 3, 4, 6, 9, 12]
        # Before the first step all are the same networks; A's are others where they are random.
        first = as_authors_code[0] if name in as_authors_code else "selective"
        assert course[0] == courses[first][0]
    assert len(as_authors_code) == 2
    with Image.open(table.pictures[-1]) as sheet:
        assert sheet.mode == "RGB"


def test_directions_without_data_are_listed_with_how_to_get_them(request_):
    result = made("table1", replace(request_, tasks=(), only=("identity",)))

    assert [table.draft.values["task"] for table in result.tables] == [
        "svhn-to-mnist",
        "mnist-to-svhn",
    ]
    assert [missing.name for missing in result.missing] == [
        "table1, MNIST-M → MNIST",
        "table1, MNIST → MNIST-M",
    ]
    assert "mnist_m.npz" in result.missing[0].hint
    page = request_.out / "table1-mnist-m-to-mnist" / "table1-mnist-m-to-mnist.md"
    assert "there is no MNIST-M" in page.read_text()


def test_what_says_little_of_a_table_is_said_on_its_page(request_):
    request = replace(request_, only=("identity",), tasks=("svhn-to-mnist", "mnist-to-svhn"))
    grey, coloured = (table.path.read_text() for table in made("table1", request).tables)
    more = made("table1", replace(request, runs=1000)).tables[0].path.read_text()

    assert "A has no colours and B has" not in grey
    assert "A has no colours and B has" in coloured
    assert "later runs have others too" not in grey
    assert "later runs have others too" in more


def test_what_was_measured_once_is_the_arithmetic_of_all_rows_past_any_trial(request_, monkeypatch):
    package = sys.modules["ostcli.workflows.reproduce"]
    for faster in (Precision.BF16, Precision.FP32):
        monkeypatch.setattr(package, "faster_precision", lambda *_, faster=faster: faster)
        [table] = reproduce(["table1"], request_, threads=1).tables
        assert table.draft.values["settings"]["precision"] == "bf16"
        [trial] = made("table1", request_).tables
        assert trial.draft.values["settings"]["precision"] == "fp32"


def test_a_table_that_had_more_rows_is_told(request_):
    for only, runs, is_told in (
        (("identity",), 2, False),
        (("nearest",), 2, False),
        (("stretched",), 1, True),  # Other runs are other rows.
    ):
        told = Collected()
        made("table1", replace(request_, only=only, runs=runs), on_event=told)
        assert any("had more rows" in note.text for note in told.of(Note)) is is_told


@pytest.mark.parametrize("budget", [0.0, -1.0, math.inf, math.nan])
def test_a_budget_that_is_no_number_of_steps_is_a_usage_error(request_, budget):
    with pytest.raises(UsageError, match="is no number of steps"):
        replace(request_, budget=budget)


def test_every_set_that_is_missing_is_named(request_, tmp_path):
    told = Collected()
    request = replace(request_, data=tmp_path / "empty", tasks=())
    with pytest.raises(InputError, match="there is no SVHN"):
        made("table1", request, on_event=told)
    assert any("there is no MNIST-M" in note.text for note in told.of(Note))


def test_no_data_at_all_is_an_error(request_, tmp_path):
    with pytest.raises(InputError, match="there is no SVHN") as raised:
        made("table1", replace(request_, data=tmp_path / "empty"))
    assert "svhn_crops.npz" in raised.value.hint


def test_one_kind_of_runs_can_be_had_alone_and_joined_later(request_):
    short = replace(request_, only=("selective",), budget=10 / 600)
    [table] = made("overfitting", short).tables
    assert not any(courses_of(table)["not selective"].values())

    [table] = made("overfitting", replace(short, only=("not selective",))).tables
    known = [name for name, course in courses_of(table).items() if any(course.values())]
    assert known == ["selective", "not selective"]


def test_a_name_that_no_row_has_is_known_before_the_work(request_):
    told = Collected()
    with pytest.raises(UsageError, match="no row 'cyclgan' in table1") as raised:
        made("table1", replace(request_, only=("cyclgan",)), on_event=told)

    assert "CycleGAN, from phase I" in raised.value.hint
    assert not told.of(Note)
    assert not request_.out.exists()


def test_a_table_that_has_none_of_the_rows_is_not_made(request_):
    request = replace(request_, only=("minimality",))
    with pytest.raises(UsageError, match="no row 'minimality'"):
        made("table1", request)
    told = Collected()
    experiments = ["table1", "minimality"]
    found = reproduce(experiments, replace(request, runs=2, tasks=()), on_event=told)

    assert [table.draft.name for table in found.tables] == ["minimality"]
    assert "table1 has none of these rows, and is left out" in [note.text for note in told.of(Note)]


def test_a_row_of_another_task_s_table_is_none_of_this_task_s(request_):
    with pytest.raises(UsageError, match="no row 'grey' in fig3 or table1") as raised:
        reproduce(["fig3", "table1", "table3"], replace(request_, only=("grey",)))

    assert "colour match" not in raised.value.hint.split("; ")


def test_a_folder_that_cannot_be_written_is_known_before_the_work(request_, tmp_path):
    (tmp_path / "file").write_text("no folder")
    told = Collected()
    with pytest.raises(StoreError):
        made("table1", replace(request_, out=tmp_path / "file" / "out"), on_event=told)
    assert not told.of(TrainingPlanned)


def test_want_of_memory_is_named(request_, monkeypatch):
    def no_room(*_, **__):
        raise MemoryError

    monkeypatch.setattr(sys.modules["ostcli.workflows.reproduce.table_1"], "make_rows", no_room)
    with pytest.raises(ResourceError, match="out of memory while making table1"):
        made("table1", request_)


def test_unknown_names_are_errors_of_usage(request_):
    with pytest.raises(UsageError, match="no experiment table9"):
        made("table9", request_)
    with pytest.raises(UsageError, match="no task there"):
        made("table1", replace(request_, tasks=("there",)))
    with pytest.raises(UsageError, match="none of these tasks belongs to table1") as raised:
        made("table1", replace(request_, tasks=("summer-to-winter",)))
    assert "svhn-to-mnist" in raised.value.hint
    assert not request_.out.exists()
    with pytest.raises(UsageError, match="seed"):
        replace(request_, seed=2**63)


def test_minimality_counts_every_seed(request_):
    [table] = made("minimality", replace(request_, only=())).tables

    counts = Counter()
    for row in table.draft.rows:
        if row["told"] == "the distribution":
            counts[row["network"]] += row["num_expressed"]
    assert counts == {"two units": 100, "wide": 100}
    assert table.pictures[0].suffix == ".svg"

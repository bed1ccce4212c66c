"""Tables 2 and 3: every method on the same pictures, measured by one definition."""

import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import squeezenet1_0

from ostcli.config import Direction, Precision, Preset
from ostcli.errors import InputError, TrainingFailedError
from ostcli.events import Collected, Note, StepDone, TrainingPlanned
from ostcli.paper.pictures import settings
from ostcli.paper.pictures.data import PictureDomains
from ostcli.paper.pictures.settings import ALL, FEW, ONE
from ostcli.store.tensors import decode_tensors, encode_tensors
from ostcli.training.trainer import Trainer
from ostcli.workflows.reproduce import reproduce
from ostcli.workflows.reproduce.picture_methods import PictureMethod, cyclegan, unit
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.reproduce.request import Request, rows_named
from ostcli.workflows.translator import path_to

kept = sys.modules["ostcli.workflows.reproduce.kept"]
tables = sys.modules["ostcli.workflows.reproduce.tables_2_3"]

NUM_SOURCES = 2


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch):
    monkeypatch.setattr(settings, "WIDTH", 4)
    monkeypatch.setattr(settings, "SIZE", 32)


@pytest.fixture
def pairs(tmp_path, pictures):
    """A folder of maps, pairs side by side; there are no other sets."""
    drawn = pictures(12, 64, 64)
    for part, first, number in (("train", 0, 3), ("val", 6, NUM_SOURCES)):
        folder = tmp_path / "data" / "maps" / part
        folder.mkdir(parents=True)
        for index in range(number):
            pair = Image.new("RGB", (128, 64))
            pair.paste(drawn[first + index], (0, 0))
            pair.paste(drawn[first + index].convert("L").convert("RGB"), (64, 0))
            pair.save(folder / f"{index}.png")
    return tmp_path / "data"


@pytest.fixture
def request_(pairs, tmp_path):
    return Request(
        data=pairs,
        out=tmp_path / "out",
        budget=1e-4,
        only=("OST", "CycleGAN, all"),
        tasks=("images-to-maps",),
    )


def made(request, *, of="table3", **options):
    return reproduce([of], request, precision=Precision.FP32, threads=1, **options)


def test_every_row_is_listed_beside_the_controls_and_what_is_published(request_):
    told = Collected()
    [table] = made(request_, on_event=told).tables
    rows = {row["name"]: row for row in table.draft.rows}

    assert {"identity", "colour_match", "unadapted", "UNIT, all of A"} <= set(rows)
    assert rows["OST, 1 of A"]["published"]["correct in the user study"] == 0.83
    assert rows["OST, 1 of A"]["scores"]["error"]["value"] > 0
    assert len(rows["OST, 1 of A"]["of_pictures"]) == NUM_SOURCES
    assert rows["CycleGAN, all of A"]["cost"]["trainings"] == 1
    assert rows["OST, 1 of A"]["cost"]["trainings"] == NUM_SOURCES
    one_shot, of_all = (rows[name]["cost"] for name in ("OST, 1 of A", "CycleGAN, all of A"))
    assert one_shot["giga_flop_per_step"] > 0
    own = one_shot["steps"] * one_shot["giga_flop_per_step"] / 1e3
    assert one_shot["tera_flop_in_all"] > 1.1 * own, "phase I is counted"
    assert of_all["tera_flop_in_all"] == pytest.approx(
        of_all["steps"] * of_all["giga_flop_per_step"] / 1e3
    )
    assert rows["UNIT, 1 of A"]["scores"] is None
    names = {plan.name for plan in told.of(TrainingPlanned)}
    assert names == {"phase I of Images to Maps", "OST, 1 of A", "CycleGAN, all of A"}
    svg, sheet = table.pictures
    assert svg.suffix == ".svg"
    with Image.open(sheet) as image:
        assert image.mode == "RGB"


def test_a_row_says_what_its_training_had(request_):
    """Paintings' identity loss, too, which is the task's and not the method's."""
    maps, paintings = (request_.data / name for name in ("maps", "monet2photo"))
    maps.rename(paintings)
    made(replace(request_, tasks=("monet-to-photo",), only=("CycleGAN, 1",)), of="table2")
    [row] = request_.out.glob("rows/*/*CycleGAN*/row.json")

    assert json.loads(row.read_text())["settings"]["weight_identity"] == 5


def test_fewer_runs_are_fewer_sources(request_):
    [table] = made(replace(request_, runs=1, only=("OST",))).tables
    rows = {row["name"]: row for row in table.draft.rows}

    assert table.draft.values["num_sources"] == 1
    assert len(rows["OST, 1 of A"]["of_pictures"]) == len(rows["identity"]["of_pictures"]) == 1


def test_rows_that_are_there_are_not_trained_again_and_are_measured_alike(request_):
    [first] = made(request_).tables
    told = Collected()
    [again] = made(request_, on_event=told).tables

    assert again.draft.values == first.draft.values
    assert again.draft.rows == first.draft.rows
    assert not told.of(TrainingPlanned)


def test_baselines_begin_from_phase_one_where_they_have_few(request_):
    request = replace(request_, only=("UNIT, 1 of A", "CycleGAN, few of A"))
    [table] = made(request).tables
    costs = {row["name"]: row["cost"] for row in table.draft.rows if row["cost"]}

    assert {name: cost["trainings"] for name, cost in costs.items()} == {
        "UNIT, 1 of A": NUM_SOURCES,
        "CycleGAN, few of A": NUM_SOURCES,
    }


def test_a_stop_keeps_the_pictures_that_are_done(request_):
    told = Collected()

    def one_is_done():
        return len(told.of(TrainingPlanned)) == 2  # Phase I, the first source.

    request = replace(request_, only=("OST, 1 of A",))
    assert made(request, on_event=told, should_stop=one_is_done).stopped
    assert len(list(request.out.rglob("OST*/00.png"))) == 1

    again = Collected()
    made(request, on_event=again)
    assert len(again.of(TrainingPlanned)) == NUM_SOURCES - 1
    assert not list(request.out.rglob("part-*"))


@pytest.mark.parametrize(
    ("row", "named", "num_steps", "budget"),
    [
        ("OST", "phase I of Images to Maps", 2, 4 / 1500),
        ("OST", "OST, 1 of A", 22 + 2, 22 / 1500),  # After phase I.
        ("CycleGAN, all", "CycleGAN, all of A", 2, 4 / 1500),
    ],
)
def test_a_training_that_was_stopped_goes_on_and_comes_to_the_same(
    request_, tmp_path, row, named, num_steps, budget
):
    request = replace(request_, only=(row,), budget=budget)
    steps = Collected()

    def two_steps_of_it():
        return len(steps.of(StepDone)) == num_steps

    assert made(request, on_event=steps, should_stop=two_steps_of_it).stopped
    assert len(_halfway(request)) == 1
    told = Collected()
    [table] = made(request, on_event=told).tables
    plan, *_ = [plan for plan in told.of(TrainingPlanned) if plan.name == named]
    assert plan.first_step == 2
    assert not _halfway(request)

    shutil.rmtree(kept.store_root() / "reproduce")
    [whole] = made(replace(request, out=tmp_path / "whole")).tables
    assert _scores(table) == _scores(whole)


def test_a_training_that_failed_for_good_is_not_gone_on_with(request_, monkeypatch):
    monkeypatch.setattr(Trainer, "is_finite", False)
    request = replace(request_, only=("CycleGAN, all", "OST"))
    with pytest.raises(InputError, match="failed 4 times"):
        made(request)
    told = Collected()
    with pytest.raises(InputError, match="phase I of Images to Maps' failed before"):
        made(request, on_event=told)

    assert not told.of(StepDone)


def _pictures_in(out):
    """The bytes of the pictures of the one row that has all of A."""
    found = {path.name: path.read_bytes() for path in out.glob("rows/*/*all*/*.png")}
    assert len(found) == NUM_SOURCES
    return found


def _halfway(request):
    """The states of trainings that are not done, wherever they are kept."""
    return [
        *request.out.rglob("*halfway*"),
        *(kept.store_root() / "reproduce").glob("*halfway*"),
    ]


def test_what_has_all_of_a_takes_no_phase_one_and_is_trained_once_for_any_sources(request_):
    request, told = replace(request_, only=("CycleGAN, all",)), Collected()
    [table] = made(replace(request, runs=1), on_event=told).tables
    [plan] = told.of(TrainingPlanned)
    assert plan.name == "CycleGAN, all of A"
    assert _scores(table)["unadapted"] is None

    again = Collected()
    [table] = made(request, on_event=again).tables
    assert not again.of(TrainingPlanned)
    [row] = [row for row in table.draft.rows if row["name"] == plan.name]
    assert len(row["of_pictures"]) == NUM_SOURCES
    assert row["cost"]["seconds_each"] > 0


@pytest.mark.parametrize("row", ["UNIT, all of A", "CycleGAN, all of A"])
def test_what_has_all_of_a_is_trained_once_for_both_ways(request_, tmp_path, row):
    request, told = replace(request_, only=(row,), tasks=("maps-to-images",)), Collected()
    made(request, on_event=told)
    assert [plan.name for plan in told.of(TrainingPlanned)] == [row]
    back = _pictures_in(request.out)

    again = Collected()
    made(replace(request, tasks=("images-to-maps",), out=tmp_path / "forth"), on_event=again)
    assert not again.of(TrainingPlanned)

    # The same, whichever way is asked for first.
    shutil.rmtree(kept.store_root() / "reproduce")
    made(replace(request, tasks=("images-to-maps",), out=tmp_path / "first"))
    assert _pictures_in(tmp_path / "first") == _pictures_in(tmp_path / "forth")
    told = Collected()
    made(replace(request, out=tmp_path / "second"), on_event=told)
    assert not told.of(TrainingPlanned)
    assert _pictures_in(tmp_path / "second") == back


@pytest.mark.parametrize(
    ("task", "to"), [("images-to-maps", Direction.B), ("maps-to-images", Direction.A)]
)
def test_of_a_training_for_both_ways_the_tasks_own_is_taken(request_, monkeypatch, task, to):
    found = []

    def look(networks, way):
        found.append(way)
        return path_to(networks, way)

    methods = sys.modules["ostcli.workflows.reproduce.picture_methods"]
    monkeypatch.setattr(methods, "path_to", look)
    made(replace(request_, only=("UNIT, all of A", "OST"), tasks=(task,)))

    assert found == [*[Direction.B] * NUM_SOURCES, to], "OST's way is always from A to B"


@pytest.mark.parametrize("all_of_a", [unit(ALL), cyclegan(ALL)], ids=["UNIT", "CycleGAN"])
def test_both_ways_are_as_long_as_the_first_one(pictures, all_of_a):
    """The authors' lengths go by the number of pictures of B, and the ways have other ones."""
    drawn = pictures(5, 64, 64)
    given = PictureDomains(
        train_a=drawn[:3], train_b=drawn[3:], test_a=drawn, test_b=drawn, are_pairs=False
    )
    forth, back = (
        PictureLab(
            task=task,
            given=given,
            runs=1,
            preset=Preset.PAPER,
            seed=0,
            budget=1.0,
            precision=Precision.FP32,
            watch=None,
        )
        for task in settings.TABLE_2[:2]
    )

    assert back.one.steps > forth.one.steps
    assert back.both_ways.one == forth.one
    assert back.both_ways.two == forth.two
    assert back.both_ways.digests == forth.digests == back.digests[::-1]
    for lab in (forth, back):
        steps = all_of_a.trained_for(lab)[1].steps
        assert steps == forth.one.steps + forth.two.steps


@pytest.mark.parametrize(("how_many", "number"), [(ONE, 1), (FEW, 4), (ALL, 3)])
def test_a_method_has_its_source_and_no_other_picture_for_tests(
    request_, monkeypatch, how_many, number
):
    found = []

    def look(name, lab, *_):
        found.append(lab)
        raise InputError("enough", hint="")

    monkeypatch.setattr(sys.modules["ostcli.workflows.reproduce"], "picture_table", look)
    with pytest.raises(InputError, match="enough"):
        made(request_)
    [lab] = found
    own = [lab.own(1, how_many)[index].tobytes() for index in range(number)]
    seen = [lab.domains.train_a[index].tobytes() for index in range(3)]
    source, other = (picture.tobytes() for picture in (lab.sources[1], lab.sources[0]))

    assert len(lab.own(1, how_many)) == number
    assert own == (seen if how_many == ALL else [source, *seen][:number])
    assert other not in own


def test_weights_that_cannot_be_read_are_told_before_the_work(request_, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"nothing")
    told = Collected()
    with pytest.raises(InputError, match=r"weights\.pth"):
        made(replace(request_, weights=tmp_path / "weights.pth"), on_event=told)

    assert not told.of(TrainingPlanned)
    assert not request_.out.exists()


def test_weights_are_not_asked_for_where_no_pictures_are(request_):
    told = Collected()
    request = replace(request_, tasks=("svhn-to-mnist",), only=("identity",))
    with pytest.raises(InputError, match="SVHN"):
        reproduce(["table1", "table3"], request, precision=Precision.FP32, on_event=told)

    assert not any("--weights" in note.text for note in told.of(Note))


def test_a_part_of_a_name_that_a_table_has_not_is_told(request_):
    told = Collected()
    tasks = ("svhn-to-mnist", "images-to-maps")
    request = replace(request_, only=("identity", "not selective"), tasks=tasks)
    reproduce(["overfitting", "table3"], request, precision=Precision.FP32, on_event=told)

    texts = [note.text for note in told.of(Note) if "no row" in note.text]
    assert texts == ["Images to Maps has no row 'not selective'"]


def _scores(table):
    return {row["name"]: row["scores"] for row in table.draft.rows}


def test_a_row_is_asked_for_by_its_name_in_the_table(request_):
    [table] = made(replace(request_, only=("identity",))).tables
    names = [row[0] for row in table.draft.cells if row[0] != "real"]

    for name in names:
        assert rows_named(name, tables.ROWS) == {name}


def test_a_picture_that_is_damaged_is_made_again(request_):
    request = replace(request_, only=("OST, 1 of A",))
    [first] = made(request).tables
    [picture] = request.out.rglob("OST*/01.png")
    picture.write_bytes(b"nothing")
    told = Collected()
    [again] = made(request, on_event=told).tables

    assert len(told.of(TrainingPlanned)) == 1, "that of its source"
    assert _scores(first) == _scores(again)


def test_a_stop_is_heard_while_results_are_measured(request_):
    told = Collected()

    def is_measuring():
        return any("measuring" in note.text for note in told.of(Note))

    assert made(request_, on_event=told, should_stop=is_measuring).stopped


def test_a_training_that_fails_costs_its_row_alone(request_, monkeypatch):
    def fail(self, lab, row):
        raise TrainingFailedError("it failed", hint="")

    monkeypatch.setattr(PictureMethod, "translate", fail)
    told = Collected()
    [table] = made(replace(request_, only=("OST",)), on_event=told).tables

    assert any("no row OST, 1 of A: it failed" in note.text for note in told.of(Note))
    cells = {row[0]: row[1] for row in table.draft.cells}
    assert (cells["OST, 1 of A"], cells["UNIT, 1 of A"]) == ("failed", "not run")
    assert table.path.is_file()


def test_the_other_way_round_is_another_task(request_):
    [table] = made(replace(request_, tasks=("maps-to-images",), only=("identity",))).tables

    assert table.draft.values["task"] == "maps-to-images"


def test_nothing_is_trained_where_only_a_control_is_asked_for(request_):
    told = Collected()
    [table] = made(replace(request_, only=("identity",)), on_event=told).tables

    assert not told.of(TrainingPlanned)
    [unadapted] = [row for row in table.draft.rows if row["name"] == "unadapted"]
    assert unadapted["scores"] is None
    assert ["unadapted", "not run"] in [row[:2] for row in table.draft.cells]


def test_unadapted_results_are_kept_beside_those_of_the_rows(request_):
    made(replace(request_, only=("OST",)))
    told = Collected()
    [table] = made(replace(request_, only=("identity",)), on_event=told).tables

    assert not told.of(TrainingPlanned)
    scores = {row["name"]: row["scores"] for row in table.draft.rows}
    assert scores["unadapted"]["error"]["value"] > 0
    assert scores["OST, 1 of A"]["error"]["value"] > 0
    made_with = {row["name"]: row["made_with"] for row in table.draft.rows}
    assert made_with["unadapted"]["phase_one"] == made_with["OST, 1 of A"]["phase_one"]


def test_pictures_by_another_phase_one_are_told(request_):
    told = Collected()

    def first_is_done():
        return len(told.of(TrainingPlanned)) == 2  # Phase I, the first source.

    request = replace(request_, only=("OST, 1 of A",))
    assert made(request, on_event=told, should_stop=first_is_done).stopped
    [path] = (kept.store_root() / "reproduce").glob("phase-I-*")
    tensors = decode_tensors(path.read_bytes(), path=path)
    path.write_bytes(encode_tensors({name: 1.01 * each for name, each in tensors.items()}))

    [table] = made(request).tables
    digests = next(r for r in table.draft.rows if r["name"] == "OST, 1 of A")["made_with"]
    assert len(digests["phase_one"].split("; ")) == 2
    assert "by different trainings of phase I" in table.path.read_text()


def test_a_table_with_fewer_columns_than_before_is_told(request_, tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "squeezenet.safetensors"
    save_file(squeezenet1_0(weights=None).state_dict(), weights)
    request = replace(request_, only=("identity",))
    for of, is_told in ((weights, False), (None, True)):
        told = Collected()
        made(replace(request, weights=of), on_event=told)
        assert any("columns before" in note.text for note in told.of(Note)) is is_told


def test_a_set_is_found_by_the_name_of_its_archive_too(request_):
    (request_.data / "maps").rename(request_.data / "summer2winter_yosemite")
    request = replace(request_, tasks=("summer-to-winter",), only=("identity",))
    [table] = reproduce(["table2"], request, precision=Precision.FP32, threads=1).tables

    assert table.draft.values["task"] == "summer-to-winter"


def test_features_add_content_and_style(request_, tmp_path):
    torch.manual_seed(0)  # Weights of chance: their figures mean nothing, but they hold the rules.
    weights = tmp_path / "squeezenet.safetensors"
    save_file(squeezenet1_0(weights=None).state_dict(), weights)
    [table] = made(replace(request_, weights=weights, only=("identity",))).tables
    rows = {row["name"]: row["scores"] for row in table.draft.rows}

    assert rows["identity"]["content"]["value"] == 0
    assert rows["colour_match"]["style"]["value"] > 0
    assert rows["real"]["style"]["value"] > 0
    assert table.draft.values["features"] == "squeezenet"
    assert "by the features of squeezenet" in table.path.read_text()


def test_all_is_measured_at_the_size_at_which_networks_see_it(request_, monkeypatch):
    monkeypatch.setattr(settings, "SIZE", 40)  # To which end 45 of the 64 pixels are seen.
    [table] = made(replace(request_, only=("identity",))).tables

    assert "reduced to 45 pixels" in table.path.read_text()
    rows = {row["name"]: row["scores"] for row in table.draft.rows}
    # Right halves are the left ones without colours: no fine detail of theirs is lost.
    assert rows["identity"]["detail"]["value"] > 0.99


def test_without_weights_it_is_told_what_is_not_measured(request_):
    told = Collected()
    made(replace(request_, only=("identity",)), on_event=told)
    assert any("--weights" in note.text for note in told.of(Note))


def test_a_set_that_is_missing_is_listed_with_how_to_get_it(request_):
    result = made(
        replace(request_, tasks=("images-to-maps", "labels-to-cityscapes"), only=("identity",))
    )

    [missing] = result.missing
    assert missing.name == "table3, Labels to Cityscapes"
    assert "cityscapes" in missing.reason
    assert "prepare_cityscapes_dataset.py" in missing.hint
    name = "table3-labels-to-cityscapes"
    assert "pix2pix" in (request_.out / name / f"{name}.md").read_text()


def test_no_set_at_all_is_an_error(request_, tmp_path):
    with pytest.raises(InputError, match="cityscapes"):
        made(replace(request_, tasks=("labels-to-cityscapes",)))

"""`ost adapt`, from the options to the words."""

import shutil

import pytest

from ostcli.store.library import Library, store_root

TINY = ("--steps", "2", "--precision", "fp32")


def test_it_makes_an_adaptation_of_the_last_model(ost, trained, summer):
    run = ost("adapt", summer, *TINY)
    assert (run.code, run.out) == (0, "snow+summer\n")
    for name in ("rec_a", "cycle_a", "patch_ab"):
        assert name in run.err
    assert "ost translate" in run.err
    assert Library(store_root()).manifest("snow+summer").parent.name == "snow"


def test_json_lists_every_adaptation(ost, trained, summer):
    run = ost("adapt", summer, *TINY, "--json", "--name", "mine")
    [made] = run.json["result"]["adaptations"]
    assert (made["name"], made["model"], made["step"]) == ("mine", "snow", 2)
    assert made["finish"] in ("photo", "network")
    assert run.json["result"]["failed"] == []


def test_options_arrive_in_the_settings(ost, trained, summer):
    options = ("--reach", "everything", "--birth", "random", "--seed", "4", "--model", "snow")
    assert ost("adapt", summer, *TINY, *options).code == 0
    config = Library(store_root()).manifest("snow+summer").config
    assert (config["reach"], config["birth"], config["seed"]) == ("everything", "random", 4)


def test_patches_pull_a_style_and_the_discriminator_a_structure(ost, trained, winter, summer):
    assert "gan_ab" not in ost("adapt", summer, *TINY).err
    assert ost("pretrain", winter, *TINY, "--look", "structure", "--name", "drawn").code == 0
    by_d_b = ost("adapt", summer, *TINY)
    assert (by_d_b.code, by_d_b.out) == (0, "drawn+summer\n")
    assert "patch_ab" not in by_d_b.err
    for name in ("rec_b", "rec_a", "cycle_a", "gan_ab"):
        assert name in by_d_b.err


def test_an_example_that_changes_shared_layers_is_pulled_by_the_discriminator(ost, trained, summer):
    run = ost("adapt", summer, *TINY, "--reach", "everything")
    assert run.code == 0
    assert "gan_ab" in run.err


def test_strokes_are_filtered_as_asked_and_it_is_said(ost, trained, summer):
    run = ost("adapt", summer, *TINY, "--strokes", "0.03")
    assert "strokes: filtered" in run.err
    assert "0.03" in run.err
    assert ost("models", "show", "snow+summer", "--json").json["result"]["stroke_filter"] == 0.03
    assert "strokes: " not in ost("adapt", summer, *TINY, "--strokes", "0", "--name", "as-is").err


def test_a_broken_example_is_named_and_the_others_go_on(ost, trained, summer, tmp_path):
    (tmp_path / "bad[1].jpg").write_bytes(b"nonsense")
    run = ost("adapt", "bad[1].jpg", summer, *TINY, "--json")
    assert run.code == 3
    assert "bad[1].jpg: " in run.err
    assert [each["name"] for each in run.json["result"]["adaptations"]] == ["snow+summer"]
    assert run.json["result"]["failed"][0]["path"] == "bad[1].jpg"
    assert run.json["error"]["message"] == "1 of 2 examples could not be used"


def test_broken_examples_alone_are_an_error_of_input(ost, trained, tmp_path):
    for name in ("bad.jpg", "worse.jpg"):
        (tmp_path / name).write_bytes(b"nonsense")
    assert ost("adapt", "bad.jpg", "worse.jpg", *TINY).code == 4
    assert ost("adapt", "bad.jpg", *TINY).code == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--steps", "0"), "steps must be at least 1"),
        (("--device", "cuda"), "there is no cuda device"),
        (("--model", "snow+meadow"), "is an adaptation, not a model"),
    ],
)
def test_what_is_wrong_for_all_examples_is_said_once(
    ost, trained, summer, winter, options, words, monkeypatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run = ost("adapt", summer, winter / "0.png", *options)
    assert (run.code, run.out) == (2, "")
    assert run.err.count(words) == 1


def test_an_example_that_was_begun_otherwise_does_not_stop_the_others(ost, trained, summer, winter):
    ost("adapt", summer, *TINY, "--seed", "3")
    run = ost("adapt", summer, winter / "0.png", *TINY)
    assert (run.code, run.lines) == (3, ["snow+0"])
    assert "seed 3 → 0" in run.err


def test_the_finish_is_said_with_the_figure_that_decided_it(ost, trained, summer):
    run = ost("adapt", summer, *TINY, "--json")
    [made] = run.json["result"]["adaptations"]
    assert f"finish: {made['finish']} (texture gap {made['texture_gap']:.2f})" in run.err


def test_the_finish_of_a_structure_has_no_figure(ost, winter, summer):
    ost("pretrain", winter, *TINY, "--size", "32", "--look", "structure")
    run = ost("adapt", summer, *TINY, "--json")
    assert run.json["result"]["adaptations"][0]["texture_gap"] is None
    assert "finish: network\n" in run.err


def test_an_adaptation_that_is_finished_already_was_used_last(ost, trained, summer, winter):
    for example in (summer, winter / "0.png", summer):
        assert ost("adapt", example, *TINY).code == 0
    assert ost("translate").lines == ["translated-B/summer.jpg"]


def test_a_model_that_is_finished_already_was_used_last(ost, summer, winter, tmp_path):
    other = shutil.copytree(winter, tmp_path / "other")
    for folder in (winter, other, winter):
        assert ost("pretrain", folder, *TINY, "--size", "32").code == 0
    assert ost("adapt", summer, *TINY).lines == ["winter+summer"]


def test_a_name_goes_with_one_example(ost, trained, summer):
    assert ost("adapt", summer, summer, "--name", "mine").code == 2


def test_without_a_model_it_says_what_to_run(ost, summer):
    run = ost("adapt", summer)
    assert run.code == 5
    assert "→ run: ost pretrain FOLDER" in run.err


def test_an_unknown_model_is_named(ost, trained, summer):
    run = ost("adapt", summer, "--model", "snw")
    assert run.code == 5
    assert "snow" in run.err


def test_it_adapts_from_an_exported_file_on_another_computer(
    ost, trained, summer, tmp_path, monkeypatch
):
    assert ost("models", "export", "snow").code == 0
    monkeypatch.setenv("OST_HOME", str(tmp_path / "elsewhere"))
    assert ost("adapt", summer, *TINY, "--model", "snow.safetensors").code == 0


def test_a_model_without_pictures_wants_the_folder(
    ost, trained, summer, winter, tmp_path, monkeypatch
):
    assert ost("models", "export", "snow", "--without-pictures").code == 0
    monkeypatch.setenv("OST_HOME", str(tmp_path / "elsewhere"))
    refused = ost("adapt", summer, *TINY, "--model", "snow.safetensors")
    assert refused.code == 2
    assert "--data FOLDER" in refused.err
    assert ost("adapt", summer, *TINY, "--model", "snow", "--data", winter).code == 0


def test_the_example_may_go_once_it_is_adapted_to(ost, trained, summer, tmp_path):
    shutil.move(summer, tmp_path / "gone.jpg")
    ost("adapt", "gone.jpg", *TINY)
    (tmp_path / "gone.jpg").unlink()
    assert ost("translate").lines == ["translated-B/gone.jpg"]


def test_fresh_under_the_name_of_a_model_is_refused(ost, trained, summer):
    run = ost("adapt", summer, *TINY, "--name", "snow", "--fresh")
    assert run.code == 2
    assert "the name snow is taken by a model" in run.err
    assert Library(store_root()).manifest("snow").kind == "model"


def test_another_pull_is_another_training(ost, trained, summer):
    by_d_b = ("adapt", summer, "--steps", "2", "--pull", "discriminator", "--precision", "fp32")
    assert ost(*by_d_b).code == 0
    refused = ost("adapt", summer, "--steps", "2", "--precision", "fp32")
    assert refused.code == 2
    assert "begun with other settings" in refused.err


def test_it_ends_with_a_verdict(ost, trained, summer):
    run = ost("adapt", summer, "--steps", "2", "--precision", "fp32")
    assert "likely to be good:" in run.err or "may fall short:" in run.err
    assert "of the way" in run.err or "has not moved" in run.err
    again = ost("adapt", summer, "--steps", "2", "--precision", "fp32", "--json")
    [adapted] = again.json["result"]["adaptations"]
    assert adapted["verdict"].keys() == {"is_good", "summary", "advice", "figures"}

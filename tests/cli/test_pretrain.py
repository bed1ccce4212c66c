"""`ost pretrain`, from the options to the words."""

import pytest

from ostcli.config import LatentForm, Look, Medium, Preset
from ostcli.presets import pretrain_preset
from ostcli.store.library import Library, store_root

TINY = ("--size", "32", "--steps", "3", "--precision", "fp32")


def saved_config(name="winter"):
    return Library(store_root()).manifest(name).config


def test_it_makes_a_model_and_prints_nothing_but_its_name(ost, winter):
    run = ost("pretrain", winter, *TINY)
    assert (run.code, run.out) == (0, "winter\n")
    assert "found 4 pictures, 48×40" in run.err
    assert "3 steps of" in run.err
    assert "step 3 of 3" in run.err
    assert "rec_b" in run.err
    assert "preview.png" in run.err
    assert "ost adapt EXAMPLE" in run.err
    assert "\x1b" not in run.err


def test_quiet_leaves_the_result_alone(ost, winter):
    assert ost("pretrain", winter, *TINY, "--quiet").err == ""


def test_json_is_one_object_with_the_result(ost, winter):
    run = ost("pretrain", winter, *TINY, "--json")
    assert run.json["schema"] == 1
    assert (run.json["command"], run.json["ok"]) == ("pretrain", True)
    result = run.json["result"]
    assert (result["name"], result["step"], result["finished"]) == ("winter", 3, True)
    assert (result["num_pictures"], result["failed"]) == (4, [])
    assert result["path"] == str(store_root() / "models" / "winter")


def test_unreadable_pictures_are_named_and_passed_over(ost, winter):
    (winter / "sub" / "c[blue].png").write_bytes(b"nonsense")
    run = ost("pretrain", winter, *TINY, "--json")
    assert run.code == 0
    assert "(1 could not be read, named below)" in run.err
    assert f"cannot use {winter}/sub/c[blue].png: " in run.err
    assert [each["path"] for each in run.json["result"]["failed"]] == [
        str(winter / "sub" / "c[blue].png")
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seed", "-1"), "--seed"),
        (("--seed", str(2**63)), "seed must lie between"),
        (("--minutes", "inf"), "minutes must be positive and not without end"),
        (("--minutes", "nan"), "minutes must be positive and not without end"),
    ],
)
def test_numbers_without_sense_are_a_usage_error(options, words, ost, winter):
    run = ost("pretrain", winter, *options)
    assert run.code == 2
    assert words in run.err
    assert "Traceback" not in run.err


def test_options_arrive_in_the_settings(ost, winter):
    options = ("--size", "48", "--look", "structure", "--latent", "sampled", "--seed", "5")
    ost("pretrain", winter, *options, "--steps", "2", "--name", "other")
    config = saved_config("other")
    assert (config["look"], config["seed"], config["steps"]) == (Look.STRUCTURE, 5, 2)
    assert config["view"]["size"] == 48
    assert config["network"]["latent"] == LatentForm.SAMPLED


def test_minutes_replace_steps(ost, winter):
    assert ost("pretrain", winter, "--size", "32", "--minutes", "0.001").code == 0
    config = saved_config()
    assert (config["steps"], config["minutes"]) == (None, 0.001)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "33"), "size must be a multiple of 4"),
        (("--size", "0"), "size must be a multiple of 4, at least 16"),
        (("--size", "1024"), "size must be at most 1000 pixels"),
        (("--steps", "3", "--minutes", "1"), "give either steps or minutes"),
        (("--steps", "0"), "steps must be at least 1"),
        (("--minutes", "-1"), "minutes must be positive"),
        (("--look", "summer"), "--look"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_senseless_options_are_errors_of_usage(ost, winter, options, words):
    run = ost("pretrain", winter, *options)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("error: ") or "\nerror: " in run.err
    assert words in run.err
    assert "--help" in run.err


def test_a_folder_without_pictures_is_an_error_of_input(ost, tmp_path):
    (tmp_path / "empty").mkdir()
    run = ost("pretrain", "empty", "--json")
    assert run.code == 4
    assert (run.json["ok"], run.json["error"]["exit_code"]) == (False, 4)
    assert "empty holds no picture" in run.json["error"]["message"]


def test_a_folder_that_is_not_there_is_said_to_be_missing(ost):
    run = ost("pretrain", "missing")
    assert run.code == 4
    assert "error: missing does not exist" in run.err


def test_files_of_other_suffixes_are_told(ost, winter):
    (winter / "phone.heic").touch()
    assert "1 file left out for the suffix (.heic)" in ost("pretrain", winter, *TINY).err


def test_a_finished_model_says_how_to_go_on_and_goes_on(ost, winter):
    ost("pretrain", winter, *TINY)
    run = ost("pretrain", winter, *TINY)
    assert (run.code, run.out) == (0, "winter\n")
    assert "finished already, with 3 steps" in run.err
    assert "--fresh" in run.err
    longer = ost("pretrain", winter, *TINY, "--steps", "5", "--json")
    assert "going on after step 3" in longer.err
    assert longer.json["result"]["step"] == 5


def test_other_settings_need_fresh(ost, winter):
    ost("pretrain", winter, *TINY)
    refused = ost("pretrain", winter, *TINY, "--seed", "1")
    assert refused.code == 2
    assert "seed 0 → 1" in refused.err
    assert ost("pretrain", winter, *TINY, "--seed", "1", "--fresh").code == 0


def test_help_shows_the_defaults_of_both_presets(ost):
    text = " ".join(ost("pretrain", "--help").out.split())
    for preset in Preset:
        assert str(pretrain_preset(preset).view.size) in text
    assert str(pretrain_preset().steps) in text


def test_it_ends_with_a_verdict_and_what_would_help(ost, winter):
    run = ost("pretrain", winter, "--steps", "2", "--size", "32", "--precision", "fp32")
    assert "may fall short: it gives its folder back with" in run.err
    assert "→ train longer: the same command with --steps 4" in run.err
    assert "→ add pictures of the look: 4 are few" in run.err


def test_a_stopped_training_has_no_verdict(ost, winter, monkeypatch):
    monkeypatch.setattr("ostcli.cli.signals.StopSignal.__call__", lambda self: True)
    run = ost("pretrain", winter, "--steps", "4", "--size", "32", "--json")
    assert run.code == 130
    assert run.json["result"]["verdict"] is None


def test_how_much_detail_goes_past_the_network_is_a_choice(ost, winter):
    common = ("pretrain", winter, "--steps", "2", "--size", "32", "--precision", "fp32")
    assert ost(*common, "--detail", "3").code == 0
    assert ost(*common).code == 0  # a training goes on with its own network
    assert "detail_radius 3 → 2" in ost(*common, "--detail", "2").err


@pytest.mark.parametrize(("medium", "light"), [(Medium.PHOTOGRAPH, 0.4), (Medium.PAINTING, 0.0)])
def test_what_the_pictures_are_decides_how_they_are_learned(ost, winter, medium, light):
    assert ost("pretrain", winter, *TINY, "--medium", medium).code == 0
    assert saved_config()["random_light"] == light


def test_the_light_in_which_a_folder_is_seen_is_a_choice_and_stays(ost, winter):
    common = ("pretrain", winter, "--steps", "2", "--size", "32", "--precision", "fp32")
    assert ost(*common, "--light", "0.2").code == 0
    assert ost(*common).code == 0
    assert "random_light 0.2 → 0.3" in ost(*common, "--light", "0.3").err
    assert ost(*common, "--light", "-1").code == 2

"""The protocol of docs/quality: its pages are what its figures say, its settings take effect."""

import argparse
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

from ostcli.config import AdaptConfig, Precision, PretrainConfig

QUALITY = Path(__file__).parents[2] / "docs" / "quality"


def page_of(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def protocol():
    spec = importlib.util.spec_from_file_location("protocol", QUALITY / "protocol.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["protocol"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["protocol"]


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_page_of_tables_is_what_its_figures_say(protocol, tmp_path, name):
    shutil.copytree(QUALITY / name, tmp_path / name)
    protocol.write_summary(tmp_path / name)
    assert (tmp_path / name / "README.md").read_text(encoding="utf-8") == (
        QUALITY / name / "README.md"
    ).read_text(encoding="utf-8")


def test_the_page_of_the_curve_is_what_its_figures_say(protocol, tmp_path):
    shutil.copytree(QUALITY / "curve", tmp_path / "curve")
    lengths = sorted(
        int(one.name.partition("-")[0]) for one in (tmp_path / "curve").glob("*-steps")
    )
    protocol.write_curve(tmp_path / "curve", lengths)
    assert page_of(tmp_path / "curve") == page_of(QUALITY / "curve")


def test_a_setting_changes_the_phase_that_it_names_and_no_other(protocol):
    settings = [
        "one.network.detail_radius=0",
        "one.network.padding=zeros",
        "two.folder_learns=false",
        "two.weights.weight_patch_ab=2.5",
    ]
    one = protocol.changed(PretrainConfig(), "one", settings)
    two = protocol.changed(AdaptConfig(), "two", settings)
    assert (one.network.detail_radius, one.network.padding) == (0, "zeros")
    assert one.weights.weight_patch_ab == PretrainConfig().weights.weight_patch_ab
    assert (two.folder_learns, two.weights.weight_patch_ab) == (False, 2.5)
    assert one.precision == two.precision == Precision.FP32


def test_settings_of_before_can_be_pasted(protocol):
    before, without = (
        _values_of("--set", part)
        for part in page_of(QUALITY).split("\n\n")
        if part.startswith("    --set ")
    )
    assert protocol.changed(PretrainConfig(), "one", without).network.num_blocks == 4
    one = protocol.changed(PretrainConfig(), "one", before)
    two = protocol.changed(AdaptConfig(), "two", before)
    assert (one.network.detail_radius, one.network.unshared_blocks, one.random_light) == (0, 0, 0.0)
    assert (two.folder_learns, two.weights.holds_patches, two.steps) == (True, False, 60)


def _values_of(option, text):
    return [part.strip(" \\\n") for part in text.split(option) if part.strip(" \\\n")]


@pytest.mark.parametrize(
    "wrong", ["network.padding=zeros", "three.steps=3", "one.netwrk.padding=zeros", "two.steps.x=1"]
)
def test_a_setting_that_is_not_there_is_refused_before_any_training(protocol, wrong):
    with pytest.raises(argparse.ArgumentTypeError):
        protocol.known_setting(wrong)


def test_every_setting_of_both_phases_can_be_named(protocol):
    for setting in ("one.network.padding=zeros", "two.optim.average_share=0.5", "two.steps=60"):
        assert protocol.known_setting(setting) == setting


def test_a_page_can_do_without_a_classifier(protocol, tmp_path):
    record = json.loads((QUALITY / "after" / "scenes-0.json").read_text(encoding="utf-8"))
    record["classifier_accuracy"] = None
    (tmp_path / "scenes-0.json").write_text(json.dumps(record), encoding="utf-8")
    protocol.write_summary(tmp_path)
    assert "classifier" not in page_of(tmp_path)

"""`ost demo`, with trainings of a few steps."""

from dataclasses import replace

import pytest
from PIL import Image

from ostcli.workflows import demo as workflow

KEYS = {
    "translation_error", "network_error", "identity_error", "ratio", "controls", "sheet",
    "pictures", "seconds", "seed",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    from ostcli.config import NetworkConfig

    network = NetworkConfig(width=4, num_blocks=1, discriminator_width=4, discriminator_layers=2)
    phase_one = replace(workflow.PHASE_ONE, steps=2, network=network)
    monkeypatch.setattr(workflow, "PHASE_ONE", phase_one)
    monkeypatch.setattr(workflow, "PHASE_TWO", replace(workflow.PHASE_TWO, steps=2))
    monkeypatch.setattr(workflow, "NUM_SCENES", 4)


def test_it_prints_the_errors_and_where_the_sheet_is(ost, tmp_path):
    run = ost("demo")
    assert run.code == 0
    for word in ("translation", "the network alone", "control: colour match", "doing nothing"):
        assert any(line.startswith(word) for line in run.lines)
    assert run.lines[-1] == "ost-demo.png"
    Image.open(tmp_path / "ost-demo.png").verify()
    assert "winter: on the" in run.err
    assert "summer: on the" in run.err
    assert not (tmp_path / "ost-demo-pictures").exists()


def test_json_holds_every_figure(ost, tmp_path):
    run = ost("demo", "--json", "--seed", "2", "--out", "sheet.png", "--keep")
    result = run.json["result"]
    assert result.keys() == KEYS
    assert result["controls"].keys() == {
        "grey", "colour_match", "mean_of_folder", "nearest_in_folder", "unadapted"
    }  # fmt: skip
    assert (result["seed"], result["sheet"]) == (2, "sheet.png")
    assert result["ratio"] == pytest.approx(
        result["translation_error"] / result["identity_error"], abs=1e-3
    )
    assert len(list((tmp_path / "ost-demo-pictures" / "winter").iterdir())) == 4


def test_a_stop_is_no_result(ost, monkeypatch):
    monkeypatch.setattr("ostcli.cli.signals.StopSignal.__call__", lambda self: True)
    run = ost("demo", "--json")
    assert run.code == 130
    assert "result" not in run.json


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_a_seed_without_a_scene_is_an_error_of_usage(ost, seed):
    run = ost("demo", "--seed", seed)
    assert run.code == 2
    assert "--seed" in run.err


def test_the_last_seed_has_scenes(ost):
    assert ost("demo", "--seed", 2**32 - 1).code == 0


@pytest.mark.parametrize("out", [".", "sheet", "sheet.xyz"])
def test_a_sheet_that_cannot_be_written_is_an_error_of_usage(ost, out):
    run = ost("demo", "--out", out)
    assert run.code == 2
    assert "winter" not in run.err

"""`ost evaluate`: the table on standard output, the rest beside it."""

import pytest

CONTROLS = ("identity", "grey", "colour match", "mean of folder", "nearest in folder")


@pytest.fixture
def sources(tmp_path, picture_folder):
    return picture_folder(3, name="sources")


def test_it_prints_the_table_and_says_where_the_sheet_is(ost, trained, sources, tmp_path):
    run = ost("evaluate", sources)
    assert run.code == 0
    rows = [line.split("  ")[0] for line in run.lines[1:]]
    assert rows == [*CONTROLS, "unadapted", "unadapted finished", "network", "finished"]
    assert "artefacts ↓" in run.lines[0]
    assert "content" not in run.lines[0]
    assert "without --weights" in run.err
    assert "3 pictures measured" in run.err
    assert (tmp_path / "ost-evaluation" / "sheet.webp").is_file()


def test_json_holds_the_figures_of_every_row_and_picture(ost, trained, sources):
    result = ost("evaluate", sources, "--json", "--count", "2", "--truth", sources).json["result"]
    assert result["scores"]["identity"]["error"] == 0
    assert result["scores"]["network"]["error"] > 0
    assert len(result["pictures"]) == 2
    assert result["finish"] in ("photo", "network")


def test_a_model_is_adapted_to_each(ost, trained, sources):
    run = ost("evaluate", sources, "--model", "snow", "--steps", "2", "--count", "2")
    assert run.code == 0
    assert "2 steps" in run.err


@pytest.mark.parametrize("option", [("--steps", "3"), ("--pull", "discriminator")])
def test_how_to_adapt_needs_a_model(ost, trained, sources, option):
    run = ost("evaluate", sources, *option)
    assert run.code == 2
    assert "--model" in run.err


def test_some_failed_is_code_3_and_none_left_is_code_4(ost, trained, sources):
    (sources / "00.png").write_bytes(b"no picture")
    run = ost("evaluate", sources)
    assert run.code == 3
    assert "00.png" in run.err
    for path in sources.iterdir():
        path.write_bytes(b"no picture")
    assert ost("evaluate", sources).code == 4


def test_wrong_weights_are_told_before_the_work(ost, trained, sources, tmp_path):
    run = ost("evaluate", sources, "--weights", sources)
    assert run.code == 4
    assert "squeezenet1_0" in run.err
    assert not (tmp_path / "ost-evaluation").exists()


def test_a_stop_is_no_result(ost, trained, sources, monkeypatch):
    monkeypatch.setattr("ostcli.cli.signals.StopSignal.__call__", lambda self: True)
    run = ost("evaluate", sources, "--json")
    assert run.code == 130
    assert "result" not in run.json

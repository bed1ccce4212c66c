"""`ost bench`: rows on standard output, the rest beside it."""

import pytest

from ostcli.config import Precision
from ostcli.workflows import bench as module
from ostcli.workflows.bench.machine import Machine
from ostcli.workflows.bench.rows import row


@pytest.fixture(autouse=True)
def _parts(monkeypatch):
    import torch

    rows = [
        row("a step", 1.0, 4.0, goal=1 / 3, unit="s", against="theirs"),
        row("memory", 900.0, 800.0, goal=1, unit="MiB", against="the goal", seconds=3),
    ]
    machine = Machine(
        device=torch.device("cpu"),
        name="CPU",
        num_threads=1,
        precision=Precision.FP32,
        peaks={Precision.FP32: 2e11, Precision.BF16: 1e11},
    )
    monkeypatch.setattr(module, "PARTS", {"steps": lambda *_: rows})
    monkeypatch.setattr(module, "measure_machine", lambda device: machine)


def test_it_prints_a_table_of_ratios(ost):
    run = ost("bench", "--quick")
    assert run.code == 0
    heading, *lines = run.lines
    assert heading.split()[:2] == ["what", "ours"]
    assert [line.split("  ")[0] for line in lines] == ["a step", "memory"]
    assert lines[0].endswith("met")
    assert lines[1].endswith("missed")
    assert "peak fp32 giga flop per second 200" in run.err


def test_json_holds_the_rows(ost):
    result = ost("bench", "--json").json["result"]
    assert result["rows"][0] == {
        "name": "a step",
        "ours": 1.0,
        "reference": 4.0,
        "ratio": 0.25,
        "goal": 1 / 3,
        "ok": True,
        "unit": "s",
        "against": "theirs",
        "spread": None,
        "facts": None,
    }
    assert result["machine"]["device"] == "CPU"
    assert result["quick"] is False


def test_an_unknown_part_is_a_usage_error(ost):
    run = ost("bench", "--only", "speed")
    assert run.code == 2
    assert "use steps" in run.err


def test_a_stop_is_told_with_the_rows_so_far(ost, monkeypatch):
    monkeypatch.setattr("ostcli.cli.signals.StopSignal.__call__", lambda self: True)
    run = ost("bench", "--json")
    assert run.code == 130
    assert run.json["result"]["stopped"] is True

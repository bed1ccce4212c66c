"""`ost reproduce`: tables on standard output, the rest beside it."""

import pytest

from ostcli.paper.digits import classify
from ostcli.workflows.reproduce import digits as lab

SHORT = ("--runs", "2", "--budget", "0.0001", "--task", "svhn-to-mnist", "--threads", "1")


@pytest.fixture(autouse=True)
def _short_classifiers(monkeypatch):
    monkeypatch.setattr(classify, "STEPS", 1)
    monkeypatch.setattr(lab, "DOMAIN_STEPS", 1)


def test_it_prints_the_table_and_where_it_is(ost, digits, tmp_path):
    run = ost("reproduce", "table1", "--data", digits, *SHORT, "--only", "identity")
    assert run.code == 0
    heading, *rows, path = run.lines
    assert heading.split()[0] == "accuracy"
    assert sum("not run" in row for row in rows) == len(rows) - len(
        [row for row in rows if row.startswith(("identity", "always"))]
    )
    assert path == "ost-reproduction/table1-svhn-to-mnist/table1-svhn-to-mnist.md"
    assert (tmp_path / path).is_file()


def test_json_holds_the_tables(ost, digits):
    run = ost("reproduce", "table1", "--data", digits, *SHORT, "--only", "identity", "--json")
    result = run.json["result"]
    rows = {row["name"]: row for row in result["tables"]["table1-svhn-to-mnist"]["rows"]}
    assert 0 <= rows["identity"]["figures"]["accuracy"]["value"] <= 1
    assert result["tables"]["table1-svhn-to-mnist"]["made"] == ["identity"]
    assert "comparison" in result["tables"]["table1-svhn-to-mnist"]
    assert result["missing"] == []
    assert result["stopped"] is False


def test_missing_data_are_named_with_how_to_get_them(ost, digits):
    run = ost("reproduce", "table1", "--data", digits, *SHORT[:4], "--only", "identity")
    assert run.code == 0
    assert "table1, MNIST-M → MNIST not made: there is no MNIST-M" in run.err
    assert "mnist_m.npz" in run.err


def test_all_of_a_task_is_that_task_alone(ost, digits, tmp_path):
    rows = (
        "--only",
        "identity",
        "--only",
        "OST, 1 of A",
        "--only",
        "as the authors' code: selective",
    )
    run = ost("reproduce", "all", "--data", digits, *SHORT, *rows)
    assert run.code == 0
    made = {path.name for path in (tmp_path / "ost-reproduction").iterdir()}
    assert made == {f"{name}-svhn-to-mnist" for name in ("table1", "fig3", "overfitting")} | {
        "rows"
    }
    assert "--weights" not in run.err


def test_no_data_at_all_is_code_4(ost, tmp_path):
    run = ost("reproduce", "fig3", "--data", tmp_path, *SHORT)
    assert run.code == 4
    assert "there is no SVHN" in run.err
    assert "--download" in run.err


def test_an_unknown_direction_is_a_usage_error(ost, digits):
    run = ost("reproduce", "table1", "--data", digits, "--task", "there")
    assert run.code == 2
    assert "svhn-to-mnist" in run.err


def test_a_stop_is_told_with_how_to_go_on(ost, digits, monkeypatch):
    monkeypatch.setattr("ostcli.cli.signals.StopSignal.__call__", lambda self: True)
    run = ost("reproduce", "table1", "--data", digits, *SHORT, "--only", "identity", "--json")
    assert run.code == 130
    assert run.json["result"]["stopped"] is True
    assert run.json["result"]["tables"] == {}
    assert "finished rows are kept" in run.err
    assert "the same command goes on" in run.err


def test_a_budget_without_end_is_a_usage_error(ost, digits):
    run = ost("reproduce", "table1", "--data", digits, "--budget", "inf")
    assert run.code == 2
    assert "a budget of inf is no number of steps" in run.err

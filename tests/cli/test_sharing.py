"""`--threads` and `--nice`: what a command leaves to other programs."""

import pytest
import torch

from ostcli.training import machine


@pytest.fixture
def lowered(monkeypatch):
    """Write down what would lower the priority of the tests."""
    asked = []
    monkeypatch.setattr(machine, "lower_priority", lambda: asked.append(True))
    return asked


@pytest.fixture
def threads_in_use(monkeypatch):
    """Write down how many threads torch is given."""
    given, set_num_threads = [], torch.set_num_threads
    monkeypatch.setattr(
        torch, "set_num_threads", lambda number: given.append(number) or set_num_threads(number)
    )
    return given


@pytest.mark.parametrize(("options", "times"), [((), 0), (("--nice",), 1)])
def test_priority_is_lowered_where_that_is_asked_for(ost, trained, lowered, options, times):
    assert ost("translate", *options).code == 0
    assert len(lowered) == times


def test_a_training_keeps_to_its_threads_and_says_so(ost, trained, winter, threads_in_use):
    run = ost("adapt", winter / "0.png", "--threads", "2", "--steps", "3", "--name", "two")
    assert run.code == 0
    assert "2 threads: 3 steps" in run.err
    assert set(threads_in_use[:-1]) == {1, 2}  # One to measure by.
    assert threads_in_use[-1] == torch.get_num_threads() == 1


def test_a_translation_keeps_to_its_threads(ost, trained, threads_in_use):
    assert ost("translate", "--threads", "2").code == 0
    assert threads_in_use == [2, 1]


@pytest.mark.parametrize("command", ["pretrain", "adapt", "translate", "demo", "evaluate"])
def test_no_threads_at_all_are_refused(ost, tmp_path, command):
    operands = [] if command in ("demo", "translate") else [tmp_path]
    run = ost(command, *operands, "--threads", "0")
    assert run.code == 2
    assert "--threads" in run.err

"""The bench: what is timed beside what, and what a row says."""

import dataclasses
import sys
import time

import pytest
import torch

from ostcli.config import Precision
from ostcli.errors import OstError, UsageError
from ostcli.events import Collected, Note
from ostcli.workflows import bench as module
from ostcli.workflows.bench import arithmetic, bench, digits, sentence
from ostcli.workflows.bench.arithmetic import Duel, drawn_batches, learning_row, step_row
from ostcli.workflows.bench.machine import Machine
from ostcli.workflows.bench.processes import Busy, Started, Workshop
from ostcli.workflows.bench.rows import Rounds, interleaved, row

NETWORK_SIZE = 32


@pytest.fixture
def machine():
    return Machine(
        device=torch.device("cpu"),
        name="CPU",
        num_threads=1,
        precision=Precision.FP32,
        peaks={Precision.FP32: 1e11, Precision.BF16: 1e11},
    )


# Rows


def test_two_things_are_timed_in_turn_after_a_warm_up():
    order = []
    timed = interleaved(lambda: order.append("ours"), lambda: order.append("theirs"), rounds=2)
    assert order == ["ours", "theirs"] * 3
    assert len(timed.ours) == len(timed.reference) == 2


def test_a_ratio_is_that_of_each_round_so_that_noise_of_both_falls_out():
    timed = Rounds(ours=(1.0, 2.0, 9.0), reference=(2.0, 4.0, 10.0))
    made = timed.row("step", goal=0.6, against="theirs", steps=3)
    assert (made.ours, made.reference, made.ratio) == (2.0, 4.0, 0.5)
    assert made.spread == (0.5, 0.9)
    assert made.ok
    assert made.facts == {"steps": 3}
    assert not timed.row("step", goal=0.4, against="theirs").ok


def test_a_row_in_words_says_what_is_missed():
    met = row("adapt", 10.0, 20.0, goal=1, unit="s", against="the goal")
    assert sentence(met) == "adapt: 10 s, 0.500 of the goal (goal 1.000)"
    missed = row("losses", 3.0, 2.0, goal=1.1, unit="", against="theirs")
    assert sentence(missed) == "losses: 3, 1.500 of theirs (goal 1.100, missed)"


# Arithmetic


@pytest.mark.parametrize("phase", [1, 2])
def test_both_sides_of_a_duel_begin_alike(phase):
    duel = Duel(phase, torch.device("cpu"), Precision.FP32, width=8)
    [batch] = drawn_batches(NETWORK_SIZE * 2, 1)
    ours, theirs = duel.our_step(batch), duel.their_step(batch)
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_drawn_views_are_of_both_domains_and_differ():
    first, second = drawn_batches(NETWORK_SIZE, 2)
    assert first["a"].shape == first["b"].shape == (1, 3, NETWORK_SIZE, NETWORK_SIZE)
    assert not torch.equal(first["a"], first["b"])
    assert not torch.equal(first["a"], second["a"])


def test_a_step_is_timed_against_the_authors(machine, monkeypatch):
    monkeypatch.setattr(Duel, "__init__", _small(Duel.__init__))
    made = step_row(1, machine, size=64, rounds=2)
    assert made.ours > 0
    assert made.ratio == pytest.approx(made.ours / made.reference, rel=1)
    assert made.facts["giga_flop_of_authors"] >= 0
    assert made.goal == 1 / 2.5


def _small(begin):
    return lambda self, *given, **options: begin(self, *given, **{**options, "width": 8})


def test_losses_are_held_against_the_spread_of_the_authors_own(machine, monkeypatch):
    monkeypatch.setattr(arithmetic, "LEARNT_WIDTH", 8)
    made = learning_row(1, machine, num_steps=6)
    assert made.ratio == pytest.approx(1.0, abs=0.1)
    assert 1 < made.goal < 2


def test_worse_losses_miss_the_goal(machine, monkeypatch):
    monkeypatch.setattr(arithmetic, "LEARNT_WIDTH", 8)
    step = Duel.our_step
    worse = {"rec_b": 1.0}
    monkeypatch.setattr(Duel, "our_step", lambda self, batch: step(self, batch) | worse)
    assert not learning_row(1, machine, num_steps=6).ok


def test_many_adaptations_of_digits_are_timed_for_each(machine, monkeypatch):
    def of_known_time(together, one, *, rounds):
        together()
        one()
        return Rounds(ours=(8.0,) * rounds, reference=(10.0,) * rounds)

    monkeypatch.setattr(digits, "NUM_RUNS", 8)
    monkeypatch.setattr(digits, "interleaved", of_known_time)
    made = digits.together_row(machine, rounds=2)
    assert (made.ours, made.reference, made.ratio) == (1.0, 2.0, 0.5)
    assert not made.ok
    assert made.goal == pytest.approx(1 / 12)


# Commands


@pytest.fixture
def start(tmp_path):
    def begin(program, *more):
        return Started([sys.executable, "-c", program, *more], {}, tmp_path)

    return begin


def test_a_command_is_timed_and_weighed_whatever_this_program_holds(start):
    held = bytearray(800 << 20)
    ran = start("import time; x = bytearray(300 << 20); time.sleep(0.2)").finished()
    assert 0.2 <= ran.seconds < 20
    assert ran.peak_mib is None or 300 < ran.peak_mib < 400
    assert len(held)


def test_what_it_printed_as_json_is_its_result(start):
    ran = start('print(\'{"ok": true, "result": {"step": 3}}\')', "--json").finished()
    assert ran.result == {"step": 3}


def test_a_command_that_fails_is_an_error_in_its_words(start):
    with pytest.raises(OstError, match="a command that was to be timed failed") as caught:
        start("import sys; sys.exit('no space left')").finished()
    assert "no space left" in caught.value.hint


def test_what_keeps_a_core_busy_is_ended_at_once():
    began, busy = time.monotonic(), Busy()
    busy.stop()
    assert time.monotonic() - began < 10


def test_a_workshop_has_a_store_of_its_own_and_leaves_nothing():
    workshop = Workshop()
    ran = workshop.run("models", "path")
    assert workshop.folder.exists()
    assert ran.seconds > 0
    workshop.close()
    assert not workshop.folder.exists()


# All of it


@pytest.fixture
def parts(monkeypatch, machine):
    """Replace what is timed by two parts of two rows each."""

    def part(name):
        return lambda *_: iter(
            row(f"{name} {number}", 1.0, 2.0, goal=1, unit="s", against="theirs")
            for number in range(2)
        )

    monkeypatch.setattr(module, "PARTS", {name: part(name) for name in ("steps", "large")})
    monkeypatch.setattr(module, "measure_machine", lambda device: machine)


def test_every_part_gives_its_rows(parts):
    events = Collected()
    result = bench(on_event=events)
    assert [each.name for each in result.rows] == ["steps 0", "steps 1", "large 0", "large 1"]
    assert not result.stopped
    assert result.machine["threads"] == 1
    assert [note.text for note in events.of(Note)][:2] == [
        "timing: steps",
        "steps 0: 1 s, 0.500 of theirs (goal 1.000)",
    ]


def test_only_what_is_asked_for_is_timed(parts):
    assert [each.name for each in bench(only=["large"]).rows] == ["large 0", "large 1"]
    with pytest.raises(UsageError, match="no part speed"):
        bench(only=["speed"])


def test_a_stop_keeps_the_rows_so_far(parts):
    asked = []
    result = bench(should_stop=lambda: len(asked) > 1 or asked.append(1))
    assert result.stopped
    assert 0 < len(result.rows) < 4


def test_a_row_has_what_the_figures_of_a_run_need():
    fields = {field.name for field in dataclasses.fields(module.Row)}
    assert {"name", "ours", "reference", "ratio", "goal", "ok"} <= fields


@pytest.mark.slow
def test_a_quick_bench_times_everything(monkeypatch):
    result = bench(quick=True)
    assert len(result.rows) > 15
    assert all(each.ours > 0 for each in result.rows)

"""What long work reports, in words: plain lines, or bars on a terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ostcli.cli import progress
from ostcli.cli.progress import BarListener, Listener, listen
from ostcli.cli.render import Output, counted, duration, size
from ostcli.events import (
    Note,
    PictureDone,
    PictureFailed,
    PicturesFound,
    PreviewReady,
    RolledBack,
    Saved,
    StepDone,
    TrainingPlanned,
)

PLAN = TrainingPlanned(
    name="winter", device="CPU", precision="bf16", num_threads=2, first_step=0, num_steps=6000,
    seconds_per_step=0.14, seconds=840.0,
)  # fmt: skip
FAILED = PictureFailed(path=Path("a[red].jpg"), reason="no picture")
PREVIEW = PreviewReady(path=Path("preview.png"))
BACK = RolledBack(
    name="winter",
    reason="the latent collapsed",
    from_step=900,
    to_step=750,
    learning_rate=1e-4,
)


def step(number, in_all=6000, **losses):
    return StepDone(
        step=number, num_steps=in_all, losses=losses, steps_per_second=7.1, seconds_left=600.0
    )


@pytest.fixture
def output():
    """Give a command's output whose standard error is kept as text."""
    given = Output()
    given.console = Console(file=io.StringIO(), width=100)
    return given


def told(output, *events, kind=Listener):
    with kind(output) as listener:
        for event in events:
            listener(event)
    return output.console.file.getvalue()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (PLAN, "winter: on the CPU, bf16, 2 threads: 6000 steps of 0.14 s, about 14 min\n"),
        (PREVIEW, "preview: preview.png\n"),
        (FAILED, "cannot use a[red].jpg: no picture\n"),
        (Note(text="by the way"), "by the way\n"),
        (Note(text="look out", warning=True), "warning: look out\n"),
        (BACK, "warning: winter: the latent collapsed at step 900; going on from step 750"),
        (step(1, rec_b=0.25), "step 1 of 6000 · 7.1 steps/s · 10 min left · rec_b 0.250\n"),
    ],
)
def test_every_event_has_its_sentence(output, event, words):
    assert told(output, event).startswith(words)


def test_unreadable_pictures_are_listed_below_what_was_found(output):
    found = PicturesFound(
        folder=Path("winter"), num_pictures=230, num_failed=1, smallest=(256, 256),
        largest=(256, 256),
    )  # fmt: skip
    assert told(output, FAILED, found).splitlines() == [
        "found 230 pictures, 256×256 (1 could not be read, named below)",
        "cannot use a[red].jpg: no picture",
    ]


def test_a_line_every_ten_seconds_and_at_the_end(output, monkeypatch):
    now = iter(range(1, 1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    lines = told(output, PLAN, *(step(number, 25) for number in range(1, 26))).splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["1", "11", "21", "25"]


def test_losses_are_smoothed(output):
    text = told(output, step(1, 2, rec_b=1.0, dis_b=5.0), step(2, 2, rec_b=0.0, dis_b=5.0))
    assert text.endswith("rec_b 0.950\n")
    assert "dis_b" not in text


def test_the_same_preview_is_told_once_and_saving_is_silent(output):
    saved = Saved(name="winter", step=5, path=Path("winter"))
    assert told(output, PREVIEW, saved, PREVIEW) == "preview: preview.png\n"
    output.debug = True
    assert "saved winter at step 5" in told(output, saved)


def test_quiet_tells_of_warnings_and_failures_only(output):
    output.quiet = True
    passed_over = Note(text="an older save is used instead", warning=True)
    lines = told(output, PLAN, step(1), PREVIEW, BACK, passed_over, FAILED).splitlines()
    assert lines[0].startswith("warning: winter: the latent collapsed")
    assert lines[1:] == [
        "warning: an older save is used instead",
        "cannot use a[red].jpg: no picture",
    ]


def test_a_terminal_gets_bars(output):
    output.console = Console(file=io.StringIO(), force_terminal=True, width=100)
    assert isinstance(listen(output), BarListener)
    done = PictureDone(source=None, output=Path("a.png"), seconds=1.25, index=1, num_pictures=3)
    text = told(output, PLAN, step(3000, rec_b=0.5), done, kind=BarListener)
    assert "3000/6000" in text
    assert "rec_b 0.500" in text
    assert "1/3" in text
    assert "0/100" not in text


def test_a_narrow_terminal_shows_the_bar_and_the_time_rather_than_all_losses(output):
    output.console = Console(file=io.StringIO(), force_terminal=True, width=60)
    losses = {"rec_b": 0.5, "rec_a": 0.5, "cycle_a": 0.5, "gan_ab": 0.5}
    text = told(output, PLAN, step(3000, **losses), kind=BarListener)
    assert "3000/6000" in text
    assert "10 min left" in text
    assert "gan_ab" not in text
    assert "…" not in text


def test_files_dumb_terminals_and_quiet_get_lines(output):
    assert type(listen(output)) is Listener
    output.console = Console(
        file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}, width=100
    )
    assert type(listen(output)) is Listener
    output.console = Console(file=io.StringIO(), force_terminal=True)
    output.quiet = True
    assert type(listen(output)) is Listener


def test_amounts_for_people():
    assert [duration(s) for s in (0.26, 25.4, 840, 7500)] == [
        "0.3 s",
        "25 s",
        "14 min",
        "2 h 5 min",
    ]
    assert [size(n) for n in (1234, 12_345_678)] == ["1.2 kB", "12.3 MB"]
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]

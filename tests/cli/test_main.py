"""What holds for every command: streams, exit codes, errors, completion."""

import contextlib
import errno
import os
import subprocess
import sys

import pytest

from ostcli import __version__
from ostcli.errors import DamagedError, InterruptedRun, PictureError, UsageError


@pytest.fixture
def failing(monkeypatch):
    """Let `ost models path` raise an exception."""

    def let(error):
        def fail():
            raise error

        monkeypatch.setattr("ostcli.cli.models._library", fail)

    return let


def test_version(ost):
    assert ost("--version").out == f"ost {__version__}\n"


def test_alone_it_shows_the_help(ost):
    run = ost()
    assert run.code == 0
    for command in ("pretrain", "adapt", "translate", "demo", "models"):
        assert command in run.out


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("no sense", hint="do this"), 2, "error: no sense\n→ do this\n"),
        (PictureError("a[red]b.jpg", "no picture"), 4, "error: a[red]b.jpg: no picture\n"),
        (DamagedError("broken"), 5, "error: broken\n"),
        (InterruptedRun("stopped"), 130, "error: stopped\n"),
        (InterruptedRun("stopped", terminated=True), 143, "error: stopped\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (MemoryError(), 6, "error: out of memory\n"),
        (OSError(errno.ENOSPC, "No space", "/there"), 6, "there is no space left on the disk"),
        (PermissionError(errno.EACCES, "denied", "/there"), 5, "/there cannot be written or read"),
        (KeyError("x"), 1, "a bug of ours (KeyError: 'x')\n→ run again with --debug"),
    ],
)
def test_every_error_has_its_code_and_its_sentence(ost, failing, error, code, words):
    failing(error)
    run = ost("models", "path")
    assert (run.code, run.out) == (code, "")
    assert words in run.err
    assert "Traceback" not in run.err


def test_errors_are_json_too(ost, failing):
    failing(DamagedError("broken", hint="mend it"))
    assert ost("models", "path", "--json").json == {
        "schema": 1,
        "command": "models path",
        "ok": False,
        "error": {"message": "broken", "hint": "mend it", "exit_code": 5},
    }


def test_errors_of_usage_are_json_too(ost):
    run = ost("pretrain", "--json", "--nonsense")
    assert (run.code, run.json["command"], run.json["error"]["exit_code"]) == (2, "pretrain", 2)


def test_debug_may_stand_anywhere_and_shows_the_traceback(ost, failing):
    failing(KeyError("x"))
    for arguments in (("--debug", "models", "path"), ("models", "path", "--debug")):
        assert "Traceback" in ost(*arguments).err


def test_after_two_dashes_flags_are_names(ost):
    assert "-q" in ost("models", "path", "--", "-q").err


def complete(ost_process, line):
    words = line.split(" ")
    process = ost_process(
        COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _OST_COMPLETE="complete_bash"
    )
    return process.communicate(timeout=60)[0].decode().split()


def test_bash_completes_commands_and_names(ost_process, trained):
    assert complete(ost_process, "ost pre") == ["pretrain"]
    assert complete(ost_process, "ost adapt --model s") == ["snow"]
    assert complete(ost_process, "ost translate --adaptation ") == ["snow+meadow"]
    assert complete(ost_process, "ost models show sn") == ["snow", "snow+meadow"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_shell_gets_its_script(ost_process, shell):
    process = ost_process(_OST_COMPLETE=f"source_{shell}")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"_OST_COMPLETE" in out


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_means_no_escape_codes_on_a_terminal(trained, no_color, coloured):
    output = on_a_terminal(["models"], {"NO_COLOR": no_color, "TERM": "xterm-256color"})
    assert "snow+meadow" in output
    assert ("\x1b" in output) == coloured


def on_a_terminal(arguments, environment):
    """Run a command on a pseudo-terminal and return what it shows."""
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ostcli", *arguments]
    everything = {**os.environ, **environment}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=everything)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # How the end reads on Linux.
        while data := os.read(ours, 4096):
            shown += data
    process.wait()
    os.close(ours)
    return shown.decode()

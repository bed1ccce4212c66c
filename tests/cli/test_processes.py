"""`ost` as users start it: whole runs, signals, pipes."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

TINY = ("--size", "32", "--precision", "fp32", "--device", "cpu")
SECONDS = 120


def finish(process, data=None):
    out, err = process.communicate(data, timeout=SECONDS)
    return process.returncode, out, err.decode()


def test_the_main_job(ost_process, winter, summer, tmp_path):
    (winter / "broken.png").write_bytes(b"nonsense")
    code, out, err = finish(ost_process("pretrain", "winter", *TINY, "--steps", "2"))
    assert (code, out) == (0, b"winter\n"), err
    code, out, err = finish(ost_process("adapt", "summer.jpg", "--steps", "2", "--json"))
    assert (code, json.loads(out)["ok"]) == (0, True), err
    code, out, err = finish(ost_process("translate", "summer.jpg", "winter"))
    assert code == 3
    assert out.decode().splitlines() == [
        "translated-B/summer.jpg",
        *(f"translated-B/{number}.png" for number in range(3)),
        "translated-B/sub/a[red]b.jpg",
    ]
    with Image.open(tmp_path / "translated-B" / "summer.jpg") as image:
        assert image.size == (61, 43)
    code, out, err = finish(ost_process("translate", "-"), summer.read_bytes())
    assert (code, Image.open(io.BytesIO(out)).size) == (0, (61, 43)), err


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_same_command_goes_on(ost_process, winter, number, code):
    command = ("pretrain", "winter", *TINY, "--steps", "3000")
    process = ost_process(*command, "--fresh")
    wait_for_steps(process)
    process.send_signal(number)
    returned, out, err = finish(process)
    assert (returned, out) == (code, b""), err
    assert "everything is kept" in err
    assert "→ the same command continues: ost pretrain winter --size 32" in err
    assert "--fresh" not in err
    step = int(err.partition("stopped at step ")[2].partition(" of 3000")[0])
    again = ost_process("pretrain", "winter", *TINY, "--steps", str(step + 1))
    code, out, err = finish(again)
    assert (code, out) == (0, b"winter\n"), err
    assert f"going on after step {step}" in err


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_second_signal_stops_at_once(ost_process, winter):
    process = ost_process("pretrain", "winter", *TINY, "--steps", "3000", "--json")
    wait_for_steps(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    returned, out, _ = finish(process)
    assert returned in (130, 143)
    assert json.loads(out)["error"]["exit_code"] == returned


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes that break")
def test_a_reader_that_goes_away_is_no_error(trained):
    command = f"{sys.executable} -m ostcli models --help | true"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=SECONDS)
    assert done.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_file_names_that_are_no_text_are_printed_as_they_are(ost_process, trained, winter):
    os.rename(winter / "0.png", os.fsencode(winter) + b"/caf\xe9.png")  # noqa: PTH104
    code, out, err = finish(ost_process("translate", "winter"))
    assert code == 0, err
    assert b"translated-B/caf\xe9.png\n" in out


def wait_for_steps(process):
    """Read what a training says until its first step; leave it the time for some more."""
    assert any(line.startswith(b"step ") for line in process.stderr)
    time.sleep(1)

"""What must stay light: the package, the help and the completion."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ostcli

HEAVY = ("torch", "torchvision", "numpy", "PIL", "safetensors")
PROMISE = 0.2
"""Seconds that `ost --help` may take."""
SLACK = 2.0
"""Times as long on the slow and busy machines that run tests."""
TRIES = 25
"""A shared machine runs at half its speed for stretches; what is slow by itself fails every try."""
SMALLEST = """
import typer
app = typer.Typer(rich_markup_mode="markdown")
@app.command()
def command(option: int = 1): "Help."
app()
"""
"""The least that a command line of typer and rich does for its help."""
MOST_TIMES_THE_SMALLEST = 1.5
"""How long `ost --help` may take besides (measured: 1.2): what is ours of it, on any machine."""
FORBIDDEN = f"""
import runpy, sys
from contextlib import suppress
with suppress(SystemExit):
    {{}}
sys.exit(", ".join(name for name in {HEAVY} if name in sys.modules) or 0)
"""


def in_a_fresh_process(*arguments):
    source = str(Path(ostcli.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import ostcli; dir(ostcli)",
        "from ostcli import Direction, PretrainConfig, pretrain_preset",
        "import ostcli.store.library",
        *(
            f"sys.argv = ['ost', *{words}.split()]; runpy.run_module('ostcli', run_name='__main__')"
            for words in ("'--version'", "'--help'", "'pretrain --help'", "'models'")
        ),
    ],
)
def test_light_things_import_nothing_heavy(statement):
    done = in_a_fresh_process("-c", FORBIDDEN.format(statement))
    assert done.returncode == 0, done.stderr


def seconds_of(*arguments):
    start = time.perf_counter()
    assert in_a_fresh_process(*arguments).returncode == 0
    return time.perf_counter() - start


def test_the_help_is_there_at_once():
    tries = (seconds_of("-m", "ostcli", "--help") for _ in range(TRIES))
    assert any(seconds < PROMISE * SLACK for seconds in tries)


def test_the_help_costs_little_more_than_its_libraries():
    ratios = [
        seconds_of("-m", "ostcli", "--help") / seconds_of("-c", SMALLEST, "--help")
        for _ in range(9)
    ]
    assert statistics.median(ratios) < MOST_TIMES_THE_SMALLEST


@pytest.mark.parametrize(("set_before", "then"), [(None, "10000"), ("77", "77")])
def test_importing_the_package_limits_how_long_threads_spin(monkeypatch, set_before, then):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    if set_before:
        monkeypatch.setenv("GOMP_SPINCOUNT", set_before)
    asked = "import ostcli, os; print(os.environ['GOMP_SPINCOUNT'])"
    assert in_a_fresh_process("-c", asked).stdout.strip() == then

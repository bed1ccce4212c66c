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
OF_PYTHON = """
import asyncio, http.server, logging.config, multiprocessing.pool, unittest.mock, xml.dom.minidom
"""
"""Parts of Python itself, whose files take a good half of the time that the help does."""
MOST_TIMES_PYTHON = 2.3
"""How long it may take besides (measured: 1.7 to 1.9, also on a busy machine)."""
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


NOT_FOR_TRANSLATING = ("torchvision", "sklearn", "scipy", "torch._dynamo", "typer", "rich")


def test_translating_imports_torch_and_nothing_as_heavy():
    statement = (
        "import sys, ostcli.workflows.translate\n"
        f"print([name for name in {NOT_FOR_TRANSLATING} if name in sys.modules])"
    )
    assert in_a_fresh_process("-c", statement).stdout.strip() == "[]"


def test_what_a_command_imports_is_not_searched_for_garbage():
    statement = """
import gc, sys
from ostcli.cli.options import starting
with starting(nice=False):
    searched = gc.isenabled()
    import torch
frozen = gc.get_freeze_count()
with starting(nice=False):
    again = gc.isenabled()
print(searched, gc.isenabled(), frozen > 10000, again, gc.get_freeze_count() == frozen)
"""
    told = in_a_fresh_process("-c", statement).stdout.split()
    assert told == ["False", "True", "True", "True", "True"]


def seconds_of(*arguments):
    start = time.perf_counter()
    assert in_a_fresh_process(*arguments).returncode == 0
    return time.perf_counter() - start


def processor_seconds_of(*arguments):
    """What other programs leave alone, where they make a process wait."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert in_a_fresh_process(*arguments).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_help_is_there_at_once():
    least = min(seconds_of("-c", SMALLEST, "--help") for _ in range(9))
    if least * MOST_TIMES_THE_SMALLEST > PROMISE * SLACK:
        pytest.skip(f"typer and rich alone take {least:.2f} s on this machine")
    tries = (seconds_of("-m", "ostcli", "--help") for _ in range(TRIES))
    assert any(seconds < PROMISE * SLACK for seconds in tries)


@pytest.mark.parametrize(
    ("program", "most"),
    [
        pytest.param(SMALLEST, MOST_TIMES_THE_SMALLEST, id="the least of typer and rich"),
        pytest.param(OF_PYTHON, MOST_TIMES_PYTHON, id="parts of Python"),
    ],
)
def test_the_help_costs_little_more_than_others(program, most):
    ratios = [
        processor_seconds_of("-m", "ostcli", "--help")
        / processor_seconds_of("-c", program, "--help")
        for _ in range(9)
    ]
    assert statistics.median(ratios) < most


@pytest.mark.parametrize(("name", "default"), [("GOMP_SPINCOUNT", "10000"), ("KMP_BLOCKTIME", "1")])
@pytest.mark.parametrize("set_before", [None, "77"])
def test_importing_the_package_limits_how_long_threads_spin(monkeypatch, name, default, set_before):
    monkeypatch.delenv(name, raising=False)
    if set_before:
        monkeypatch.setenv(name, set_before)
    asked = f"import ostcli, os; print(os.environ['{name}'])"
    assert in_a_fresh_process("-c", asked).stdout.strip() == (set_before or default)

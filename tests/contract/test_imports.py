"""What must stay light: the package, the help and the completion."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ostcli

HEAVY = ("torch", "torchvision", "numpy", "PIL", "safetensors")
MOST_TIMES_ITS_LIBRARIES = 3.0
"""How long `ost --help` may take, in times of what it cannot do without: a ratio holds on a slow or
busy machine too."""
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


def test_the_help_is_there_at_once():
    def seconds(*arguments):
        start = time.perf_counter()
        assert in_a_fresh_process(*arguments).returncode == 0
        return time.perf_counter() - start

    commands = ("-m", "ostcli", "--help"), ("-c", "import typer, rich.table")
    runs = [[seconds(*command) for command in commands] for _ in range(5)]
    ours, libraries = (min(times) for times in zip(*runs, strict=True))
    assert ours < MOST_TIMES_ITS_LIBRARIES * libraries


@pytest.mark.parametrize(("set_before", "then"), [(None, "10000"), ("77", "77")])
def test_importing_the_package_limits_how_long_threads_spin(monkeypatch, set_before, then):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    if set_before:
        monkeypatch.setenv("GOMP_SPINCOUNT", set_before)
    asked = "import ostcli, os; print(os.environ['GOMP_SPINCOUNT'])"
    assert in_a_fresh_process("-c", asked).stdout.strip() == then

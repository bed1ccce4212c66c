"""The program `ost`, in this process with small networks, and as a process of its own."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ostcli
from ostcli.cli.main import main
from ostcli.config import NetworkConfig
from ostcli.presets import pretrain_preset

SOURCE = str(Path(ostcli.__file__).parents[1])
SMALL = NetworkConfig(width=4, num_blocks=1, discriminator_width=4, discriminator_layers=2)


@dataclass(frozen=True)
class Run:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


def small_preset(*arguments, begun=None, **options):
    chosen = pretrain_preset(*arguments, begun=begun, **options)
    return chosen if begun else dataclasses.replace(chosen, network=SMALL)


def draw(number, width=48, height=40):
    grid = np.random.default_rng(number).integers(256, size=(5, 6, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch):
    monkeypatch.setattr("ostcli.cli.pretrain.pretrain_preset", small_preset)


@pytest.fixture
def ost(capsys, tmp_path, monkeypatch):
    """Run a command here, in a working folder of its own; return exit code and streams."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture
def ost_process(tmp_path):
    """Start a command as a process of its own, with the networks that users get."""

    def start(*arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "ostcli", *(str(argument) for argument in arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.fixture
def winter(tmp_path):
    """Make a folder with four pictures; one has a name that looks like rich's markup."""
    folder = tmp_path / "winter"
    (folder / "sub").mkdir(parents=True)
    for number in range(3):
        draw(number).save(folder / f"{number}.png")
    draw(3).save(folder / "sub" / "a[red]b.jpg")
    return folder


@pytest.fixture
def summer(tmp_path):
    """Make the example, of an odd size."""
    path = tmp_path / "summer.jpg"
    draw(7, 61, 43).save(path)
    return path


@pytest.fixture(scope="session")
def _trained_store(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    folder = root / "snow"
    folder.mkdir()
    for number in range(4):
        draw(number).save(folder / f"{number}.png")
    draw(7, 61, 43).save(root / "meadow.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OST_HOME", str(root / "store"))
        patch.setattr("ostcli.cli.pretrain.pretrain_preset", small_preset)
        options = ("--steps", "2", "--precision", "fp32", "--quiet")
        assert main(["pretrain", str(folder), "--size", "32", *options]) == 0
        assert main(["adapt", str(root / "meadow.jpg"), *options]) == 0
    return root / "store"


@pytest.fixture
def trained(_trained_store, tmp_path, monkeypatch):
    """Give a store that holds the model "snow" and the adaptation "snow+meadow"."""
    store = tmp_path / "store"
    shutil.copytree(_trained_store, store)
    monkeypatch.setenv("OST_HOME", str(store))
    return store

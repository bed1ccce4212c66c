"""Workflows on tiny networks: a model and an adaptation that take less than a second."""

import shutil

import numpy as np
import pytest
from PIL import Image

from ostcli.config import (
    AdaptConfig,
    NetworkConfig,
    OptimConfig,
    Precision,
    PretrainConfig,
    ViewConfig,
)
from ostcli.store.library import Library
from ostcli.workflows.adapt import adapt
from ostcli.workflows.pretrain import pretrain

VIEW = ViewConfig(size=16, rotation=0.0, working_pixels=40 * 30)
OPTIM = OptimConfig(batch_size=2, learning_rate=1e-3, pool_size=3, average_decay=0.5)
PHASE_ONE = PretrainConfig(
    network=NetworkConfig(width=4, num_blocks=1, discriminator_width=4, discriminator_layers=2),
    view=VIEW,
    optim=OPTIM,
    steps=6,
    precision=Precision.FP32,
)
PHASE_TWO = AdaptConfig(view=VIEW, optim=OPTIM, steps=5, precision=Precision.FP32)


class StopAfter:
    """Ask for a stop after a number of steps: a workflow's `should_stop`."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        self.left -= 1
        return self.left <= 0


@pytest.fixture
def stop_after():
    return StopAfter


@pytest.fixture
def phase_one():
    """Give settings of phase I whose steps take milliseconds."""
    return PHASE_ONE


@pytest.fixture
def phase_two():
    """Give settings of phase II that go with them."""
    return PHASE_TWO


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "store")


@pytest.fixture
def winter(picture_folder):
    """Make a folder of five small pictures."""
    return picture_folder(5, name="winter")


@pytest.fixture
def summer(tmp_path, noise_picture):
    """Make the example."""
    path = tmp_path / "summer.png"
    noise_picture(6, 5).resize((45, 37), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def saved_bytes():
    """Return what the last save of a name wrote, by role."""

    def read(library, name):
        files = library.manifest(name).current.files
        return {
            role: (library.folder(name) / record.name).read_bytes()
            for role, record in files.items()
        }

    return read


@pytest.fixture
def bytes_below():
    """Return every file below a folder, by its relative path."""

    def read(folder):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


def tinted(number, colour, size=(45, 37)):
    """Draw soft blotches over a colour."""
    grid = np.random.default_rng(number).integers(256, size=(9, 9), dtype=np.uint8)
    blotches = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    return Image.blend(Image.new("RGB", size, colour), blotches, 0.4)


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    folder, example, library = root / "snow", root / "meadow.png", Library(root / "store")
    folder.mkdir()
    for number in range(4):
        tinted(number, (200, 210, 230)).save(folder / f"{number}.png")
    tinted(4, (40, 120, 30)).save(example)
    pretrain(folder, PHASE_ONE, library=library)
    adapt(example, PHASE_TWO, library=library)
    return root


@pytest.fixture
def trained(_trained, tmp_path):
    """Give a library with the model "snow" and its adaptation "snow+meadow"."""
    shutil.copytree(_trained / "store", tmp_path / "trained")
    return Library(tmp_path / "trained")


@pytest.fixture
def meadow(_trained):
    """Give the example that "snow+meadow" is adapted to."""
    return _trained / "meadow.png"


@pytest.fixture
def snow(_trained):
    """Give the folder that "snow" was trained on."""
    return _trained / "snow"

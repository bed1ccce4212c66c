"""What all tests share: a store of their own, fixed seeds, one thread, pictures made in code.

torch is imported only by the tests that need it, so that tests of the command line start at once.
"""

import gzip
import os
import random
import struct
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch; inherited by processes tests start

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ostcli.config import (
    AdaptConfig,
    Birth,
    Cycle,
    LossWeights,
    NetworkConfig,
    OptimConfig,
    PretrainConfig,
    Reach,
    ViewConfig,
)

SIZE = 16
"""Height and width of the views that tests train on, in pixels."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def _store_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("OST_HOME", str(tmp_path_factory.mktemp("ost-home")))


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def draw_picture(number, width=48, height=40):
    """Draw a varied picture: a sky of one colour, ground of another, two shapes."""
    rng = np.random.default_rng(number)
    sky, ground, disc, box = (
        tuple(int(c) for c in colour) for colour in rng.integers(256, size=(4, 3))
    )
    image = Image.new("RGB", (width, height), sky)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, int(height * rng.uniform(0.4, 0.8)), width, height), fill=ground)
    left, top = rng.uniform(0, 0.6, 2)
    pen.ellipse((left * width, top * height, (left + 0.3) * width, (top + 0.4) * height), fill=disc)
    left, top = rng.uniform(0, 0.6, 2)
    pen.rectangle(
        (left * width, top * height, (left + 0.2) * width, (top + 0.3) * height), fill=box
    )
    return image


@pytest.fixture
def pictures():
    """Make N small pictures, all different."""

    def make(count=5, width=48, height=40):
        return [draw_picture(number, width, height) for number in range(count)]

    return make


@pytest.fixture
def picture_folder(tmp_path, pictures):
    """Write N small pictures as PNG files 00.png, 01.png … into a folder; return it."""

    def make(count=5, width=48, height=40, *, name="folder"):
        folder = tmp_path / name
        folder.mkdir()
        for number, image in enumerate(pictures(count, width, height)):
            image.save(folder / f"{number:02d}.png")
        return folder

    return make


@pytest.fixture
def noise_picture():
    """Make a picture of which no two pixels are alike, for tests of exact places."""

    def make(width, height):
        pixels = np.random.default_rng(1).integers(256, size=(height, width, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    return make


@pytest.fixture
def tiny_network():
    """Give an architecture whose step takes milliseconds."""
    return NetworkConfig(width=4, num_blocks=1, discriminator_width=4, discriminator_layers=2)


@pytest.fixture
def tiny_view():
    """Give an augmentation that goes with `tiny_network`."""
    return ViewConfig(size=SIZE)


@pytest.fixture
def make_batch():
    """Make the batch of a step: views of both domains, a pure function of the step."""
    import torch

    def make(step=0):
        generator = torch.Generator().manual_seed(1000 + step)
        return {
            domain: torch.rand((2, 3, SIZE, SIZE), generator=generator) * 2 - 1 for domain in "ab"
        }

    return make


@pytest.fixture
def make_trainer(tiny_network):
    """Build a fresh trainer of either phase on tiny networks."""
    from ostcli.method.architecture import build_networks
    from ostcli.training.phases import PhaseOne, PhaseTwo
    from ostcli.training.trainer import Trainer

    def make(
        phase="two",
        *,
        network=tiny_network,
        weights=LossWeights(),  # noqa: B008 - frozen
        reach=Reach.DOMAIN_A,
        birth=Birth.CLONE,
        cycle=Cycle.ONE_WAY,
        optim=OptimConfig(learning_rate=1e-3, pool_size=3),  # noqa: B008 - frozen
        example_rate=1.0,
        shared_learns=True,
        folder_learns=True,
        seed=0,
    ):
        import torch

        networks = build_networks(network, seed=7)
        if phase == "one":
            return Trainer(
                networks,
                PhaseOne.begin(PretrainConfig(weights=weights, optim=optim)),
                optim,
                seed=seed,
            )
        networks.add_domain_a(birth, torch.Generator().manual_seed(8))
        config = AdaptConfig(
            weights=weights,
            reach=reach,
            cycle=cycle,
            optim=optim,
            example_rate=example_rate,
            shared_learns=shared_learns,
            folder_learns=folder_learns,
        )
        return Trainer(networks, PhaseTwo.begin(config), optim, seed=seed)

    return make


def idx_of(values):
    """Return a gzipped file of MNIST's kind."""
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(bytes([0, 0, 8, values.ndim]) + shape + values.tobytes())


@pytest.fixture
def digits(tmp_path):
    """A folder of digits as people have them: thirty of MNIST and of SVHN, none of MNIST-M."""
    rng = np.random.default_rng(0)
    labels = np.arange(30, dtype=np.uint8) % 10
    grey = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    coloured = rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    folder = tmp_path / "data"
    (folder / "mnist").mkdir(parents=True)
    for name, values in (("images-idx3", grey), ("labels-idx1", labels)):
        (folder / "mnist" / f"train-{name}-ubyte.gz").write_bytes(idx_of(values))
    np.savez(
        folder / "svhn_crops.npz",
        train_images=coloured[:20],
        train_labels=labels[:20],
        test_images=coloured[20:],
        test_labels=labels[20:],
    )
    return folder

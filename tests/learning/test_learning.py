"""That it learns: losses fall, and the example goes toward the folder's look."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ostcli.config import (
    Birth,
    NetworkConfig,
    OptimConfig,
    PretrainConfig,
    Pull,
    ViewConfig,
)
from ostcli.images.tensors import image_to_tensor
from ostcli.method.architecture import build_networks
from ostcli.presets import adapt_preset
from ostcli.training.batches import Views
from ostcli.training.phases import PhaseOne, PhaseTwo
from ostcli.training.schedule import Schedule
from ostcli.training.trainer import Trainer, figures_of

pytestmark = pytest.mark.slow

NETWORK = NetworkConfig(width=8, num_blocks=1, discriminator_width=8, discriminator_layers=2)
VIEW = ViewConfig(size=32, rotation=0.0)
OPTIM = OptimConfig(batch_size=2, learning_rate=1e-3, average_decay=0.9)
OWN_BLOCKS = replace(NETWORK, num_stages=1, unshared_stages=1, unshared_blocks=1)
RED, BLUE = (200, 60, 50), (50, 80, 200)


def tinted(pictures, colour):
    """Give pictures the brightness that they have and a colour."""
    tint = np.array(colour) / 255
    return [
        Image.fromarray((np.asarray(one.convert("L"))[..., None] * tint + 30).astype(np.uint8))
        for one in pictures
    ]


def train(trainer, make_batch, num_steps):
    schedule = Schedule(num_steps=num_steps, seconds=None, decay_share=0.25)
    records = (
        trainer.do_step(make_batch(step), schedule.rate(step, 0.0)) for step in range(num_steps)
    )
    return [figures.losses for record in records for figures in figures_of([record])]


def pretrained(reds, num_steps, network=NETWORK):
    trainer = Trainer(build_networks(network), PhaseOne.begin(PretrainConfig()), OPTIM, seed=0)
    views = Views(reds, VIEW, OPTIM.batch_size, [0, 0])
    return trainer, train(trainer, lambda step: {"b": views.batch(step)}, num_steps)


def mean_colour(tensor):
    return tensor.mean(dim=(0, 2, 3)).detach().numpy()


def test_the_reconstruction_of_the_folder_improves(pictures):
    _, losses = pretrained(tinted(pictures(8), RED), 200)

    errors = [step["rec_b"] for step in losses]
    assert np.mean(errors[-20:]) < 0.4 * np.mean(errors[:5])
    assert np.isfinite([list(step.values()) for step in losses]).all()


@pytest.mark.parametrize(
    ("network", "pull"),
    [(NETWORK, Pull.DISCRIMINATOR), (NETWORK, Pull.PATCHES), (OWN_BLOCKS, Pull.PATCHES)],
    ids=["discriminator", "patches", "strokes"],
)
def test_a_blue_example_takes_the_colour_of_a_red_folder(pictures, network, pull):
    *images, example = pictures(9)
    reds, (blue,) = tinted(images, RED), tinted([example], BLUE)
    networks = pretrained(reds, 250, network)[0].networks
    networks.add_domain_a(Birth.CLONE, torch.Generator())
    config = replace(adapt_preset(PretrainConfig(network=network), pull=pull), optim=OPTIM)
    phase = PhaseTwo.begin(config)
    trainer = Trainer(networks, phase, OPTIM, seed=0)
    of_a = Views([blue], VIEW, OPTIM.batch_size, [0, 1])
    of_b = Views(reds, VIEW, config.num_views_b, [0, 2])

    losses = train(trainer, lambda step: {"a": of_a.batch(step), "b": of_b.batch(step)}, 200)

    used = trainer.networks_for_use()
    x_a = image_to_tensor(blue)[None]
    target = np.mean([mean_colour(image_to_tensor(red)[None]) for red in reds], axis=0)
    to_b, to_a = (
        np.linalg.norm(mean_colour(path(x_a)) - target)
        for path in (used.translate_ab, used.reconstruct_aa)
    )
    rec_a = [step["rec_a"] for step in losses]
    assert to_b < 0.5 * to_a
    assert np.mean(rec_a[-20:]) < 0.6 * np.mean(rec_a[:5])

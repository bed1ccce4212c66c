"""The authors' step, held against ours: two statements of the same arithmetic."""

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ostcli.config import Birth, Look, Preset
from ostcli.method.architecture import build_networks
from ostcli.paper.pictures.authors import Authors
from ostcli.presets import adapt_preset, pretrain_preset
from ostcli.training.phases import PhaseOne, PhaseTwo
from ostcli.training.trainer import Trainer, figures_of

SIDE = 48


def small(look, num_blocks):
    """Return the authors' settings with few channels."""
    config = pretrain_preset(Preset.PAPER, look)
    network = dataclasses.replace(
        config.network, width=8, num_blocks=num_blocks, discriminator_width=8
    )
    return dataclasses.replace(config, network=network)


def pair(phase, look, num_blocks=2):
    """Return a trainer of ours and the authors' networks, with the same weights."""
    config = small(look, num_blocks)
    networks = build_networks(config.network)
    begun = PhaseOne.begin(config)
    if phase == "two":
        networks.add_domain_a(Birth.RANDOM, torch.Generator().manual_seed(1))
        begun = PhaseTwo.begin(adapt_preset(config))
    theirs = Authors(width=8, num_blocks=num_blocks, unshared_stages=config.network.unshared_stages)
    theirs.take_weights(networks)
    return Trainer(networks, begun, config.optim, seed=0), theirs


def views(step):
    generator = torch.Generator().manual_seed(step)
    return {domain: 2 * torch.rand(1, 3, SIDE, SIDE, generator=generator) - 1 for domain in "ab"}


def their_step(theirs, phase, step):
    batch = views(step)
    if phase == "one":
        return theirs.phase_one_step(batch["b"])
    return theirs.phase_two_step(batch["a"], batch["b"])


@pytest.mark.parametrize("look", Look)
@pytest.mark.parametrize("phase", ["one", "two"])
def test_ours_and_theirs_have_the_same_losses_step_after_step(phase, look):
    ours, theirs = pair(phase, look)
    for step in range(6):
        [figures] = figures_of([ours.do_step(views(step), 1.0)])
        expected = figures.losses
        actual = {
            name: float(loss.detach()) for name, loss in their_step(theirs, phase, step).items()
        }
        assert actual == pytest.approx(expected, rel=2e-3), step


def flop(step):
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


@pytest.mark.parametrize(("phase", "share"), [("one", 1.0), ("two", 0.69)])
def test_ours_leaves_out_what_they_compute_in_vain(phase, share):
    ours, theirs = pair(phase, Look.STYLE, num_blocks=6)
    of_ours = flop(lambda: ours.do_step(views(0), 1.0))
    assert of_ours / flop(lambda: their_step(theirs, phase, 0)) == pytest.approx(share, abs=0.02)


def test_both_translate_alike():
    ours, theirs = pair("two", Look.STYLE)
    picture = views(0)["a"]
    torch.testing.assert_close(
        ours.networks.translate_ab(picture), theirs.translate_ab(picture), atol=1e-4, rtol=0
    )

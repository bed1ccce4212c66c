"""A path in tiles against the same path whole: everywhere the same, to a step of 8 bits."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ostcli.config import Look, NetworkConfig, Norm, Preset
from ostcli.method import tiles
from ostcli.method.architecture import build_networks
from ostcli.method.networks import NetworkPath
from ostcli.method.tiles import Source, translate_in_tiles
from ostcli.presets import pretrain_preset

PHOTOGRAPHS = pretrain_preset().network
PAINTINGS = pretrain_preset(of_photographs=False).network
MAPS = pretrain_preset(look=Look.STRUCTURE).network
AUTHORS = pretrain_preset(Preset.PAPER).network
PLENTY = 10**9
STEP = 1 / 127.5
"""Of an 8-bit picture, on the scale [-1, 1]."""


def built(network, stroke_filter=0.0, **fields):
    """Build networks whose pictures are full of contrast, as those of trained ones are."""
    networks = build_networks(
        dataclasses.replace(network, **{"width": 8, "discriminator_width": 4, **fields}),
        seed=1,
        with_domain_a=True,
    )
    networks.stroke_filter_a = stroke_filter
    for number, decoder in enumerate((networks.decoder_a, networks.decoder_b)):
        generator = torch.Generator().manual_seed(number)
        decoder[-1].weight.data.normal_(0.0, 0.03, generator=generator)
        decoder[-1].bias.data.uniform_(-0.5, 0.5, generator=generator)
    return networks.eval().requires_grad_(False)


def picture(height, width):
    """Draw a sky that is almost flat above a rough ground."""
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand((1, 3, 5, 4), generator=generator) * 2 - 1
    x = nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    rough = torch.randn((1, 3, height, width), generator=generator)
    rough[:, :, : height // 3] *= 0.01
    return (x * 0.7 + 0.2 * rough).clamp(-1, 1)


def in_tiles(path, x, *, side, memory):
    source = Source(tuple(x.shape[2:]), lambda area: x[:, :, *area])
    made, times = torch.zeros_like(x), torch.zeros_like(x)
    for area, tile in translate_in_tiles(path, source, side=side, memory=memory):
        made[:, :, *area] = tile
        times[:, :, *area] += 1
    assert torch.all(times == 1)
    return made


def assert_the_same(path, x, *, side, memory):
    whole = path(x)
    assert whole.std() > 0.1  # Or the comparison would mean little.
    difference = (in_tiles(path, x, side=side, memory=memory) - whole).abs()
    assert difference.max() < STEP
    assert difference.mean() < 0.2 * STEP


@pytest.mark.parametrize("memory", [0, PLENTY], ids=["computed again", "kept"])
@pytest.mark.parametrize(
    "network",
    [
        PHOTOGRAPHS,
        PAINTINGS,
        MAPS,
        AUTHORS,
        NetworkConfig(),
        dataclasses.replace(PHOTOGRAPHS, num_blocks=0),
        dataclasses.replace(AUTHORS, num_stages=3),
        dataclasses.replace(PHOTOGRAPHS, norm=Norm.NONE),
    ],
    ids=["photographs", "paintings", "maps", "paper", "plain", "no blocks", "3 stages", "no norm"],
)
@torch.inference_mode()
def test_tiles_give_what_the_whole_gives(network, memory):
    assert_the_same(built(network).translate_ab, picture(88, 120), side=32, memory=memory)


@pytest.mark.parametrize("path", ["translate_ab", "translate_ba", "reconstruct_aa"])
@pytest.mark.parametrize("network", [PHOTOGRAPHS, PAINTINGS], ids=["photographs", "paintings"])
@torch.inference_mode()
def test_every_path_goes_in_tiles_and_through_the_stroke_filter(network, path):
    networks = built(network, stroke_filter=0.02)
    assert_the_same(getattr(networks, path), picture(72, 56), side=24, memory=PLENTY)


@pytest.mark.parametrize(
    ("side", "size"), [(3, (32, 36)), (10, (36, 92)), (23, (100, 40)), (500, (32, 32))]
)
@pytest.mark.parametrize("memory", [0, PLENTY], ids=["computed again", "kept"])
@torch.inference_mode()
def test_tiles_may_have_any_side(size, side, memory):
    networks = built(PHOTOGRAPHS, stroke_filter=0.02, width=4)
    assert_the_same(networks.translate_ab, picture(*size), side=side, memory=memory)


@pytest.mark.parametrize("network", [PHOTOGRAPHS, AUTHORS], ids=["photographs", "paper"])
@pytest.mark.parametrize("fields", [{}, {"num_blocks": 0}])
@torch.inference_mode()
def test_but_for_what_is_kept_tiles_give_the_very_result(network, fields, monkeypatch):
    monkeypatch.setattr(tiles, "KEPT_TYPE", torch.float32)
    path, x = built(network, **fields).translate_ab, picture(64, 96)
    for memory in (0, PLENTY):
        made = in_tiles(path, x, side=24, memory=memory)
        torch.testing.assert_close(made, path(x), rtol=0, atol=1e-4)


@torch.inference_mode()
def test_a_faint_pattern_far_from_zero_survives_being_kept():
    x = 0.9 + 0.02 * picture(64, 64)
    networks = built(AUTHORS)
    assert_the_same(networks.reconstruct_bb, x, side=32, memory=PLENTY)


def test_a_layer_of_which_it_is_not_known_how_far_it_sees_is_refused():
    path = NetworkPath(layers=(nn.AvgPool2d(3, 1, 1),))
    with pytest.raises(TypeError, match="how far AvgPool2d sees"):
        in_tiles(path, picture(32, 32), side=16, memory=0)


class Largest(TorchDispatchMode):
    """Remembers the most values that a tensor had."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.values = max(self.values, made.numel())
        return made


def largest(size, memory):
    """Return the most values of a tensor beside the pictures themselves."""
    path, x = built(PHOTOGRAPHS).translate_ab, picture(*size)
    source = Source(size, lambda area: x[:, :, *area])
    with torch.inference_mode(), Largest() as seen:
        for _ in translate_in_tiles(path, source, side=32, memory=memory):
            pass
    return seen.values


def test_memory_is_a_tile_and_what_the_blocks_work_on():
    whole, latent = 8 * 256**2, 8 * 4 * (256 // 4) ** 2
    tile = 6 * 7 * (32 + 2 * 16) ** 2  # of the last layer, column by column
    assert tile < whole / 3
    for memory in (0, 4 * latent):
        assert largest((256, 256), memory) <= max(latent, tile)


@pytest.mark.parametrize(("keeps", "most"), [(0, 2.6), (4, 1.8)], ids=["computed again", "kept"])
def test_the_work_is_at_most_so_many_times_the_whole(keeps, most):
    """At the default side of a tile."""
    path, x = built(PHOTOGRAPHS).translate_ab, picture(512, 512)
    latent = 8 * 4 * 128 * 128

    def flops(work):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            work()
        return counter.get_total_flops()

    again = flops(lambda: in_tiles(path, x, side=256, memory=keeps * latent))
    assert again < most * flops(lambda: path(x))

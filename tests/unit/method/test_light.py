import pytest
import torch

from ostcli.config import AdaptConfig, LossWeights, PretrainConfig
from ostcli.method.architecture import build_networks
from ostcli.method.colour import from_opponent, to_opponent
from ostcli.method.detail import fine_detail
from ostcli.method.light import under_random_light
from ostcli.method.losses import flat_error
from ostcli.method.phase_one import phase_one_step
from ostcli.method.pool import HistoryPool
from ostcli.training.phases import PhaseOne, PhaseTwo


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(num=4, side=64):
    return 0.3 * torch.randn(num, 3, side, side, generator=seeded(5)).clamp(-1, 1)


def test_light_changes_colours_and_leaves_detail_in_its_place():
    grey = pictures()[:, :1].expand(-1, 3, -1, -1) * 0.3
    lit = under_random_light(grey, 0.1, seeded())

    assert (lit - grey).abs().mean() > 0.05
    inner = fine_detail(lit, 2)[..., 8:-8, 8:-8]
    assert (inner - fine_detail(grey, 2)[..., 8:-8, 8:-8]).abs().max() < 0.02


def test_each_picture_has_a_light_of_its_own_from_the_seed():
    same = torch.zeros(2, 3, 32, 32)
    first, second = under_random_light(same, 0.3, seeded())
    assert (first - second).abs().mean() > 0.1
    assert torch.equal(under_random_light(same, 0.3, seeded())[0], first)


def test_light_stays_within_the_range():
    lit = under_random_light(pictures(), 2.0, seeded())
    assert lit.abs().max() <= 1
    assert lit.shape == pictures().shape


def test_phase_one_asks_for_the_colours_of_before_the_light(tiny_network):
    networks = build_networks(tiny_network)
    x_b = pictures(1, 32)
    seen = []
    encode = networks.encode_b
    networks.encode_b = lambda shown: seen.append(shown) or encode(shown)

    def step(strength):
        return phase_one_step(
            networks,
            x_b,
            weights=LossWeights(),
            pool_bb=HistoryPool(0),
            generator=seeded(),
            random_light=strength,
        )

    lit, own = step(0.5), step(0.0)
    assert torch.equal(seen[1], x_b)
    assert not torch.equal(seen[0], x_b)
    assert lit.pictures["x_b"] is own.pictures["x_b"] is x_b
    by_hand = (lit.pictures["recon_bb"] - x_b).abs().mean()
    assert torch.isclose(lit.losses["rec_b"], by_hand)


def test_hues_are_turned_and_saturation_is_scaled_alike_everywhere():
    stripes = torch.tensor([1.0, -1.0]).repeat(32)
    coloured = 0.05 * torch.tensor([1.0, 0.2, -0.7])[:, None, None] * stripes
    coloured = coloured.expand(1, 3, 64, 64)

    def inner(pictures):
        return fine_detail(pictures, 2)[0, :, 8:-8, 8:-8]

    own, lit = inner(coloured), inner(under_random_light(coloured, 0.2, seeded(2)))
    light = 2e-3  # What a smooth light leaves in fine detail.
    assert (lit[0] - own[0]).abs().max() < light
    (red_blue, green), (turned_red_blue, turned_green) = own[1:], lit[1:]
    before, after = torch.complex(red_blue, green), torch.complex(turned_red_blue, turned_green)
    turns = after / before
    assert turns.abs().std() < 0.05
    assert turns.angle().std() < 0.05
    assert abs(turns.abs().mean() - 1) > 0.05
    assert turns.angle().mean().abs() > 0.05


def test_the_light_is_more_of_colour_than_of_brightness():
    lit = under_random_light(torch.zeros(200, 3, 16, 16), 0.1, seeded())
    brightness, *colours = to_opponent(lit).unbind(dim=1)
    for colour in colours:
        assert 0.5 < brightness.std() / colour.std() < 0.85


@pytest.mark.parametrize("function", [to_opponent, from_opponent, lambda x: fine_detail(x, 2)])
def test_colours_are_float32_whatever_layers_run_in(function):
    exact = function(pictures())
    with torch.autocast("cpu", torch.bfloat16):
        lit, quick = under_random_light(pictures(), 0.5, seeded()), function(pictures())
    assert lit.dtype == quick.dtype == torch.float32
    assert torch.allclose(quick, exact, atol=1e-6)


def test_both_phases_light_the_folder_and_never_the_example(tiny_network):
    x = {"a": pictures(1, 32), "b": pictures(2, 32)[1:]}
    networks = build_networks(tiny_network, with_domain_a=True)
    seen = {"a": [], "b": []}

    def watched(side, encode):
        return lambda shown: seen[side].append(shown) or encode(shown)

    networks.encode_a = watched("a", networks.encode_a)
    networks.encode_b = watched("b", networks.encode_b)
    for phase in (
        PhaseOne.begin(PretrainConfig(random_light=0.5)),
        PhaseTwo.begin(AdaptConfig(random_light=0.5)),
    ):
        seen["b"].clear()
        phase.run(networks, x, seeded())
        assert not torch.equal(seen["b"][0], x["b"])
    assert [torch.equal(shown, x["a"]) for shown in seen["a"]] == [True]


def test_a_flat_colour_is_that_of_what_is_seen():
    x_b = torch.full((1, 3, 8, 8), 0.25)
    assert flat_error(x_b) == 0
    assert flat_error(x_b, torch.full_like(x_b, -0.25)) == pytest.approx(0.5)

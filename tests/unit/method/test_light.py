import torch

from ostcli.config import LossWeights
from ostcli.method.detail import fine_detail
from ostcli.method.light import under_random_light
from ostcli.method.networks import build_networks
from ostcli.method.phase_one import phase_one_step
from ostcli.method.pool import HistoryPool


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

import pytest
import torch
import torch.nn.functional as F

from ostcli.method.strokes import RADIUS, without_strokes

INSIDE = slice(2 * RADIUS, -2 * RADIUS)


def strokes(size, seed=0):
    """Faint marks of a few pixels."""
    values = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return 0.1 * F.avg_pool2d(values, 3, 1, 1) / values.std()


def edge(size):
    """Two things beside each other."""
    picture = torch.full((1, 3, size, size), -0.6)
    picture[..., size // 2 :] = 0.6
    return picture


def test_strokes_go_and_edges_stay():
    made = without_strokes(edge(64) + strokes(64), 0.02)
    assert (made - edge(64)).abs().mean() < 0.4 * strokes(64).abs().mean()
    across = made[0, 0].mean(0)
    assert across[33] - across[30] > 0.8 * 1.2


def test_a_stronger_filter_takes_more_and_none_takes_nothing():
    left = [without_strokes(strokes(64), strength).std() for strength in (0.001, 0.01, 0.1)]
    assert left == sorted(left, reverse=True)
    assert left[0] > 2 * left[2]
    assert without_strokes(edge(64), 0).equal(edge(64))


@pytest.mark.parametrize("size", [RADIUS + 1, 17, 32])
def test_what_is_flat_stays_up_to_the_border(size):
    flat = torch.tensor([0.9, -0.3, 0.1])[None, :, None, None].expand(2, 3, size, size)
    assert torch.allclose(without_strokes(flat, 0.02), flat, atol=1e-5)


def test_half_of_a_contrast_whose_variance_is_the_strength_is_left():
    stripes = torch.full((1, 3, 40, 40), 0.2)
    stripes[..., ::2] = -0.2
    made = without_strokes(stripes, 0.04)[..., INSIDE, INSIDE]
    assert made.abs().mean() == pytest.approx(0.1, rel=0.1)

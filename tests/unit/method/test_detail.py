import pytest
import torch
import torch.nn.functional as F

from ostcli.method.colour import from_opponent, to_opponent
from ostcli.method.detail import fine_detail


def test_fine_detail_is_what_a_double_box_blur_takes_away():
    flat = torch.full((1, 3, 20, 20), 0.3)
    slope = torch.linspace(-1, 1, 20).expand(1, 3, 20, 20)
    assert fine_detail(flat, 2).abs().max() < 1e-6
    assert fine_detail(slope, 2)[..., 4:-4].abs().max() < 1e-6
    stripes = torch.ones(1, 3, 20, 20)
    stripes[..., ::2] = -1
    for turned in (stripes, stripes.mT):
        assert from_opponent(fine_detail(turned, 2))[..., 4:-4, 4:-4].abs().mean() > 0.9


def test_the_box_is_a_square():
    pictures = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    smooth = pictures
    for _ in range(2):
        smooth = F.avg_pool2d(smooth, 5, 1, 2, count_include_pad=False)
    assert torch.allclose(from_opponent(fine_detail(pictures, 2)), pictures - smooth, atol=1e-6)


@pytest.mark.parametrize(
    ("colour", "plane"), [((1, 1, 1), 0), ((1, 0, -1), 1), ((-1, 2, -1), 2)], ids=str
)
def test_brightness_and_colours_have_planes_of_their_own(colour, plane):
    coloured = 0.3 * torch.tensor(colour, dtype=torch.float32)[:, None, None].repeat(1, 16, 16)
    coloured[:, :, ::2] *= -1
    detail = fine_detail(coloured[None], 2)[0]
    assert detail[plane].abs().mean() > 0.25
    others = [other for other in range(3) if other != plane]
    assert detail[others].abs().max() < 1e-6


def test_opponent_colours_go_back_and_keep_lengths():
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    planes = to_opponent(pictures)
    assert torch.allclose(from_opponent(planes), pictures, atol=1e-6)
    assert torch.allclose(planes.norm(dim=1), pictures.norm(dim=1), atol=1e-6)

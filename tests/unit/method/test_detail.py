import torch

from ostcli.method.detail import fine_detail


def test_fine_detail_is_what_a_double_box_blur_takes_away():
    flat = torch.full((1, 3, 20, 20), 0.3)
    slope = torch.linspace(-1, 1, 20).expand(1, 3, 20, 20)
    assert fine_detail(flat, 2).abs().max() < 1e-6
    assert fine_detail(slope, 2)[..., 4:-4].abs().max() < 1e-6
    checks = torch.ones(1, 3, 20, 20)
    checks[..., ::2] = -1
    assert fine_detail(checks, 2)[..., 4:-4].abs().mean() > 0.9


def test_every_colour_has_its_own_detail():
    coloured = torch.zeros(1, 3, 16, 16)
    coloured[:, 0] = coloured[:, 2] = 0.3
    coloured[:, 0, :, ::2] *= -1
    detail = fine_detail(coloured, 2)
    assert detail[:, 0].abs().mean() > 0.25
    assert detail[:, 1:].abs().max() < 1e-6

"""Controls do what their names say."""

import pytest
import torch

from ostcli.paper.digits.controls import (
    CONTROLS,
    colour_match,
    commonest_label,
    in_colours,
    nearest,
    stretched,
)


def light_on_dark(number: int = 3) -> torch.Tensor:
    pictures = torch.full((number, 1, 32, 32), -0.9)
    pictures[..., 10:20, 14:17] = 0.9
    return pictures


def dark_on_light(number: int = 3) -> torch.Tensor:
    colours = torch.tensor([0.5, 0.2, 0.3])[:, None, None]
    pictures = colours.expand(number, 3, 32, 32).clone()
    pictures[..., 10:20, 14:17] -= 0.6
    return pictures


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize("colours", [1, 3])
def test_every_control_gives_pictures_of_b(name, colours):
    folder = light_on_dark(5).expand(-1, colours, -1, -1)

    made = CONTROLS[name](dark_on_light(), folder)

    assert made.shape == (3, colours, 32, 32)
    assert float(made.abs().max()) <= 1.0


def test_stretching_turns_dark_strokes_light_where_b_has_light_ones():
    made = stretched(dark_on_light(), light_on_dark())

    assert float(made[..., 15, 15].mean()) == pytest.approx(1.0)
    assert float(made[..., 0, 0].mean()) == pytest.approx(-1.0)


def test_colour_matching_gives_the_moments_of_b():
    folder = light_on_dark()
    made = colour_match(dark_on_light() * 0.5, folder)

    assert float(made.mean()) == pytest.approx(float(folder.mean()), abs=0.05)


def test_the_nearest_of_b_is_a_picture_of_b():
    folder = torch.cat([light_on_dark(1), -light_on_dark(1)])

    made = nearest(0.8 * folder.flip(0), folder)

    assert torch.equal(made, folder.flip(0))


def test_grey_and_colours_go_into_one_another():
    pictures = torch.rand(2, 3, 32, 32)

    torch.testing.assert_close(in_colours(pictures, 1), pictures.mean(1, keepdim=True))
    assert in_colours(pictures[:, :1], 3).shape == pictures.shape


def test_the_commonest_label():
    assert commonest_label(torch.tensor([3, 1, 3, 0])) == 3

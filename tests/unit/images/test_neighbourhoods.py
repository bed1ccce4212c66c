"""Means over neighbourhoods."""

import numpy as np
import pytest

from ostcli.images.neighbourhoods import Neighbourhoods


def plain_mean(values, radius):
    """The definition, pixel by pixel."""
    height, width = values.shape
    return np.array(
        [
            [
                values[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
                .astype(np.float64)
                .mean()
                for x in range(width)
            ]
            for y in range(height)
        ]
    )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (8, 1), (13, 17)])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 7, 16, 30])
def test_means_agree_with_the_definition(height, width, radius):
    one, other = np.random.default_rng(0).uniform(-1, 1, (2, height, width)).astype(np.float32)
    around = Neighbourhoods(height, width, radius)
    plane, second = around.plane(one), around.plane(other)
    for made, expected in (
        (around.mean(plane), one),
        (around.mean_product(plane, second), one * other),
    ):
        mean = around.channel(made)
        assert (mean.shape, mean.dtype) == ((height, width), np.float32)
        np.testing.assert_allclose(mean, plain_mean(expected, radius), atol=1e-6)


def test_a_mean_is_a_plane_again():
    values = np.random.default_rng(0).uniform(-1, 1, (9, 11)).astype(np.float32)
    around = Neighbourhoods(9, 11, 2)
    twice = around.channel(around.mean(around.mean(around.plane(values))))
    np.testing.assert_allclose(twice, plain_mean(plain_mean(values, 2), 2), atol=1e-6)

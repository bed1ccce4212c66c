"""Sums over windows, of arrays and of tensors."""

import numpy as np
import pytest
import torch

from ostcli.method.windows import window_sums


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("length", [1, 3, 5, 7, 9, 15, 17])
def test_sums_agree_with_the_definition(kind, length, step):
    values = np.random.default_rng(0).uniform(-1, 1, (2, 60)).astype(np.float32)
    sums = np.asarray(window_sums(kind(values), length, step))
    number = 60 - (length - 1) * step
    expected = sum(values[:, k * step : k * step + number] for k in range(length))
    assert sums.shape == (2, number)
    np.testing.assert_allclose(sums, expected, atol=1e-5)


def test_gradients_pass():
    values = torch.rand(12, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda each: window_sums(each, 5), values)

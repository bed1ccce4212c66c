import math

import pytest
import torch

from ostcli.paper.distances import (
    content_distance,
    gram_matrices,
    kernel_distance,
    style_distance,
    summary,
)


def test_content_is_the_share_of_the_features_that_changed():
    source = [torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0]])]
    result = [torch.tensor([[3.0, 0.0]]), torch.tensor([[2.0]])]
    assert content_distance(source, source) == 0
    assert content_distance(source, result) == pytest.approx((16 / 25 + 1) / 2)


def test_content_of_pictures_of_two_sizes_is_refused():
    with pytest.raises(ValueError, match="one size"):
        content_distance([torch.zeros(2, 9)], [torch.zeros(2, 8)])


def test_a_gram_does_not_depend_on_the_number_of_places():
    layer = torch.tensor([[1.0, 2.0], [0.0, 2.0]])
    [gram] = gram_matrices([layer])
    assert gram.tolist() == [[2.5, 2.0], [2.0, 2.0]]
    [repeated] = gram_matrices([layer.repeat(1, 3)])
    assert torch.allclose(gram, repeated)


def test_style_is_the_sum_over_layers_relative_to_the_target():
    grams = [torch.tensor([[4.0]]), torch.tensor([[0.0, 3.0], [0.0, 4.0]])]
    target = [torch.tensor([[2.0]]), torch.tensor([[0.0, 0.0], [0.0, 5.0]])]
    assert style_distance(target, target) == 0
    assert style_distance(grams, target) == pytest.approx(1.0 + math.sqrt(9 + 1) / 5)


def test_a_summary_holds_the_mean_of_each_channel_of_each_layer():
    features = [torch.tensor([[1.0, 3.0], [0.0, 1.0]]), torch.tensor([[5.0]])]
    assert summary(features).tolist() == [2.0, 0.5, 5.0]


def test_kid_of_two_samples_of_one_distribution_is_about_zero():
    torch.manual_seed(0)
    one, other = torch.rand(200, 30), torch.rand(200, 30)
    assert abs(kernel_distance(one, other)) < 0.1
    assert kernel_distance(one, other + 0.3) > 0.5


def test_kid_does_not_depend_on_the_unit_of_a_value():
    torch.manual_seed(0)
    one, other, unit = torch.rand(9, 4), torch.rand(9, 4), torch.tensor([1.0, 1e3, 1e-3, 7.0])
    assert kernel_distance(one * unit, other * unit) == pytest.approx(
        kernel_distance(one, other), rel=1e-3
    )


def test_kid_by_hand():
    results, target = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    # Standardised by the target: 1 and 3, -1 and 1.
    within = (1 * 3 + 1) ** 3 + (-1 * 1 + 1) ** 3
    across = ((-1 + 1) ** 3 + (1 + 1) ** 3 + (-3 + 1) ** 3 + (3 + 1) ** 3) / 4
    assert kernel_distance(results, target) == pytest.approx(within - 2 * across)


def test_a_channel_that_is_dead_in_the_target_does_not_decide():
    torch.manual_seed(0)
    one, other = torch.rand(10, 30), torch.rand(12, 30)
    one[:, 3], other[:, 3] = 0.0, 0.0
    before = kernel_distance(one, other)
    one[:2, 3] = 1e-3
    assert kernel_distance(one, other) == pytest.approx(before)


def test_kid_needs_two_pictures():
    with pytest.raises(ValueError, match="two pictures"):
        kernel_distance(torch.rand(1, 3), torch.rand(4, 3))

"""Layers in other forms: torch's own results and gradients, to rounding."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ostcli.config import Padding
from ostcli.method import winograd
from ostcli.method.layers import (
    DoublingConv2d,
    HalvingConv2d,
    MirrorPad2d,
    NarrowConv2d,
    PlaneNorm2d,
)
from ostcli.method.winograd import WideConv2d
from ostcli.training.adam import Adam


def noise(seed, *shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def results(form, layer, x):
    """Return what a form of a layer gives, and the gradients of x and of the layer's weights."""
    x = x.clone().requires_grad_()
    y = form(x)
    gradient = noise(9, *y.shape).to(y.dtype)
    return [y, *torch.autograd.grad(y, (x, layer.weight, layer.bias), gradient)]


def plain(layer):
    return lambda x: F.conv2d(x, layer.weight, layer.bias)


def off(one, other):
    """Return the relative difference of two tensors."""
    return float(((one.double() - other.double()).norm() / other.double().norm()).detach())


@pytest.mark.parametrize("size", [(6, 5), (1, 1), (1, 8), (2, 3)])
def test_doubling_is_the_convolution_of_a_doubled_picture(size):
    torch.manual_seed(0)
    layer = DoublingConv2d(4, 3)
    x = noise(1, 2, 4, *size)

    def doubled_first(x):
        doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.conv2d(F.pad(doubled, (1, 1, 1, 1), mode="reflect"), layer.weight, layer.bias)

    for actual, expected in zip(
        results(layer, layer, x), results(doubled_first, layer, x), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_norm_of_the_networks_is_torchs_own(memory_format):
    x, gradient = (
        noise(seed, 2, 4, 6, 5).to(memory_format=memory_format) + seed for seed in (3, 4)
    )

    def made_by(norm):
        given = x.clone().requires_grad_()
        y = norm(given)
        return [y, *torch.autograd.grad(y, given, gradient)]

    expected = made_by(nn.InstanceNorm2d(4))
    for actual, one in zip(made_by(PlaneNorm2d(4)), expected, strict=True):
        torch.testing.assert_close(actual, one, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        in_use = PlaneNorm2d(4)(x)
    torch.testing.assert_close(in_use, expected[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("mean", "spread"), [(100.0, 1.0), (3.0, 1e-3)])
def test_the_norm_of_planes_far_from_zero_is_exact(memory_format, mean, spread):
    x = (noise(1, 1, 4, 64, 64) * spread + mean).to(memory_format=memory_format)
    actual, exact = PlaneNorm2d(4)(x), F.instance_norm(x.double())
    torch.testing.assert_close(actual.double(), exact, rtol=1e-3, atol=1e-3)


def test_the_norm_in_bf16_is_no_further_off_than_torchs_own():
    x = noise(1, 2, 4, 32, 32) + 5
    exact = F.instance_norm(x.double())
    assert off(PlaneNorm2d(4)(x.bfloat16()), exact) <= off(F.instance_norm(x.bfloat16()), exact)


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("size", [(6, 5), (8, 12)])
def test_halving_is_torchs_own_with_a_rim_of_either_kind(padding, size):
    torch.manual_seed(0)
    layer = HalvingConv2d(4, padding)
    own = nn.Conv2d(4, 8, 3, stride=2, padding=1, padding_mode=padding.value)
    own.load_state_dict(layer.state_dict())
    x = noise(1, 2, 4, *size)
    for actual, expected in zip(results(layer, layer, x), results(own, own, x), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_a_rim_is_in_the_precision_of_the_picture():
    x = noise(1, 1, 3, 8, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert MirrorPad2d(3)(x).dtype == torch.bfloat16


def test_a_frozen_weight_costs_no_gradient(wide, monkeypatch):
    asked = []
    to_kernels = winograd._to_kernels
    monkeypatch.setattr(winograd, "_to_kernels", lambda of: asked.append(1) or to_kernels(of))
    x = noise(1, 1, 8, 18, 18).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        total = wide(x).square().sum()
    torch.autograd.grad(total, x, retain_graph=True)
    assert not asked
    torch.autograd.grad(total, wide.weight)
    assert asked


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("size", [(4, 9), (16, 5)])
def test_a_mirrored_rim_and_its_gradient_are_torchs(width, size):
    x = noise(1, 2, 3, *size, dtype=torch.float64).requires_grad_()
    actual, expected = MirrorPad2d(width)(x), F.pad(x, (width,) * 4, mode="reflect")
    assert torch.equal(actual, expected)
    gradient = noise(2, *actual.shape, dtype=torch.float64)
    torch.testing.assert_close(
        *(torch.autograd.grad(padded, x, gradient) for padded in (actual, expected))
    )


@pytest.mark.parametrize(("channels", "side"), [(3, 7), (6, 7), (1, 3), (2, 1)])
@pytest.mark.parametrize("size", [(20, 31), (8, 7)])
def test_few_channels_come_out_as_of_any_convolution(channels, side, size):
    torch.manual_seed(0)
    layer = NarrowConv2d(8, channels, side)
    x = noise(1, 2, 8, *size)
    for actual, expected in zip(
        results(layer, layer, x), results(plain(layer), layer, x), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_few_channels_are_summed_in_float32():
    torch.manual_seed(0)
    layer, x = NarrowConv2d(32, 3, 7), noise(1, 1, 32, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        actual, torchs_own = layer(x), plain(layer)(x)
    assert actual.dtype == torch.float32
    exact = plain(layer)(x)
    assert off(actual, exact) < 1.1 * off(torchs_own, exact)


@pytest.fixture
def wide(monkeypatch):
    """A layer small enough for tests that takes Winograd's form in bf16."""
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", 8)
    monkeypatch.setattr(winograd, "LEAST_PLACES", 16)
    torch.manual_seed(0)
    return WideConv2d(8)


@pytest.mark.parametrize("size", [(6, 6), (18, 11), (10, 27)])
@pytest.mark.parametrize("num", [1, 2])
def test_winograds_form_is_the_convolution(wide, num, size):
    x = noise(1, num, 8, *size, dtype=torch.float64)
    wide.double()
    for actual, expected in zip(
        results(wide._filtered, wide, x), results(plain(wide), wide, x), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def test_bf16_takes_winograds_form_and_is_nearly_as_exact_as_torchs_own(wide, monkeypatch):
    x, asked = noise(1, 2, 8, 34, 34), []
    filtered = wide._filtered
    monkeypatch.setattr(wide, "_filtered", lambda x: asked.append(1) or filtered(x))
    exact = results(plain(wide), wide, x)
    with torch.autocast("cpu", torch.bfloat16):
        ours, torchs_own = results(wide, wide, x), results(plain(wide), wide, x)
    assert asked
    assert ours[0].dtype == torchs_own[0].dtype
    for one, other, truth in zip(ours, torchs_own, exact, strict=True):
        assert off(one, truth) < max(4 * off(other, truth), 0.02)


def test_what_learns_alone_gets_the_gradient_that_it_gets_beside_the_other(wide):
    x = noise(1, 2, 8, 18, 11, dtype=torch.float64).requires_grad_()
    wide.double()
    both = torch.autograd.grad(wide._filtered(x).square().sum(), [x, wide.weight])
    [of_weight] = torch.autograd.grad(wide._filtered(x.detach()).square().sum(), [wide.weight])
    wide.requires_grad_(False)
    [of_x] = torch.autograd.grad(wide._filtered(x).square().sum(), [x])
    assert torch.equal(of_x, both[0])
    assert torch.equal(of_weight, both[1])


@pytest.mark.parametrize("size", [(17, 18), (20, 17), (5, 5)])
def test_odd_sides_and_small_pictures_are_left_to_torch(wide, size):
    x = noise(1, 1, 8, *size)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(wide(x), plain(wide)(x))


def test_float32_is_left_to_torch(wide):
    x = noise(1, 1, 8, 18, 18)
    assert torch.equal(wide(x), plain(wide)(x))


def in_place(weight):
    with torch.no_grad():
        weight.add_(0.1)


def by_adam(weight):
    Adam([weight], (0.5, 0.999)).step([torch.ones_like(weight)], 0.1)


@pytest.mark.parametrize("change", [in_place, by_adam])
@pytest.mark.parametrize("learns", [True, False])
def test_kept_kernels_follow_the_weights(wide, change, learns):
    x = noise(1, 1, 8, 34, 34)
    for layer in (wide, copy.deepcopy(wide), wide):
        with torch.set_grad_enabled(learns), torch.autocast("cpu", torch.bfloat16):
            layer(x)
            change(layer.weight)
            assert off(layer(x), plain(layer)(x)) < 0.03


def test_a_layer_may_learn_after_it_was_in_use(wide):
    x = noise(1, 1, 8, 18, 18)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.inference_mode():
            used = wide(x)
        learnt = wide(x)
    assert torch.equal(used, learnt)
    torch.autograd.grad(learnt.sum(), wide.weight)

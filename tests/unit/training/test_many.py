"""Layers over many runs give what each gives for one run, with the same gradients."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from ostcli.training.many import for_many

NUM_RUNS, NUM = 3, 2
LAYERS = {
    "convolution": nn.Conv2d(4, 6, 3, padding=1),
    "convolution by steps of two": nn.Conv2d(4, 6, 4, stride=2, padding=1, bias=False),
    "convolution to a point": nn.Conv2d(4, 1, 8, bias=False),
    "transposed convolution": nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1),
    "convolution of grey": nn.Conv2d(1, 6, 4, stride=2, padding=1),
    "transposed convolution to colours": nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1),
    "batch norm": nn.BatchNorm2d(4, track_running_stats=False),
}


def channels_of(layer: nn.Module) -> int:
    return layer.in_channels if hasattr(layer, "in_channels") else layer.num_features


def many_of(layer: nn.Module, *, has_own_weights: bool) -> nn.Sequential:
    own = {f"0.{name}" for name, _ in layer.named_parameters()} if has_own_weights else set()
    return for_many(nn.Sequential(layer), own)


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def layer(request):
    return request.param


@pytest.mark.parametrize("has_own_views", [True, False])
@pytest.mark.parametrize("has_own_weights", [True, False])
def test_together_is_as_alone(layer, has_own_views, has_own_weights):
    x = drawn(NUM_RUNS, NUM, channels_of(layer), 8, 8, seed=0).requires_grad_()
    weights = {
        name: drawn(NUM_RUNS, *weight.shape, seed=index).requires_grad_()
        for index, (name, weight) in enumerate(layer.named_parameters(), start=1)
    }
    given_x = x if has_own_views else x[0]
    given = weights if has_own_weights else {name: w[0] for name, w in weights.items()}
    many = many_of(layer, has_own_weights=has_own_weights)

    def of_one(weights, x):
        named = {f"0.{name}": weight for name, weight in weights.items()}
        return functional_call(many, named, (x,))

    axes = (0 if has_own_weights else None, 0 if has_own_views else None)
    if axes == (None, None):
        together = of_one(given, given_x)[None].expand(NUM_RUNS, -1, -1, -1, -1)
    else:
        together = vmap(of_one, in_dims=axes)(given, given_x)
    alone = torch.stack(
        [
            functional_call(
                layer,
                {name: w[run if has_own_weights else 0] for name, w in weights.items()},
                (x[run if has_own_views else 0],),
            )
            for run in range(NUM_RUNS)
        ]
    )

    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    towards = drawn(*alone.shape, seed=9)
    wanted = [x, *weights.values()]
    for one, other in zip(
        torch.autograd.grad((together * towards).sum(), wanted),
        torch.autograd.grad((alone * towards).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("has_own_weights", [True, False])
@pytest.mark.parametrize("name", [name for name in LAYERS if "conv" in name])
def test_in_bf16_a_convolution_is_nearly_the_same(name, has_own_weights):
    layer = nn.Sequential(LAYERS[name])
    x = drawn(NUM_RUNS, NUM, channels_of(LAYERS[name]), 8, 8, seed=0)
    weight = drawn(NUM_RUNS, *LAYERS[name].weight.shape, seed=1)
    weight, axis = (weight, 0) if has_own_weights else (weight[0], None)

    def together(layer, weight):
        return vmap(lambda w, x: functional_call(layer, {"0.weight": w}, (x,)), in_dims=(axis, 0))(
            weight, x
        )

    many = many_of(LAYERS[name], has_own_weights=has_own_weights)
    made = together(many, weight.bfloat16())
    torch.testing.assert_close(made.float(), together(layer, weight), rtol=0.05, atol=0.2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.InstanceNorm2d(4),
        nn.LeakyReLU(),
    ],
    ids=["reflecting", "groups", "norm without weights", "no weights"],
)
def test_other_layers_stay(layer):
    [same] = for_many(nn.Sequential(layer), set())
    assert type(same) is type(layer)


def test_the_given_networks_stay_as_they_are():
    networks = nn.Sequential(nn.Conv2d(1, 1, 3))
    for_many(networks, set())
    assert type(networks[0]) is nn.Conv2d

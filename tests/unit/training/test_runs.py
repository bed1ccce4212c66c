"""Many runs at once: each is what it would be alone."""

from dataclasses import replace

import pytest
import torch

from ostcli.config import AdaptConfig, Birth, Cycle, Distance, LatentForm, Precision, Reach
from ostcli.method.networks import Networks
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import ADAPT
from ostcli.training import many
from ostcli.training.phases import PhaseTwo
from ostcli.training.runs import Runs
from ostcli.training.trainer import Trainer

NUM_RUNS = 3
STEPS = 3


def translate(networks: Networks, pictures: torch.Tensor) -> torch.Tensor:
    return networks.decode_b(networks.encode_a(pictures).mode)


def networks_for(config: AdaptConfig, run: int = 0, **layers) -> Networks:
    generator = torch.Generator().manual_seed(1)
    networks = Networks(DigitLayers(colours_b=1, colours_a=3, width=4, **layers), generator)
    networks.add_domain_a(config.birth, torch.Generator().manual_seed(run))
    return networks


def examples(num_views: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(NUM_RUNS, num_views, 3, 32, 32, generator=generator) * 2 - 1


def folder(step: int, num_views: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(100 + step)
    return torch.rand(num_views, 1, 32, 32, generator=generator) * 2 - 1


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cycle": Cycle.NONE},
        {"cycle": Cycle.TWO_WAY},
        {"shared_learns": False},
        {"folder_learns": False},
        {"birth": Birth.RANDOM},
        {"reach": Reach.BOTH_DOMAINS},
        {"reach": Reach.EVERYTHING},
        {"reach": Reach.EVERYTHING, "cycle": Cycle.TWO_WAY},
        {"discriminator_meets_example": True},
        {"weights": replace(ADAPT.weights, weight_adversarial_b=1.0)},
        {"weights": replace(ADAPT.weights, distance=Distance.ABSOLUTE)},
        {
            "discriminator_meets_example": True,
            "weights": replace(ADAPT.weights, weight_adversarial_b=1.0),
        },
    ],
    ids=lambda change: ", ".join(
        f"{k}={v.distance}, {v.weight_adversarial_b}" if k == "weights" else f"{k}={v}"
        for k, v in change.items()
    ),
)
def test_a_run_beside_others_is_what_it_would_be_alone(change):
    _check_alike(replace(ADAPT, **change))


@pytest.mark.parametrize("reach", [Reach.DOMAIN_A, Reach.EVERYTHING])
def test_between_many_channels_our_rule_is_for_weights_that_runs_differ_in(monkeypatch, reach):
    wide = []
    together = many._Convolution.together

    def noted(self, x, weight, *bias):
        if min(weight.shape[1:3]) > many.FEW_CHANNELS:
            wide.append(weight)
        return together(self, x, weight, *bias)

    monkeypatch.setattr(many._Convolution, "together", noted)
    config = replace(ADAPT, reach=reach, discriminator_meets_example=False)
    runs = Runs([networks_for(config)] * NUM_RUNS, PhaseTwo.begin(config), config.optim, seed=0)
    runs.do_step({"a": examples(), "b": folder(0)}, 1.0)

    assert bool(wide) is (reach is Reach.EVERYTHING)


@pytest.mark.parametrize("reach", [Reach.DOMAIN_A, Reach.EVERYTHING])
def test_runs_of_a_sampled_latent_draw_what_each_would_alone(reach):
    _check_alike(replace(ADAPT, reach=reach), latent=LatentForm.SAMPLED)


def _check_alike(config: AdaptConfig, **layers) -> None:
    x_a = examples()
    together = Runs(
        [networks_for(config, run, **layers) for run in range(NUM_RUNS)],
        PhaseTwo.begin(config),
        config.optim,
        seed=config.seed,
    )
    for step in range(STEPS):
        losses = together.do_step({"a": x_a, "b": folder(step)}, rate=1.0)
    made = together.translate(translate, x_a)

    for run in range(NUM_RUNS):
        alone = Trainer(
            networks_for(config, run, **layers),
            PhaseTwo.begin(config),
            config.optim,
            seed=config.seed,
        )
        for step in range(STEPS):
            record = alone.do_step({"a": x_a[run], "b": folder(step)}, rate=1.0)
        torch.testing.assert_close(
            made[run], translate(alone.networks, x_a[run]).detach(), rtol=0, atol=1e-4
        )
        assert record.losses.keys() == losses.keys()
        for name, loss in record.losses.items():
            assert losses[name][run].item() == pytest.approx(loss.item(), rel=1e-3, abs=1e-5)
    assert (made[0] - made[1]).abs().max() > 1e-2


@pytest.mark.parametrize("reach", [Reach.DOMAIN_A, Reach.EVERYTHING])
def test_in_bf16_a_run_beside_others_is_what_it_is_in_runs_of_one(reach):
    config = replace(ADAPT, reach=reach)

    def made(x_a: torch.Tensor) -> torch.Tensor:
        runs = Runs(
            [networks_for(config)] * len(x_a),
            PhaseTwo.begin(config),
            config.optim,
            seed=0,
            precision=Precision.BF16,
        )
        for step in range(STEPS):
            runs.do_step({"a": x_a, "b": folder(step)}, rate=1.0)
        return runs.translate(translate, x_a)

    together = made(examples())
    for run in range(NUM_RUNS):
        alone = made(examples()[run : run + 1])[0]
        apart = (together[run] - alone).abs()
        assert float(apart.mean()) < 0.002, apart.mean()


def test_in_bf16_runs_stay_near_what_they_are_in_fp32():
    def made(precision: Precision) -> torch.Tensor:
        runs = Runs(
            [networks_for(ADAPT)] * NUM_RUNS,
            PhaseTwo.begin(ADAPT),
            ADAPT.optim,
            seed=0,
            precision=precision,
        )
        for step in range(STEPS):
            runs.do_step({"a": examples(), "b": folder(step)}, rate=1.0)
        return runs.translate(translate, examples())

    apart = (made(Precision.BF16) - made(Precision.FP32)).abs()
    assert 0 < float(apart.mean()) < 0.02

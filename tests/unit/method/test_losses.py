import dataclasses
import math

import numpy as np
import pytest
import torch

from ostcli.config import AdaptConfig, Cycle, LatentForm, LossWeights
from ostcli.method.architecture import build_networks
from ostcli.method.losses import adversarial_loss, discriminator_loss, kl_loss, reconstruction_loss
from ostcli.method.networks import Latent
from ostcli.method.patches import gram_distance, most_alike, patch_distance
from ostcli.method.phase_one import phase_one_step
from ostcli.method.phase_two import phase_two_step
from ostcli.method.pool import HistoryPool
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, FOLDER
from ostcli.training.phases import PhaseTwo

WEIGHTS = LossWeights(
    weight_reconstruction_b=2.0,
    weight_kl=3.0,
    weight_adversarial_b=5.0,
    weight_reconstruction_a=7.0,
    weight_cycle=11.0,
    weight_adversarial_ab=13.0,
)


def grid(*values):
    """Four numbers as a tensor of shape (1, 1, 2, 2)."""
    return torch.tensor(values).reshape(1, 1, 2, 2)


def kl_by_integration(mean, variance):
    """Integrate p log(p / q) for one Gaussian p and the standard normal q."""
    z, dz = np.linspace(-30, 30, 60_001, retstep=True)
    log_p = -0.5 * ((z - mean) ** 2 / variance + math.log(2 * math.pi * variance))
    log_q = -0.5 * (z**2 + math.log(2 * math.pi))
    return float((np.exp(log_p) * (log_p - log_q)).sum() * dz)


@pytest.mark.parametrize(
    ("reconstruction", "picture", "loss"),
    [
        ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), 0.0),
        ((1.0, 1.0, 1.0, 1.0), (-1.0, -1.0, -1.0, -1.0), 2.0),
        ((0.5, -0.5, 0.0, 1.0), (0.0, 0.5, 0.0, -1.0), (0.5 + 1.0 + 0.0 + 2.0) / 4),
    ],
)
def test_reconstruction_is_the_mean_absolute_error(reconstruction, picture, loss):
    assert reconstruction_loss(grid(*reconstruction), grid(*picture)).item() == pytest.approx(loss)


@pytest.mark.parametrize(
    ("scores", "loss"),
    [
        ((1.0, 1.0, 1.0, 1.0), 0.0),
        ((0.0, 0.0, 0.0, 0.0), 1.0),
        ((0.0, 2.0, 1.0, -1.0), (1 + 1 + 0 + 4) / 4),
    ],
)
def test_the_generator_wants_its_pictures_scored_1(scores, loss):
    assert adversarial_loss(grid(*scores)).item() == pytest.approx(loss)


@pytest.mark.parametrize(
    ("real", "fake", "loss"),
    [
        ((1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), 0.0),
        ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), 1.0),
        ((0.0, 1.0, 2.0, 1.0), (1.0, 0.0, -3.0, 0.0), 0.5 * (2 / 4 + 10 / 4)),
    ],
)
def test_the_discriminator_wants_1_for_real_and_0_for_made_and_is_halved(real, fake, loss):
    assert discriminator_loss(grid(*real), grid(*fake)).item() == pytest.approx(loss)


def test_kl_of_the_sampled_form_is_the_closed_form_per_value():
    means, log_variances = (0.0, 1.0, -2.0, 0.5), (0.0, 0.0, -1.0, 1.0)
    by_hand = [
        0.5 * (m * m + math.exp(v) - v - 1) for m, v in zip(means, log_variances, strict=True)
    ]

    loss = kl_loss(Latent(mean=grid(*means), log_variance=grid(*log_variances)))

    assert loss.item() == pytest.approx(sum(by_hand) / 4)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 0.3), (-1.5, 2.0)])
def test_kl_of_the_sampled_form_is_the_integral(mean, variance):
    latent = Latent(mean=grid(*[mean] * 4), log_variance=grid(*[math.log(variance)] * 4))

    assert kl_loss(latent).item() == pytest.approx(kl_by_integration(mean, variance), abs=1e-5)


def test_kl_of_the_deterministic_form_is_the_mean_square_of_the_code():
    loss = kl_loss(Latent(mean=grid(1.0, -2.0, 0.0, 3.0), log_variance=None))

    assert loss.item() == pytest.approx((1 + 4 + 0 + 9) / 4)


@pytest.fixture(
    params=[
        {"latent": LatentForm.SAMPLED},
        {"latent": LatentForm.DETERMINISTIC},
        {"latent": LatentForm.SAMPLED, "detail_radius": 2},
    ],
    ids=["sampled", "deterministic", "with detail"],
)
def networks(request, tiny_network):
    config = dataclasses.replace(tiny_network, **request.param)
    built = build_networks(config, with_domain_a=True)
    torch.nn.init.normal_(built.decoder_a[-1].weight, std=0.1)  # so that A differs from B
    return built


def one_step(networks, x_b, generator, pool=None):
    return phase_one_step(
        networks,
        x_b,
        weights=WEIGHTS,
        pool_bb=HistoryPool(0) if pool is None else pool,
        generator=generator,
    )


def two_step(networks, batch, generator, cycle=Cycle.ONE_WAY, patches=None, **options):
    return phase_two_step(
        networks,
        batch["a"],
        batch["b"],
        weights=dataclasses.replace(WEIGHTS, **(patches or {})),
        pool_bb=HistoryPool(0),
        pool_ab=HistoryPool(0),
        generator=generator,
        cycle=cycle,
        **options,
    )


def mean_error(first, second):
    return np.abs(first.detach().numpy() - second.detach().numpy()).mean()


def mean_square(values, target):
    return np.square(values.detach().numpy() - target).mean()


def numbers(tensors):
    return {name: tensor.item() for name, tensor in tensors.items()}


def test_phase_one_s_losses_are_the_equations_on_its_pictures(networks, make_batch):
    x_b = make_batch()["b"]
    record = one_step(networks, x_b, torch.Generator().manual_seed(0))
    latent = networks.encode_b(x_b)
    recon_bb = networks.decode_b(latent.sample(torch.Generator().manual_seed(0)))
    real, fake = networks.score_b(x_b), networks.score_b(recon_bb)

    assert torch.equal(record.pictures["recon_bb"], recon_bb)
    assert numbers(record.losses) == pytest.approx(
        {
            "rec_b": mean_error(recon_bb, x_b),
            "kl_b": kl_loss(latent).item(),
            "gan_b": mean_square(fake, 1),
            "dis_b": 0.5 * (mean_square(real, 1) + mean_square(fake, 0)),
        },
        rel=1e-5,
    )
    flat = x_b.numpy().mean((2, 3), keepdims=True)
    assert record.flat_error.item() == pytest.approx(np.abs(x_b.numpy() - flat).mean())
    assert record.latent_spread.item() == pytest.approx(latent.mean.detach().numpy().std(ddof=1))


def test_phase_two_s_losses_are_the_equations_on_its_pictures(networks, make_batch):
    batch, generator = make_batch(), torch.Generator().manual_seed(0)
    record = two_step(networks, batch, torch.Generator().manual_seed(0))
    one = one_step(networks, batch["b"], generator)
    z_a = networks.encode_a(batch["a"]).sample(generator)
    trans_ab = networks.decode_b(z_a)
    cycle_aba = networks.decode_a(networks.encode_b(trans_ab).sample(generator))
    real, fake = networks.score_b(batch["b"]), networks.score_b(trans_ab)

    assert torch.equal(record.pictures["trans_ab"], trans_ab)
    assert torch.equal(record.pictures["cycle_aba"], cycle_aba)
    assert torch.equal(record.pictures["recon_aa"], networks.decode_a(z_a))
    assert numbers(record.losses) == pytest.approx(
        {
            **numbers(one.losses),
            "rec_a": mean_error(networks.decode_a(z_a), batch["a"]),
            "cycle_a": mean_error(cycle_aba, batch["a"]),
            "gan_ab": mean_square(fake, 1),
            "dis_ab": 0.5 * (mean_square(real, 1) + mean_square(fake, 0)),
        },
        rel=1e-5,
    )


def test_the_other_way_round_is_the_equation_on_its_pictures(networks, make_batch):
    batch, generator = make_batch(), torch.Generator().manual_seed(0)
    record = two_step(networks, batch, torch.Generator().manual_seed(0), Cycle.TWO_WAY)
    one_way = two_step(networks, batch, generator)
    trans_ba = networks.decode_a(networks.encode_b(batch["b"]).sample(generator))
    cycle_bab = networks.decode_b(networks.encode_a(trans_ba).sample(generator))

    assert numbers(record.losses) == pytest.approx(
        {**numbers(one_way.losses), "cycle_b": mean_error(cycle_bab, batch["b"])}, rel=1e-5
    )
    added = record.totals[EXAMPLE] - one_way.totals[EXAMPLE]
    assert added.item() == pytest.approx(11 * record.losses["cycle_b"].item(), rel=1e-3)


def test_without_a_cycle_its_loss_is_left_out(networks, make_batch):
    record = two_step(networks, make_batch(), torch.Generator(), Cycle.NONE)
    loss = numbers(record.losses)

    assert not any(name.startswith("cycle") for name in loss)
    assert record.totals[EXAMPLE].item() == pytest.approx(7 * loss["rec_a"] + 13 * loss["gan_ab"])


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize(
    ("loss", "distance"), [("patch_ab", patch_distance), ("gram_ab", gram_distance)]
)
def test_patches_of_translations_are_held_against_the_folder_s_views_that_are_most_alike(
    loss, distance, share, networks, make_batch
):
    batch, generator = make_batch(), torch.Generator().manual_seed(0)
    more = torch.cat([batch["b"], make_batch(1)["b"]])
    plain = two_step(networks, batch, generator)
    generator.manual_seed(0)
    record = two_step(
        networks,
        {"a": batch["a"], "b": more},
        generator,
        patches={f"weight_{loss}": 17.0},
        share_alike=share,
    )

    generator.manual_seed(0)
    two_step(networks, batch, generator)
    alike = most_alike(more, batch["a"], share)
    assert len(alike) == math.ceil(share * len(more))
    by_hand = distance(plain.pictures["trans_ab"], alike, generator)
    assert record.losses[loss].item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert numbers(record.losses).items() >= numbers(plain.losses).items()
    added = record.totals[EXAMPLE] - plain.totals[EXAMPLE]
    assert added.item() == pytest.approx(17 * by_hand.item(), rel=1e-3)


def test_how_many_views_count_is_a_setting(networks, make_batch):
    batch = make_batch()
    batch = {"a": batch["a"], "b": torch.cat([batch["b"], make_batch(1)["b"]])}
    weights = dataclasses.replace(WEIGHTS, weight_patch_ab=1.0)
    half, every = (
        PhaseTwo.begin(AdaptConfig(weights=weights, share_alike=share))
        .run(networks, batch, torch.Generator().manual_seed(0))
        .losses["patch_ab"]
        for share in (0.5, 1.0)
    )
    assert half != every


def test_where_the_folder_does_not_learn_its_losses_are_left_out(networks, make_batch):
    record = two_step(networks, make_batch(), torch.Generator(), folder_learns=False)
    loss = numbers(record.losses)

    assert loss.keys() == {"rec_a", "cycle_a", "gan_ab"}
    assert numbers(record.totals) == pytest.approx(
        {EXAMPLE: 7 * loss["rec_a"] + 11 * loss["cycle_a"] + 13 * loss["gan_ab"]}
    )
    assert record.flat_error > 0
    assert record.latent_spread > 0


def test_phase_one_s_totals_are_the_weighted_sums(networks, make_batch):
    record = one_step(networks, make_batch()["b"], torch.Generator())
    loss = numbers(record.losses)

    assert numbers(record.totals) == pytest.approx(
        {
            FOLDER: 2 * loss["rec_b"] + 3 * loss["kl_b"] + 5 * loss["gan_b"],
            DISCRIMINATOR: loss["dis_b"],
        }
    )


def test_phase_two_s_totals_are_the_weighted_sums(networks, make_batch):
    record = two_step(networks, make_batch(), torch.Generator())
    loss = numbers(record.losses)

    assert numbers(record.totals) == pytest.approx(
        {
            EXAMPLE: 7 * loss["rec_a"] + 11 * loss["cycle_a"] + 13 * loss["gan_ab"],
            FOLDER: 2 * loss["rec_b"] + 3 * loss["kl_b"] + 5 * loss["gan_b"],
            DISCRIMINATOR: loss["dis_b"] + loss["dis_ab"],
        }
    )


def test_the_discriminator_is_shown_the_history_and_the_generator_is_not(networks, make_batch):
    x_b = make_batch()["b"]
    pool = HistoryPool(1)
    pool.pictures = [torch.ones_like(x_b[0])]
    fresh = one_step(networks, x_b, torch.Generator().manual_seed(0))

    shown = [
        one_step(networks, x_b, torch.Generator().manual_seed(seed), pool) for seed in range(8)
    ]

    if networks.encode_b(x_b).log_variance is None:
        assert {record.losses["gan_b"].item() for record in shown} == {fresh.losses["gan_b"].item()}
    assert {record.losses["dis_b"].item() for record in shown} != {fresh.losses["dis_b"].item()}


def test_a_step_changes_no_weight(networks, make_batch):
    before = {name: tensor.clone() for name, tensor in networks.state_dict().items()}

    two_step(networks, make_batch(), torch.Generator())

    assert all(torch.equal(before[name], now) for name, now in networks.state_dict().items())
    assert all(weight.grad is None for weight in networks.parameters())

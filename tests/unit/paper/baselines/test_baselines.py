"""UNIT and CycleGAN on the paper's networks: their losses, and what these reach."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ostcli.config import Direction, OptimConfig
from ostcli.method.architecture import PictureLayers
from ostcli.method.losses import adversarial_loss, discriminator_loss
from ostcli.method.networks import Architecture, Networks
from ostcli.method.record import DISCRIMINATOR
from ostcli.paper.baselines.cyclegan import CycleGan, CycleGanNetworks, CycleGanWeights
from ostcli.paper.baselines.unit import GENERATOR, Unit, UnitWeights
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.discriminator_a import WithDiscriminatorA
from ostcli.presets import pretrain_preset
from ostcli.training.runs import Runs
from ostcli.training.trainer import Trainer

OPTIM = OptimConfig(learning_rate=2e-4, pool_size=0)
DIGITS = DigitLayers(colours_b=1, colours_a=3, width=4)
SMALL = PictureLayers(
    pretrain_preset().network.__class__(width=4, num_blocks=1, discriminator_width=4)
)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unit(architecture: Architecture, seed: int = 0) -> tuple[WithDiscriminatorA, Unit]:
    return WithDiscriminatorA.build(architecture, chance(seed)), Unit.begin(UnitWeights(), OPTIM)


def cyclegan(architecture: Architecture, seed: int = 0) -> tuple[CycleGanNetworks, CycleGan]:
    networks = CycleGanNetworks.build(architecture, chance(seed))
    return networks, CycleGan.begin(CycleGanWeights(), OPTIM)


METHODS = {"unit": unit, "cyclegan": cyclegan}
Build = Callable[..., tuple[nn.Module, Unit | CycleGan]]


def batch_of(side: int, colours_a: int = 3, colours_b: int = 3, number: int = 1):
    generator = chance(1)
    return {
        "a": torch.rand(number, colours_a, side, side, generator=generator) * 2 - 1,
        "b": torch.rand(number, colours_b, side, side, generator=generator) * 2 - 1,
    }


@pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)
def test_generators_and_discriminators_have_weights_of_their_own(build: Build):
    networks, phase = build(DIGITS)
    table = phase.table(networks)

    generator, discriminator = set(table[GENERATOR]), set(table[DISCRIMINATOR])
    assert generator
    assert discriminator
    assert not generator & discriminator


@pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)
def test_every_weight_of_a_row_gets_a_gradient(build: Build):
    networks, phase = build(DIGITS)
    record = phase.run(networks, batch_of(32, 3, 1), chance())

    for total, row in phase.table(networks).items():
        gradients = torch.autograd.grad(record.totals[total], row, retain_graph=True)
        assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)


def test_units_losses_are_those_of_its_paper():
    networks, phase = unit(DIGITS)
    both, batch = networks.networks, batch_of(32, 3, 1)
    x_a, x_b = batch["a"], batch["b"]
    losses = phase.run(networks, batch, chance()).losses

    code_a, code_b = both.encode_a(x_a).mode, both.encode_b(x_b).mode
    trans_ab, trans_ba = both.decode_b(code_a), both.decode_a(code_b)
    cycle_a = both.decode_a(both.encode_b(trans_ab).mode)
    cycle_b = both.decode_b(both.encode_a(trans_ba).mode)
    expected = {
        "rec_a": (both.decode_a(code_a) - x_a).abs().mean(),
        "rec_b": (both.decode_b(code_b) - x_b).abs().mean(),
        "cycle": (cycle_a - x_a).abs().mean() + (cycle_b - x_b).abs().mean(),
        "kl": code_a.z.square().mean() + code_b.z.square().mean(),
        "gan_ab": adversarial_loss(both.score_b(trans_ab)),
        "gan_ba": adversarial_loss(networks.discriminator_a(trans_ba)),
    }
    for name, loss in expected.items():
        torch.testing.assert_close(losses[name], loss, rtol=1e-3, atol=1e-5)


def test_cyclegans_losses_are_those_of_its_paper():
    networks, phase = cyclegan(DIGITS)
    forth, back, batch = networks.forth, networks.back, batch_of(32, 3, 1)
    x_a, x_b = batch["a"], batch["b"]
    losses = phase.run(networks, batch, chance()).losses

    trans_ab, trans_ba = forth.translate_ab(x_a), back.translate_ab(x_b)
    expected = {
        "gan_ab": adversarial_loss(forth.score_b(trans_ab)),
        "gan_ba": adversarial_loss(back.score_b(trans_ba)),
        "cycle_a": (back.translate_ab(trans_ab) - x_a).abs().mean(),
        "cycle_b": (forth.translate_ab(trans_ba) - x_b).abs().mean(),
        "dis": discriminator_loss(forth.score_b(x_b), forth.score_b(trans_ab))
        + discriminator_loss(back.score_b(x_a), back.score_b(trans_ba)),
    }
    for name, loss in expected.items():
        torch.testing.assert_close(losses[name], loss, rtol=1e-3, atol=1e-5)


def test_cyclegan_translates_both_ways():
    networks, _ = cyclegan(SMALL)
    x = batch_of(32)["a"]
    for to, one in ((Direction.B, networks.forth), (Direction.A, networks.back)):
        of_way, path = networks.translating(to)
        assert of_way is one
        torch.testing.assert_close(path(x), one.decode_b(one.encode_a(x).mode))


def test_identity_is_asked_for_only_where_it_has_a_weight():
    networks, phase = cyclegan(SMALL)
    batch = batch_of(32)
    with_it = CycleGan.begin(CycleGanWeights(weight_identity=5.0), OPTIM)

    assert "identity" not in phase.run(networks, batch, chance()).losses
    identity = with_it.run(networks, batch, chance()).losses["identity"]
    expected = (networks.forth.translate_ab(batch["b"]) - batch["b"]).abs().mean() + (
        networks.back.translate_ab(batch["a"]) - batch["a"]
    ).abs().mean()
    torch.testing.assert_close(identity, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)
def test_a_run_beside_others_is_what_it_would_be_alone(build: Build):
    batch = batch_of(32, 3, 1, number=3)
    x_a, x_b = batch["a"][:, None], batch["b"][:1]
    begun = [build(DIGITS, run)[0] for run in range(len(x_a))]
    together = Runs(begun, build(DIGITS)[1], OPTIM, seed=0)
    for _ in range(3):
        together.do_step({"a": x_a, "b": x_b}, rate=1.0)
    made = together.translate(lambda networks, pictures: networks.translate_ab(pictures), x_a)

    for run, own in enumerate(x_a):
        alone = Trainer(*build(DIGITS, run), OPTIM, seed=0)
        for _ in range(3):
            alone.do_step({"a": own, "b": x_b}, rate=1.0)
        torch.testing.assert_close(
            made[run], alone.networks.translate_ab(own).detach(), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)
def test_they_train_on_pictures_too(build: Build):
    networks, phase = build(SMALL)
    trainer = Trainer(networks, phase, OPTIM, seed=0)

    records = [trainer.do_step(batch_of(32), rate=1.0) for _ in range(8)]

    name = "rec_a" if build is unit else "cycle_a"
    assert records[-1].losses[name].item() < records[0].losses[name].item()


@pytest.mark.parametrize(
    "begin", [WithDiscriminatorA.of_phase_one, CycleGanNetworks.of_phase_one], ids=METHODS
)
def test_from_phase_one_both_begin_as_the_unadapted_model(begin):
    model = Networks(DIGITS, chance())
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    x_a = batch_of(32, 3, 1)["a"]
    grey = x_a.mean(1, keepdim=True)

    networks = begin(model, chance(1))

    torch.testing.assert_close(
        networks.translate_ab(x_a), model.reconstruct_bb(grey), rtol=1e-4, atol=1e-5
    )
    assert all(torch.equal(before[name], weight) for name, weight in model.named_parameters())


def test_cyclegans_way_back_begins_as_the_same_model():
    model = Networks(DIGITS, chance())
    x_b = batch_of(32, 3, 1)["b"]
    back = CycleGanNetworks.of_phase_one(model, chance(1)).back

    coloured = back.decode_b(back.encode_a(x_b).mode)
    torch.testing.assert_close(
        coloured, model.reconstruct_bb(x_b).expand(-1, 3, -1, -1), rtol=1e-4, atol=1e-5
    )

"""The authors' phase II of digits: a discriminator of A, and what each total reaches."""

from dataclasses import replace

import pytest
import torch

from ostcli.config import Birth, Reach
from ostcli.method.losses import adversarial_loss, discriminator_loss
from ostcli.method.networks import Networks
from ostcli.method.record import DISCRIMINATOR, EXAMPLE
from ostcli.paper.digits.authors import AuthorsPhaseTwo
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import ADAPT, TABLE_1
from ostcli.paper.discriminator_a import WithDiscriminatorA
from ostcli.training.runs import Runs
from ostcli.training.trainer import Trainer

FULL = replace(TABLE_1[-1].of(ADAPT), reach=Reach.BOTH_DOMAINS)
STEPS = 3


def begun(run: int = 0) -> WithDiscriminatorA:
    generator = torch.Generator().manual_seed(0)
    networks = Networks(DigitLayers(colours_b=1, colours_a=3, width=4), generator)
    generator.manual_seed(run)
    networks.add_domain_a(Birth.RANDOM, generator)
    return WithDiscriminatorA.beside(networks, generator)


def views(number: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        domain: torch.rand(number, colours, 32, 32, generator=generator) * 2 - 1
        for domain, colours in (("a", 3), ("b", 1))
    }


def test_beside_the_papers_losses_stand_those_of_a_discriminator_of_a():
    networks, batch, phase = begun(), views(), AuthorsPhaseTwo.begin(FULL)
    both, score_a = networks.networks, networks.discriminator_a
    record = phase.run(networks, batch, torch.Generator())
    paper = phase.phase.run(both, batch, torch.Generator())

    trans_ab, trans_ba = networks.translate_ab(batch["a"]), networks.translate_ba(batch["b"])
    of_a = adversarial_loss(score_a(trans_ba))
    learned = discriminator_loss(both.score_b(batch["b"]), both.score_b(trans_ab))
    learned = learned + discriminator_loss(score_a(batch["a"]), score_a(trans_ba))
    close = {"rtol": 1e-3, "atol": 1e-5}
    torch.testing.assert_close(record.totals[EXAMPLE], paper.totals[EXAMPLE] + of_a, **close)
    torch.testing.assert_close(record.totals[DISCRIMINATOR], learned, **close)


def test_what_is_selective_reaches_unshared_layers_of_both_domains_and_no_discriminator():
    networks, phase = begun(), AuthorsPhaseTwo.begin(FULL)
    both, table = networks.networks, phase.table(networks)
    unshared = (both.encoder_a, both.decoder_a, both.encoder_b, both.decoder_b)

    assert set(table[EXAMPLE]) == {weight for part in unshared for weight in part.parameters()}
    record = phase.run(networks, views(), torch.Generator())
    for total, row in table.items():
        gradients = torch.autograd.grad(record.totals[total], row, retain_graph=True)
        assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)
    # By T_BA(b): A's decoder and B's encoder.
    there = [*both.encoder_b.parameters(), *both.decoder_a.parameters()]
    gradients = torch.autograd.grad(record.losses["gan_ba"], there, retain_graph=True)
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)


@pytest.mark.parametrize("reach", [Reach.BOTH_DOMAINS, Reach.EVERYTHING])
def test_a_run_beside_others_is_what_it_would_be_alone(reach):
    phase, batch = AuthorsPhaseTwo.begin(replace(FULL, reach=reach)), views(number=3)
    x_a, x_b = batch["a"][:, None], batch["b"][:1]
    together = Runs([begun(run) for run in range(len(x_a))], phase, FULL.optim, seed=0)
    for _ in range(STEPS):
        together.do_step({"a": x_a, "b": x_b}, rate=1.0)
    made = together.translate(WithDiscriminatorA.translate_ab, x_a)

    for run, own in enumerate(x_a):
        alone = Trainer(begun(run), phase, FULL.optim, seed=0)
        for _ in range(STEPS):
            alone.do_step({"a": own, "b": x_b}, rate=1.0)
        expected = alone.networks.translate_ab(own).detach()
        torch.testing.assert_close(made[run], expected, rtol=0, atol=1e-4)
    assert (made[0] - made[1]).abs().max() > 1e-2

"""Selective back-propagation, proven on the weights after steps of the real trainer."""

import pytest
import torch

from ostcli.config import LossWeights, Reach
from ostcli.method.record import DISCRIMINATOR, EXAMPLE, FOLDER, parameters_of

NOTHING = dict.fromkeys(
    (
        "weight_reconstruction_b",
        "weight_kl",
        "weight_adversarial_b",
        "weight_reconstruction_a",
        "weight_cycle",
        "weight_adversarial_ab",
        "weight_patch_ab",
        "weight_gram_ab",
    ),
    0.0,
)
OF_FOLDER = {"weight_reconstruction_b": 10.0, "weight_kl": 0.1, "weight_adversarial_b": 1.0}
OF_EXAMPLE = {"weight_reconstruction_a": 1.0, "weight_cycle": 10.0, "weight_adversarial_ab": 1.0}
PARTS = ("encoder_a", "decoder_a", "encoder_b", "decoder_b", "encoder_shared", "decoder_shared")
A, B, SHARED = (
    {"encoder_a", "decoder_a"},
    {"encoder_b", "decoder_b"},
    {"encoder_shared", "decoder_shared"},
)


def weights_of(trainer, part):
    return {
        name: weight.detach().clone()
        for name, weight in getattr(trainer.networks, part).named_parameters()
    }


def changed_parts(trainer, batches):
    """Run a step per batch; return the parts of the networks of which any bit has changed."""
    before = {part: weights_of(trainer, part) for part in (*PARTS, "discriminator_b")}
    for batch in batches:
        trainer.do_step(batch, 1.0)
    return {
        part
        for part, weights in before.items()
        if any(not torch.equal(weights[n], now) for n, now in weights_of(trainer, part).items())
    }


@pytest.mark.parametrize(
    ("factors", "reach", "expected"),
    [
        ({}, Reach.DOMAIN_A, set()),
        (OF_EXAMPLE, Reach.DOMAIN_A, A),
        (OF_EXAMPLE, Reach.BOTH_DOMAINS, A | B),
        (OF_EXAMPLE, Reach.EVERYTHING, A | B | SHARED),
        (OF_FOLDER, Reach.DOMAIN_A, B | SHARED),
        (OF_FOLDER, Reach.BOTH_DOMAINS, B | SHARED),
        (OF_FOLDER, Reach.EVERYTHING, B | SHARED),
        (OF_FOLDER | OF_EXAMPLE, Reach.DOMAIN_A, A | B | SHARED),
        ({"weight_reconstruction_a": 1.0}, Reach.DOMAIN_A, A),
        ({"weight_cycle": 1.0}, Reach.DOMAIN_A, A),
        ({"weight_adversarial_ab": 1.0}, Reach.DOMAIN_A, {"encoder_a"}),
        ({"weight_patch_ab": 1.0}, Reach.DOMAIN_A, {"encoder_a"}),
        ({"weight_gram_ab": 1.0}, Reach.DOMAIN_A, {"encoder_a"}),
    ],
)
def test_each_total_changes_the_weights_of_its_row_and_no_bit_of_others(
    factors, reach, expected, make_trainer, make_batch
):
    trainer = make_trainer(weights=LossWeights(**(NOTHING | factors)), reach=reach)

    changed = changed_parts(trainer, [make_batch(step) for step in range(3)])

    assert changed == expected | {"discriminator_b"}


def test_shared_layers_that_do_not_learn_keep_every_bit(make_trainer, make_batch):
    trainer = make_trainer(shared_learns=False)

    changed = changed_parts(trainer, [make_batch(step) for step in range(3)])

    assert changed == A | B | {"discriminator_b"}


def test_where_the_folder_does_not_learn_nothing_but_a_changes(make_trainer, make_batch):
    trainer = make_trainer(folder_learns=False, weights=LossWeights(weight_patch_ab=1.0))

    changed = changed_parts(trainer, [make_batch(step) for step in range(3)])

    assert changed == A
    assert trainer.table.keys() == {EXAMPLE}


def test_phase_one_changes_b_the_shared_layers_and_the_discriminator(make_trainer, make_batch):
    trainer = make_trainer("one")
    before = {name: weight.clone() for name, weight in trainer.networks.named_parameters()}

    trainer.do_step(make_batch(), 1.0)

    after = dict(trainer.networks.named_parameters())
    unchanged = {n for n, w in before.items() if n.endswith("weight") and torch.equal(w, after[n])}
    assert unchanged == set()
    assert not any(name.startswith(("encoder_a", "decoder_a")) for name in after)


def test_the_example_s_gradient_passes_through_the_shared_layers(make_trainer, make_batch):
    only_reconstruction = NOTHING | {"weight_reconstruction_a": 1.0}
    trainer = make_trainer(weights=LossWeights(**only_reconstruction))
    networks = trainer.networks
    record = trainer.phase.run(networks, make_batch(), torch.Generator())

    gradients = torch.autograd.grad(
        record.totals[EXAMPLE], parameters_of(networks.encoder_a), retain_graph=True
    )
    torch.nn.init.zeros_(networks.encoder_shared[0].weight)  # now nothing passes
    blocked = trainer.phase.run(networks, make_batch(), torch.Generator())
    none = torch.autograd.grad(blocked.totals[EXAMPLE], parameters_of(networks.encoder_a))

    assert gradients[0].abs().max() > 0
    assert none[0].abs().max() == 0


def test_the_discriminator_changes_by_its_own_loss_only(make_trainer, make_batch):
    silent, speaking = make_trainer(weights=LossWeights(**NOTHING)), make_trainer()

    for trainer in (silent, speaking):
        trainer.do_step(make_batch(), 1.0)

    first, second = (weights_of(trainer, "discriminator_b") for trainer in (silent, speaking))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_discriminator_s_loss_reaches_no_other_weight(make_trainer, make_batch):
    trainer = make_trainer()
    record = trainer.phase.run(trainer.networks, make_batch(), torch.Generator())
    others = [p for part in PARTS for p in getattr(trainer.networks, part).parameters()]

    gradients = torch.autograd.grad(record.totals[DISCRIMINATOR], others, allow_unused=True)

    assert all(gradient is None for gradient in gradients)


@pytest.mark.parametrize(
    ("reach", "parts"),
    [(Reach.DOMAIN_A, A), (Reach.BOTH_DOMAINS, A | B), (Reach.EVERYTHING, set(PARTS))],
)
def test_the_table_states_it_as_data(reach, parts, make_trainer):
    trainer = make_trainer(reach=reach)
    networks = trainer.networks
    asked = {total: {id(weight) for weight in weights} for total, weights in trainer.table.items()}

    def ids(names):
        return {id(p) for p in parameters_of(*(getattr(networks, name) for name in names))}

    assert asked == {
        EXAMPLE: ids(parts),
        FOLDER: ids(B | SHARED),
        DISCRIMINATOR: ids({"discriminator_b"}),
    }
    assert all(len(weights) == len(asked[total]) for total, weights in trainer.table.items())

import copy
import dataclasses
import io

import pytest
import torch

from ostcli.config import Cycle, LatentForm, NetworkConfig, OptimConfig, Precision, Reach
from ostcli.method import winograd
from ostcli.method.record import EXAMPLE, FOLDER
from ostcli.training.adam import Adam
from ostcli.training.device import autocast
from ostcli.training.trainer import Trainer, figures_of

PHASES = ("one", "two")


def network(latent=LatentForm.SAMPLED):
    return NetworkConfig(
        width=4, num_blocks=1, discriminator_width=4, discriminator_layers=2, latent=latent
    )


def take_steps(trainer, make_batch, count, rate=1.0):
    for _ in range(count):
        record = trainer.do_step(make_batch(trainer.step), rate)
        [figures] = figures_of([record])
        trainer.health.judge(*figures)
    return trainer


def as_bytes(state):
    return {name: tensor.numpy().tobytes() for name, tensor in state.items()}


def through_a_file(state):
    """Give what another process would read."""
    stream = io.BytesIO()
    torch.save(dict(state), stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@pytest.mark.parametrize("latent", LatentForm)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("split", [0, 1, 5])
def test_stop_and_go_equals_no_stop_to_the_byte(phase, latent, split, make_trainer, make_batch):
    whole = take_steps(make_trainer(phase, network=network(latent)), make_batch, 10)
    first = take_steps(make_trainer(phase, network=network(latent)), make_batch, split)
    second = make_trainer(phase, network=network(latent))

    second.load_state(through_a_file(first.state()))
    take_steps(second, make_batch, 10 - split)

    assert as_bytes(second.state()) == as_bytes(whole.state())
    assert second.health.state().equal(whole.health.state())


@pytest.mark.parametrize("reach", Reach)
def test_stop_and_go_holds_for_every_reach(reach, make_trainer, make_batch):
    whole = take_steps(make_trainer(reach=reach), make_batch, 6)
    second = make_trainer(reach=reach)

    second.load_state(take_steps(make_trainer(reach=reach), make_batch, 3).state())
    take_steps(second, make_batch, 3)

    assert as_bytes(second.state()) == as_bytes(whole.state())


def test_the_roll_backs_are_part_of_the_state(make_trainer):
    trainer, other = make_trainer(), make_trainer()
    trainer.num_roll_backs = 2

    other.load_state(through_a_file(trainer.state()))

    assert (other.num_roll_backs, other.rate_factor) == (2, 0.25)


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("cycle", Cycle)
def test_every_reach_goes_with_every_cycle(cycle, reach, make_trainer, make_batch):
    trainer = take_steps(make_trainer(reach=reach, cycle=cycle), make_batch, 2)

    again = make_trainer(reach=reach, cycle=cycle)
    again.load_state(trainer.state())

    assert trainer.is_finite
    assert as_bytes(again.state()) == as_bytes(trainer.state())


@pytest.mark.parametrize(("cycle", "stepped"), [(Cycle.NONE, False), (Cycle.ONE_WAY, True)])
def test_a_weight_that_a_total_does_not_depend_on_gets_no_step_from_it(
    cycle, stepped, make_trainer, make_batch
):
    trainer = make_trainer(reach=Reach.BOTH_DOMAINS, cycle=cycle)

    trainer.do_step(make_batch(), 1.0)

    def has_stepped(total):
        optimiser = trainer.optimisers[total]
        numbers = {id(weight): index for index, weight in enumerate(optimiser.parameters)}
        return [
            f"{numbers[id(weight)]}.step" in optimiser.state()
            for weight in trainer.networks.encoder_b.parameters()
        ]

    assert set(has_stepped(EXAMPLE)) == {stepped}
    assert set(has_stepped(FOLDER)) == {True}


def test_the_same_seed_gives_the_same_bytes_and_another_others(make_trainer, make_batch):
    def state_of(seed):
        trainer = make_trainer(network=network(), seed=seed)
        return as_bytes(take_steps(trainer, make_batch, 3).state())

    assert state_of(1) == state_of(1)
    assert state_of(1) != state_of(2)


def test_a_state_holds_all_that_the_next_step_depends_on(make_trainer, make_batch):
    state = take_steps(make_trainer(), make_batch, 4).state()

    assert int(state["step"]) == 4
    assert int(state["num_roll_backs"]) == 0
    assert int(state["average.n_averaged"]) == 4
    assert {name.split(".")[0] for name in state} == {
        "step",
        "num_roll_backs",
        "health",
        "raw",
        "average",
        "optimiser",
        "pool",
    }
    assert {"optimiser.folder.0.exp_avg", "optimiser.example.0.exp_avg_sq"} <= set(state)
    assert state["pool.ab"].shape == state["pool.bb"].shape == (3, 3, 16, 16)


def test_a_state_is_a_copy_that_later_steps_do_not_touch(make_trainer, make_batch):
    trainer = take_steps(make_trainer(), make_batch, 3)
    state = trainer.state()
    before = as_bytes(state)

    take_steps(trainer, make_batch, 3)

    assert as_bytes(state) == before


def test_a_trainer_can_go_back_twice_to_the_same_state(make_trainer, make_batch):
    trainer = take_steps(make_trainer(), make_batch, 2)
    state = trainer.state()
    ends = []
    for _ in range(2):
        take_steps(trainer, make_batch, 3)
        ends.append(as_bytes(trainer.state()))
        trainer.load_state(state)

    assert ends[0] == ends[1]
    assert as_bytes(trainer.state()) == as_bytes(state)


def test_going_back_to_the_start_forgets_momentum_and_history(make_trainer, make_batch):
    trainer = make_trainer()
    start = trainer.state()

    take_steps(trainer, make_batch, 3)
    trainer.load_state(start)

    assert as_bytes(trainer.state()) == as_bytes(start)
    assert all(pool.pictures == [] for pool in trainer.phase.pools.values())


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("step"),
        lambda state: state.update({"step": torch.tensor(float("inf"))}),
        lambda state: state.update({"health": torch.tensor(0.0)}),
        lambda state: state.pop("raw.encoder_b.1.weight"),
        lambda state: state.update({"raw.encoder_b.1.weight": torch.zeros(1)}),
        lambda state: state.update({"optimiser.folder.0.a.b": torch.zeros(1)}),
    ],
)
def test_what_is_not_such_a_state_is_refused(change, make_trainer, make_batch):
    state = take_steps(make_trainer(), make_batch, 1).state()
    change(state)

    with pytest.raises(ValueError, match="not a state of this training"):
        make_trainer().load_state(state)


def test_the_rate_is_the_schedule_s_share_after_roll_backs(make_trainer, make_batch, monkeypatch):
    rates = []
    monkeypatch.setattr(Adam, "step", lambda _, gradients, rate: rates.append(rate))
    trainer = make_trainer(optim=OptimConfig(learning_rate=1e-3), example_rate=3.0)
    trainer.num_roll_backs = 1

    trainer.do_step(make_batch(), 0.25)

    times = [3.0 if total == EXAMPLE else 1.0 for total in trainer.optimisers]
    assert rates == pytest.approx([1e-3 * each * 0.5 * 0.25 for each in times])


def test_a_first_step_moves_each_weight_by_the_rate(make_trainer, make_batch):
    trainer = make_trainer("one", optim=OptimConfig(learning_rate=1e-3))
    weight = trainer.networks.decoder_b[-1].weight
    before = weight.detach().clone()

    trainer.do_step(make_batch(), 0.5)

    assert (weight - before).abs().mean().item() == pytest.approx(5e-4, rel=0.01)  # Adam's first


def test_a_rate_of_0_changes_no_weight(make_trainer, make_batch):
    trainer = make_trainer()
    before = as_bytes(trainer.networks.state_dict())

    take_steps(trainer, make_batch, 2, rate=0.0)

    assert as_bytes(trainer.networks.state_dict()) == before


@pytest.mark.parametrize(("share", "lag"), [(1 / 3, 4), (1 / 2, 3), (1.0, 2)])
def test_the_networks_for_use_are_the_moving_average(make_trainer, make_batch, share, lag):
    optim = OptimConfig(learning_rate=1e-2, average_decay=0.6, average_share=share)
    trainer = make_trainer("one", optim=optim)
    by_hand = None
    for count in range(8):
        take_steps(trainer, make_batch, 1)
        now = trainer.networks.encoder_b[1].weight.detach().clone()
        decay = min(0.6, (1 + count) / (lag + count))
        by_hand = now if by_hand is None else decay * by_hand + (1 - decay) * now

    used = trainer.networks_for_use()

    assert torch.allclose(used.encoder_b[1].weight, by_hand, atol=1e-6)
    assert not torch.equal(used.encoder_b[1].weight, trainer.networks.encoder_b[1].weight)


@pytest.mark.parametrize("scale", ["discriminator_b", "coarser_discriminators_b"])
def test_the_networks_for_use_take_the_discriminator_as_it_stands(
    make_trainer, make_batch, tiny_network, scale
):
    network = dataclasses.replace(tiny_network, discriminator_scales=2, discriminator_layers=1)
    trainer = take_steps(make_trainer(network=network), make_batch, 4)
    used, averaged, present = (
        as_bytes(networks.get_submodule(scale).state_dict())
        for networks in (trainer.networks_for_use(), trainer.average.module, trainer.networks)
    )

    assert used == present
    assert averaged != present


def test_the_networks_for_use_are_a_copy_ready_for_use(make_trainer, make_batch):
    trainer = take_steps(make_trainer(), make_batch, 2)
    used = trainer.networks_for_use()
    before = as_bytes(used.state_dict())

    take_steps(trainer, make_batch, 2)

    assert as_bytes(used.state_dict()) == before
    assert not used.training
    assert not any(weight.requires_grad for weight in used.parameters())
    assert trainer.networks.training
    assert all(weight.requires_grad for weight in trainer.networks.parameters())


@pytest.mark.parametrize("phase", ["one", "two"])
def test_the_order_in_memory_changes_nothing_else(phase, make_trainer, make_batch):
    expected, trainer = (take_steps(make_trainer(phase), make_batch, 2) for _ in range(2))
    before = trainer.state()

    trainer.reorder(torch.channels_last)

    assert trainer.state().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.state().items())
    wide = trainer.networks.encoder_shared[0].weight
    assert wide.is_contiguous(memory_format=torch.channels_last)
    assert not wide.is_contiguous()
    for step in range(2, 6):
        records = [one.do_step(make_batch(step), 1.0) for one in (trainer, expected)]
        actual, wanted = figures_of(records)
        assert actual.losses == pytest.approx(wanted.losses, rel=1e-3)


def test_what_is_learnt_in_half_precision_is_what_the_weights_say(
    make_trainer, make_batch, monkeypatch
):
    monkeypatch.setattr(winograd, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "LEAST_PLACES", 1)
    trainer = take_steps(make_trainer("one"), make_batch, 4)
    trainer.precision = Precision.BF16
    asked = []
    kernels = winograd._of_kernels
    monkeypatch.setattr(winograd, "_of_kernels", lambda weight: asked.append(1) or kernels(weight))
    take_steps(trainer, make_batch, 4)
    assert asked
    views = make_batch(0)["b"]
    with torch.no_grad(), autocast(trainer.device, Precision.BF16):
        actual, fresh = (
            one.encode_b(views).mean for one in (trainer.networks, copy.deepcopy(trainer.networks))
        )
    assert torch.equal(actual, fresh)


def test_half_precision_steps_give_losses_and_weights_in_float32(make_trainer, make_batch):
    base = make_trainer()
    trainer = Trainer(base.networks, base.phase, base.optim, seed=0, precision=Precision.BF16)

    record = trainer.do_step(make_batch(), 1.0)

    assert {loss.dtype for loss in record.losses.values()} == {torch.float32}
    assert {picture.dtype for picture in record.pictures.values()} == {torch.float32}
    assert {weight.dtype for weight in trainer.networks.parameters()} == {torch.float32}
    assert all(loss == loss for loss in figures_of([record])[0].losses.values())


def test_without_a_history_nothing_of_it_is_kept(make_trainer, make_batch):
    optim = dataclasses.replace(OptimConfig(), pool_size=0)

    state = take_steps(make_trainer(optim=optim), make_batch, 2).state()

    assert not [name for name in state if name.startswith("pool")]

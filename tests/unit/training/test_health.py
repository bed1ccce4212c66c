import math

import numpy as np
import pytest

from ostcli.training.health import Health

SPREAD = 0.5


def feed(health, errors, spread=SPREAD):
    """Judge a row of reconstruction errors; return the faults that were named, by their index."""
    faults = {}
    for index, error in enumerate(errors):
        fault = health.judge({"rec_b": float(error)}, spread)
        if fault is not None:
            faults[index] = fault
    return faults


def noisy(level, count, seed=0):
    """Errors around a level, between half and twice of it."""
    return level * 2 ** np.random.default_rng(seed).uniform(-1, 1, count)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["rec_b", "gan_ab"])
def test_a_loss_that_is_not_finite_is_named_at_once(name, value):
    losses = {"rec_b": 0.1, "kl_b": 0.2, "gan_ab": 0.3} | {name: value}

    assert Health().judge(losses, SPREAD) == f"the loss {name} is not a finite number"


def test_a_step_that_is_not_finite_is_not_remembered():
    health = Health()
    feed(health, [0.1] * 10)
    before = health.state()

    health.judge({"rec_b": math.nan}, SPREAD)

    assert health.state().equal(before)


def test_a_collapsed_reconstruction_is_called_within_a_hundred_steps():
    health = Health()
    assert feed(health, noisy(0.03, 1000)) == {}

    faults = feed(health, noisy(0.95, 100))

    assert faults
    assert "the reconstruction has collapsed" in next(iter(faults.values()))


@pytest.mark.parametrize(
    "errors",
    [
        noisy(0.05, 5000),
        noisy(0.5, 5000),
        np.linspace(0.9, 0.05, 3000),
        np.concatenate([noisy(0.02, 1000), noisy(0.1, 1000)]),  # worse, but within the margin
        np.concatenate([noisy(0.3, 1000), noisy(0.6, 1000)]),  # worse, but not three times
        np.where(np.arange(3000) % 40 == 0, 1.0, 0.05),  # single bad pictures
    ],
)
def test_noise_and_slow_change_are_no_collapse(errors):
    assert feed(Health(), errors) == {}


def test_a_vanished_latent_is_called_whatever_the_error():
    health = Health()
    feed(health, [0.1] * Health.GRACE)

    assert health.judge({"rec_b": 0.1}, 1e-6) == "the latent code has collapsed to a constant"


def test_nothing_is_called_before_the_grace_is_over():
    errors = np.concatenate([np.full(20, 0.01), np.full(Health.GRACE - 21, 1.9)])

    assert feed(Health(), errors, spread=0.0) == {}


def test_the_wild_first_steps_do_not_count_as_the_best():
    errors = np.concatenate([np.full(100, 0.001), np.full(2000, 0.5)])

    assert feed(Health(), errors) == {}


def test_a_state_is_sound_while_its_error_is_near_the_best():
    health = Health()
    feed(health, [0.1] * (Health.GRACE + 100))
    assert health.is_sound

    feed(health, [0.2] * 100)
    assert not health.is_sound

    feed(health, [0.1] * 100)
    assert health.is_sound


def test_the_state_goes_round():
    errors, more = noisy(0.05, 300), noisy(0.6, 200, seed=1)
    health, other = Health(), Health()
    feed(health, errors)
    other.load_state(health.state())

    assert other.state().equal(health.state())
    assert other.is_sound == health.is_sound
    assert feed(other, more) == feed(health, more) != {}


def test_the_state_of_a_new_watch_goes_round():
    health = Health()
    health.load_state(Health().state())

    assert feed(health, noisy(0.05, 300)) == {}
    assert health.is_sound

import math

import numpy as np
import pytest

from ostcli.training.health import Health

SPREAD = 0.5
FLAT = 1.0


def feed(health, errors, spread=SPREAD, flat=FLAT):
    """Judge a row of reconstruction errors; return the faults that were named, by their index."""
    faults = {}
    for index, error in enumerate(errors):
        fault = health.judge({"rec_b": float(error)}, spread, flat)
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

    assert Health().judge(losses, SPREAD, FLAT) == f"the loss {name} is not a finite number"


def test_a_step_that_is_not_finite_is_not_remembered():
    health = Health()
    feed(health, [0.1] * 10)
    before = health.state()

    health.judge({"rec_b": math.nan}, SPREAD, FLAT)

    assert health.state().equal(before)


def test_a_collapsed_reconstruction_is_called_within_a_hundred_steps():
    health = Health()
    assert feed(health, noisy(0.03, 1000)) == {}

    faults = feed(health, noisy(0.95, 100))

    assert faults
    assert "the reconstruction has collapsed" in next(iter(faults.values()))


def test_a_collapse_of_the_example_alone_is_called_by_its_name():
    health = Health()
    faults = [
        health.judge({"rec_b": 0.05, "rec_a": float(error)}, SPREAD, FLAT)
        for error in np.concatenate([noisy(0.05, 100), noisy(0.9, 100)])
    ]

    assert not any(faults[:100])
    assert "the reconstruction of the example has collapsed" in faults[199]


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

    assert health.judge({"rec_b": 0.1}, 1e-6, FLAT) == "the latent code has collapsed to a constant"


def test_nothing_is_called_before_the_grace_is_over():
    errors = np.concatenate([np.full(20, 0.01), np.full(Health.GRACE - 21, 1.9)])

    assert feed(Health(), errors, spread=0.0) == {}


def test_the_wild_first_steps_do_not_count_as_the_best():
    errors = np.concatenate([np.full(10, 0.001), np.full(2000, 0.5)])

    assert feed(Health(), errors) == {}


def test_a_collapse_is_called_within_the_steps_of_a_short_training():
    errors = np.concatenate([noisy(0.05, 100), noisy(0.9, 100)])

    assert "the reconstruction has collapsed" in feed(Health(), errors)[199]


def test_a_network_that_never_beats_flat_colour_is_called_after_its_grace():
    faults = feed(Health(), noisy(0.5, 1500), flat=0.3)

    assert Health.GRACE_FLAT - 1 <= min(faults) < 1000
    assert "worse than flat colour" in faults[min(faults)]


@pytest.mark.parametrize(
    ("errors", "flat"),
    [
        (noisy(0.5, Health.GRACE_FLAT - 1), 0.3),  # short
        (np.linspace(0.9, 0.1, 2000) * noisy(1, 2000), 0.3),  # slow
        (noisy(0.14, 1500), 0.02),  # nearly flat pictures, which flat colour shows well
        (np.concatenate([noisy(0.2, 500), [1.0] * 5, noisy(0.2, 100)]), 0.3),  # a few bad ones
    ],
)
def test_health_is_not_mistaken_for_flat_colour(errors, flat):
    assert feed(Health(), errors, flat=flat) == {}


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


def test_what_is_no_such_state_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        Health().load_state(Health().state()[:2])
    with pytest.raises(ValueError, match="unpack"):
        Health().load_state(Health().state()[:, :3])


def test_the_state_of_a_new_watch_goes_round():
    health = Health()
    health.load_state(Health().state())

    assert feed(health, noisy(0.05, 300)) == {}
    assert health.is_sound


def test_networks_without_a_reconstruction_can_only_diverge():
    health = Health()
    for _ in range(300):
        assert health.judge({"cycle_a": 0.5}, 0.0, 0.1) is None
    assert "cycle_a" in health.judge({"cycle_a": math.inf}, 0.0, 0.1)

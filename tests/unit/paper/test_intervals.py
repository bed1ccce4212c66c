"""Intervals hold what they promise."""

import numpy as np
import pytest

from ostcli.paper.intervals import (
    average,
    balanced_average,
    balanced_share,
    difference,
    difference_of_shares,
    jackknife,
    share,
    share_of_runs,
    student,
)


def test_a_share_of_few_trials_is_known_badly():
    few, many = share([True] * 2 + [False] * 2), share([True] * 200 + [False] * 200)

    assert few.value == many.value == 0.5
    assert few.high - few.low > 4 * (many.high - many.low)


def test_a_share_of_none_and_of_all_has_an_interval_within_0_and_1():
    none, every = share([False] * 30), share([True] * 30)

    assert (none.value, none.low) == (0, 0)
    assert 0.05 < none.high < 0.2
    assert (every.value, every.high) == (1, pytest.approx(1))


def test_a_wilson_interval_of_the_literature():
    # 81 of 263: Newcombe 1998, table I, method 3.
    estimate = share([True] * 81 + [False] * 182)

    assert (estimate.low, estimate.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_a_balanced_share_counts_every_label_alike():
    labels = [1] * 90 + [7] * 10
    right = [True] * 90 + [False] * 10

    assert share(right).value == 0.9
    assert balanced_share(right, labels).value == 0.5


def test_the_jackknife_of_a_mean_is_the_interval_of_the_mean():
    values = [0.1, 0.5, 0.2, 0.9]
    without = [np.mean([*values[:index], *values[index + 1 :]]) for index in range(4)]
    estimate, known = jackknife(float(np.mean(values)), without), average(values)

    assert (estimate.low, estimate.high) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize("true", [0.05, 0.3])
def test_intervals_hold_the_true_share_about_as_often_as_they_say(true):
    rng = np.random.default_rng(0)
    labels = [n % 10 for n in range(200)]
    trials = [(rng.random(200) < true).tolist() for _ in range(300)]

    for estimates in (
        [share(right) for right in trials],
        [balanced_share(right, labels) for right in trials],
    ):
        assert np.mean([one.low <= true <= one.high for one in estimates]) >= 0.92


def test_intervals_of_few_figures_hold_the_true_mean_as_often():
    rng = np.random.default_rng(0)
    for number in (3, 10):
        drawn = [rng.normal(0.3, 0.1, number).tolist() for _ in range(1000)]
        for estimates in (
            [average(values) for values in drawn],
            [difference(values, [0.0] * number) for values in drawn],
        ):
            held = np.mean([one.low <= 0.3 <= one.high for one in estimates])
            assert 0.93 <= held <= 0.97


def test_intervals_of_runs_hold_the_true_share_as_often():
    rng = np.random.default_rng(0)
    labels = [[index % 5 for index in range(10)]] * 8
    held = []
    for _ in range(500):
        own = rng.beta(3, 7, 8)  # Each run's own chance; their mean is 0.3.
        right = [(rng.random(10) < chance).tolist() for chance in own]
        both = share_of_runs(right), balanced_average(right, labels)
        held.append([one.low <= 0.3 <= one.high for one in both])
    assert (np.mean(held, axis=0) >= 0.92).all()


def test_quantiles_of_the_literature():
    # Student 1908 in today's tables: 4.303, 2.262, 1.962 for 2, 9 and 1000 degrees of freedom.
    assert student(2) == pytest.approx(4.303, rel=0.01)
    assert student(9) == pytest.approx(2.262, abs=1e-3)
    assert student(1000) == pytest.approx(1.962, abs=1e-3)


def test_runs_that_all_come_out_alike_are_no_certainty():
    every = share_of_runs([[True] * 50] * 4)

    assert (every.value, every.high) == (1, pytest.approx(1))
    assert every.low < 0.5


def test_a_single_run_says_nothing_of_another():
    right, labels = [[True, False] * 50], [[0, 1] * 50]
    for made in (share_of_runs(right), balanced_average(right, labels)):
        assert (made.value, made.low, made.high) == (0.5, None, None)


def test_an_average_of_one_has_no_interval():
    assert average([0.4]).low is average([0.4]).high is None
    assert jackknife(0.4, []).low is None
    assert not average([0.4]).excludes(0)
    assert average([0.4, 0.41]).excludes(0)
    assert average([0.4, 0.6]).low < 0.5 < average([0.4, 0.6]).high


def test_a_balanced_average_of_runs_is_that_of_their_trials():
    right = [[True, False], [True, True], [False, True]]
    labels = [[0, 1], [0, 0], [1, 1]]
    made = balanced_average(right, labels)

    of_trials = balanced_share([o for r in right for o in r], [n for run in labels for n in run])
    assert made.value == pytest.approx(of_trials.value)
    assert made.low < made.value < made.high


def test_runs_that_are_all_alike_inside_are_trusted_less_than_their_trials():
    right, labels = [[True] * 50, [False] * 50], [[0] * 50, [0] * 50]
    made = balanced_average(right, labels)
    assert made.high - made.low > 0.9


def test_a_difference_of_shares_is_that_of_pairs():
    one, near, far = [1.0, 0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 1.0]

    assert difference_of_shares(one, near, 1) == difference(one, near)
    assert difference_of_shares(one, far, 1).value == difference_of_shares(one, near, 1).value
    assert difference_of_shares(one, far, 1).high > difference_of_shares(one, near, 1).high + 0.5


def test_runs_that_all_differ_alike_leave_room_for_others():
    ten, many = (
        [difference_of_shares([1.0] * n, [of] * n, 1) for of in (1.0, 0.0)] for n in (10, 200)
    )

    for alike, apart in (ten, many):
        assert (alike.value, apart.value) == (0.0, 1.0)
        assert alike.low < 0 < alike.high
        assert apart.excludes(0)
    assert 0.2 < ten[0].high < 0.4
    assert many[0].high < 0.02


def test_runs_of_many_trials_that_all_differ_alike_leave_less_room():
    one, five_hundred = (difference_of_shares([0.3] * 4, [0.3 - 1e-9] * 4, n) for n in (1, 500))

    assert one.high > 0.5
    assert 0 < five_hundred.high < 0.003

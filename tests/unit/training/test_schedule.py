import pytest

from ostcli.training.schedule import Schedule


def of_steps(num_steps, decay_share=0.25):
    return Schedule(num_steps=num_steps, seconds=None, decay_share=decay_share)


def of_seconds(seconds, decay_share=0.25):
    return Schedule(num_steps=None, seconds=seconds, decay_share=decay_share)


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 1.0), (59, 1.0), (60, 1.0), (65, 0.75), (70, 0.5), (79, 0.05), (80, 0.0), (90, 0.0)],
)
def test_the_authors_rate_is_constant_for_60_and_falls_to_0_over_20(step, rate):
    assert of_steps(80).rate(step, seconds=1e9) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0, 1.0), (45, 1.0), (52.5, 0.5), (60, 0.0), (70, 0.0)]
)
def test_the_rate_follows_the_clock_where_the_budget_is_time(seconds, rate):
    assert of_seconds(60).rate(step=10**9, seconds=seconds) == pytest.approx(rate)


@pytest.mark.parametrize(("share", "rates"), [(0.0, [1, 1, 1, 1]), (1.0, [1, 0.75, 0.5, 0.25])])
def test_the_share_that_decays_may_be_nothing_or_all(share, rates):
    assert [of_steps(4, share).rate(step, 0) for step in range(4)] == pytest.approx(rates)


def test_done_is_the_share_of_the_budget():
    assert of_steps(200).done(50, seconds=1e9) == 0.25
    assert of_steps(200).done(200, seconds=0) == 1.0
    assert of_seconds(200).done(10**9, seconds=50) == 0.25


def test_the_number_of_steps_is_known_or_estimated_from_the_time_left():
    assert of_steps(200).steps_in_all(50, 10, seconds_per_step=3) == 200
    assert of_seconds(100).steps_in_all(20, 40, seconds_per_step=2) == 20 + 30
    assert of_seconds(100).steps_in_all(20, 140, seconds_per_step=2) == 20

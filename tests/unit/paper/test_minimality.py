"""Two leaky-ReLU units express the two semantic maps and no other."""

import pytest
import torch

from ostcli.paper.minimality import (
    NON_SEMANTIC,
    NUM_POINTS,
    SEGMENT_B,
    SEMANTIC,
    _judge,
    points_on,
    run_minimality,
)

NUM_SEEDS = 20


@pytest.fixture(scope="module")
def figure():
    return run_minimality(num_seeds=NUM_SEEDS, steps=400)


@pytest.mark.parametrize("kind", SEMANTIC)
def test_two_units_express_each_semantic_map(figure, kind):
    assert figure.fits["two units"][kind].num_expressed == NUM_SEEDS


@pytest.mark.parametrize("kind", NON_SEMANTIC)
def test_two_units_express_no_other_map_and_more_units_do(figure, kind):
    assert figure.fits["two units"][kind].num_expressed == 0
    assert figure.fits["two units"][kind].best_error > 0.1
    assert figure.fits["wide"][kind].num_expressed > NUM_SEEDS / 2


@pytest.mark.parametrize(
    ("of", "what"),
    [
        (lambda t: t, "num_forwards"),
        (lambda t: 1 - t, "num_backwards"),
        (lambda t: (t + 0.5) % 1, "num_non_semantic"),
        (lambda t: t**1.2, "num_unmatched"),  # Near to every point, but not as many everywhere.
        (lambda t: torch.where(t < 2 / 3, torch.tensor(0.5), 3 * t - 2), "num_unmatched"),
    ],
)
def test_a_map_is_told_by_where_its_points_come_to(of, what):
    t = (torch.arange(NUM_POINTS) + 0.5) / NUM_POINTS
    length = torch.tensor(SEGMENT_B).diff(dim=0).norm()
    matching = _judge(points_on(SEGMENT_B, of(t))[None], t, length)

    assert getattr(matching, what) == 1


def test_points_beside_the_segment_do_not_match():
    t = (torch.arange(NUM_POINTS) + 0.5) / NUM_POINTS
    beside = points_on(SEGMENT_B, t) + 0.1
    matching = _judge(beside[None], t, torch.tensor(SEGMENT_B).diff(dim=0).norm())

    assert matching.num_unmatched == 1


def test_two_units_that_match_the_distributions_are_semantic(figure):
    matching = figure.matchings["two units"]

    assert matching.num_forwards + matching.num_backwards == NUM_SEEDS
    assert min(matching.num_forwards, matching.num_backwards) > 0

"""Two leaky-ReLU units express the two semantic maps and no other."""

import pytest

from ostcli.paper.minimality import NON_SEMANTIC, SEMANTIC, run_minimality

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


def test_two_units_that_match_the_distributions_are_semantic(figure):
    matching = figure.matchings["two units"]

    assert matching.num_forwards + matching.num_backwards == NUM_SEEDS
    assert min(matching.num_forwards, matching.num_backwards) > 0

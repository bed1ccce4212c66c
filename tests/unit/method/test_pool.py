import pytest
import torch

from ostcli.method.pool import HistoryPool


def numbered(*numbers):
    return torch.stack([torch.full((3, 2, 2), float(number)) for number in numbers])


def numbers_of(pictures):
    return [int(picture[0, 0, 0]) for picture in pictures]


def test_a_pool_that_is_not_full_stores_and_returns_what_it_is_given():
    pool, generator = HistoryPool(4), torch.Generator()

    assert numbers_of(pool.exchange(numbered(1, 2), generator)) == [1, 2]
    assert numbers_of(pool.exchange(numbered(3), generator)) == [3]
    assert numbers_of(pool.pictures) == [1, 2, 3]


def test_a_full_pool_hands_out_an_older_picture_half_of_the_time():
    pool, generator = HistoryPool(5), torch.Generator().manual_seed(0)
    pool.exchange(numbered(*range(5)), generator)

    returned = [
        numbers_of(pool.exchange(numbered(number), generator))[0] for number in range(5, 2005)
    ]

    older = sum(got != given for given, got in enumerate(returned, start=5))
    assert older / 2000 == pytest.approx(0.5, abs=0.04)
    assert all(got <= given for given, got in enumerate(returned, start=5))
    assert len(pool.pictures) == 5


def test_a_picture_that_is_handed_out_makes_room_for_the_one_that_came():
    pool, generator = HistoryPool(3), torch.Generator().manual_seed(1)
    pool.exchange(numbered(0, 1, 2), generator)

    for number in range(3, 60):
        before = numbers_of(pool.pictures)
        got = numbers_of(pool.exchange(numbered(number), generator))[0]
        after = numbers_of(pool.pictures)

        expected = [number if kept == got else kept for kept in before]
        assert after == (before if got == number else expected)


def test_every_place_of_the_pool_is_drawn_from():
    pool, generator = HistoryPool(4), torch.Generator().manual_seed(2)
    pool.exchange(numbered(0, 1, 2, 3), generator)

    for number in range(4, 100):
        pool.exchange(numbered(number), generator)

    assert min(numbers_of(pool.pictures)) > 3


def test_a_pool_of_capacity_0_keeps_nothing_and_draws_nothing():
    pool, generator = HistoryPool(0), torch.Generator().manual_seed(0)
    state = generator.get_state()

    assert numbers_of(pool.exchange(numbered(1, 2), generator)) == [1, 2]
    assert pool.pictures == []
    assert torch.equal(generator.get_state(), state)


def test_the_generator_decides_what_is_handed_out():
    def run(seed):
        pool, generator = HistoryPool(2), torch.Generator().manual_seed(seed)
        return [numbers_of(pool.exchange(numbered(n), generator))[0] for n in range(50)]

    assert run(3) == run(3)
    assert run(3) != run(4)

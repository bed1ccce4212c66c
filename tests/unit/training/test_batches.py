import threading

import pytest
import torch

from ostcli.config import ViewConfig
from ostcli.training.batches import Prefetch, Views

VIEW = ViewConfig(size=16)


class Counted:
    """Pictures that remember which of them were asked for."""

    def __init__(self, images):
        self.images = images
        self.asked = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.images[index]


@pytest.mark.parametrize(("count", "batch_size"), [(5, 1), (6, 2), (5, 2), (1, 3), (3, 7)])
def test_every_picture_is_used_once_before_any_is_used_again(count, batch_size, pictures):
    counted = Counted(pictures(count))
    views = Views(counted, VIEW, batch_size, [0, 1])

    for step in range(4 * count):
        views.batch(step)

    epochs = [counted.asked[n : n + count] for n in range(0, len(counted.asked), count)]
    assert len(epochs) == 4 * batch_size
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)


def test_the_order_changes_from_epoch_to_epoch(pictures):
    counted = Counted(pictures(6))
    views = Views(counted, VIEW, 1, [0, 1])

    for step in range(60):
        views.batch(step)

    assert len({tuple(counted.asked[n : n + 6]) for n in range(0, 60, 6)}) > 5


def test_a_batch_holds_that_many_views_and_they_differ(pictures):
    batch = Views(pictures(1), VIEW, 3, [0]).batch(0)

    assert batch.shape == (3, 3, 16, 16)
    assert batch.dtype == torch.float32
    assert not batch[0].equal(batch[1])


def test_a_batch_is_a_pure_function_of_the_step(pictures):
    images = pictures(5)
    forwards = [Views(images, VIEW, 2, [4, 1]).batch(step) for step in range(6)]
    views = Views(images, VIEW, 2, [4, 1])

    for step in (5, 0, 3, 3, 1):
        assert views.batch(step).equal(forwards[step])


def test_seeds_and_steps_give_different_views(pictures):
    images = pictures(1)
    first = Views(images, VIEW, 1, [0, 1])

    assert not first.batch(0).equal(Views(images, VIEW, 1, [0, 2]).batch(0))
    assert not first.batch(0).equal(first.batch(1))


def numbered(step):
    return {"b": torch.tensor(step)}


def test_prefetched_batches_equal_direct_calls(pictures):
    views = Views(pictures(5), VIEW, 2, [0, 1])

    with Prefetch(lambda step: {"b": views.batch(step)}) as batches:
        for step in range(12):
            assert batches.get(step)["b"].equal(views.batch(step))


def test_batches_are_made_in_one_background_thread_in_order_and_each_once():
    made, makers = [], set()

    def make(step):
        made.append(step)
        makers.add(threading.get_ident())
        return numbered(step)

    with Prefetch(make, ahead=3) as batches:
        for step in range(10):
            assert int(batches.get(step)["b"]) == step

    assert made == list(range(len(made)))
    assert 10 <= len(made) <= 12
    assert len(makers) == 1
    assert threading.get_ident() not in makers


def test_batches_are_prepared_before_they_are_asked_for():
    ready = threading.Event()

    def make(step):
        if step == 3:
            ready.set()
        return numbered(step)

    with Prefetch(make, ahead=4) as batches:
        batches.get(0)
        assert ready.wait(5)


def test_an_error_in_the_background_reaches_the_caller_at_its_step():
    def make(step):
        if step == 2:
            raise ValueError("no such picture")
        return numbered(step)

    with Prefetch(make) as batches:
        assert int(batches.get(0)["b"]) == 0
        assert int(batches.get(1)["b"]) == 1
        with pytest.raises(ValueError, match="no such picture"):
            batches.get(2)
        assert int(batches.get(3)["b"]) == 3


@pytest.mark.parametrize("back_to", [0, 4, 5])
def test_a_jump_back_works(back_to):
    with Prefetch(numbered) as batches:
        for step in range(6):
            batches.get(step)
        for step in range(back_to, 12):
            assert int(batches.get(step)["b"]) == step


def test_a_jump_forward_works():
    with Prefetch(numbered) as batches:
        for step in (0, 2, 50, 51):
            assert int(batches.get(step)["b"]) == step


def test_no_thread_is_left_behind():
    with Prefetch(numbered) as batches:
        batches.get(0)

    assert not [one for one in threading.enumerate() if one.name.startswith("ost-views")]

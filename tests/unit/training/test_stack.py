"""Several trainings in one: each comes to what it comes to alone."""

import copy

import pytest
import torch

from ostcli.config import Cycle, LossWeights, OptimConfig
from ostcli.training.stack import Stack, joined, may_step_together
from ostcli.training.trainer import figures_of

BY_PATCHES = {
    "colours": LossWeights(weight_adversarial_ab=0.0, weight_patch_ab=10.0),
    "strokes": LossWeights(weight_adversarial_ab=0.0, weight_gram_ab=40.0),
    "discriminator": LossWeights(),
}
NUM = 3


@pytest.fixture
def views():
    """Views of a step: every example has its own, all have the same of the folder."""

    def make(step, example):
        generator = torch.Generator().manual_seed(100 * step + example)
        of_a = torch.rand(2, 3, 32, 32, generator=generator)
        of_b = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        return {"a": 2 * of_a - 1, "b": 2 * of_b - 1}

    return make


@pytest.fixture
def make(make_trainer):
    def of(pull="colours", cycle=Cycle.ONE_WAY, **options):
        optim = OptimConfig(batch_size=2, learning_rate=1e-3)
        given = {"folder_learns": False, "weights": BY_PATCHES[pull], "optim": optim, **options}
        return make_trainer("two", cycle=cycle, **given)

    return of


def weights_of(trainer):
    return {**trainer.networks.state_dict(), **trainer.average.state_dict()}


@pytest.mark.parametrize("cycle", Cycle)
@pytest.mark.parametrize("pull", BY_PATCHES)
def test_each_comes_to_what_it_comes_to_alone(make, views, pull, cycle):
    alone = [make(pull, cycle) for _ in range(NUM)]
    together = Stack([make(pull, cycle) for _ in range(NUM)])
    for step in range(4):
        batches = [views(step, example) for example in range(NUM)]
        expected = [one.do_step(batch, 1.0) for one, batch in zip(alone, batches, strict=True)]
        actual = together.do_step(joined(batches), 1.0)
        for one, other in zip(actual, expected, strict=True):
            for mine, theirs in zip(*figures_of([one, other]), strict=True):
                assert mine == pytest.approx(theirs, rel=1e-3)
            assert one.pictures["trans_ab"].shape == other.pictures["trans_ab"].shape
    for one, other in zip(together.trainers, alone, strict=True):
        assert one.step == other.step == together.step == 4
        for name, weight in weights_of(other).items():
            torch.testing.assert_close(weights_of(one)[name], weight, atol=2e-4, rtol=1e-3)


@pytest.fixture
def use_threads():
    """Set torch's number of threads for the length of a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, NUM, 8])
def test_threads_with_some_of_them_each_come_to_the_same(make, views, use_threads, threads):
    alone = [make() for _ in range(NUM)]
    together = Stack([make() for _ in range(NUM)], threads)
    assert together.num_lanes == min(threads, NUM)
    for step, in_use in enumerate([threads, 2 * threads, 1]):
        use_threads(in_use)  # Others may want the cores meanwhile.
        batches = [views(step, example) for example in range(NUM)]
        expected = [one.do_step(batch, 1.0) for one, batch in zip(alone, batches, strict=True)]
        actual = together.do_step(joined(batches), 1.0)
        assert torch.get_num_threads() == in_use
        for mine, theirs in zip(figures_of(actual), figures_of(expected), strict=True):
            assert mine.losses == pytest.approx(theirs.losses, rel=1e-3)
    for one, other in zip(together.trainers, alone, strict=True):
        assert one.step == other.step == 3
        for name, weight in weights_of(other).items():
            torch.testing.assert_close(weights_of(one)[name], weight, atol=2e-4, rtol=1e-3)


def test_all_threads_are_done_when_one_has_failed(make, views, use_threads, monkeypatch):
    use_threads(2)
    stack = Stack([make(), make()], 2)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(stack.trainers[0], "do_step", fail)
    with pytest.raises(MemoryError):
        stack.do_step(joined([views(0, 0), views(0, 1)]), 1.0)
    assert stack.trainers[1].step == 1


def test_examples_learn_apart(make, views):
    stack = Stack([make() for _ in range(2)])
    begun = [weight.clone() for weight in stack.trainers[0].networks.encoder_a.parameters()]
    stack.do_step(joined([views(0, 0), views(0, 1)]), 1.0)
    one, other = (list(each.networks.encoder_a.parameters()) for each in stack.trainers)
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[0], begun[0])


def test_a_stack_of_one_is_the_training_itself(make_trainer, make_batch):
    expected, trainer = make_trainer("one"), make_trainer("one")
    [record] = Stack([trainer]).do_step(make_batch(0), 1.0)
    other = expected.do_step(make_batch(0), 1.0)
    assert figures_of([record]) == figures_of([other])
    assert trainer.step == 1


def test_only_what_leaves_the_folder_alone_steps_together(make, make_trainer):
    assert may_step_together([make(), make()])
    assert not may_step_together([make(), make(folder_learns=True)])
    assert not may_step_together([make(folder_learns=True), make(folder_learns=True)])
    assert not may_step_together([make(), make("strokes")])
    assert not may_step_together([make_trainer("one"), make_trainer("one")])


def test_what_has_come_to_another_step_or_sees_otherwise_does_not_step_together(make, views):
    further, filtered = make(), make()
    further.do_step(views(0, 0), 1.0)
    assert not may_step_together([make(), further])
    filtered.networks.stroke_filter_a = 0.02
    assert not may_step_together([make(), filtered])


def test_the_rate_of_one_is_its_own(make, views):
    """A training that was rolled back goes on more slowly; the others do not."""
    stack = Stack([make(), make()])
    stack.trainers[1].num_roll_backs = 3
    begun = [copy.deepcopy(one.networks.encoder_a.state_dict()) for one in stack.trainers]
    stack.do_step(joined([views(0, 0), views(0, 0)]), 1.0)
    moved = [
        sum(
            float((weight - before[name]).abs().sum())
            for name, weight in one.networks.encoder_a.state_dict().items()
        )
        for one, before in zip(stack.trainers, begun, strict=True)
    ]
    assert moved[1] < 0.2 * moved[0]

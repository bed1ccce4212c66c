"""Classifiers learn labels, and scores are theirs."""

import pytest
import torch

from ostcli.paper.digits.classify import Classifier, accuracy, train_classifier
from ostcli.paper.digits.data import Digits
from ostcli.paper.digits.score import Judge, two_domains


def bars(colours: int, number: int = 60, level: int = 250) -> Digits:
    """Ten kinds of pictures: a bar whose place is the label."""
    generator = torch.Generator().manual_seed(colours)
    images = torch.randint(0, 40, (number, colours, 32, 32), generator=generator).byte()
    labels = torch.arange(number) % 10
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 3, 4:28] = level
    return Digits(images, labels)


@pytest.fixture(scope="module")
def judge():
    digits = train_classifier(bars(1), steps=150)
    domains = train_classifier(two_domains(bars(3, level=120), bars(1)), num_classes=2, steps=80)
    return Judge(digits, domains)


def test_a_classifier_learns_its_digits(judge):
    assert accuracy(judge.digits, bars(1)) > 0.9


def test_equal_seeds_give_equal_classifiers():
    one, other = (train_classifier(bars(1), steps=3) for _ in range(2))

    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])


def test_training_leaves_the_chance_of_others_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_classifier(bars(1), steps=1)

    assert torch.equal(torch.rand(3), expected)


def test_scores_of_real_pictures_of_b_are_high_and_of_a_are_not(judge):
    of_b, of_a = bars(1, 40), bars(3, 40, level=120)
    real = judge.score(of_b.pictures[:, None], of_b.labels[:, None])
    grey = of_a.pictures.mean(1, keepdim=True)
    other = judge.score(grey[:, None], of_a.labels[:, None])

    assert real.accuracy.value > 0.9
    assert real.balanced.value > 0.9
    assert real.realism.value > 0.9
    assert real.right_and_real.value > 0.8
    assert other.realism.value < 0.1
    assert other.right_and_real.value <= min(other.accuracy.value, other.realism.value)
    assert (len(real.of_runs["accuracy"]), real.num_own) == (40, 1)


def test_of_runs_with_several_pictures_only_runs_count(judge):
    of_b = bars(1, 40)
    one = judge.score(of_b.pictures.view(4, 10, 1, 32, 32), of_b.labels.view(4, 10))

    assert (len(one.of_runs["accuracy"]), one.num_own) == (4, 10)
    assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high


def test_what_is_not_finite_is_neither_right_nor_real(judge):
    of_b = bars(1, 40)
    pictures = of_b.pictures
    pictures[:20, :, 5, 5] = torch.nan
    score = judge.score(pictures[:, None], of_b.labels[:, None])

    assert score.num_broken == 20
    assert not any(score.of_runs["accuracy"][:20])
    assert not any(score.of_runs["right_and_real"][:20])
    assert score.realism.value <= 0.5


def test_classifying_keeps_the_mode_of_a_classifier():
    classifier = Classifier(1).train()
    classifier.guesses(bars(1, 10).pictures)

    assert classifier.training

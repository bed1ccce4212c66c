import pytest
import torch

from ostcli.errors import UsageError
from ostcli.paper.domain import check_scikit_learn, train_classifier


@pytest.fixture
def domains():
    torch.manual_seed(0)
    return torch.rand(12, 20), torch.rand(40, 20) + 0.5


def test_it_tells_pictures_of_the_two_looks_apart(domains):
    classifier = train_classifier(*domains)
    assert classifier.accuracy > 0.95
    unseen_a, unseen_b = torch.rand(9, 20), torch.rand(9, 20) + 0.5
    assert max(classifier.probability_of_b(unseen_a)) < 0.5
    assert min(classifier.probability_of_b(unseen_b)) > 0.5


def test_its_accuracy_on_two_like_looks_is_that_of_a_guess():
    torch.manual_seed(1)
    assert train_classifier(torch.rand(60, 20), torch.rand(90, 20)).accuracy == pytest.approx(
        0.5, abs=0.12
    )


def test_the_larger_domain_is_not_the_likelier_one():
    torch.manual_seed(2)
    classifier = train_classifier(torch.rand(10, 5), torch.rand(90, 5))
    assert torch.tensor(classifier.probability_of_b(torch.rand(50, 5))).mean() == pytest.approx(
        0.5, abs=0.1
    )


def test_two_pictures_of_a_domain_are_enough(domains):
    classifier = train_classifier(domains[0][:2], domains[1])
    assert min(classifier.probability_of_b(domains[1])) > 0.5
    assert max(classifier.probability_of_b(domains[0][:2])) < 0.5
    with pytest.raises(ValueError, match="two pictures"):
        train_classifier(domains[0][:1], domains[1])


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    check_scikit_learn()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="scikit-learn") as refused:
        check_scikit_learn()
    assert "ostcli[evaluate]" in refused.value.hint

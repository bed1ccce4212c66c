"""What translated digits come to: accuracy, realism, and both, each with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ostcli.paper.digits.classify import Classifier
from ostcli.paper.digits.controls import in_colours
from ostcli.paper.digits.data import Digits
from ostcli.paper.intervals import (
    Estimate,
    balanced_average,
    balanced_share,
    share,
    share_of_runs,
)

OF_B = 1
"""The class of B for a classifier of domains; A's is 0."""


@dataclass(frozen=True, kw_only=True)
class DigitScores:
    """The figures of one row."""

    accuracy: Estimate
    """Share of outputs that a classifier of B's digits takes for the digit that x is."""
    balanced: Estimate
    """The mean of that over the ten digits: SVHN's labels are uneven."""
    realism: Estimate
    """Share of outputs that a classifier of domains takes for B's."""
    right_and_real: Estimate
    """Share of outputs that are both: the digit that x is, and like B's."""
    of_runs: Mapping[str, tuple[float, ...]]
    """Accuracy and "right_and_real" of each run: rows on the same pictures are compared by run."""
    num_own: int
    """Pictures of A that a run has."""
    num_broken: int
    """Outputs that are not finite numbers: neither right nor real."""


@dataclass(frozen=True)
class Judge:
    """Two classifiers that have seen real digits only.

    Args:
        digits: of B.
        domains: between A's pictures, in B's colours, and B's.
    """

    digits: Classifier
    domains: Classifier

    def score(self, made: Tensor, labels: Tensor) -> DigitScores:
        """Score the translations of some runs.

        Args:
            made: T_AB of each run's pictures. Shape (K, n, C, 32, 32), range [-1, 1].
            labels: of the pictures. Shape (K, n).
        """
        num_own = labels.shape[1]
        pictures, of_all = made.flatten(0, 1), labels.flatten()
        sound = pictures.isfinite().flatten(1).all(1)
        right = (sound & (self.digits.guesses(pictures) == of_all)).view(-1, num_own)
        real = (sound & (self.domains.guesses(pictures) == OF_B)).view(-1, num_own)
        both = right & real
        return DigitScores(
            accuracy=_share(right),
            balanced=_balanced(right, labels),
            realism=_share(real),
            right_and_real=_share(both),
            of_runs={"accuracy": _of_each(right), "right_and_real": _of_each(both)},
            num_own=num_own,
            num_broken=int((~sound).sum()),
        )


def _of_each(right: Tensor) -> tuple[float, ...]:
    """Return the share that came right of each run. Shape (K, n)."""
    return tuple(right.float().mean(1).tolist())


def _share(right: Tensor) -> Estimate:
    """Return the share that came right of K runs of n pictures each. Shape (K, n)."""
    if right.shape[1] == 1:
        return share(right[:, 0].tolist())
    return share_of_runs(right.tolist())


def _balanced(right: Tensor, labels: Tensor) -> Estimate:
    """Return the balanced accuracy of K runs of n pictures each. Shape (K, n) both."""
    if right.shape[1] == 1:
        return balanced_share(right[:, 0].tolist(), labels[:, 0].tolist())
    return balanced_average(right.tolist(), labels.tolist())


def two_domains(domain_a: Digits, domain_b: Digits) -> Digits:
    """Return pictures of both domains, in B's colours, labelled by their domain."""
    in_b = (in_colours(domain_a.pictures, domain_b.colours) + 1) * 127.5
    return Digits(
        torch.cat([in_b.round().byte(), domain_b.images]),
        torch.tensor([1 - OF_B, OF_B]).repeat_interleave(
            torch.tensor([len(domain_a), len(domain_b)])
        ),
    )

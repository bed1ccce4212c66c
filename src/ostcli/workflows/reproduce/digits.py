"""What the experiments with digits have in common: a direction, its classifiers, its methods."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ostcli.config import LatentForm, Precision
from ostcli.events import OnEvent
from ostcli.method.networks import Networks
from ostcli.paper.digits.classify import Classifier, accuracy, train_classifier
from ostcli.paper.digits.data import DigitDomain, Digits
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.score import Judge, two_domains
from ostcli.paper.digits.settings import PRETRAIN_STEPS
from ostcli.paper.digits.train import OnStep, pretrain
from ostcli.workflows.reproduce.kept import digest_of, kept

DOMAIN_STEPS = 300
"""Of the classifier of domains: two looks are told apart at once."""
"""Runs that are trained together."""


@dataclass(frozen=True)
class DigitTask:
    """A direction of translation, by the names of its domains."""

    a: str
    b: str
    column: int | None
    """Which of the two columns of the paper's Table 1 it is; None for neither."""


TASKS: Mapping[str, DigitTask] = {
    "svhn-to-mnist": DigitTask("SVHN", "MNIST", 1),
    "mnist-to-svhn": DigitTask("MNIST", "SVHN", 0),
    "mnist-m-to-mnist": DigitTask("MNIST-M", "MNIST", None),
    "mnist-to-mnist-m": DigitTask("MNIST", "MNIST-M", None),
}
"""The paper's two, and two with MNIST-M as the larger colour domain."""


@dataclass(frozen=True)
class Drawn:
    """The pictures of A that some runs have.

    Args:
        images: Shape (K, n, C, 32, 32), uint8.
        labels: Shape (K, n).
    """

    images: Tensor
    labels: Tensor


class DigitLab:
    """A direction with all that its experiments need, made when it is asked for.

    Args:
        a: where one picture at a time is taken from; no training of a translation sees its labels.
        b: the folder.
        seed: of all chance.
        budget: by what the steps of every training are multiplied.
        precision: of phase I.
        on_event: told of what is trained.
        on_step: told of each step; may raise to stop.
    """

    def __init__(
        self,
        a: DigitDomain,
        b: DigitDomain,
        *,
        seed: int,
        budget: float,
        precision: Precision,
        on_event: OnEvent,
        on_step: OnStep,
    ) -> None:
        self.a, self.b, self.seed, self.budget = a, b, seed, budget
        self._precision, self._on_event, self._on_step = precision, on_event, on_step

    @cached_property
    def judge(self) -> Judge:
        """The classifiers of B's digits and of the two domains."""
        both = two_domains(self.a.train, self.b.train)
        return Judge(
            digits=self._classifier(f"classifier of {self.b.name}", self.b.train, 10, None),
            domains=self._classifier(
                f"classifier of {self.a.name} and {self.b.name}", both, 2, DOMAIN_STEPS
            ),
        )

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What is said above every table: sizes, and how good the classifiers are."""
        held_back = two_domains(self.a.held_back, self.b.held_back)
        return {
            "pictures_of_b": len(self.b.train),
            "pictures_of_a": len(self.pool),
            "accuracy_of_classifier": accuracy(self.judge.digits, self.b.held_back),
            "accuracy_of_domain_classifier": accuracy(self.judge.domains, held_back),
        }

    @cached_property
    def pool(self) -> Digits:
        """All pictures of A, in an order of chance."""
        parts = (self.a.held_back, self.a.train)
        images = torch.cat([part.images for part in parts])
        labels = torch.cat([part.labels for part in parts])
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(self.seed))
        return Digits(images[order], labels[order])

    def drawn(self, num_runs: int, num_own: int = 1) -> Drawn:
        """Return pictures of A for some runs: as many runs as there are pictures for, at most.

        Args:
            num_runs: that are wanted.
            num_own: pictures that each has; none has those of another.
        """
        num_runs = max(1, min(num_runs, len(self.pool) // num_own))
        taken = self.pool[: num_runs * num_own]
        shape = num_runs, min(num_own, len(self.pool))
        return Drawn(taken.images.view(*shape, *taken.images.shape[1:]), taken.labels.view(shape))

    def steps(self, steps: int) -> int:
        """Return how many steps this budget leaves of so many."""
        return max(1, round(self.budget * steps))

    def layers(self, latent: LatentForm = LatentForm.DETERMINISTIC) -> DigitLayers:
        """Return the architecture."""
        return DigitLayers(colours_b=self.b.colours, colours_a=self.a.colours, latent=latent)

    def pretrained(self, latent: LatentForm = LatentForm.DETERMINISTIC) -> Networks:
        """Return phase I's networks, trained once."""
        layers, steps = self.layers(latent), self.steps(PRETRAIN_STEPS)
        settings = {
            "data": digest_of(self.b.train.images),
            "latent": latent,
            "steps": steps,
            "seed": self.seed,
            "precision": self._precision,
        }

        def train() -> Networks:
            return pretrain(
                self.b.train,
                layers,
                steps=steps,
                seed=self.seed,
                precision=self._precision,
                on_step=self._on_step,
            )

        return kept(
            f"phase I of {self.b.name}",
            settings,
            build=lambda: Networks(layers, torch.Generator()),
            train=train,
            on_event=self._on_event,
        )

    def _classifier(
        self, name: str, digits: Digits, num_classes: int, steps: int | None
    ) -> Classifier:
        chosen = {} if steps is None else {"steps": steps}
        return kept(
            name,
            {"data": digest_of(digits.images, digits.labels), "seed": self.seed, **chosen},
            build=lambda: Classifier(digits.colours, num_classes),
            train=lambda: train_classifier(
                digits, num_classes=num_classes, seed=self.seed, **chosen
            ),
            on_event=self._on_event,
        )

"""What the experiments with digits have in common: a direction, its classifiers, its methods."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ostcli.config import LatentForm, Precision
from ostcli.method.networks import Networks
from ostcli.paper.digits import classify
from ostcli.paper.digits.classify import Classifier, accuracy, train_classifier
from ostcli.paper.digits.data import DigitDomain, Digits, as_values
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.score import Judge, two_domains
from ostcli.paper.digits.settings import (
    ADAPT_STEPS,
    MOST_PRETRAIN_STEPS,
    PRETRAIN_OPTIM,
    PRETRAIN_STEPS,
    PRETRAIN_WEIGHTS,
)
from ostcli.paper.digits.train import batches_of, begin_phase_one
from ostcli.training.device import CPU
from ostcli.workflows.reproduce.kept import Halfway, digest_of, digest_of_weights, is_kept, kept
from ostcli.workflows.reproduce.watch import Watch

DOMAIN_STEPS = 300
"""Of the classifier of domains: two looks are told apart at once."""
NUM_GIVEN_BACK = 192
"""Digits of B that phase I's networks are to give back: three of its batches."""

NAME_OF_PHASE_ONE = {
    LatentForm.DETERMINISTIC: "phase_one",
    LatentForm.SAMPLED: "phase_one_sampled",
}
"""In what a row was made with."""


@dataclass(frozen=True)
class DigitTask:
    """A direction of translation, by the names of its domains."""

    key: str
    a: str
    b: str
    column: int | None
    """Which of the two columns of the paper's Table 1 it is; None for neither."""

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.a} → {self.b}"


TASKS = (
    DigitTask("svhn-to-mnist", "SVHN", "MNIST", 1),
    DigitTask("mnist-to-svhn", "MNIST", "SVHN", 0),
    DigitTask("mnist-m-to-mnist", "MNIST-M", "MNIST", None),
    DigitTask("mnist-to-mnist-m", "MNIST", "MNIST-M", None),
)
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

    @property
    def pictures(self) -> Tensor:
        """As networks see them. Shape (K, n, C, 32, 32), range [-1, 1]."""
        return as_values(self.images)

    def in_parts(self, num_runs: int) -> list["Drawn"]:
        """Return so many runs at a time, all of them in order."""
        parts = zip(
            *(torch.split(each, num_runs) for each in (self.images, self.labels)), strict=True
        )
        return [Drawn(images, labels) for images, labels in parts]


class DigitLab:
    """A direction with all that its experiments need, made when it is asked for.

    Args:
        task: which.
        a: where one picture at a time is taken from; no training of a translation sees its labels.
        b: the folder.
        seed: of all chance.
        budget: by what the steps of adaptations are multiplied, and those of phase I up to the
            authors' number.
        precision: of phase I and of every adaptation.
        watch: told of each training's steps.
    """

    def __init__(
        self,
        task: DigitTask,
        a: DigitDomain,
        b: DigitDomain,
        *,
        seed: int,
        budget: float,
        precision: Precision,
        watch: Watch,
    ) -> None:
        self.task, self.a, self.b, self.seed, self.budget = task, a, b, seed, budget
        self.watch, self.device = watch, watch.device
        self.precision = precision
        self._pretrained: dict[LatentForm, Networks] = {}

    @cached_property
    def judge(self) -> Judge:
        """The classifiers of B's digits and of the two domains."""
        a, b = self.a, self.b
        return Judge(
            digits=self._classifier(f"classifier of {b.name}", b.train, 10, classify.STEPS),
            domains=self._classifier(
                f"classifier of {a.name} and {b.name}",
                two_domains(a.train, b.train),
                2,
                DOMAIN_STEPS,
            ),
        )

    @property
    def digests(self) -> Mapping[str, str]:
        """What tells its phase I from others of the same settings, as far as it is in use."""
        return {
            NAME_OF_PHASE_ONE[latent]: digest_of_weights(networks)
            for latent, networks in self._pretrained.items()
        }

    @property
    def digests_of_judge(self) -> Mapping[str, str]:
        """What tells the classifiers from others of the same settings."""
        return {
            "classifier": digest_of_weights(self.judge.digits),
            "classifier_of_domains": digest_of_weights(self.judge.domains),
        }

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What is said above every table: sizes, how good the classifiers are, and phase I."""
        num_each = min(len(self.a.held_back), len(self.b.held_back))
        held_back = two_domains(self.a.held_back[:num_each], self.b.held_back[:num_each])
        return {
            "pictures_of_b": len(self.b.train),
            "pictures_of_a": len(self.pool),
            "accuracy_of_classifier": accuracy(self.judge.digits, self.b.held_back),
            "accuracy_of_domain_classifier": accuracy(self.judge.domains, held_back),
            "phase_one": self._phase_one_facts(),
        }

    def _phase_one_facts(self) -> Mapping[str, float] | None:
        """How well phase I's networks give back held-back digits of B; None before their training.

        The squared error of T_BB(b), as phase I is trained and each digit alone, as in phase II,
        where it has its own statistics; that of flat colour; and the classifier's accuracy of what
        goes alone. Values range over 2.
        """
        if not self.has_phase_one:
            return None
        networks = self.pretrained()
        digits = self.b.held_back[:NUM_GIVEN_BACK]
        real = digits.pictures

        def given_back(at_once: int) -> Tensor:
            parts = torch.split(real, at_once)
            return torch.cat([networks.reconstruct_bb(part) for part in parts])

        def error(made: Tensor) -> float:
            return float((made - real).square().mean())

        with torch.inference_mode():
            together, alone = given_back(PRETRAIN_OPTIM.batch_size), given_back(1)
        return {
            "error": error(together),
            "error_alone": error(alone),
            "error_of_flat_colour": error(real.mean((2, 3), keepdim=True)),
            "accuracy_alone": float(
                (self.judge.digits.guesses(alone) == digits.labels).float().mean()
            ),
        }

    @property
    def has_phase_one(self) -> bool:
        """Whether phase I was trained."""
        settings = self._settings_of_phase_one(LatentForm.DETERMINISTIC)
        return is_kept(self._name_of_phase_one, settings)

    @cached_property
    def pool(self) -> Digits:
        """All pictures of A by chance, those first that no classifier has seen."""
        chance = self.chance()
        parts = [
            part[torch.randperm(len(part), generator=chance)]
            for part in (self.a.held_back, self.a.train)
        ]
        return Digits(
            torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts])
        )

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
        """Return how many steps this budget makes of an adaptation's."""
        return max(1, round(self.budget * steps)) if steps else 0

    def chance(self) -> torch.Generator:
        """Return what draws fresh weights."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """All that every row depends on, as JSON values."""
        return {
            "task": self.task.key,
            "a": digest_of(self.pool.images, self.pool.labels),
            "b": digest_of(self.b.train.images, self.b.train.labels),
            "seed": self.seed,
            "budget": self.budget,
            "phase_one": self._phase_one,
            "classifier": {**classify.SETTINGS, "steps": [classify.STEPS, DOMAIN_STEPS]},
            "precision": self.precision,
        }

    @property
    def _phase_one(self) -> Mapping[str, Any]:
        """All that phase I's networks depend on besides data and latent, as JSON values."""
        layers = self.layers()
        return {
            "width": layers.width,
            "batch_norm": layers.batch_norm,
            "weights": PRETRAIN_WEIGHTS.to_json(),
            "optim": PRETRAIN_OPTIM.to_json(),
            "steps": self.steps_of_phase_one,
            "seed": self.seed,
            "precision": self.precision,
        }

    def introduction(self, facts: Mapping[str, Any]) -> str:
        """Return what is said above every table: data, classifiers, lengths.

        Args:
            facts: as `facts` has them, of when the rows were made.
        """
        of_colours = (
            " A has no colours and B has: any colours at all are B's to that one, whatever they "
            "show, so its answer says little."
            if self.a.colours < self.b.colours
            else ""
        )
        return (
            f"A is {self.a.name}, {facts['pictures_of_a']:,} pictures of which each run has its "
            f"own; B is {self.b.name}, {facts['pictures_of_b']:,} pictures. A classifier trained "
            f"on B's digits alone judges, right on {facts['accuracy_of_classifier']:.1%} of B's "
            f"held-back ones; the one that tells A from B is right on "
            f"{facts['accuracy_of_domain_classifier']:.1%}.{of_colours} Phase I: "
            f"{self.steps_of_phase_one:,} steps of 64 pictures (authors: 10,000)"
            f"{_given_back(facts['phase_one'])}. "
            f"Phase II, and each baseline: {self.steps(ADAPT_STEPS):,} steps of one picture of "
            "each domain (authors: 5,000)."
        )

    @property
    def steps_of_phase_one(self) -> int:
        """By the budget, at most the authors'."""
        return min(MOST_PRETRAIN_STEPS, self.steps(PRETRAIN_STEPS))

    def layers(self, latent: LatentForm = LatentForm.DETERMINISTIC) -> DigitLayers:
        """Return the architecture."""
        return DigitLayers(colours_b=self.b.colours, colours_a=self.a.colours, latent=latent)

    def pretrained(self, latent: LatentForm = LatentForm.DETERMINISTIC) -> Networks:
        """Return phase I's networks, trained once; not to be changed."""
        if latent not in self._pretrained:
            self._pretrained[latent] = self._kept_or_trained(latent)
        return self._pretrained[latent]

    def _kept_or_trained(self, latent: LatentForm) -> Networks:
        layers, steps = self.layers(latent), self.steps_of_phase_one
        name = self._name_of_phase_one

        def train(halfway: Halfway) -> Networks:
            trainer = begin_phase_one(
                layers, seed=self.seed, precision=self.precision, device=self.device
            )
            self.watch.train(name, trainer, batches_of(self.b.train, self.seed), steps, halfway)
            return trainer.networks_for_use().to(CPU).to(memory_format=torch.contiguous_format)

        return kept(
            name,
            self._settings_of_phase_one(latent),
            build=lambda: Networks(layers, torch.Generator()),
            train=train,
            on_event=self.watch.on_event,
        )

    @property
    def _name_of_phase_one(self) -> str:
        return f"phase I of {self.b.name}"

    def _settings_of_phase_one(self, latent: LatentForm) -> Mapping[str, Any]:
        """All that phase I's networks depend on."""
        return {**self._phase_one, "data": digest_of(self.b.train.images), "latent": latent}

    def _classifier(self, name: str, digits: Digits, num_classes: int, steps: int) -> Classifier:
        return kept(
            name,
            {
                **classify.SETTINGS,
                "data": digest_of(digits.images, digits.labels),
                "seed": self.seed,
                "steps": steps,
            },
            build=lambda: Classifier(digits.colours, num_classes),
            train=lambda _: train_classifier(
                digits,
                num_classes=num_classes,
                steps=steps,
                seed=self.seed,
                on_step=self.watch.of(name, device=CPU),
            ),
            on_event=self.watch.on_event,
        )


def _given_back(phase_one: Mapping[str, float] | None) -> str:
    """Say how well phase I gives digits back; nothing before its training."""
    if phase_one is None:
        return ""
    error, alone, flat = (phase_one[f"error{of}"] for of in ("", "_alone", "_of_flat_colour"))
    said = (
        f", after which held-back digits of B come back with a squared error of {error:.3f} in "
        f"batches of 64, and of {alone:.3f} each alone, as in phase II (flat colour: {flat:.3f}), "
        f"where {phase_one['accuracy_alone']:.1%} are read right"
    )
    if error > flat:
        return f"{said}. **That is worse than flat colour: what follows says little**"
    if alone > flat:
        return f"{said}. Alone that is worse than flat colour, as a digit's own light is lost"
    return said

"""The ways of translating digits that the tables compare.

Legend: K runs, n pictures of A that a run has, C colours of B.
"""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ostcli.config import Birth, OptimConfig, Reach
from ostcli.errors import ResourceError, StoreError
from ostcli.events import Note, OnEvent, OnStep
from ostcli.method.networks import Networks
from ostcli.paper.baselines.cyclegan import CycleGan, CycleGanNetworks, CycleGanWeights
from ostcli.paper.baselines.unit import Unit, UnitWeights
from ostcli.paper.digits.authors import AuthorsPhaseTwo
from ostcli.paper.digits.controls import CONTROLS
from ostcli.paper.digits.settings import ADAPT, ADAPT_STEPS, Ablation
from ostcli.paper.digits.train import Course
from ostcli.paper.discriminator_a import WithDiscriminatorA
from ostcli.training.phases import PhaseTwo
from ostcli.training.runs import PhaseOfRuns
from ostcli.workflows.reproduce.book import Values
from ostcli.workflows.reproduce.digits import DigitLab, Drawn
from ostcli.workflows.reproduce.kept import Halfway
from ostcli.workflows.reproduce.watch import StoppedError

AT_ONCE = 50
"""Runs that step together: more would cost each hardly less, and memory more."""
KEPT_EVERY = 600.0
"""Seconds between two states of a training that are kept: of many runs they are a gigabyte."""
BORN_APART: Values = {"fresh_weights": "of each run"}
"""In the settings of a row whose runs begin with fresh weights, each with its own."""
UNADAPTED = "T_BB(x), unadapted"

N = TypeVar("N", bound=nn.Module)
B = TypeVar("B", WithDiscriminatorA, CycleGanNetworks)


class DigitMethod(Protocol):
    """Gives T_AB of every run's pictures."""

    @property
    def name(self) -> str:
        """Of the row."""

    @property
    def published(self) -> tuple[float, float] | None:
        """Accuracy of MNIST → SVHN and of SVHN → MNIST in the paper; None for a row of ours."""

    @property
    def at_once(self) -> int | None:
        """Runs that go together, a part of a row; None for all of them."""

    @property
    def settings(self) -> Values:
        """All that its results depend on besides the data, as JSON values."""

    def prepare(self, lab: DigitLab) -> None:
        """Train what all runs begin from."""

    def translate(
        self,
        lab: DigitLab,
        drawn: Drawn,
        *,
        looks: Sequence[int],
        seed: int,
        on_step: OnStep,
        halfway: Halfway,
    ) -> "Translated":
        """Translate the pictures of some runs, which step together.

        Args:
            lab: the direction.
            drawn: the pictures.
            looks: steps of training after which to translate; the last one is always.
            seed: of all chance, in fresh weights and in training.
            on_step: told of each step.
            halfway: where a training that is stopped is gone on with.

        Raises:
            StoppedError: a stop was asked for; the state is kept.
        """


class Translated(NamedTuple):
    """What a part of a row came to."""

    pictures: Mapping[int, Tensor]
    """T_AB by step. Shape (K, n, C, 32, 32), range [-1, 1]."""
    seconds: float
    """That it took, before a stop too."""


@dataclass(frozen=True, kw_only=True)
class Trained(Generic[N]):
    """A method that trains networks for each run."""

    name: str
    of_kind: Values
    """What tells it from other methods, as JSON values."""
    begin: Callable[[DigitLab, torch.Generator], N]
    """Makes the networks that a run begins from; the generator draws fresh weights."""
    phase: PhaseOfRuns[N]
    path: Callable[[N, Tensor], Tensor]
    """T_AB of the networks of one run."""
    optim: OptimConfig
    augment: bool = True
    steps: int = ADAPT_STEPS
    """At the budget of 1."""
    at_once: int = AT_ONCE
    published: tuple[float, float] | None = None

    @property
    def settings(self) -> Values:
        """All that its results depend on besides the data."""
        return {
            **self.of_kind,
            "optim": self.optim.to_json(),
            "steps": self.steps,
            "at_once": self.at_once,
        }

    def prepare(self, lab: DigitLab) -> None:
        """Train what all runs begin from; see `DigitMethod`."""
        self.begin(lab, lab.chance())

    def translate(
        self,
        lab: DigitLab,
        drawn: Drawn,
        *,
        looks: Sequence[int],
        seed: int,
        on_step: OnStep,
        halfway: Halfway,
    ) -> Translated:
        """Train the runs, and translate; see `DigitMethod`."""
        began = time.monotonic()
        chance = torch.Generator().manual_seed(seed)
        course = Course(
            (self.begin(lab, chance).to(lab.device) for _ in drawn.labels),
            self.phase,
            self.path,
            drawn.images,
            lab.b.train,
            self.optim,
            steps=lab.steps(self.steps),
            augment=self.augment,
            seed=seed,
            precision=lab.precision,
            looks=looks,
        )
        before = halfway.go_on(course)
        kept_at = time.monotonic()

        def taken() -> float:
            return before + time.monotonic() - began

        def after_step(step: int, num_steps: int) -> None:
            nonlocal kept_at
            on_step(step, num_steps)
            if time.monotonic() - kept_at > KEPT_EVERY:
                _keep_if_it_can(halfway, course, taken(), lab.watch.on_event)
                kept_at = time.monotonic()

        try:
            pictures = course.run(after_step)
        except StoppedError:
            halfway.keep(course, taken())
            raise
        return Translated(pictures, taken())


def _keep_if_it_can(
    halfway: Halfway, course: Course[Any], seconds: float, on_event: OnEvent
) -> None:
    """Keep a state against a kill: for want of room the training itself is not to end."""
    try:
        halfway.keep(course, seconds)
    except (ResourceError, StoreError) as error:
        text = f"{error.message}: a kill now would cost this training"
        on_event(Note(text=text, warning=True))


@dataclass(frozen=True)
class Control:
    """A translation that learns nothing of A; see `controls`."""

    name: str
    published = None
    at_once = None

    @property
    def settings(self) -> Values:
        """Its name is all."""
        return {"control": self.name}

    def prepare(self, lab: DigitLab) -> None:
        """Do nothing."""

    def translate(
        self,
        lab: DigitLab,
        drawn: Drawn,
        *,
        looks: Sequence[int],  # noqa: ARG002 - no training
        seed: int,  # noqa: ARG002
        on_step: OnStep,  # noqa: ARG002
        halfway: Halfway,  # noqa: ARG002
    ) -> Translated:
        """Translate; see `DigitMethod`."""
        began = time.monotonic()
        made = CONTROLS[self.name](drawn.pictures.flatten(0, 1), lab.b.train.pictures)
        pictures = {0: made.view(*drawn.labels.shape, *made.shape[1:])}
        return Translated(pictures, time.monotonic() - began)


def one_shot(ablation: Ablation, *, name: str = "", steps: int = ADAPT_STEPS) -> Trained[Networks]:
    """Return the paper's method, or a row of its Table 1.

    Args:
        ablation: the row.
        name: of the row, if another than the ablation's.
        steps: at the budget of 1.
    """
    config = ablation.of(ADAPT)

    def begin(lab: DigitLab, chance: torch.Generator) -> Networks:
        networks = copy.deepcopy(lab.pretrained(ablation.latent))
        networks.add_domain_a(config.birth, chance)
        if ablation.fresh_discriminator:
            networks.draw_discriminators(chance)
        return networks

    of_kind: dict[str, Any] = {**config.to_json(), "latent": ablation.latent}
    # Named where it is so: rows without it keep their place.
    if ablation.fresh_discriminator:
        of_kind["fresh_discriminator"] = True
    if ablation.birth is Birth.RANDOM:
        of_kind |= BORN_APART
    return Trained(
        name=name or ablation.name,
        of_kind=of_kind,
        begin=begin,
        phase=PhaseTwo.begin(config),
        path=lambda networks, pictures: networks.translate_ab(pictures),
        optim=config.optim,
        augment=ablation.augment,
        steps=steps,
        published=ablation.published,
    )


def as_authors_code(ablation: Ablation) -> Trained[WithDiscriminatorA]:
    """Return a row of Table 1 as the authors' digit code trains it; see `AuthorsPhaseTwo`.

    A is born at random, as its layers are in the code's networks of phase I, D_B begins anew, and
    what is selective still reaches B's unshared layers.

    Args:
        ablation: the row.
    """
    as_in_code = replace(
        ablation, birth=Birth.RANDOM, reach=Reach.BOTH_DOMAINS, fresh_discriminator=True
    )
    own = one_shot(as_in_code)

    def begin(lab: DigitLab, chance: torch.Generator) -> WithDiscriminatorA:
        return WithDiscriminatorA.beside(own.begin(lab, chance), chance)

    return Trained(
        name=f"as the authors' code: {'selective' if ablation.selective else 'not selective'}",
        of_kind={**own.of_kind, "as_authors_code": True},
        begin=begin,
        phase=AuthorsPhaseTwo.begin(as_in_code.of(ADAPT)),
        path=WithDiscriminatorA.translate_ab,
        optim=own.optim,
        augment=own.augment,
        published=ablation.published,
    )


def unadapted(full: Ablation) -> Trained[Networks]:
    """Return T_BB of x: of the full method all that is there before its first step."""
    return replace(one_shot(full, name=UNADAPTED, steps=0), published=None)


def unit(*, from_phase_one: bool) -> Trained[WithDiscriminatorA]:
    """Return UNIT on one's own pictures of A and all of B.

    Args:
        from_phase_one: whether it goes on from phase I's networks, as the paper's method does, or
            begins with nothing.
    """
    weights = UnitWeights()
    phase = Unit.begin(weights, ADAPT.optim)
    return _baseline("UNIT", WithDiscriminatorA, phase, asdict(weights), from_phase_one)


def cyclegan(*, from_phase_one: bool) -> Trained[CycleGanNetworks]:
    """Return CycleGAN likewise."""
    weights = CycleGanWeights()
    phase = CycleGan.begin(weights, ADAPT.optim)
    return _baseline("CycleGAN", CycleGanNetworks, phase, asdict(weights), from_phase_one)


def _baseline(
    name: str, networks: type[B], phase: PhaseOfRuns[B], weights: Values, from_phase_one: bool
) -> Trained[B]:
    def begin(lab: DigitLab, chance: torch.Generator) -> B:
        if from_phase_one:
            return networks.of_phase_one(lab.pretrained(), chance)
        return networks.build(lab.layers(), chance)

    return Trained(
        name=f"{name}, from {'phase I' if from_phase_one else 'random weights'}",
        of_kind={
            "baseline": name,
            "weights": weights,
            "from_phase_one": from_phase_one,
            **BORN_APART,
        },
        begin=begin,
        phase=phase,
        path=networks.translate_ab,
        optim=ADAPT.optim,
    )

"""The ways of translating pictures that Tables 2 and 3 compare, by training."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from ostcli.config import AdaptConfig, Direction
from ostcli.method.architecture import PictureLayers
from ostcli.method.networks import NetworkPath, Networks
from ostcli.paper.baselines.cyclegan import CycleGan, CycleGanNetworks, CycleGanWeights
from ostcli.paper.baselines.unit import Unit, UnitWeights
from ostcli.paper.discriminator_a import WithDiscriminatorA
from ostcli.paper.pictures.settings import ALL, FEW, NUM_FEW, ONE
from ostcli.training.batches import Views
from ostcli.training.phases import Phase, PhaseTwo
from ostcli.workflows.reproduce.book import Row, Values
from ostcli.workflows.reproduce.kept import SECONDS, Halfway, kept
from ostcli.workflows.reproduce.pictures import PictureLab, flop_of_step
from ostcli.workflows.translator import Translator, path_to

N = TypeVar("N", bound=nn.Module)
B = TypeVar("B", WithDiscriminatorA, CycleGanNetworks)


class Timed(nn.Module, Generic[N]):
    """Networks with the seconds that their training took.

    Args:
        networks: trained.
        seconds: of all steps.
    """

    seconds: Tensor

    def __init__(self, networks: N, seconds: float = 0.0) -> None:
        super().__init__()
        self.networks = networks
        self.register_buffer("seconds", torch.tensor(seconds))


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """What a method's translations of all sources took."""

    number: int
    seconds: Sequence[float]
    """Of those whose seconds are known."""
    flop_before: float
    """The operations of what they begin from."""


@dataclass(frozen=True, kw_only=True)
class PictureMethod(ABC, Generic[N]):
    """A way of translating that trains networks: for each source, or once for all of them."""

    name: str
    how_many: str
    """Pictures of A that it has: `ONE`, `FEW` or `ALL`."""
    of_kind: Values
    """What tells it from other methods, as JSON values."""
    begin: Callable[[PictureLab], N]
    """Makes the networks that it begins from."""
    phase: Callable[[PictureLab], Phase[N]]
    translating: Callable[[N, Direction], tuple[Networks, NetworkPath]]
    """Networks, and the path through them that leads to a domain: T_AB to B, T_BA to A."""

    @property
    def settings(self) -> Values:
        """All that its results depend on besides the task, as JSON values."""
        return {**self.of_kind, "pictures_of_a": {ONE: 1, FEW: NUM_FEW}.get(self.how_many)}

    @abstractmethod
    def trained_for(self, lab: PictureLab) -> tuple[PictureLab, AdaptConfig]:
        """Return the lab whose networks are trained for a lab's sources, and how they are."""

    @abstractmethod
    def _put_translations(self, lab: PictureLab, row: Row) -> Trainings:
        """Train, and put the translations of the sources into the row that lacks them."""

    def translate(self, lab: PictureLab, row: Row) -> Values:
        """Put the sources' translations into a row, past those there, and return what it cost.

        Raises:
            StoppedError: a stop was asked for; what is done is kept.
            TrainingFailedError: a training went wrong again and again.
        """
        trainings = self._put_translations(lab, row)
        trained, config = self.trained_for(lab)
        views = self._views(trained, 0)
        assert config.steps is not None
        each = flop_of_step(self.begin(trained), self.phase(trained), config, views)
        return {
            "steps": config.steps,
            "trainings": trainings.number,
            "giga_flop_per_step": each / 1e9,
            "tera_flop_in_all": (trainings.flop_before + config.steps * each) / 1e12,
            "seconds_each": fmean(trainings.seconds) if trainings.seconds else None,
        }

    def _trained(self, lab: PictureLab, index: int, halfway: Halfway) -> Timed[N]:
        """Return the networks of the training for a source, with the seconds that it took."""
        _, config = self.trained_for(lab)
        views = self._views(lab, index)
        trainer, took = lab.train(
            self.name, self.begin(lab), self.phase(lab), config, views, halfway
        )
        return Timed(trainer.networks_for_use(), took)

    def _views(self, lab: PictureLab, index: int) -> Mapping[str, Views]:
        """Return the views of the training for a source."""
        return {
            "a": lab.views(lab.own(index, self.how_many), 1),
            "b": lab.views(lab.domains.train_b),
        }


class ForEachSource(PictureMethod[N]):
    """One that is trained for each source by itself, from phase I's networks."""

    def trained_for(self, lab: PictureLab) -> tuple[PictureLab, AdaptConfig]:
        """Return the lab itself, and phase II's settings."""
        return lab, lab.two

    def _put_translations(self, lab: PictureLab, row: Row) -> Trainings:
        seconds = []
        for index, source in enumerate(lab.sources):
            name = f"{index + 1}-of-{len(lab.sources)}"
            if row.picture(index):
                part = row.part(name)
                seconds += [] if part is None else [float(part[SECONDS])]
                continue
            halfway = row.halfway(name)
            timed = self._trained(lab, index, halfway)
            networks, path = self.translating(timed.networks, Direction.B)
            row.keep_picture(index, Translator(networks, path, lab.two.view).translate(source))
            seconds.append(float(timed.seconds))
            row.keep_part(name, {SECONDS: timed.seconds})
            halfway.remove()
        return Trainings(
            number=len(lab.sources), seconds=seconds, flop_before=lab.flop_of_phase_one
        )


class ForBothWays(PictureMethod[N]):
    """One that has all of A: trained once for all sources of a set, of both of its ways.

    From random weights, for as many steps as phase I and phase II have together.
    """

    @property
    def settings(self) -> Values:
        """All that its results depend on besides the task, as JSON values."""
        return {**super().settings, "both_ways": True}

    def trained_for(self, lab: PictureLab) -> tuple[PictureLab, AdaptConfig]:
        """Return the lab of the set as it is given, and phase II's settings at their length."""
        trained = lab.both_ways
        assert trained.one.steps is not None
        assert trained.two.steps is not None
        return trained, replace(trained.two, steps=trained.one.steps + trained.two.steps)

    def _put_translations(self, lab: PictureLab, row: Row) -> Trainings:
        trained, config = self.trained_for(lab)
        timed = kept(
            f"{self.name}, {lab.task.dataset.name} both ways",
            {
                **self.settings,
                "data": trained.digests,
                "weight_identity": trained.task.weight_identity,
                "config": config.to_json(),
                "network": trained.one.to_json()["network"],
            },
            build=lambda: Timed(self.begin(trained)),
            train=lambda halfway: self._trained(trained, 0, halfway),
            on_event=lab.watch.on_event,
        )
        to = Direction.A if lab.task.swapped else Direction.B
        networks, path = self.translating(timed.networks.to(lab.watch.device), to)
        translator = Translator(networks, path, lab.two.view)
        for index, source in enumerate(lab.sources):
            row.keep_picture(index, translator.translate(source))
        return Trainings(number=1, seconds=[float(timed.seconds)], flop_before=0.0)


KINDS: Mapping[str, type[PictureMethod[Any]]] = {
    ONE: ForEachSource,
    FEW: ForEachSource,
    ALL: ForBothWays,
}
"""By how many pictures of A a method has."""


def one_shot() -> PictureMethod[Networks]:
    """Return the paper's method."""

    def begin(lab: PictureLab) -> Networks:
        networks = copy.deepcopy(lab.pretrained)
        networks.add_domain_a(lab.two.birth, lab.chance())
        return networks

    return ForEachSource(
        name=f"OST, {ONE} of A",
        how_many=ONE,
        of_kind={"method": "OST"},
        begin=begin,
        phase=lambda lab: PhaseTwo.begin(lab.two),
        translating=lambda networks, to: (networks, path_to(networks, to)),
    )


def unit(how_many: str) -> PictureMethod[WithDiscriminatorA]:
    """Return UNIT: from phase I's networks, or where it has all of A from random weights."""
    weights = UnitWeights()
    return KINDS[how_many](
        name=f"UNIT, {how_many} of A",
        how_many=how_many,
        of_kind={"method": "UNIT", **asdict(weights)},
        begin=_beginning(WithDiscriminatorA, how_many),
        phase=lambda lab: Unit.begin(weights, lab.two.optim),
        translating=lambda both, to: (both.networks, path_to(both.networks, to)),
    )


def cyclegan(how_many: str) -> PictureMethod[CycleGanNetworks]:
    """Return CycleGAN likewise."""
    return KINDS[how_many](
        name=f"CycleGAN, {how_many} of A",
        how_many=how_many,
        of_kind={"method": "CycleGAN", **asdict(CycleGanWeights())},
        begin=_beginning(CycleGanNetworks, how_many),
        phase=lambda lab: CycleGan.begin(
            CycleGanWeights(weight_identity=lab.task.weight_identity), lab.two.optim
        ),
        translating=CycleGanNetworks.translating,
    )


def _beginning(networks: type[B], how_many: str) -> Callable[[PictureLab], B]:
    """Return what makes the networks that a baseline begins from."""

    def begin(lab: PictureLab) -> B:
        if how_many == ALL:
            return networks.build(PictureLayers(lab.one.network), lab.chance())
        return networks.of_phase_one(lab.pretrained, lab.chance())

    return begin

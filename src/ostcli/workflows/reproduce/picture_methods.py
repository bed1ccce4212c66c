"""The ways of translating pictures that Tables 2 and 3 compare, by training."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ostcli.config import AdaptConfig, Direction
from ostcli.method.architecture import PictureLayers
from ostcli.method.networks import NetworkPath, Networks
from ostcli.paper.baselines.cyclegan import CycleGan, CycleGanNetworks, CycleGanWeights
from ostcli.paper.baselines.unit import Unit, UnitNetworks, UnitWeights
from ostcli.paper.pictures.settings import ALL, FEW, NUM_FEW, ONE
from ostcli.training.batches import Views
from ostcli.training.phases import Phase, PhaseTwo
from ostcli.workflows.reproduce.book import Row, Values
from ostcli.workflows.reproduce.kept import SECONDS, Halfway, kept
from ostcli.workflows.reproduce.pictures import PictureLab, flop_of_step
from ostcli.workflows.translator import Translator, path_to

N = TypeVar("N", bound=nn.Module)
B = TypeVar("B", UnitNetworks, CycleGanNetworks)


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
class PictureMethod(Generic[N]):
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
        number = {ONE: 1, FEW: NUM_FEW}.get(self.how_many)
        way = {"both_ways": True} if self.is_both_ways else {}
        return {**self.of_kind, "pictures_of_a": number, **way}

    @property
    def is_both_ways(self) -> bool:
        """Whether one training is for all sources and for the task with A and B swapped, too."""
        return self.how_many == ALL

    def translate(self, lab: PictureLab, row: Row) -> Values:
        """Put the sources' translations into a row, past those there, and return what it cost.

        Raises:
            StoppedError: a stop was asked for; what is done is kept.
            TrainingFailedError: a training went wrong again and again.
        """
        both = self.is_both_ways
        seconds = self._once(lab, row) if both else self._for_each(lab, row)
        trained, config = self.trained_for(lab)
        views = self._views(trained, 0)
        assert config.steps is not None
        each = flop_of_step(self.begin(trained), self.phase(trained), config, views)
        before = 0.0 if both else lab.flop_of_phase_one
        return {
            "steps": config.steps,
            "trainings": 1 if both else len(lab.sources),
            "giga_flop_per_step": each / 1e9,
            "tera_flop_in_all": (before + config.steps * each) / 1e12,
            "seconds_each": fmean(seconds) if seconds else None,
        }

    def trained_for(self, lab: PictureLab) -> tuple[PictureLab, AdaptConfig]:
        """Return the lab whose networks are trained for a lab's sources, and the settings of that.

        Where one training is for both ways, it is as long as phase I and phase II together.
        """
        if not self.is_both_ways:
            return lab, lab.two
        trained = lab.both_ways
        assert trained.one.steps is not None
        assert trained.two.steps is not None
        return trained, replace(trained.two, steps=trained.one.steps + trained.two.steps)

    def _for_each(self, lab: PictureLab, row: Row) -> list[float]:
        """Train for each source, and translate it; return the seconds of the trainings."""
        seconds = []
        for index in range(len(lab.sources)):
            name = f"{index + 1}-of-{len(lab.sources)}"
            if row.picture(index):
                part = row.part(name)
                seconds += [] if part is None else [float(part[SECONDS])]
                continue
            halfway = row.halfway(name)
            timed = self._trained(lab, index, halfway)
            self._translate(lab, row, timed.networks, [index])
            seconds.append(float(timed.seconds))
            row.keep_part(name, {SECONDS: timed.seconds})
            halfway.remove()
        return seconds

    def _once(self, lab: PictureLab, row: Row) -> list[float]:
        """Train for all sources of both ways, and translate a lab's; return the seconds."""
        every, (trained, config) = range(len(lab.sources)), self.trained_for(lab)
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
        self._translate(lab, row, timed.networks.to(lab.watch.device), every)
        return [float(timed.seconds)]

    def _trained(self, lab: PictureLab, index: int, halfway: Halfway) -> "Timed[N]":
        """Return the networks of the training for a source, with the seconds that it took."""
        _, config = self.trained_for(lab)
        views = self._views(lab, index)
        trainer, took = lab.train(
            self.name, self.begin(lab), self.phase(lab), config, views, halfway
        )
        return Timed(trainer.networks_for_use(), took)

    def _translate(self, lab: PictureLab, row: Row, trained: N, which: Iterable[int]) -> None:
        """Put the translations of some sources into a row."""
        is_back = self.is_both_ways and lab.task.swapped
        to = Direction.A if is_back else Direction.B
        networks, path = self.translating(trained, to)
        translator = Translator(networks, path, lab.two.view)
        for index in which:
            row.keep_picture(index, translator.translate(lab.sources[index]))

    def _views(self, lab: PictureLab, index: int) -> Mapping[str, Views]:
        """Return the views of the training for a source."""
        return {
            "a": lab.views(lab.own(index, self.how_many), 1),
            "b": lab.views(lab.domains.train_b),
        }


def one_shot() -> PictureMethod[Networks]:
    """Return the paper's method."""

    def begin(lab: PictureLab) -> Networks:
        networks = copy.deepcopy(lab.pretrained)
        networks.add_domain_a(lab.two.birth, lab.chance())
        return networks

    return PictureMethod(
        name=f"OST, {ONE} of A",
        how_many=ONE,
        of_kind={"method": "OST"},
        begin=begin,
        phase=lambda lab: PhaseTwo.begin(lab.two),
        translating=lambda networks, to: (networks, path_to(networks, to)),
    )


def unit(how_many: str) -> PictureMethod[UnitNetworks]:
    """Return UNIT: from phase I's networks, or where it has all of A from random weights."""
    weights = UnitWeights()
    return PictureMethod(
        name=f"UNIT, {how_many} of A",
        how_many=how_many,
        of_kind={"method": "UNIT", **asdict(weights)},
        begin=_beginning(UnitNetworks, how_many),
        phase=lambda lab: Unit.begin(weights, lab.two.optim),
        translating=lambda both, to: (both.networks, path_to(both.networks, to)),
    )


def cyclegan(how_many: str) -> PictureMethod[CycleGanNetworks]:
    """Return CycleGAN likewise."""
    return PictureMethod(
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

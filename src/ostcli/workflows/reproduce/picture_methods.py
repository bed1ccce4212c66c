"""The ways of translating pictures that Tables 2 and 3 compare, by training."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Generic, TypeVar

import torch
from torch import nn

from ostcli.method.architecture import PictureLayers
from ostcli.method.networks import NetworkPath, Networks
from ostcli.paper.baselines.cyclegan import CycleGan, CycleGanNetworks, CycleGanWeights
from ostcli.paper.baselines.unit import Unit, UnitNetworks, UnitWeights
from ostcli.paper.pictures.settings import ALL, FEW, NUM_FEW, ONE
from ostcli.training.batches import Views
from ostcli.training.phases import Phase, PhaseTwo
from ostcli.workflows.reproduce.book import Row, Values
from ostcli.workflows.reproduce.kept import SECONDS
from ostcli.workflows.reproduce.pictures import PictureLab, flop_of_step
from ostcli.workflows.translator import Translator

N = TypeVar("N", bound=nn.Module)
B = TypeVar("B", UnitNetworks, CycleGanNetworks)


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
    translating: Callable[[N], tuple[Networks, NetworkPath]]
    """Networks, and the path through them that is T_AB."""

    @property
    def settings(self) -> Values:
        """All that its results depend on besides the task, as JSON values."""
        number = {ONE: 1, FEW: NUM_FEW}.get(self.how_many)
        return {**self.of_kind, "pictures_of_a": number}

    def translate(self, lab: PictureLab, row: Row) -> Values:
        """Put T_AB of the sources into a row, past those that are there, and return what it cost.

        Raises:
            StoppedError: a stop was asked for; what is done is kept.
            TrainingFailedError: a training went wrong again and again.
        """
        config = lab.two
        if self.how_many == ALL:  # As long as phase I and phase II together.
            assert lab.one.steps is not None
            assert lab.two.steps is not None
            config = replace(lab.two, steps=lab.one.steps + lab.two.steps)
        every = range(len(lab.sources))
        trainings = [every] if self.how_many == ALL else [[index] for index in every]
        seconds = []
        for place, of_one in enumerate(trainings):
            name = f"{place + 1}-of-{len(trainings)}"
            if all(row.picture(index) for index in of_one):
                part = row.part(name)
                seconds += [] if part is None else [float(part[SECONDS])]
                continue
            views, halfway = self._views(lab, of_one[0]), row.halfway(name)
            trainer, took = lab.train(
                self.name, self.begin(lab), self.phase(lab), config, views, halfway
            )
            networks, path = self.translating(trainer.networks_for_use())
            translator = Translator(networks, path, config.view)
            for index in of_one:
                row.keep_picture(index, translator.translate(lab.sources[index]))
            seconds.append(took)
            row.keep_part(name, {SECONDS: torch.tensor(took)})
            halfway.remove()
        assert config.steps is not None
        each = flop_of_step(self.begin(lab), self.phase(lab), config, self._views(lab, 0))
        before = 0.0 if self.how_many == ALL else lab.flop_of_phase_one
        return {
            "steps": config.steps,
            "trainings": len(trainings),
            "giga_flop_per_step": each / 1e9,
            "tera_flop_in_all": (before + config.steps * each) / 1e12,
            "seconds_each": fmean(seconds) if seconds else None,
        }

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
        translating=lambda networks: (networks, networks.translate_ab),
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
        translating=lambda both: (both.networks, both.networks.translate_ab),
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
        translating=lambda both: (both.forth, both.forth.translate_ab),
    )


def _beginning(networks: type[B], how_many: str) -> Callable[[PictureLab], B]:
    """Return what makes the networks that a baseline begins from."""

    def begin(lab: PictureLab) -> B:
        if how_many == ALL:
            return networks.build(PictureLayers(lab.one.network), lab.chance())
        return networks.of_phase_one(lab.pretrained, lab.chance())

    return begin

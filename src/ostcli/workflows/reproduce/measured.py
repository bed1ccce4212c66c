"""What the results of a task of pictures come to: figures with their intervals, and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from ostcli.images.controls import Controls
from ostcli.images.folder import spread
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.intervals import Estimate, difference
from ostcli.paper.scores import Gathered, Measurement, PictureScores, estimates
from ostcli.paper.tables import HEADINGS, estimate_cell
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.scoring import MOST_OF_FOLDER, Perceptual, measure_all

COMPARED = ("content", "domain", "error", "detail")
"""Figures by which ways are compared source by source."""
FEWEST_TOLD = 5
"""Sources below which nothing is said of differences."""
REAL = "real"
"""Pictures of B that no training saw: what a result can be at best."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What the ways of translating come to, by their names."""

    scores: Mapping[str, Mapping[str, Estimate]]
    """By figure."""
    of_each: Mapping[str, Sequence[PictureScores]]
    """Of each source, in order."""
    accuracy: float | None
    """Of the classifier of domains, if there is one."""

    def comparisons(self, ours: str) -> list[str]:
        """Return sentences on how one way compares with each other one, source by source."""
        own = self.of_each.get(ours)
        if own is None or len(own) < FEWEST_TOLD:
            return []
        return [
            f"{ours} less {name.replace('_', ' ')}, source by source: {figures}."
            for name, other in self.of_each.items()
            if name not in {ours, REAL} and (figures := _differences(own, other))
        ]


def measure_methods(
    lab: PictureLab,
    made: Mapping[str, Sequence[Image.Image]],
    network: PerceptualNetwork | None,
) -> Results:
    """Measure the results of every way of translating, and of the controls."""
    folder = spread(lab.domains.train_b, MOST_OF_FOLDER)
    controls = Controls(folder)
    measurements: dict[str, list[Measurement]] = {}
    for index, source in enumerate(lab.sources):
        lab.watch.check()
        results = {**controls.results(source), **{name: each[index] for name, each in made.items()}}
        truth = lab.truths[index] if lab.truths else None
        for name, row in measure_all(results, source, truth, network).items():
            measurements.setdefault(name, []).append(row)
    held_against, classifier = None, None
    if network is not None:
        seen = Perceptual(network=network)
        seen.look_at(folder, lab.watch.should_stop)
        lab.watch.check()
        for picture in spread(lab.domains.train_a, MOST_OF_FOLDER):
            lab.watch.check()
            seen.more_of_a.add(seen.digest(picture))
        sources = Gathered(result.seen for result in measurements["identity"] if result.seen)
        classifier, held_against = seen.classifier(sources, lab.watch.on_event), seen.folder
        measurements[REAL] = [
            Measurement({}, seen.digest(picture))
            for picture in spread(lab.domains.test_b, len(lab.sources))
        ]
        lab.watch.check()
    found = {name: estimates(each, held_against, classifier) for name, each in measurements.items()}
    return Results(
        scores={name: together for name, (together, _) in found.items()},
        of_each={name: of_each for name, (_, of_each) in found.items()},
        accuracy=classifier.accuracy if classifier else None,
    )


def _differences(ours: Sequence[PictureScores], theirs: Sequence[PictureScores]) -> str:
    parts = []
    for figure in COMPARED:
        one, other = ([getattr(each, figure) for each in way] for way in (ours, theirs))
        if None not in [*one, *other]:
            parts.append(f"{HEADINGS[figure]} {estimate_cell(difference(one, other))}")
    return ", ".join(parts)

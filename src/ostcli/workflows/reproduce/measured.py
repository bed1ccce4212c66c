"""What the results of a task of pictures come to: figures with their intervals, and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from ostcli.config import FeatureNetwork
from ostcli.images.folder import spread
from ostcli.paper.features import PerceptualNetwork
from ostcli.paper.scores import Estimated, Gathered, Measured, Measurement
from ostcli.paper.tables import REAL
from ostcli.workflows.reproduce.pictures import PictureLab
from ostcli.workflows.scoring import MOST_OF_FOLDER, Perceptual, measure_all


@dataclass(frozen=True, kw_only=True)
class Results:
    """What the ways of translating come to, by their names."""

    ways: Mapping[str, Estimated]
    features: FeatureNetwork | None
    """By whose features they are, as far as features are needed."""
    accuracy: float | None
    """Of the classifier of domains, if there is one."""


def measure_methods(
    lab: PictureLab,
    made: Mapping[str, Sequence[Image.Image]],
    network: PerceptualNetwork | None,
) -> Results:
    """Measure the results of every way of translating, and of the controls."""
    measured: dict[str, Measured] = {}
    for index, source in enumerate(lab.sources):
        lab.watch.check()
        results = {name: each[index] for name, each in {**lab.controls, **made}.items()}
        truth = lab.truths[index] if lab.truths else None
        for name, row in measure_all(results, source, truth, network).items():
            measured.setdefault(name, Measured()).add(row)
    held_against, classifier = None, None
    if network is not None:
        seen = Perceptual(network=network)
        seen.look_at(lab.folder, lab.watch.should_stop)
        lab.watch.check()
        for picture in spread(lab.domains.train_a, MOST_OF_FOLDER):
            lab.watch.check()
            seen.more_of_a.add(seen.digest(picture))
        # Of no picture that is scored: of the sources, what is left as it was would be A for sure.
        classifier, held_against = seen.classifier(Gathered(), lab.watch.on_event), seen.folder
        real = spread(lab.domains.test_b, len(lab.sources))
        if len(real) == len(lab.sources):  # Style tells of the number of pictures, too.
            measured[REAL] = Measured()
            for picture in real:
                measured[REAL].add(Measurement({}, seen.digest(picture)))
        lab.watch.check()
    return Results(
        ways={name: each.estimated(held_against, classifier) for name, each in measured.items()},
        features=network.kind if network else None,
        accuracy=classifier.accuracy if classifier else None,
    )

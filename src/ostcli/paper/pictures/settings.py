"""The tasks of Tables 2 and 3 with the published figures, and the networks that they are run on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ostcli.config import Look, Preset, PretrainConfig
from ostcli.presets import pretrain_preset

ONE, FEW, ALL = "1", "few", "all"
"""How many pictures of A a method is given."""
NUM_FEW = 5
STEPS_ONE, STEPS_TWO = 1500, 200
"""Of phase I and of phase II, for two cores (decision 0046). Authors: 80 for each picture of B in
each."""
WIDTH, SIZE = 32, 128
"""Channels after the first layer, and the side of a crop in pixels. Authors: 64 and 256."""

Published = Mapping[str, Mapping[str, float]]
"""Figures by method, such as "OST, 1 of A", and by their names."""

CONTENT, STYLE, STUDY = "content", "style", "correct in the user study"


@dataclass(frozen=True)
class PictureSet:
    """A set of the CycleGAN family on the disk.

    Args:
        name: of its folder.
        archive: of the archive that its authors give out, and of the folder that comes of it.
        how: how to get it, in a few words.
    """

    name: str
    archive: str = ""
    how: str = ""

    def folder(self, data: Path) -> Path:
        """Return where it is, or is to be put, in the folder of all data."""
        unpacked = data / (self.archive or self.name)
        return unpacked if unpacked.is_dir() else data / self.name

    @property
    def hint(self) -> str:
        """How to get it, as a command or nearly."""
        how = self.how or f"./datasets/download_cyclegan_dataset.sh {self.archive or self.name}"
        return f"get it by {how} of {SCRIPTS}, or give --data with the folder that it is in"


SCRIPTS = "github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
"""Where the sets' authors keep the scripts that fetch them."""
SEASONS = PictureSet("summer2winter", archive="summer2winter_yosemite")
PAINTINGS, MAPS, FACADES = PictureSet("monet2photo"), PictureSet("maps"), PictureSet("facades")
CITYSCAPES = PictureSet(
    "cityscapes",
    how="./datasets/prepare_cityscapes_dataset.py, from the archives of cityscapes-dataset.com,",
)


@dataclass(frozen=True, kw_only=True)
class PictureTask:
    """A row of Table 2 or a column of Table 3."""

    key: str
    title: str
    dataset: PictureSet
    swapped: bool = False
    """Whether its domains change places."""
    look: Look
    num_stages: int = 2
    """Where the look is structure, all of them are A's or B's own."""
    weight_identity: float = 0.0
    """Of CycleGAN's identity loss; its paper has it for paintings, at half the cycle's weight."""
    published: Published


def of_table_2(content: Sequence[float], style: Sequence[float]) -> Published:
    """Return the published figures of a row: OST, UNIT and CycleGAN on 1, these two on all."""
    methods = (
        "OST, 1 of A",
        "UNIT, 1 of A",
        "CycleGAN, 1 of A",
        "UNIT, all of A",
        "CycleGAN, all of A",
    )
    return {
        method: {CONTENT: each, STYLE: other}
        for method, each, other in zip(methods, content, style, strict=True)
    }


def of_table_3(
    content: Sequence[float], style: Sequence[float], study: Sequence[float]
) -> Published:
    """Return the published figures of a column: OST on 1, UNIT and CycleGAN on all."""
    methods = ("OST, 1 of A", "UNIT, all of A", "CycleGAN, all of A")
    return {
        method: {CONTENT: each, STYLE: other, STUDY: third}
        for method, each, other, third in zip(methods, content, style, study, strict=True)
    }


TABLE_2 = (
    PictureTask(
        key="summer-to-winter",
        title="Summer2Winter",
        dataset=SEASONS,
        look=Look.STYLE,
        published=of_table_2((0.64, 3.20, 3.53, 1.41, 0.41), (1.64, 6.51, 1.62, 1.69, 1.69)),
    ),
    PictureTask(
        key="winter-to-summer",
        title="Winter2Summer",
        dataset=SEASONS,
        swapped=True,
        look=Look.STYLE,
        published=of_table_2((0.73, 3.10, 3.48, 1.38, 0.40), (1.58, 6.80, 1.31, 1.69, 1.66)),
    ),
    PictureTask(
        key="monet-to-photo",
        title="Monet2Photo",
        dataset=PAINTINGS,
        look=Look.STYLE,
        weight_identity=5.0,
        published=of_table_2((3.75, 6.82, 5.80, 1.46, 1.41), (1.20, 6.83, 0.90, 1.21, 1.18)),
    ),
    PictureTask(
        key="photo-to-monet",
        title="Photo2Monet",
        dataset=PAINTINGS,
        swapped=True,
        look=Look.STYLE,
        weight_identity=5.0,
        published=of_table_2((1.47, 2.92, 2.98, 2.01, 1.46), (1.95, 7.53, 1.91, 2.12, 1.88)),
    ),
)

TABLE_3 = (
    PictureTask(
        key="images-to-facades",
        title="Images to Facades",
        dataset=FACADES,
        look=Look.STRUCTURE,
        published=of_table_3((4.76, 3.85, 3.79), (3.57, 3.92, 3.81), (0.91, 0.86, 0.93)),
    ),
    PictureTask(
        key="facades-to-images",
        title="Facades to Images",
        dataset=FACADES,
        swapped=True,
        look=Look.STRUCTURE,
        published=of_table_3((5.05, 4.80, 4.49), (7.88, 7.42, 7.03), (0.90, 0.83, 0.84)),
    ),
    PictureTask(
        key="images-to-maps",
        title="Images to Maps",
        dataset=MAPS,
        look=Look.STRUCTURE,
        published=of_table_3((2.49, 2.42, 2.49), (2.24, 2.56, 2.33), (0.83, 0.81, 0.97)),
    ),
    PictureTask(
        key="maps-to-images",
        title="Maps to Images",
        dataset=MAPS,
        swapped=True,
        look=Look.STRUCTURE,
        published=of_table_3((2.36, 2.30, 2.11), (1.50, 1.59, 1.30), (0.67, 0.75, 0.81)),
    ),
    PictureTask(
        key="labels-to-cityscapes",
        title="Labels to Cityscapes",
        dataset=CITYSCAPES,
        swapped=True,
        look=Look.STRUCTURE,
        num_stages=3,
        published=of_table_3((3.34, 2.61, 2.73), (0.67, 0.69, 0.77), (0.66, 0.63, 0.72)),
    ),
    PictureTask(
        key="cityscapes-to-labels",
        title="Cityscapes to Labels",
        dataset=CITYSCAPES,
        look=Look.STRUCTURE,
        num_stages=3,
        published=of_table_3((2.39, 2.18, 2.28), (1.13, 1.21, 1.22), (0.56, 0.37, 0.45)),
    ),
)


def phase_one_config(
    task: PictureTask, preset: Preset, *, num_pictures: int, seed: int, budget: float
) -> PretrainConfig:
    """Return phase I's settings: the authors', or of their network half the width for few steps.

    Args:
        task: says what is unshared.
        preset: PAPER or FAST.
        num_pictures: of B: the authors' number of steps follows from it.
        seed: of all chance.
        budget: by what the steps are multiplied.
    """
    config = pretrain_preset(
        Preset.PAPER,
        task.look,
        num_pictures=num_pictures,
        size=None if preset is Preset.PAPER else SIZE,
    )
    network = replace(config.network, num_stages=task.num_stages)
    if task.look is Look.STRUCTURE:
        network = replace(network, unshared_stages=task.num_stages)
    steps = config.steps
    if preset is Preset.FAST:
        network, steps = replace(network, width=WIDTH, discriminator_width=WIDTH), STEPS_ONE
    assert steps is not None
    return replace(config, network=network, steps=max(1, round(budget * steps)), seed=seed)

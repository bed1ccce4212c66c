"""The rows of whole commands, on pictures drawn by code."""

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image

from ostcli.config import DeviceChoice, Precision
from ostcli.images.encode import encode_picture
from ostcli.images.scenes import Season, draw_folder, draw_scene
from ostcli.images.tensors import image_to_tensor
from ostcli.method.tiles import Source, translate_in_tiles
from ostcli.paper.pictures.authors import Authors
from ostcli.presets import pretrain_preset
from ostcli.store.durable import make_folder, write_file
from ostcli.store.library import Library
from ostcli.training.device import autocast, finish_work
from ostcli.workflows.bench.effort import Effort
from ostcli.workflows.bench.machine import Machine
from ostcli.workflows.bench.processes import Busy, Ran, Workshop
from ostcli.workflows.bench.rows import Rounds, Row, row, seconds_of
from ostcli.workflows.stored import Adaptation, open_adaptation
from ostcli.workflows.translator import MEMORY_FOR_KEPT, TILE_SIDE

SIZE = 256
"""Side of the pictures of a folder, in pixels: those of the paper's data."""
NUM_IN_FOLDER = 230
LARGE = (6000, 4000)
"""Width and height of a photograph of 24 megapixels."""
WHOLE = (1536, 1024)
"""Width and height of a picture that fits whole as well."""
LARGE_MEGAPIXELS = "24"
NUM_TOGETHER = 8
FEW_STEPS = 2
"""Of a training whose result is only to be used."""
GRAIN = 6
"""Deviation of the noise laid over drawn pictures, in levels of 255: JPEG's work is in detail."""
SECONDS_HELP, SECONDS_TO_WORK, SECONDS_ADAPT, SECONDS_PRETRAIN, SECONDS_LARGE = (
    0.2,
    2.5,
    20,
    600,
    15,
)
MIB_LARGE, MIB_LARGE_NETWORK = 1.2 * 1024, 2.0 * 1024
TOGETHER_GOAL, SIDE_BY_SIDE_GOAL, BESIDE_GOAL = 1 / 2.5, 2.1, 2.5
OVERLAP_GOAL, AUTHORS_GOAL = 1 / 0.9, 1 / 8


class Commands:
    """The commands on a folder of drawn pictures, a model of it and examples; a context manager.

    Args:
        device: where they compute.
        effort: how much is done.
    """

    def __init__(self, device: DeviceChoice, effort: Effort) -> None:
        self.workshop = Workshop()
        self.device, self.effort = ("--device", device.value), effort
        self.folder = self.workshop.folder / "winter"
        self.examples = self.workshop.folder / "summer"
        self.example = self.examples / "000.jpg"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.workshop.close()

    def pretrain_row(self) -> Row:
        """Time phase I: the whole command, or its first steps and what the others will take."""
        ran = self._pretrain(self.effort.pretrain_steps)
        per_step = float(ran.result["seconds"]) / ran.result["step"]
        done = in_all = int(ran.result["step"])
        if self.effort.pretrain_steps is not None:
            in_all = pretrain_preset().steps or done
        return row(
            f"ost pretrain, {NUM_IN_FOLDER} pictures",
            ran.seconds + (in_all - done) * per_step,
            SECONDS_PRETRAIN,
            goal=1,
            unit="s",
            against="the goal",
            steps=in_all,
            steps_done=done,
            pictures_per_second=round(1 / per_step, 2),
            peak_mib=ran.peak_mib,
        )

    def _pretrain(self, steps: int | None) -> Ran:
        for path, season, number in (
            (self.folder, Season.WINTER, NUM_IN_FOLDER),
            (self.examples, Season.SUMMER, NUM_TOGETHER),
        ):
            for index, scene in enumerate(draw_folder(0, number, season, SIZE)):
                _save(_grained(scene, index), path / f"{index:03d}.jpg")
        budget = () if steps is None else ("--steps", str(steps))
        medium = ("--medium", "photograph")
        return self.workshop.run("pretrain", self.folder, *medium, *budget, *self.device, "--json")

    @cached_property
    def adaptation(self) -> Adaptation:
        """Some adaptation: for how fast it translates, it need not be good."""
        library = Library(self.workshop.store)
        if not library.names("model"):
            self._pretrain(FEW_STEPS)
        self.workshop.run("adapt", self.example, "--steps", str(FEW_STEPS), "--name", "quick")
        return open_adaptation("quick", library)

    def _translate(self, *arguments: str | Path) -> Ran:
        by = ("--adaptation", self.adaptation.name, *self.device)
        return self.workshop.run("translate", *arguments, *by, "--overwrite", "--json")

    def adapt_rows(self) -> Iterator[Row]:
        """Time phase II on one example, and on several together."""
        alone = self.workshop.run("adapt", self.example, *self.device, "--json")
        yield row(
            f"ost adapt, one picture of {SIZE} × {SIZE}",
            alone.seconds,
            SECONDS_ADAPT,
            goal=1,
            unit="s",
            against="the goal",
            seconds_of_steps=alone.result["adaptations"][0]["seconds"],
            steps=alone.result["adaptations"][0]["step"],
            peak_mib=alone.peak_mib,
        )
        paths = sorted(self.examples.iterdir())
        together = self.workshop.run("adapt", *paths, "--fresh", *self.device, "--json")
        yield row(
            f"ost adapt, {len(paths)} pictures together, for each",
            together.seconds / len(paths),
            alone.seconds,
            goal=TOGETHER_GOAL,
            unit="s",
            against="one alone",
            peak_mib=together.peak_mib,
        )

    def sharing_rows(self) -> Iterator[Row]:
        """Time a training beside another one, and beside what keeps every core busy."""
        one, other = self.examples / "001.jpg", self.examples / "002.jpg"
        steps = ("--steps", str(self.effort.shared_steps), "--fresh", *self.device, "--json")

        def seconds(ran: Ran) -> float:
            return float(ran.result["adaptations"][0]["seconds"])

        assert self.adaptation  # Then there is a model.
        alone, slower, beside = [], [], []
        for _ in range(self.effort.shared_rounds):
            alone.append(seconds(self.workshop.run("adapt", one, *steps)))
            pair = [self.workshop.start("adapt", path, *steps) for path in (one, other)]
            slower.append(max(seconds(started.finished()) for started in pair))
            with self._busy_cores():
                beside.append(seconds(self.workshop.run("adapt", one, *steps)))
        facts = {"steps": self.effort.shared_steps, "cores": os.cpu_count()}
        for name, ours, goal, against in (
            ("two trainings side by side, the slower one", slower, SIDE_BY_SIDE_GOAL, "one alone"),
            ("a training beside what keeps every core busy", beside, BESIDE_GOAL, "alone"),
        ):
            rounds = Rounds(ours=tuple(ours), reference=tuple(alone))
            yield rounds.row(name, goal=goal, against=against, **facts)

    @contextmanager
    def _busy_cores(self) -> Iterator[None]:
        busy = [Busy() for _ in range(os.cpu_count() or 1)]
        try:
            yield
        finally:
            for each in busy:
                each.stop()

    def start_up_rows(self) -> Iterator[Row]:
        """Time what a user waits for before any work is done."""
        small = self.workshop.folder / "small.jpg"
        _save(Image.new("RGB", (32, 32), "olive"), small)
        assert self.adaptation  # Made before the clock runs.
        for name, work, goal in (
            ("ost --help", partial(self.workshop.run, "--help"), SECONDS_HELP),
            (
                "ost translate, a picture of 32 × 32",
                partial(self._translate, small, "--out", "small-out"),
                SECONDS_TO_WORK,
            ),
        ):
            times = [work().seconds for _ in range(self.effort.rounds)]
            yield row(
                f"start-up: {name}",
                statistics.median(times),
                goal,
                goal=1,
                unit="s",
                against="the goal",
                least=round(min(times), 3),
                most=round(max(times), 3),
            )

    def batch_rows(self, machine: Machine) -> Iterator[Row]:
        """Time many pictures from JPEG to JPEG beside the network alone, and the authors' one."""
        pictures = self.workshop.folder / "many"
        number = self.effort.num_translated
        for index, scene in enumerate(draw_folder(1, number, Season.SUMMER, SIZE)):
            _save(_grained(scene, index), pictures / f"{index:03d}.jpg")
        networks = self.adaptation.networks.to(machine.device).eval()
        authors = Authors().to(machine.device).eval()
        views = image_to_tensor(draw_scene(0, Season.SUMMER, SIZE))[None].to(machine.device)

        @torch.inference_mode()
        def bare() -> None:
            with autocast(machine.device, machine.precision):
                networks.translate_ab(views)
            finish_work(machine.device)

        @torch.inference_mode()
        def of_authors() -> None:
            with autocast(machine.device, Precision.FP32):
                authors.translate_ab(views)
            finish_work(machine.device)

        whole, bares, theirs = [], [], []
        for _ in range(self.effort.rounds):
            ran = self._translate(pictures, "--out", "many-out")
            whole.append(float(ran.result["seconds"]) / number)
            bares += [seconds_of(bare) for _ in range(number // self.effort.rounds + 1)]
            theirs += [seconds_of(of_authors) for _ in range(self.effort.rounds)]
        name = f"ost translate, {number} pictures of {SIZE} × {SIZE} from JPEG to JPEG, each"
        ours = statistics.median(whole)
        yield row(
            name,
            ours,
            statistics.median(bares),
            goal=OVERLAP_GOAL,
            unit="s",
            against="the network alone",
            pictures_per_second=round(1 / ours, 1),
            precision=machine.precision.value,
        )
        yield row(
            name,
            ours,
            statistics.median(theirs),
            goal=AUTHORS_GOAL,
            unit="s",
            against="the authors' network in eager fp32",
        )

    @torch.inference_mode()
    def tiles_row(self, machine: Machine) -> Row:
        """Hold a picture that goes through the network in tiles against the same one whole."""
        scene = draw_scene(4, Season.SUMMER, WHOLE[0]).resize(WHOLE, Image.Resampling.BICUBIC)
        picture = image_to_tensor(_grained(scene, 0))[None]
        path = self.adaptation.networks.to(machine.device).eval().translate_ab
        whole = path(picture.to(machine.device)).cpu()
        source = Source(
            (picture.shape[2], picture.shape[3]),
            lambda area: picture[:, :, *area].to(machine.device),
        )
        most = 0.0
        for area, tile in translate_in_tiles(path, source, side=TILE_SIDE, memory=MEMORY_FOR_KEPT):
            most = max(most, float((tile.cpu() - whole[:, :, *area]).abs().max()))
        return row(
            f"a picture of {WHOLE[0]} × {WHOLE[1]} in tiles, farthest from the whole",
            most * 127.5,
            1.0,
            goal=1,
            unit="levels of 255",
            against="one level",
        )

    def large_rows(self) -> Iterator[Row]:
        """Time and weigh a large photograph, finished and by the network's own pixels."""
        path = self.workshop.folder / "large.jpg"
        scene = draw_scene(3, Season.SUMMER, 1000).resize(LARGE, Image.Resampling.BICUBIC)
        _save(_grained(scene, 0), path)
        for name, options, most_mib in (
            ("photo finish", ("--finish", "photo"), MIB_LARGE),
            (
                "the network's own pixels, all of them seen",
                ("--finish", "network", "--megapixels", LARGE_MEGAPIXELS),
                MIB_LARGE_NETWORK,
            ),
        ):
            ran = self._translate(path, "--out", "large-out", *options)
            title = f"ost translate, 24 megapixels, {name}"
            if name == "photo finish":
                yield row(title, ran.seconds, SECONDS_LARGE, goal=1, unit="s", against="the goal")
            if ran.peak_mib is not None:
                yield row(
                    f"{title}, memory",
                    ran.peak_mib,
                    most_mib,
                    goal=1,
                    unit="MiB",
                    against="the goal",
                    seconds=round(ran.seconds, 1),
                )


def _grained(scene: Image.Image, seed: int) -> Image.Image:
    """Return a drawn picture with the grain of a photograph."""
    pixels = np.asarray(scene, dtype=np.float32)
    noise = np.random.default_rng(seed).standard_normal(pixels.shape[:2], dtype=np.float32)
    return Image.fromarray((pixels + GRAIN * noise[..., None]).clip(0, 255).astype(np.uint8))


def _save(picture: Image.Image, path: Path) -> None:
    make_folder(path.parent)
    write_file(path, encode_picture(picture, path.suffix, quality=90))

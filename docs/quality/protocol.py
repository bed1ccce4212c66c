"""Rerun the protocol of quality: seven tasks, ten sources each, adapted one by one.

    python docs/quality/protocol.py DATA --out RESULTS [--task NAME]... [--set FIELD=VALUE]...
        [--steps N...]

`--set one.network.detail_radius=0` changes a setting of phase I, `--set two.…` one of phase II: a
row of an ablation.

DATA holds `summer2winter/`, `monet2photo/`, `maps/`, `facades/` and `perceptual/`. For each task:
phase I on the folder with the default settings, phase II on each source, every figure of
`ost evaluate` beside the controls. RESULTS gets a JSON file and a sheet per task, and
`README.md` with all tables; a task that is there already is passed over, so a run that was stopped
goes on. Several `--steps` give a curve over the budget: one folder for each below RESULTS, and one
table of them. Models and pictures that have to be made go to `ost-protocol/` (`--work DIR`).
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from ostcli.config import AdaptConfig, Look, Precision, PretrainConfig
from ostcli.images.find import find_pictures
from ostcli.images.scenes import EXAMPLE_SEEDS, Season, draw_folder, draw_scene
from ostcli.method.architecture import build_networks
from ostcli.paper.intervals import Estimate
from ostcli.paper.scores import Scores, known_figures
from ostcli.paper.tables import markdown_table, table_of_estimates
from ostcli.presets import adapt_preset, pretrain_preset
from ostcli.store.library import Library
from ostcli.training.phases import Phase, PhaseOne, PhaseTwo
from ostcli.training.trainer import Trainer
from ostcli.workflows import demo
from ostcli.workflows.evaluate import Yardsticks, evaluate, values_of
from ostcli.workflows.pretrain import FolderFacts, pretrain

Settings = TypeVar("Settings", PretrainConfig, AdaptConfig)

PHASES = {"one": PretrainConfig(), "two": AdaptConfig()}
"""Whose fields `--set` may name."""
PHASE_ONE_STEPS = 1500
NUM_SOURCES = 10
SCENE_SEEDS = (0, 1, 2)
TASK_OF_CURVE = "summer-to-winter"
TRAINED = ("unadapted", "unadapted_finished", "network", "finished")
"""The ways of translating that depend on the budget; the others are controls."""
SHEET_WIDTH = 1200
"""In pixels."""
SHEET_QUALITY = 60


@dataclass(frozen=True, kw_only=True)
class Task:
    """A folder of B, sources of A, and what they are held against."""

    folder: Path
    sources: Path
    yardsticks: Yardsticks
    phase_one: Callable[[FolderFacts], PretrainConfig]
    phase_two: Callable[[PretrainConfig], AdaptConfig]


def seasons(to: str, data: Path, steps: int) -> Task:
    """Photographs of one season to the other; B is winter."""
    return _unpaired(data / "summer2winter", to, steps)


def paintings(to: str, data: Path, steps: int) -> Task:
    """Paintings of Monet's to photographs, or the other way; B is the photographs."""
    return _unpaired(data / "monet2photo", to, steps)


def pairs(name: str, data: Path, work: Path, steps: int) -> Task:
    """Photographs to maps or labels: pictures of two halves, the truth known."""
    halves = work / name
    for part in ("train", "val"):
        _split(data / name / part, halves / part)
    train, val = halves / "train", halves / "val"
    return _task(
        Look.STRUCTURE,
        steps,
        folder=train / "right",
        sources=val / "left",
        domain_a=train / "left",
        held_out=val / "right",
        truth=val / "right",
    )


def scenes(seed: int, work: Path) -> Task:
    """Drawn summers to drawn winters, the truth known; trained as `ost demo` trains."""
    below = work / f"scenes-{seed}"
    winters, summers, truths = (below / part for part in ("winter", "summers", "truths"))
    for number, scene in enumerate(draw_folder(seed, demo.NUM_SCENES, Season.WINTER, demo.SIZE)):
        _save(scene, winters / f"{number:03d}.png")
    for number in range(NUM_SOURCES):
        place = (seed + 1000 * number) % len(EXAMPLE_SEEDS)
        for season, folder in ((Season.SUMMER, summers), (Season.WINTER, truths)):
            _save(draw_scene(place, season, demo.SIZE), folder / f"{number:02d}.png")
    return Task(
        folder=winters,
        sources=summers,
        yardsticks=Yardsticks(folder=winters, truth=truths),
        phase_one=lambda _: replace(demo.PHASE_ONE, seed=seed),
        phase_two=lambda _: replace(demo.PHASE_TWO, seed=seed),
    )


def _scenes_of(seed: int) -> Callable[[Path, Path, int], Task]:
    return lambda _data, work, _steps: scenes(seed, work)


TASKS: dict[str, Callable[[Path, Path, int], Task]] = {
    **{f"scenes-{seed}": _scenes_of(seed) for seed in SCENE_SEEDS},
    "summer-to-winter": lambda data, _work, steps: seasons("B", data, steps),
    "winter-to-summer": lambda data, _work, steps: seasons("A", data, steps),
    "photo-to-monet": lambda data, _work, steps: paintings("A", data, steps),
    "monet-to-photo": lambda data, _work, steps: paintings("B", data, steps),
    "aerial-to-map": lambda data, work, steps: pairs("maps", data, work, steps),
    "facade-to-labels": lambda data, work, steps: pairs("facades", data, work, steps),
}
"""By name, from the data, a folder for pictures to be made, and the steps of phase I."""


def _unpaired(pictures: Path, to: str, steps: int) -> Task:
    other = {"A": "B", "B": "A"}[to]
    return _task(
        Look.STYLE,
        steps,
        folder=pictures / f"train{to}",
        sources=pictures / f"test{other}",
        domain_a=pictures / f"train{other}",
        held_out=pictures / f"test{to}",
    )


def _task(look: Look, steps: int, *, folder: Path, sources: Path, **yardsticks: Path) -> Task:
    def phase_one(facts: FolderFacts) -> PretrainConfig:
        preset = pretrain_preset(look=look, of_photographs=facts.of_photographs)
        return replace(preset, steps=steps)

    return Task(
        folder=folder,
        sources=sources,
        yardsticks=Yardsticks(folder=folder, **yardsticks),
        phase_one=phase_one,
        phase_two=adapt_preset,
    )


def changed(config: Settings, phase: str, settings: Sequence[str]) -> Settings:
    """Return a phase's settings with those changed that name it: "one.network.detail_radius=0".

    The precision is fp32, unless one says otherwise: what AUTO comes to is the machine's.
    """
    values = replace(config, precision=Precision.FP32).to_json()
    for setting in settings:
        path, _, value = setting.partition("=")
        named, _, field = path.partition(".")
        if named == phase:
            record, name = _place_of(field, values)
            is_json = value[:1].isdigit() or value in ("true", "false", "null")
            record[name] = json.loads(value) if is_json else value
    return type(config).from_json(values)


def known_setting(text: str) -> str:
    """Return a setting as given.

    Raises:
        argparse.ArgumentTypeError: neither phase has a setting of that name.
    """
    path, equals, _ = text.partition("=")
    phase, _, field = path.partition(".")
    if phase not in PHASES or not equals:
        raise argparse.ArgumentTypeError(f"{text} is not one.FIELD=VALUE or two.FIELD=VALUE")
    try:
        _place_of(field, PHASES[phase].to_json())
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no setting {path}") from error
    return text


def _place_of(field: str, values: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the record that holds a field such as network.padding, and the field's own name.

    Raises:
        KeyError: there is none.
    """
    *parents, name = field.split(".")
    for parent in parents:
        values = values[parent] if isinstance(values[parent], dict) else {}
    if name not in values:
        raise KeyError(field)
    return values, name


def run_task(
    name: str, task: Task, out: Path, library: Library, options: argparse.Namespace
) -> None:
    """Train, adapt to each source, and write what it came to."""
    settings = options.settings
    trained = pretrain(
        task.folder,
        lambda facts: changed(task.phase_one(facts), "one", settings),
        name=name,
        library=library,
    )
    made = out / f"{name}-evaluation"
    phase_one = PretrainConfig.from_json(library.manifest(name).config)
    phase_two = changed(task.phase_two(phase_one), "two", settings)
    result = evaluate(
        task.sources,
        model=name,
        config=phase_two,
        yardsticks=replace(task.yardsticks, weights=options.data / "perceptual"),
        count=options.count,
        out=made,
        library=library,
    )
    assert result is not None
    record = {
        "task": name,
        "settings": settings,
        "phase_one": _budget(phase_one, PhaseOne.begin(phase_one)),
        "phase_two": _budget(phase_two, PhaseTwo.begin(phase_two), phase_one),
        "seconds_phase_one": round(trained.seconds, 1),
        **{key: value for key, value in values_of(result).items() if key not in ("sheet", "table")},
    }
    record["pictures"] = {Path(path).name: rows for path, rows in record["pictures"].items()}
    _save_small(result.sheet, out / f"{name}.webp")
    shutil.rmtree(made)
    (out / f"{name}.json").write_text(f"{json.dumps(record, indent=1)}\n", encoding="utf-8")


def _library(work: Path, steps: int, settings: Sequence[str]) -> Library:
    """Return where models are kept: each budget and each set of settings has its own."""
    digest = hashlib.sha256(json.dumps(sorted(settings)).encode()).hexdigest()[:8]
    return Library(work / "store" / f"{steps}-steps-{digest}")


def _budget(
    config: PretrainConfig | AdaptConfig, phase: Phase, model: PretrainConfig | None = None
) -> dict[str, float]:
    """Return steps and what they cost in FLOP, counted by torch on one step."""
    size, owner = config.view.size, model or config
    assert isinstance(owner, PretrainConfig)
    networks = build_networks(owner.network, with_domain_a=model is not None)
    trainer = Trainer(networks, phase, config.optim, seed=0)
    num_b = config.num_views_b if isinstance(config, AdaptConfig) else config.optim.batch_size
    batch = {
        domain: torch.zeros(number, 3, size, size)
        for domain, number in (("a", config.optim.batch_size), ("b", num_b))
    }
    with FlopCounterMode(display=False) as counter:
        trainer.do_step(batch, 1.0)
    flop = counter.get_total_flops()
    return {
        "steps": config.steps,
        "tera_flop_per_step": round(flop / 1e12, 5),
        "tera_flop": round(config.steps * flop / 1e12, 1),
    }


def write_summary(out: Path) -> None:
    """Join the tables of the tasks that are there into one page."""
    parts = [f"# Quality: {out.name}\n"]
    for path in sorted(out.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        costs = " ".join(
            f"{phase}: {cost['steps']} steps, {cost['tera_flop']} TFLOP."
            for phase, cost in (("I", record["phase_one"]), ("II", record["phase_two"]))
        )
        accuracy = record["classifier_accuracy"]
        parts.append(
            f"## {path.stem}\n\n{record['num_pictures']} sources, each adapted to itself. {costs} "
            + (
                f"The classifier is right on {accuracy:.0%} of unseen pictures; "
                if accuracy is not None
                else ""
            )
            + f"`--finish auto` is {record['finish']}. [Sheet]({path.stem}.webp).\n\n"
            + _table({way: Scores(**figures) for way, figures in record["scores"].items()})
        )
    (out / "README.md").write_text("\n".join(parts), encoding="utf-8")


def write_curve(out: Path, lengths: Sequence[int]) -> None:
    """Join what tasks came to at several lengths of phase I into one table each, controls first."""
    parts = [f"# Quality over the budget: {out.name}\n"]
    pages = [
        f"[{one}]({one}-steps/README.md)" for one in lengths if (out / f"{one}-steps").exists()
    ]
    parts.append(f"Pages and sheets of each length, in steps: {', '.join(pages)}.\n")
    for task in TASKS:
        controls: dict[str, Scores] = {}
        trained: dict[str, Scores] = {}
        for steps in lengths:
            path = out / f"{steps}-steps" / f"{task}.json"
            if not path.exists():
                continue
            record = json.loads(path.read_text(encoding="utf-8"))
            spent = f"{steps} steps in {record['seconds_phase_one'] / 60:.1f} min"
            for way, figures in record["scores"].items():
                if way in TRAINED:
                    trained[f"{spent}, {way}"] = Scores(**figures)
                else:
                    controls[way] = Scores(**figures)
        if rows := controls | trained:
            parts.append(f"## {task}\n\n{_table(rows)}")
    (out / "README.md").write_text("\n".join(parts), encoding="utf-8")


def _table(rows: Mapping[str, Scores]) -> str:
    figures = known_figures(list(rows.values()))
    estimates = {
        way: {name: Estimate(value) for name, value in vars(row).items() if value is not None}
        for way, row in rows.items()
    }
    return markdown_table(*table_of_estimates(estimates, figures))


def _save_small(sheet: Path, out: Path) -> None:
    """Save a sheet in a size that a repository can bear."""
    with Image.open(sheet) as picture:
        picture.thumbnail((SHEET_WIDTH, picture.height), Image.Resampling.LANCZOS)
        picture.save(out, quality=SHEET_QUALITY)


def _below(folder: Path) -> list[Path]:
    return [found.path for found in find_pictures([folder])]


def _split(pairs: Path, out: Path) -> None:
    """Cut pictures of two halves into `left` and `right`."""
    for path in _below(pairs):
        with Image.open(path) as picture:
            middle, height = picture.width // 2, picture.height
            _save(picture.crop((0, 0, middle, height)), out / "left" / f"{path.stem}.png")
            _save(picture.crop((middle, 0, 2 * middle, height)), out / "right" / f"{path.stem}.png")


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def main() -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="where tables and sheets go")
    parser.add_argument("--work", type=Path, default=Path("ost-protocol"), help="models")
    parser.add_argument("--task", choices=TASKS, action="append", help="one task; all if not given")
    parser.add_argument(
        "--set",
        type=known_setting,
        action="append",
        default=[],
        dest="settings",
        metavar="FIELD=VALUE",
        help="one.FIELD of phase I or two.FIELD of phase II",
    )
    parser.add_argument("--steps", type=int, nargs="+", help="of phase I; more: a curve")
    parser.add_argument("--count", type=int, default=NUM_SOURCES, help="sources of each task")
    options = parser.parse_args()
    lengths = options.steps or [PHASE_ONE_STEPS]
    is_curve = len(lengths) > 1
    tasks = options.task or ([TASK_OF_CURVE] if is_curve else TASKS)
    if options.steps and any(name.startswith("scenes") for name in options.task or ()):
        parser.error("the drawn scenes are trained as ost demo trains: leave out --steps")
    for steps in lengths:
        out = options.out / f"{steps}-steps" if is_curve else options.out
        out.mkdir(parents=True, exist_ok=True)
        for name in tasks:
            if not (out / f"{name}.json").exists():
                task = TASKS[name](options.data, options.work, steps)
                run_task(name, task, out, _library(options.work, steps, options.settings), options)
            write_summary(out)
            if is_curve:
                write_curve(options.out, lengths)


if __name__ == "__main__":
    main()

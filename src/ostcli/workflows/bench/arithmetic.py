"""Steps and translations of one network: our arithmetic beside the authors', in one process."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from ostcli.config import AdaptConfig, Birth, Look, Precision, Preset, PretrainConfig
from ostcli.images.scenes import Season, draw_folder
from ostcli.images.tensors import image_to_tensor
from ostcli.method.architecture import build_networks
from ostcli.method.networks import Networks
from ostcli.paper.pictures.authors import Authors
from ostcli.presets import adapt_preset, pretrain_preset
from ostcli.training.batches import Batch
from ostcli.training.device import autocast, finish_work
from ostcli.training.phases import Phase, PhaseOne, PhaseTwo
from ostcli.training.trainer import Trainer, figures_of
from ostcli.workflows.bench.machine import Machine, peak_rate
from ostcli.workflows.bench.rows import Row, interleaved, row

SIZE = 256
"""Side of pictures that are translated, in pixels."""
TIMED_AGAINST = "the authors' step in fp32"
STEP_GOALS = {1: 1 / 2.5, 2: 1 / 3}
TRANSLATION_GOAL = 1 / 2.2
PEAK_GOAL = 1 / 0.85
LEARNT_WIDTH, LEARNT_SIZE = 16, 64
"""Channels and side of the small networks and views by which losses are compared."""
LEARNT_SEEDS = 3


class Duel:
    """A phase's step of ours and of the authors', begun from the same weights.

    Args:
        phase: 1 or 2.
        device: where both compute.
        precision: of ours.
        width: channels of both after the first layer. Authors: 64.
        seed: of the weights.
    """

    def __init__(
        self,
        phase: int,
        device: torch.device,
        precision: Precision,
        *,
        width: int = 64,
        seed: int = 0,
    ) -> None:
        self.phase, self.device = phase, device
        config = authors_settings(width)
        networks = build_networks(config.network, seed=seed)
        chosen: PretrainConfig | AdaptConfig = config
        begun: Phase[Networks] = PhaseOne.begin(config)
        if phase == 2:
            networks.add_domain_a(Birth.RANDOM, torch.Generator().manual_seed(seed + 1))
            chosen = adapt_preset(config)
            begun = PhaseTwo.begin(chosen)
        self.theirs = Authors(width=width, seed=seed).to(device)
        self.theirs.take_weights(networks)
        self.ours = Trainer(
            networks.to(device), begun, chosen.optim, seed=seed, precision=precision
        )

    def our_step(self, batch: Batch) -> dict[str, float]:
        """Step ours and return its losses."""
        [figures] = figures_of([self.ours.do_step(batch, 1.0)])
        return figures.losses

    def their_step(self, batch: Batch) -> dict[str, float]:
        """Step theirs and return its losses."""
        views = {domain: pictures.to(self.device) for domain, pictures in batch.items()}
        losses = (
            self.theirs.phase_one_step(views["b"])
            if self.phase == 1
            else self.theirs.phase_two_step(views["a"], views["b"])
        )
        return {name: float(loss.detach()) for name, loss in losses.items()}


def authors_settings(width: int = 64) -> PretrainConfig:
    """Return phase I's settings of the authors, with fewer channels if that is asked for."""
    config = pretrain_preset(Preset.PAPER, Look.STYLE)
    network = replace(config.network, width=width, discriminator_width=width)
    return replace(config, network=network)


def flop_of(work: Callable[[], object]) -> int:
    """Return the floating-point operations of one call, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def drawn_batches(size: int, num_batches: int) -> list[Batch]:
    """Return batches of one view of each domain: drawn summers and winters."""
    seasons = {"a": Season.SUMMER, "b": Season.WINTER}
    views = {
        domain: [image_to_tensor(one)[None] for one in draw_folder(0, num_batches, season, size)]
        for domain, season in seasons.items()
    }
    return [{domain: views[domain][index] for domain in views} for index in range(num_batches)]


def step_row(phase: int, machine: Machine, *, size: int, rounds: int) -> Row:
    """Time a phase's step against the authors'.

    Args:
        phase: 1 or 2.
        machine: where.
        size: of the views, in pixels. Authors: 256.
        rounds: how often each is timed.
    """
    duel = Duel(phase, machine.device, machine.precision)
    [batch] = drawn_batches(size, 1)

    losses: dict[str, list[float]] = {"ours": [], "authors": []}

    def ours() -> None:
        losses["ours"].append(_judged(duel.our_step(batch)))
        finish_work(machine.device)

    def theirs() -> None:
        losses["authors"].append(_judged(duel.their_step(batch)))
        finish_work(machine.device)

    ours()  # As many steps of ours as of theirs, one of which is counted.
    flop = flop_of(theirs)
    timed = interleaved(ours, theirs, rounds=rounds)
    return timed.row(
        f"phase {'I' * phase} step, authors' network, {size} × {size}",
        goal=STEP_GOALS[phase],
        against=TIMED_AGAINST,
        precision=machine.precision.value,
        giga_flop_of_authors=round(flop / 1e9),
        giga_flop_per_second_of_authors=round(flop / statistics.median(timed.reference) / 1e9),
        losses={whose: [round(loss, 4) for loss in each] for whose, each in losses.items()},
    )


def learning_row(phase: int, machine: Machine, *, num_steps: int) -> Row:
    """Compare the losses after as many steps on the same pictures, from the same weights.

    A loss of training wanders with the seed: so the goal is that ours lies no further above the
    authors' than their own seeds lie from one another.

    Args:
        phase: 1 or 2.
        machine: where.
        num_steps: steps of each; the second half is looked at.
    """
    batches = drawn_batches(LEARNT_SIZE, num_steps)
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(LEARNT_SEEDS):
        duel = Duel(phase, machine.device, machine.precision, width=LEARNT_WIDTH, seed=seed)
        pairs = [(duel.our_step(batch), duel.their_step(batch)) for batch in batches]
        for found, losses in zip((ours, theirs), zip(*pairs, strict=True), strict=True):
            found.append(statistics.mean(_judged(one) for one in losses[num_steps // 2 :]))
    mean = statistics.mean(theirs)
    return row(
        f"phase {'I' * phase} losses after {num_steps} steps",
        statistics.mean(ours),
        mean,
        goal=1 + (max(theirs) - min(theirs)) / mean,
        unit="",
        against=f"the authors' in fp32, {LEARNT_SEEDS} seeds; noise is their own spread",
        precision=machine.precision.value,
    )


def _judged(losses: dict[str, float]) -> float:
    """Return the sum of what says how well pictures are given back; D_B's play says nothing."""
    return sum(losses[name] for name in ("rec_b", "rec_a", "cycle_a") if name in losses)


def translation_rows(machine: Machine, *, rounds: int) -> Iterator[Row]:
    """Time a translation by the authors' network, and hold it against the machine's best.

    Args:
        machine: where.
        rounds: how often each is timed.
    """
    config = authors_settings()
    networks = build_networks(config.network, with_domain_a=True)
    authors = Authors()
    authors.take_weights(networks)
    networks, authors = networks.to(machine.device).eval(), authors.to(machine.device).eval()
    picture = drawn_batches(SIZE, 1)[0]["a"].to(machine.device)

    @torch.inference_mode()
    def ours() -> None:
        with autocast(machine.device, machine.precision):
            networks.translate_ab(picture)
        finish_work(machine.device)

    @torch.inference_mode()
    def theirs() -> None:
        authors.translate_ab(picture)
        finish_work(machine.device)

    flop = flop_of(theirs)
    # Others may have had the cores when the machine was looked at, so it is looked at beside this.
    before = peak_rate(machine.device, machine.precision)
    timed = interleaved(ours, theirs, rounds=rounds)
    peak = max(machine.peak, before, peak_rate(machine.device, machine.precision))
    name = f"translation, authors' network, {SIZE} × {SIZE}"
    yield timed.row(
        name,
        goal=TRANSLATION_GOAL,
        against="the same in eager fp32",
        precision=machine.precision.value,
        giga_flop=round(flop / 1e9),
    )
    seconds = statistics.median(timed.ours)
    yield row(
        f"{name}, against the machine's peak",
        seconds,
        flop / peak,
        goal=PEAK_GOAL,
        unit="s",
        against="the same number of operations at the best rate seen",
        share_of_peak=round(flop / peak / seconds, 3),
        giga_flop_per_second=round(flop / seconds / 1e9),
    )

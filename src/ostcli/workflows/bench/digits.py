"""Adaptations of digits together, beside one alone."""

import copy

import torch
from torch import Tensor

from ostcli.config import Birth
from ostcli.method.networks import Networks
from ostcli.paper.digits.layers import SIDE, DigitLayers
from ostcli.paper.digits.settings import ADAPT, TABLE_1
from ostcli.training.device import finish_work, keeping_all_memory
from ostcli.training.phases import PhaseTwo
from ostcli.training.runs import Runs
from ostcli.training.trainer import Trainer
from ostcli.workflows.bench.machine import Machine
from ostcli.workflows.bench.rows import Rounds, Row, interleaved

NUM_RUNS = 50
STEPS_ALONE = 5
"""Of one alone for each step of all together: it is short."""
GOAL = 1 / 12


@keeping_all_memory()
def together_row(machine: Machine, *, rounds: int) -> Row:
    """Time a step of the full method's phase II: of many runs, for each, against that of one alone.

    Args:
        machine: where.
        rounds: how often each is timed.
    """
    generator = torch.Generator().manual_seed(0)
    networks = Networks(DigitLayers(colours_b=1, colours_a=3), generator)
    networks.add_domain_a(Birth.CLONE, generator)
    networks.to(machine.device)
    config = TABLE_1[-1].of(ADAPT)
    phase, optim = PhaseTwo.begin(config), config.optim
    x_a, x_b = _noise(NUM_RUNS, 1, 3), _noise(1, 1)
    runs = Runs([networks] * NUM_RUNS, phase, optim, seed=0, precision=machine.precision)
    alone = Trainer(copy.deepcopy(networks), phase, optim, seed=0, precision=machine.precision)

    def together() -> None:
        runs.do_step({"a": x_a, "b": x_b}, 1.0)
        finish_work(machine.device)

    def one() -> None:
        for _ in range(STEPS_ALONE):
            alone.do_step({"a": x_a[0], "b": x_b}, 1.0)
        finish_work(machine.device)

    timed = interleaved(together, one, rounds=rounds)
    each = Rounds(
        ours=tuple(seconds / NUM_RUNS for seconds in timed.ours),
        reference=tuple(seconds / STEPS_ALONE for seconds in timed.reference),
    )
    return each.row(
        f"phase II step on digits, {NUM_RUNS} together, for each",
        goal=GOAL,
        against="one alone",
        precision=machine.precision.value,
    )


def _noise(*shape: int) -> Tensor:
    return torch.rand((*shape, SIDE, SIDE), generator=torch.Generator().manual_seed(1)) * 2 - 1

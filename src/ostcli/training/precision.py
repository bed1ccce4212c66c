"""Which number format is the faster one: measured, before a training and before translations."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial

import torch
import torch.nn.functional as F

from ostcli.config import Precision
from ostcli.training.device import HALVES, autocast, finish_work
from ostcli.training.threads import time_step

CHANNELS = 128
"""Of the convolution that is timed: as the residual blocks of the default network have."""
SIDE_ON_CPU, SIDE_ELSEWHERE = 32, 256
"""Its height and width: enough to outlast what it takes to start it."""
GAIN = 0.7
"""A half is taken if it needs at most this share of the time: far from 1, so that two runs on one
machine come to the same format."""
HOPELESS = 2.0
"""A half is given up after one step that takes this many times as long."""


def faster(
    seconds_in: Callable[[Precision, float], float],
    *,
    gain: float,
    halves: Sequence[Precision] = (Precision.BF16,),
) -> tuple[Precision, float]:
    """Return the number format in which some work is the faster, and the work's seconds in it.

    Args:
        seconds_in: times the work in a format. If it takes more than the second argument says, once
            is enough. A `RuntimeError` in a half means that it cannot be done in that.
        gain: a half is taken if it needs at most this share of the time in what is best without it.
        halves: in what order they are tried; the first is the one to be had if they are alike.

    Source: ours, decision 0007.
    """
    best, least = Precision.FP32, seconds_in(Precision.FP32, math.inf)
    for half in halves:
        with suppress(RuntimeError):  # some devices and versions of torch lack an operation in it
            seconds = seconds_in(half, HOPELESS * least)
            if seconds <= gain * least:
                best, least = half, seconds
    return best, least


def settle_precision(asked: Precision, device: torch.device) -> Precision:
    """Return the number format of translations that is asked for; for AUTO, the faster one.

    Of GPUs some have units for fp16 and none for bf16 (decision 0041).
    """
    if asked is not Precision.AUTO:
        return asked
    return faster_precision(device, (Precision.BF16,) if device.type == "cpu" else HALVES)


@cache
def faster_precision(device: torch.device, halves: tuple[Precision, ...]) -> Precision:
    """Return the number format in which convolutions are the faster on a device.

    Measured once in a process, and by one thread: several wait for one another when other programs
    want the cores, whatever the format.

    Args:
        device: where.
        halves: that may be taken.

    Returns:
        One of those where it is clearly faster, else FP32.
    Source: ours, decision 0035.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        precision, _ = faster(partial(_seconds, device), gain=GAIN, halves=halves)
    finally:
        torch.set_num_threads(threads)
    return precision


@torch.inference_mode()
def _seconds(device: torch.device, precision: Precision, hopeless: float) -> float:
    """Return the time of a convolution."""
    side = SIDE_ON_CPU if device.type == "cpu" else SIDE_ELSEWHERE
    features = torch.ones(1, CHANNELS, side, side, device=device)
    weight = torch.ones(CHANNELS, CHANNELS, 3, 3, device=device)

    def convolve() -> None:
        F.conv2d(features, weight)
        finish_work(device)

    with autocast(device, precision):
        return time_step(convolve, repeats=5, hopeless=hopeless)

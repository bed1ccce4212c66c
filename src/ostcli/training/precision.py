"""Which number format is the faster one: measured, before a training and before translations."""

import math
from collections.abc import Callable
from functools import cache, partial

import torch
import torch.nn.functional as F

from ostcli.config import Precision
from ostcli.training.device import autocast, finish_work
from ostcli.training.threads import time_step

CHANNELS = 128
"""Of the convolution that is timed: as the residual blocks of the default network have."""
SIDE_ON_CPU, SIDE_ELSEWHERE = 32, 256
"""Its height and width: enough to outlast what it takes to start it."""
GAIN = 0.7
"""bf16 is taken if it needs at most this share of the time: far from 1, so that two runs on one
machine come to the same format."""
HOPELESS = 2.0
"""bf16 is given up after one step that takes this many times as long."""


def faster(
    seconds_in: Callable[[Precision, float], float], *, gain: float
) -> tuple[Precision, float]:
    """Return the number format in which some work is the faster, and the work's seconds in it.

    Args:
        seconds_in: times the work in a format. If it takes more than the second argument says, once
            is enough. A `RuntimeError` in bf16 means that it cannot be done in that.
        gain: bf16 is taken if it needs at most this share of the time in fp32.

    Source: ours, decision 0007.
    """
    fp32 = seconds_in(Precision.FP32, math.inf)
    try:
        bf16 = seconds_in(Precision.BF16, HOPELESS * fp32)
    except RuntimeError:  # some devices and versions of torch lack an operation in bf16
        return Precision.FP32, fp32
    return (Precision.BF16, bf16) if bf16 <= gain * fp32 else (Precision.FP32, fp32)


def settle_precision(asked: Precision, device: torch.device) -> Precision:
    """Return the number format that is asked for; for AUTO, the faster one."""
    return faster_precision(device) if asked is Precision.AUTO else asked


@cache
def faster_precision(device: torch.device) -> Precision:
    """Return the number format in which convolutions are the faster on a device.

    Measured once in a process, and by one thread: several wait for one another when other programs
    want the cores, whatever the format.

    Returns:
        BF16 where it is clearly faster, else FP32.
    Source: ours, decision 0035.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        precision, _ = faster(partial(_seconds, device), gain=GAIN)
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

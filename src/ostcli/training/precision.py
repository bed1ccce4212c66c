"""Which number format the networks translate in: measured, in a few milliseconds."""

import math
from functools import cache

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
        fp32 = _seconds(device, Precision.FP32)
        bf16 = _seconds(device, Precision.BF16, hopeless=HOPELESS * fp32)
    except RuntimeError:  # some devices and versions of torch lack an operation in bf16
        return Precision.FP32
    finally:
        torch.set_num_threads(threads)
    return Precision.BF16 if bf16 <= GAIN * fp32 else Precision.FP32


@torch.inference_mode()
def _seconds(device: torch.device, precision: Precision, *, hopeless: float = math.inf) -> float:
    """Return the time of a convolution."""
    side = SIDE_ON_CPU if device.type == "cpu" else SIDE_ELSEWHERE
    features = torch.ones(1, CHANNELS, side, side, device=device)
    weight = torch.ones(CHANNELS, CHANNELS, 3, 3, device=device)

    def convolve() -> None:
        F.conv2d(features, weight)
        finish_work(device)

    with autocast(device, precision):
        return time_step(convolve, repeats=5, hopeless=hopeless)

"""What the machine can do at best: the rate of a product of matrices and of a large convolution."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ostcli.config import DeviceChoice, Precision
from ostcli.training.device import choose_device, describe_device, finish_work
from ostcli.training.precision import faster_precision
from ostcli.workflows.bench.rows import seconds_of

SIDE = 2048
"""Rows and columns of the matrices."""
CHANNELS, GRID = 256, 64
"""Of the convolution: that of the authors' residual blocks at 256 × 256 pixels."""
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the bench runs."""

    device: torch.device
    name: str
    num_threads: int
    precision: Precision
    """The faster one of fp32 and bf16, in which ours trains and translates here."""
    peaks: dict[Precision, float]
    """The best rate of arithmetic that was seen, in FLOP per second."""

    @property
    def peak(self) -> float:
        """That of the faster precision."""
        return self.peaks[self.precision]

    def facts(self) -> dict[str, object]:
        """Return what a reader of figures wants to know, for JSON."""
        peaks = {
            f"peak_{precision.value}_giga_flop_per_second": round(rate / 1e9)
            for precision, rate in self.peaks.items()
        }
        return {
            "device": self.name,
            "processor": platform.processor() or platform.machine(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "threads": self.num_threads,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "precision": self.precision.value,
            **peaks,
        }


def measure_machine(choice: DeviceChoice) -> Machine:
    """Look at a device.

    Raises:
        UsageError: the device asked for is not there.
    """
    device = choose_device(choice)
    peaks = {
        precision: peak_rate(device, precision) for precision in (Precision.FP32, Precision.BF16)
    }
    return Machine(
        device=device,
        name=describe_device(device),
        num_threads=torch.get_num_threads(),
        precision=faster_precision(device, (Precision.BF16,)),
        peaks=peaks,
    )


@torch.inference_mode()
def peak_rate(device: torch.device, precision: Precision) -> float:
    """Return the best rate of arithmetic that was seen, in FLOP per second.

    Args:
        device: where to compute.
        precision: FP32 or BF16.
    """
    dtype = torch.bfloat16 if precision is Precision.BF16 else torch.float32
    matrix = torch.rand(SIDE, SIDE, device=device, dtype=dtype)
    features = torch.rand(1, CHANNELS, GRID, GRID, device=device, dtype=dtype)
    weight = torch.rand(CHANNELS, CHANNELS, 3, 3, device=device, dtype=dtype)
    return max(
        _best_rate(lambda: matrix @ matrix, 2 * SIDE**3, device),
        _best_rate(
            lambda: F.conv2d(features, weight, padding=1), 2 * 9 * (CHANNELS * GRID) ** 2, device
        ),
    )


def _best_rate(work: Callable[[], object], flop: int, device: torch.device) -> float:
    def done() -> None:
        work()
        finish_work(device)

    done()
    return flop / min(seconds_of(done) for _ in range(ROUNDS))

"""Where and how the arithmetic runs: device, precision, denormals."""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import torch

from ostcli.config import DeviceChoice, Precision
from ostcli.errors import UsageError

CPU = torch.device("cpu")
SIGNS_OF_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "could not create a primitive",  # oneDNN, which computes convolutions on a CPU, says no more.
    "32-bit index math",  # CUDA, of a plane too large for its kernels: it fits in tiles, too.
)
HALVES = (Precision.BF16, Precision.FP16)
"""Number formats of half the size."""
AT_ONCE = 8
"""Pictures that a GPU translates at once, at most; a CPU as many as it has threads …"""
AT_ONCE_PIXELS = 1_000_000
"""… and pixels of them together, unless a single one has more: memory as for one large picture."""
MEMORY_FOR_WHOLE = 1_000_000_000
"""Bytes that a picture may take on its way whole, where the memory is everybody's …"""
SHARE_FOR_WHOLE = 0.5
"""… and the share of a GPU's own free memory (decision 0034)."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""What GNU's `mallopt` calls them."""
MOST_MAPPED = 65536
"""Blocks that are had from the system one by one, at most: GNU's own choice."""
KEPT_BLOCK, KEPT_IN_ALL = 12 << 20, 128 << 20
"""Bytes of a block that is kept when it is freed, at most, and of all of them together."""


def choose_device(choice: DeviceChoice) -> torch.device:
    """Return the device asked for; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        UsageError: the device asked for is not there.
    """
    available = {
        DeviceChoice.CUDA: torch.cuda.is_available(),
        DeviceChoice.MPS: torch.backends.mps.is_available(),
        DeviceChoice.CPU: True,
    }
    if choice is DeviceChoice.AUTO:
        choice = next(device for device, there in available.items() if there)
    if not available[choice]:
        there = ", ".join(device.value for device, is_there in available.items() if is_there)
        raise UsageError(
            f"there is no {choice.value} device that torch can use here",
            hint=f"use --device auto; available: {there}",
        )
    return torch.device(choice.value)


def describe_device(device: torch.device) -> str:
    """Return the device in a word or two for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return {"cpu": "CPU", "mps": "Apple GPU"}.get(device.type, device.type)


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the context in which the networks run: convolutions in a half, or plain float32."""
    half = torch.float16 if precision is Precision.FP16 else torch.bfloat16
    return torch.autocast(device.type, half, enabled=precision in HALVES)


def pictures_at_once(device: torch.device, num_pixels: int) -> int:
    """Return how many pictures of so many pixels to translate at once.

    On a CPU each of several has a thread to itself: of small ones that is faster than all threads
    on each (decision 0040).
    """
    most = torch.get_num_threads() if device.type == "cpu" else AT_ONCE
    return max(1, min(most, AT_ONCE_PIXELS // num_pixels))


def handed_to(device: torch.device, tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the CPU on a device.

    CUDA copies what lies in pinned memory while the CPU goes on.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def memory_for_whole(device: torch.device) -> int:
    """Return the bytes that pictures may take on their way whole; larger ones go in tiles."""
    if device.type != "cuda":
        return MEMORY_FOR_WHOLE
    free, _ = torch.cuda.mem_get_info(device)
    return max(MEMORY_FOR_WHOLE, round(SHARE_FOR_WHOLE * free))


def finish_work(device: torch.device) -> None:
    """Wait until the device has done all that it was given, so that a clock tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def prepare_arithmetic() -> None:
    """Set what must hold in every process that trains or translates, before its first arithmetic.

    When a loss collapses, activations become denormal and CPU steps slow down tenfold; they are
    flushed to zero instead. Worker threads inherit this from the thread that starts them, so it
    must be set before the first large tensor is touched, even to load a model.
    """
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Keep what tensors leave, for the next ones.

    GNU's C library gives large blocks back to the system at once, and gets each new one page by
    page: a quarter of a small picture's translation (decision 0038). Blocks larger than some go on
    as ever, so that a large picture's peak does not grow.
    """
    _set_memory({M_MMAP_THRESHOLD: KEPT_BLOCK, M_TRIM_THRESHOLD: KEPT_IN_ALL})


@contextmanager
def keeping_all_memory() -> Iterator[None]:
    """Keep all that tensors leave, of whatever size, and give it back at the end.

    For trainings whose every step has the same large blocks: half of a step of many runs whose
    weights are all their own (decision 0042).
    """
    _set_memory({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1})
    try:
        yield
    finally:
        _set_memory({M_MMAP_MAX: MOST_MAPPED, M_TRIM_THRESHOLD: KEPT_IN_ALL})
        with suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)


def _set_memory(options: Mapping[int, int]) -> None:
    """Set options of `mallopt`, where the C library is GNU's."""
    with suppress(OSError, AttributeError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            set_option(option, value)


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Tell whether the failure was for want of memory, on any device."""
    text = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        sign in text for sign in SIGNS_OF_NO_MEMORY
    )

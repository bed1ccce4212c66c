from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from ostcli.config import DeviceChoice, Precision
from ostcli.errors import UsageError
from ostcli.training.device import (
    autocast,
    choose_device,
    describe_device,
    finish_work,
    handed_to,
    is_out_of_memory,
    keeping_all_memory,
    memory_for_whole,
    pictures_at_once,
    prepare_arithmetic,
)


@pytest.fixture
def machine(monkeypatch):
    """Make a machine that has these accelerators."""

    def make(*, cuda=False, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(
    ("there", "choice", "device"),
    [
        ({}, "auto", "cpu"),
        ({"cuda": True}, "auto", "cuda"),
        ({"mps": True}, "auto", "mps"),
        ({"cuda": True, "mps": True}, "auto", "cuda"),
        ({"cuda": True}, "cpu", "cpu"),
        ({"cuda": True}, "cuda", "cuda"),
        ({"mps": True}, "mps", "mps"),
    ],
)
def test_auto_takes_the_best_device_and_a_choice_is_obeyed(there, choice, device, machine):
    machine(**there)

    assert choose_device(DeviceChoice(choice)) == torch.device(device)


@pytest.mark.parametrize(
    ("there", "choice", "available"),
    [({}, "cuda", "cpu"), ({}, "mps", "cpu"), ({"cuda": True}, "mps", "cuda, cpu")],
)
def test_a_device_that_is_not_there_is_a_usage_error_with_a_way_out(
    there, choice, available, machine
):
    machine(**there)

    with pytest.raises(UsageError, match=f"no {choice} device") as caught:
        choose_device(DeviceChoice(choice))

    assert caught.value.hint == f"use --device auto; available: {available}"


def test_devices_are_described_for_people():
    assert describe_device(torch.device("cpu")) == "CPU"
    assert describe_device(torch.device("mps")) == "Apple GPU"


@pytest.mark.parametrize(
    ("device", "waited"), [("cpu", []), ("cuda", ["cuda"]), ("cuda:0", ["cuda"]), ("mps", ["mps"])]
)
def test_clocks_wait_for_accelerators(device, waited, monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: calls.append("mps"))

    finish_work(torch.device(device))

    assert calls == waited


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        (Precision.FP32, torch.float32),
        (Precision.BF16, torch.bfloat16),
        (Precision.FP16, torch.float16),
    ],
)
def test_precision_is_the_format_of_convolutions(precision, dtype):
    with autocast(torch.device("cpu"), precision):
        result = torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3))

    assert result.dtype == dtype


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("input tensor must fit into 32-bit index math"), True),
        (RuntimeError("size mismatch"), False),
    ],
)
def test_want_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("device", "num_pixels", "number"),
    [
        ("cpu", 1, 1),
        ("cpu", 65_536, 1),
        ("cuda", 65_536, 8),
        ("cuda", 250_000, 4),
        ("mps", 600_000, 1),
        ("cuda", 24_000_000, 1),
    ],
)
def test_a_gpu_sees_as_many_pictures_at_once_as_make_a_large_one(device, num_pixels, number):
    assert pictures_at_once(torch.device(device), num_pixels) == number


@pytest.mark.parametrize(("gib", "bytes_"), [(80, 40 << 30), (1, 1_000_000_000)])
def test_a_gpu_takes_pictures_whole_by_its_own_memory(gib, bytes_, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (gib << 30, 100 << 30))

    assert memory_for_whole(torch.device("cuda")) == bytes_
    assert memory_for_whole(torch.device("cpu")) == 1_000_000_000


def test_cuda_copies_from_pinned_memory_and_nobody_waits(monkeypatch):
    pinned = Mock()
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned)
    device = torch.device("cuda")

    assert handed_to(device, torch.ones(3)) is pinned.to.return_value
    pinned.to.assert_called_once_with(device, non_blocking=True)
    assert handed_to(torch.device("meta"), torch.ones(3)).device.type == "meta"


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_a_c_library_that_knows_nothing_of_kept_memory_is_left_alone(error, monkeypatch):
    def none(name):
        raise error

    monkeypatch.setattr("ostcli.training.device.ctypes.CDLL", none)
    prepare_arithmetic()
    with keeping_all_memory():
        pass


def test_freed_memory_is_kept_up_to_a_limit(monkeypatch):
    asked = []
    library = SimpleNamespace(mallopt=lambda name, value: asked.append((name, value)))
    monkeypatch.setattr("ostcli.training.device.ctypes.CDLL", lambda name: library)
    prepare_arithmetic()
    assert asked == [(-3, 12 << 20), (-1, 128 << 20)]


def test_all_freed_memory_is_kept_for_a_while(monkeypatch):
    options = {-4: 65536, -3: 12 << 20, -1: 128 << 20}
    before, trimmed = dict(options), []
    library = SimpleNamespace(mallopt=options.__setitem__, malloc_trim=trimmed.append)
    monkeypatch.setattr("ostcli.training.device.ctypes.CDLL", lambda name: library)
    with keeping_all_memory():
        assert (options[-4], options[-1]) == (0, -1)
        assert not trimmed
    assert options == before
    assert trimmed == [0]

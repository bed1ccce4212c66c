"""The choice of a number format by a measurement."""

import pytest
import torch

from ostcli.config import Precision
from ostcli.training import precision as module
from ostcli.training.precision import faster_precision, settle_precision

CPU = torch.device("cpu")
BF16 = (Precision.BF16,)


@pytest.fixture(autouse=True)
def _measured_anew():
    faster_precision.cache_clear()
    yield
    faster_precision.cache_clear()


def take(monkeypatch, seconds):
    """Let each format take so many seconds."""

    def measured(_device, precision, _hopeless):
        taken = seconds[precision]
        if isinstance(taken, Exception):
            raise taken
        return taken

    monkeypatch.setattr(module, "_seconds", measured)


@pytest.mark.parametrize(
    ("bf16", "chosen"),
    [
        (0.5, Precision.BF16),
        (0.9, Precision.FP32),
        (5.0, Precision.FP32),
        (RuntimeError("not implemented for BFloat16"), Precision.FP32),
    ],
)
def test_bf16_is_taken_where_it_is_clearly_faster(monkeypatch, bf16, chosen):
    take(monkeypatch, {Precision.FP32: 1.0, Precision.BF16: bf16})
    assert faster_precision(CPU, BF16) is chosen


@pytest.mark.parametrize(
    ("bf16", "fp16", "chosen"),
    [
        (0.5, 0.5, Precision.BF16),
        (0.5, 0.3, Precision.FP16),
        (5.0, 0.5, Precision.FP16),
        (RuntimeError("not implemented for BFloat16"), 0.5, Precision.FP16),
        (0.5, RuntimeError("not implemented for Half"), Precision.BF16),
        (0.9, 0.9, Precision.FP32),
    ],
)
def test_a_gpu_without_bf16_translates_in_fp16(monkeypatch, bf16, fp16, chosen):
    take(monkeypatch, {Precision.FP32: 1.0, Precision.BF16: bf16, Precision.FP16: fp16})

    assert settle_precision(Precision.AUTO, torch.device("cuda")) is chosen


def test_what_is_asked_for_is_not_measured(monkeypatch):
    monkeypatch.setattr(module, "_seconds", lambda *_: pytest.fail("measured"))

    assert settle_precision(Precision.FP16, CPU) is Precision.FP16


def test_a_cpu_is_not_asked_for_fp16(monkeypatch):
    take(monkeypatch, {Precision.FP32: 1.0, Precision.BF16: 0.9})

    assert settle_precision(Precision.AUTO, CPU) is Precision.FP32


def test_it_is_measured_once_and_leaves_the_threads_as_they_are(monkeypatch):
    threads = torch.get_num_threads()
    first = faster_precision(CPU, BF16)
    assert first in {Precision.FP32, Precision.BF16}
    assert torch.get_num_threads() == threads
    monkeypatch.setattr(module, "_seconds", lambda *_: pytest.fail("measured again"))
    assert faster_precision(CPU, BF16) is first


def test_the_measurement_draws_no_chance():
    state = torch.get_rng_state()
    faster_precision(CPU, BF16)
    assert torch.equal(torch.get_rng_state(), state)

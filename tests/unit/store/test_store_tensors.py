"""Tensors come back as they were; nothing but safetensors is read."""

import pickle
from pathlib import Path

import pytest
import torch

from ostcli.errors import DamagedError
from ostcli.store.tensors import check_tensors, decode_tensors, encode_tensors, read_metadata

PATH = Path("000001.safetensors")


def all_sorts():
    base = torch.arange(24.0).reshape(1, 2, 3, 4)
    return {
        "plain": base,
        "view": base[..., 1],
        "transposed": base.transpose(2, 3),
        "channels_last": base.contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "bfloat16": torch.randn(3).bfloat16(),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "step": torch.tensor(7),
        "flag": torch.tensor(True),
        "empty": torch.empty(0, 3),
    }


def test_tensors_of_all_sorts_survive_the_round_trip():
    tensors = all_sorts()
    read = decode_tensors(encode_tensors(tensors), path=PATH)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)
        assert not read[name].requires_grad


def test_equal_tensors_give_equal_bytes():
    assert encode_tensors({"a": torch.ones(2), "b": torch.zeros(3)}) == encode_tensors(
        {"b": torch.zeros(3), "a": torch.ones(2)}
    )


def test_metadata_is_read_without_the_tensors(tmp_path):
    (tmp_path / "with").write_bytes(encode_tensors({"a": torch.ones(1)}, {"key": "text"}))
    (tmp_path / "without").write_bytes(encode_tensors({"a": torch.ones(1)}))
    (tmp_path / "other").write_bytes(b"GIF89a")
    (tmp_path / "empty").touch()
    assert read_metadata(tmp_path / "with") == {"key": "text"}
    assert [read_metadata(tmp_path / name) for name in ("without", "other", "empty")] == [{}] * 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        encode_tensors({"a": torch.ones(4)})[:-1],
        encode_tensors({"a": torch.ones(4)}) + b"x",
        encode_tensors({"a": torch.ones(4)}).replace(b'"F32"', b'"F99"'),
        b"\xff" * 64,
    ],
)
def test_other_bytes_are_refused(data):
    with pytest.raises(DamagedError, match=str(PATH)):
        decode_tensors(data, path=PATH)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_a_pickle_is_refused_without_being_run(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "saved.safetensors")
    for data in (pickle.dumps(Bomb()), (tmp_path / "saved.safetensors").read_bytes()):
        with pytest.raises(DamagedError, match="not a whole safetensors file"):
            decode_tensors(data, path=PATH)


EXPECTED = {"weight": ((3, 2), torch.float32), "step": ((), torch.int64)}


def test_tensors_as_the_architecture_asks_pass():
    check_tensors({"weight": torch.ones(3, 2), "step": torch.tensor(1)}, EXPECTED, path=PATH)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight": None}, "weight is missing"),
        ({"extra": torch.ones(1)}, "extra is not part of the architecture"),
        (
            {"weight": torch.ones(3, 3)},
            r"weight is \(3, 3\) but the architecture asks for \(3, 2\)",
        ),
        ({"weight": torch.ones(3, 2).half()}, "weight is torch.float16 but .* torch.float32"),
        ({"weight": torch.full((3, 2), torch.nan)}, "weight holds numbers that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named_in_words(changes, words):
    tensors = {"weight": torch.ones(3, 2), "step": torch.tensor(1)} | changes
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(DamagedError, match=words) as caught:
        check_tensors(present, EXPECTED, path=PATH)
    assert str(PATH) in caught.value.message

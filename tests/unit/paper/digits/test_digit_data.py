"""Digits are read from the files that people have of them, and from no others."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ostcli.errors import InputError
from ostcli.paper.digits.data import load_mnist, load_mnist_m, load_svhn

NUMBER = 20


def idx_of(values: np.ndarray) -> bytes:
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()


def grey_digits(number: int = NUMBER) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (number, 28, 28), dtype=np.uint8)
    return images, np.arange(number, dtype=np.uint8) % 10


def coloured_digits(number: int = NUMBER) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (number, 32, 32, 3), dtype=np.uint8)
    return {"images": images, "labels": np.arange(number, dtype=np.uint8) % 10}


def write_mnist(folder: Path, *, part: str = "train", zipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, values in zip(("images-idx3", "labels-idx1"), grey_digits(), strict=True):
        raw = idx_of(values)
        path = folder / f"{part}-{kind}-ubyte"
        if zipped:
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(raw))
        else:
            path.write_bytes(raw)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw", "digits/mnist"])
def test_mnist_is_found_plain_or_zipped_where_people_keep_it(tmp_path, place, zipped):
    write_mnist(tmp_path / place, zipped=zipped)

    domain = load_mnist(tmp_path)

    assert domain.colours == 1
    assert (len(domain.train), len(domain.held_back)) == (16, 4)
    assert domain.train.images.shape == (16, 1, 32, 32)
    assert domain.held_back.labels.tolist() == [6, 7, 8, 9]
    images, _ = grey_digits()
    means = domain.train.images.float().mean((1, 2, 3))
    torch.testing.assert_close(
        means, torch.from_numpy(images[:16]).float().mean((1, 2)), rtol=0.1, atol=3.0
    )


def test_a_test_part_is_what_is_held_back(tmp_path):
    write_mnist(tmp_path)
    write_mnist(tmp_path, part="t10k")

    domain = load_mnist(tmp_path)

    assert (len(domain.train), len(domain.held_back)) == (NUMBER, NUMBER)


def write_svhn_crops(folder, digits):
    parts = ((part, name) for part in ("train", "test") for name in digits)
    named = {f"{part}_{name}": digits[name] for part, name in parts}
    np.savez(folder / "svhn_crops.npz", **named)


def test_svhn_crops_come_in_two_parts(tmp_path):
    digits = coloured_digits()
    write_svhn_crops(tmp_path, digits)

    domain = load_svhn(tmp_path)

    assert domain.colours == 3
    assert domain.train.images[3].permute(1, 2, 0).tolist() == digits["images"][3].tolist()
    assert domain.train.labels.tolist() == digits["labels"].tolist()
    assert -1.0 <= float(domain.train.pictures.min()) <= float(domain.train.pictures.max()) <= 1.0


class FakeSvhn:
    def __init__(self, root: Path, split: str, download: bool) -> None:
        digits = coloured_digits()
        self.data = digits["images"].transpose(0, 3, 1, 2)
        self.labels = digits["labels"].astype(np.int64)


def test_svhn_is_read_through_torchvision(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.SVHN", FakeSvhn)

    assert len(load_svhn(tmp_path, download=True).train) == NUMBER


def test_all_of_svhn_goes_before_crops_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.SVHN", FakeSvhn)
    write_svhn_crops(tmp_path, {name: each[:1] for name, each in coloured_digits().items()})
    assert len(load_svhn(tmp_path).train) == 1

    for split in ("train", "test"):
        (tmp_path / f"{split}_32x32.mat").touch()
    assert len(load_svhn(tmp_path).train) == NUMBER


def test_mnist_m_is_divided(tmp_path):
    np.savez(tmp_path / "mnist_m.npz", **coloured_digits())

    domain = load_mnist_m(tmp_path)

    assert (len(domain.train), len(domain.held_back)) == (16, 4)


@pytest.mark.parametrize("load", [load_mnist, load_svhn, load_mnist_m])
def test_missing_digits_are_said_with_the_files_that_are_wanted(tmp_path, load):
    with pytest.raises(InputError) as raised:
        load(tmp_path)

    assert str(tmp_path) in raised.value.message
    assert "put" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:100],
        lambda raw: b"",
        lambda raw: b"PK" + raw[2:],
        lambda raw: raw[:4] + b"\xff" + raw[5:],
    ],
    ids=["short", "empty", "another format", "too long"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_broken_idx_file_is_named(tmp_path, spoil, zipped):
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    raw = spoil(path.read_bytes())
    path.unlink()
    if zipped:
        path = path.with_name(f"{path.name}.gz")
        raw = gzip.compress(raw)
    path.write_bytes(raw)

    with pytest.raises(InputError, match=path.name):
        load_mnist(tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": np.zeros((3, 28, 28, 3), np.uint8), "labels": np.zeros(3, np.uint8)},
        {"images": np.zeros((3, 32, 32, 3), np.float32), "labels": np.zeros(3, np.uint8)},
        {"images": np.zeros((3, 32, 32, 3), np.uint8), "labels": np.zeros(4, np.uint8)},
        {"images": np.zeros((3, 32, 32, 3), np.uint8), "labels": np.full(3, 10, np.uint8)},
        {"images": np.zeros((3, 32, 32, 3), np.uint8)},
        {"labels": np.zeros(3, np.uint8)},
    ],
    ids=["size", "type", "number", "labels", "no labels", "no images"],
)
def test_arrays_that_are_no_digits_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "mnist_m.npz", **arrays)

    with pytest.raises(InputError, match=r"mnist_m\.npz"):
        load_mnist_m(tmp_path)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "mnist_m.npz").write_bytes(b"PK\x03\x04 and nothing more")

    with pytest.raises(InputError, match=r"mnist_m\.npz"):
        load_mnist_m(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": np.zeros((4, 32, 32), np.uint8)},
        {"images": np.zeros((4, 32, 32, 3), np.float32)},
        {"labels": np.array(["one"] * NUMBER)},
        {"labels": np.full(NUMBER, -1)},
        {"labels": np.full(NUMBER, 10, np.uint8)},
    ],
    ids=["grey", "numbers with a point", "words", "below 0", "above 9"],
)
def test_arrays_of_another_kind_are_refused(tmp_path, wrong):
    np.savez(tmp_path / "mnist_m.npz", **{**coloured_digits(), **wrong})
    with pytest.raises(InputError, match=r"mnist_m\.npz does not hold labelled digits"):
        load_mnist_m(tmp_path)


def test_labels_in_the_place_of_images_are_refused(tmp_path):
    write_mnist(tmp_path)
    labels = (tmp_path / "train-labels-idx1-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(labels)
    with pytest.raises(InputError, match="does not hold labelled digits"):
        load_mnist(tmp_path)

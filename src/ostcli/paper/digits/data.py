"""The digits themselves: MNIST, SVHN and MNIST-M, from the files that people have of them.

Legend: N pictures, C colours (1 or 3). Values 0 to 255, 32 × 32 pixels, labels 0 to 9.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ostcli.errors import InputError
from ostcli.paper.digits.layers import SIDE

HELD_BACK = 1 / 5
"""Share of a set without a test part that is kept from every training, the last pictures of it."""
MOST_HELD_BACK = 10_000

_BROKEN = (OSError, ValueError, KeyError, EOFError, IndexError)
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Digits:
    """Pictures of digits with their labels.

    Args:
        images: Shape (N, C, 32, 32), uint8.
        labels: Shape (N,), int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: Tensor | slice) -> "Digits":
        return Digits(self.images[which], self.labels[which])

    @property
    def colours(self) -> int:
        """1 or 3."""
        return self.images.shape[1]

    @property
    def pictures(self) -> Tensor:
        """As networks see them. Shape (N, C, 32, 32), float32, range [-1, 1]."""
        return as_values(self.images)


@dataclass(frozen=True)
class DigitDomain:
    """A set of digits in two parts, of which no training sees the second."""

    name: str
    train: Digits
    held_back: Digits

    @property
    def colours(self) -> int:
        """1 or 3."""
        return self.train.colours


def as_values(images: Tensor) -> Tensor:
    """Turn bytes 0 to 255 into values -1 to 1."""
    return images.float() / 127.5 - 1.0


def load_mnist(data: Path, *, download: bool = False) -> DigitDomain:
    """Read MNIST, enlarged from 28 to 32 pixels.

    Args:
        data: a folder with the idx files, plain or gzipped: in it, in `mnist`, or in `MNIST/raw`,
            where torchvision puts them.
        download: fetch them there if they are missing.

    Raises:
        InputError: they are missing or broken.
    """
    data = _of_digits(data)
    train = _mnist_part(data, "train")
    if train is None and download:
        _by_torchvision("MNIST", data, train=True, download=True)
        _by_torchvision("MNIST", data, train=False, download=True)
        train = _mnist_part(data, "train")
    if train is None:
        files = "train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
        raise _missing("MNIST", data, f"put {files} there, or add --download")
    test = _mnist_part(data, "t10k")
    return _divided("MNIST", train) if test is None else DigitDomain("MNIST", train, test)


def load_svhn(data: Path, *, download: bool = False) -> DigitDomain:
    """Read SVHN: the files of `torchvision.datasets.SVHN`, or else `svhn_crops.npz`, which is less.

    Args:
        data: the folder that they are in.
        download: fetch the former there if neither is.

    Raises:
        InputError: they are missing or broken.
    """
    data = _of_digits(data)
    crops, splits = data / "svhn_crops.npz", ("train", "test")
    is_whole = all((data / f"{split}_32x32.mat").is_file() for split in splits)
    if crops.is_file() and not is_whole:
        return _of_npz("SVHN", crops)
    if not download and not is_whole:
        files = "train_32x32.mat and test_32x32.mat, or svhn_crops.npz,"
        raise _missing("SVHN", data, f"put {files} there, or add --download")
    parts = []
    for split in splits:
        part = _by_torchvision("SVHN", data, split=split, download=download)
        parts.append(Digits(torch.from_numpy(part.data), torch.from_numpy(part.labels)))
    return DigitDomain("SVHN", *parts)


def load_mnist_m(data: Path, *, download: bool = False) -> DigitDomain:  # noqa: ARG001 - as others
    """Read MNIST-M from `mnist_m.npz`, which nobody offers for download in that form.

    Raises:
        InputError: it is missing or broken.
    """
    path = _of_digits(data) / "mnist_m.npz"
    if not path.is_file():
        arrays = "arrays images (N, 32, 32, 3), bytes, and labels"
        how = f"put mnist_m.npz there, {arrays}: digits of MNIST blended with pieces of photographs"
        raise _missing("MNIST-M", data, f"{how} (Ganin et al. 2016), which --download cannot fetch")
    return _of_npz("MNIST-M", path)


LOADERS: dict[str, Callable[..., DigitDomain]] = {
    "MNIST": load_mnist,
    "SVHN": load_svhn,
    "MNIST-M": load_mnist_m,
}


def _missing(name: str, data: Path, how: str) -> InputError:
    return InputError(f"there is no {name} in {data}", hint=how)


def _of_digits(data: Path) -> Path:
    """Return where the digits are, if that is a folder of its own among other data."""
    return data / "digits" if (data / "digits").is_dir() else data


def _mnist_part(data: Path, part: str) -> Digits | None:
    images, labels = (
        _find_idx(data, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")
    )
    if images is None or labels is None:
        return None
    grey = _read_idx(images)
    if grey.ndim != 3:
        raise _not_digits(images)
    larger = F.interpolate(
        torch.from_numpy(grey)[:, None].float(),
        (SIDE, SIDE),
        mode="bilinear",
        align_corners=False,
    )
    return _checked(images, larger.round().byte(), _read_idx(labels))


def _find_idx(data: Path, name: str) -> Path | None:
    folders = (data, data / "mnist", data / "MNIST" / "raw")
    paths = (folder / each for folder in folders for each in (name, f"{name}.gz"))
    return next((path for path in paths if path.is_file()), None)


def _read_idx(path: Path) -> Bytes:
    """Read an idx file: bytes 00 00 08 and the number of axes, their lengths, then the values."""
    with _broken_named(path):
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        if raw[:3] != b"\0\0\x08":
            raise ValueError("no idx file of bytes")
        shape = np.frombuffer(raw, ">u4", raw[3], 4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()


def _of_npz(name: str, path: Path) -> DigitDomain:
    with (
        _broken_named(path),
        path.open("rb") as stream,
        np.load(stream, allow_pickle=False) as arrays,
    ):
        if "images" in arrays:
            return _divided(name, _of_arrays(path, arrays["images"], arrays["labels"]))
        return DigitDomain(
            name,
            _of_arrays(path, arrays["train_images"], arrays["train_labels"]),
            _of_arrays(path, arrays["test_images"], arrays["test_labels"]),
        )


def _of_arrays(path: Path, images: Bytes, labels: Bytes) -> Digits:
    if images.ndim != 4 or images.dtype != np.uint8:
        raise _not_digits(path)
    return _checked(path, torch.from_numpy(images).permute(0, 3, 1, 2), labels)


def _checked(path: Path, images: Tensor, labels: Bytes) -> Digits:
    """Return digits, unless that is not what they are.

    Raises:
        InputError: they have another shape, or labels beyond 9.
    """
    is_sound = (
        images.shape[2:] == (SIDE, SIDE)
        and images.shape[1] in (1, 3)
        and np.issubdtype(labels.dtype, np.integer)
        and labels.shape == tuple(images.shape[:1])
        and len(labels) > 0
        and int(labels.min()) >= 0
        and int(labels.max()) <= 9
    )
    if not is_sound:
        raise _not_digits(path)
    return Digits(images.contiguous(), torch.from_numpy(labels.astype(np.int64)))


def _not_digits(path: Path) -> InputError:
    return InputError(
        f"{path} does not hold labelled digits of 32 × 32 pixels, or in idx files 28 × 28",
        hint="give another copy of it",
    )


def _divided(name: str, digits: Digits) -> DigitDomain:
    num_held_back = min(MOST_HELD_BACK, round(HELD_BACK * len(digits)))
    split = len(digits) - num_held_back
    return DigitDomain(name, digits[:split], digits[split:])


def _by_torchvision(name: str, data: Path, **part: bool | str):  # type: ignore[no-untyped-def] # noqa: ANN202
    """Return a part of a set as torchvision reads it.

    Raises:
        InputError: it cannot be fetched or read.
    """
    from torchvision import datasets

    try:
        return getattr(datasets, name)(data, **part)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise InputError(
            f"torchvision could not get {name} into {data}: {error}",
            hint="put its files there by hand; SVHN's need scipy: pip install 'ostcli[paper]'",
        ) from error


@contextmanager
def _broken_named(path: Path) -> Iterator[None]:
    """Name the file in what goes wrong with it.

    Raises:
        InputError: it is broken, or cannot be read.
    """
    try:
        yield
    except (*_BROKEN, zlib.error, BadZipFile) as error:
        raise InputError(
            f"{path} cannot be read: {error}", hint="give another copy of it"
        ) from error

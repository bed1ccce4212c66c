"""Tensors as safetensors bytes and back; nothing here can run code from a file."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from ostcli.errors import DamagedError
from ostcli.store.durable import sha256 as sha256

_NOTHING: Mapping[str, str] = MappingProxyType({})
_DECODING_ERRORS = (
    SafetensorError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def encode_tensors(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] = _NOTHING
) -> bytes:
    """Write tensors as the bytes of a safetensors file.

    Args:
        tensors: by name; any shape, layout and device, also views of one another.
        metadata: text for the header; with more than one entry equal calls may differ in bytes.

    Returns:
        The bytes.
    """
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return bytes(safetensors.torch.save(copies, metadata=dict(metadata) or None))


def decode_tensors(data: bytes, *, path: Path) -> dict[str, torch.Tensor]:
    """Read tensors from the bytes of a safetensors file.

    Args:
        data: the whole file.
        path: where the bytes come from, for the message.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        DamagedError: the bytes are anything else, a pickle included.
    """
    try:
        return dict(safetensors.torch.load(data))
    except _DECODING_ERRORS as error:
        raise DamagedError(f"{path} is not a whole safetensors file") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Read the text in the header of a safetensors file, without reading its tensors.

    Args:
        path: any file.

    Returns:
        The text by key; empty when there is none, or when it is no safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except _DECODING_ERRORS:
        return {}


def check_tensors(
    tensors: Mapping[str, torch.Tensor],
    expected: Mapping[str, tuple[tuple[int, ...], torch.dtype]],
    *,
    path: Path,
) -> None:
    """Check that tensors are those that an architecture asks for.

    Args:
        tensors: as read.
        expected: the shape and dtype of each tensor, by name.
        path: where the tensors come from, for the message.

    Raises:
        DamagedError: a tensor is missing, left over, of a wrong shape or dtype, or not finite.
    """
    for name in sorted(tensors.keys() | expected.keys()):
        problem = _problem_with(tensors.get(name), expected.get(name))
        if problem is not None:
            raise DamagedError(f"{path}: {name} {problem}")


def _problem_with(
    tensor: torch.Tensor | None, expected: tuple[tuple[int, ...], torch.dtype] | None
) -> str | None:
    if tensor is None:
        return "is missing"
    if expected is None:
        return "is not part of the architecture"
    found = tuple(tensor.shape), tensor.dtype
    for is_, wanted in zip(found, expected, strict=True):
        if is_ != wanted:
            return f"is {is_} but the architecture asks for {wanted}"
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        return "holds numbers that are not finite"
    return None

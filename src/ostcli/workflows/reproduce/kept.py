"""Networks that an experiment trains once and every table uses: kept in the user's cache."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from ostcli.errors import DamagedError
from ostcli.events import Note, OnEvent
from ostcli.store.durable import make_folder, write_file
from ostcli.store.manifest import slug
from ostcli.store.root import store_root
from ostcli.store.tensors import check_tensors, decode_tensors, encode_tensors

M = TypeVar("M", bound=nn.Module)


def kept(
    name: str,
    settings: Mapping[str, Any],
    *,
    build: Callable[[], M],
    train: Callable[[], M],
    on_event: OnEvent,
) -> M:
    """Return trained networks: those of the cache, or else trained now and put there.

    Args:
        name: what they are, in a few words.
        settings: all that they depend on, as JSON values; other settings are other networks.
        build: makes networks of that architecture, of any weights.
        train: trains them.
        on_event: told what is done.
    """
    settled = json.dumps(settings, sort_keys=True).encode()
    digest = hashlib.sha256(settled).hexdigest()[:16]
    path = store_root() / "reproduce" / f"{slug(name)}-{digest}.safetensors"
    if path.is_file():
        try:
            return _loaded(build(), path)
        except DamagedError as error:
            on_event(Note(text=f"{error.message}: {name} is trained again", warning=True))
    on_event(Note(text=f"training {name}"))
    networks = train()
    make_folder(path.parent)
    write_file(path, encode_tensors(networks.state_dict()))
    return networks


def digest_of(*tensors: Tensor) -> str:
    """Return what tells data from other data."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(str(tuple(tensor.shape)).encode())
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()[:16]


def _loaded(networks: M, path: Path) -> M:
    """Return networks with the weights of a file.

    Raises:
        DamagedError: it holds others.
    """
    tensors = decode_tensors(path.read_bytes(), path=path)
    expected = {
        name: (tuple(tensor.shape), tensor.dtype) for name, tensor in networks.state_dict().items()
    }
    check_tensors(tensors, expected, path=path)
    networks.load_state_dict(tensors)
    return networks.eval().requires_grad_(False)

"""Networks that an experiment trains once and every table uses: kept in the user's cache."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ostcli.errors import DamagedError
from ostcli.events import Note, OnEvent
from ostcli.store.durable import make_folder, write_file
from ostcli.store.manifest import slug
from ostcli.store.root import store_root
from ostcli.store.tensors import check_tensors, decode_tensors, encode_tensors

SECONDS = "seconds"
"""What a part of the work took, among its tensors."""

M = TypeVar("M", bound=nn.Module)


class Resumable(Protocol):
    """A training that can be stopped and gone on with."""

    def state(self) -> Mapping[str, Tensor]:
        """Return all that a later process needs."""

    def load_state(self, tensors: Mapping[str, Tensor], /) -> None:
        """Go back to a state.

        Raises:
            ValueError: it is none of this training.
        """


@dataclass(frozen=True)
class Halfway:
    """A place on the disk for a training that is not done yet.

    Args:
        path: of the file that holds its state.
        begin: called before it is written.
    """

    path: Path
    begin: Callable[[], None] = lambda: None

    def keep(self, training: Resumable, seconds: float) -> None:
        """Put its state there, and the seconds that it took so far."""
        make_folder(self.path.parent)
        self.begin()
        state = {**training.state(), SECONDS: torch.tensor(seconds)}
        write_file(self.path, encode_tensors(state))

    def go_on(self, training: Resumable) -> float:
        """Take the state that is there, if one is and it is whole, and return its seconds.

        A state of another version, which does not fit, is none.
        """
        if not self.path.is_file():
            return 0.0
        before = {name: tensor.clone() for name, tensor in training.state().items()}
        try:
            state = decode_tensors(self.path.read_bytes(), path=self.path)
            training.load_state(state)
            return float(state[SECONDS])
        except (DamagedError, KeyError, ValueError):
            training.load_state(before)  # It may have taken a part.
            return 0.0

    def remove(self) -> None:
        """Forget it: the training is done, and what came of it is kept."""
        self.path.unlink(missing_ok=True)


def kept(
    name: str,
    settings: Mapping[str, Any],
    *,
    build: Callable[[], M],
    train: Callable[[Halfway], M],
    on_event: OnEvent,
) -> M:
    """Return trained networks: those of the cache, or else trained now and put there.

    Args:
        name: what they are, in a few words.
        settings: all that they depend on, as JSON values; other settings are other networks.
        build: makes networks of that architecture, of any weights.
        train: trains them, and may keep what is not done.
        on_event: told what is done.
    """
    path = _path_of(name, settings)
    if path.is_file():
        try:
            return _loaded(build(), path)
        except DamagedError as error:
            on_event(Note(text=f"{error.message}: {name} is trained again", warning=True))
    on_event(Note(text=f"training {name}"))
    halfway = Halfway(path.with_suffix(".halfway.safetensors"))
    networks = train(halfway)
    make_folder(path.parent)
    write_file(path, encode_tensors(networks.state_dict()))
    halfway.remove()
    return networks


def is_kept(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the cache has such networks; arguments as of `kept`."""
    return _path_of(name, settings).is_file()


def digest_of_weights(networks: nn.Module) -> str:
    """Return what tells trained networks from others of the same settings."""
    return digest_of(*networks.state_dict().values())


def digest_of(*tensors: Tensor) -> str:
    """Return what tells data from other data."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(str(tuple(tensor.shape)).encode())
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()[:16]


def _path_of(name: str, settings: Mapping[str, Any]) -> Path:
    settled = json.dumps(settings, sort_keys=True).encode()
    digest = hashlib.sha256(settled).hexdigest()[:16]
    return store_root() / "reproduce" / f"{slug(name)}-{digest}.safetensors"


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

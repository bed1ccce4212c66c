"""One file to carry a model to another machine: its tensors and its manifest, in safetensors.

The training state stays behind. The keepsake holds pieces of the pictures of the folder; without
it a model translates, but a new adaptation needs the folder again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ostcli.errors import DamagedError, NotFoundError, UsageError
from ostcli.store.durable import os_errors_named, sha256, write_file
from ostcli.store.library import Library
from ostcli.store.manifest import Manifest, check_name

if TYPE_CHECKING:
    from torch import Tensor

_MANIFEST_KEY = "ost"
_DIGEST_KEY = "ost.sha256"
_MAX_BYTES = 8_000_000_000


def export_file(
    library: Library,
    name: str,
    destination: Path,
    *,
    with_pictures: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write a model or an adaptation as one safetensors file.

    Args:
        library: where it is.
        name: what it is called there.
        destination: the file to write.
        with_pictures: include the keepsake, which holds pieces of the folder's pictures.
        overwrite: replace a file of that name.

    Returns:
        The destination.

    Raises:
        UsageError: the destination is a folder, or a file is there already.
        NotFoundError: there is no such model.
        DamagedError: the model is damaged.
    """
    if destination.is_dir():
        raise UsageError(f"{destination} is a folder", hint="name a file to write")
    if destination.exists() and not overwrite:
        raise UsageError(
            f"{destination} exists already", hint="name another file, or use --overwrite"
        )
    stored = library.open(name)
    roles = ("weights", "keepsake") if with_pictures else ("weights",)
    files = {role: stored.tensors(role) for role in roles if stored.has(role)}
    records = {role: stored.generation.files[role] for role in files}
    manifest = replace(
        stored.manifest, current=replace(stored.generation, files=records), previous=None
    )
    write_file(destination, _encode(manifest, files))
    return destination


def import_file(library: Library, path: Path, name: str | None = None) -> Manifest:
    """Bring an exported file into the library, unless it is there already, and whole.

    What it finds damaged is replaced: a model of the same content, or one that says no more what
    it was.

    Args:
        library: where to put it.
        path: what `export_file` wrote.
        name: what to call it; None keeps its own name.

    Returns:
        The manifest of the new model, or of the one of that name with the same content.

    Raises:
        NotFoundError: there is no such file.
        DamagedError: it is not a model exported by ost, or differs from what was written.
        UsageError: another model has that name.
    """
    manifest, files = _decode(path)
    name = check_name(name if name is not None else manifest.name)
    with library.lock(name):
        present = library.present(name, replacing=True)
        if present is not None:
            _check_same(present, files)
            if not library.verify(name):
                return present
        return library.commit(
            name,
            kind=manifest.kind,
            config=manifest.config,
            facts=manifest.facts,
            step=manifest.current.step,
            files=files,
            parent=manifest.parent,
            created=manifest.created,
            replaces=True,
        )


def contains_pictures(path: Path) -> bool:
    """Tell whether a file that `export_file` wrote holds pieces of pictures."""
    from ostcli.store.tensors import read_metadata

    text = read_metadata(path)[_MANIFEST_KEY]
    return "keepsake" in Manifest.from_json(text.encode(), path=path).current.files


def _check_same(present: Manifest, files: "Mapping[str, Mapping[str, Tensor]]") -> None:
    from ostcli.store.tensors import encode_tensors

    records = present.current.files
    for role, tensors in files.items():
        if role not in records or records[role].sha256 != sha256(encode_tensors(tensors)):
            raise UsageError(
                f"there is already another {present.kind} called {present.name}",
                hint="use another --name",
            )


def _encode(manifest: Manifest, files: "Mapping[str, Mapping[str, Tensor]]") -> bytes:
    from ostcli.store.tensors import encode_tensors

    text = manifest.to_json().decode("ascii")
    tensors = {f"{role}.{name}": tensor for role in files for name, tensor in files[role].items()}
    metadata = {_MANIFEST_KEY: text, _DIGEST_KEY: _digest(text, tensors)}
    return encode_tensors(tensors, metadata)


def _decode(path: Path) -> "tuple[Manifest, dict[str, dict[str, Tensor]]]":
    from ostcli.store.tensors import decode_tensors, read_metadata

    if not path.exists():
        raise NotFoundError(f"there is no file {path}")
    with os_errors_named(path):
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise _not_exported(path)
        metadata = read_metadata(path)
        if not metadata.keys() >= {_MANIFEST_KEY, _DIGEST_KEY}:
            raise _not_exported(path)
        tensors = decode_tensors(path.read_bytes(), path=path)
    text = metadata[_MANIFEST_KEY]
    if _digest(text, tensors) != metadata[_DIGEST_KEY]:
        raise DamagedError(f"{path} differs from what was exported", hint="copy it again")
    manifest = Manifest.from_json(text.encode(), path=path)
    files = {role: _with_prefix(tensors, f"{role}.") for role in manifest.current.files}
    return manifest, files


def _with_prefix(tensors: "Mapping[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _digest(text: str, tensors: "Mapping[str, Tensor]") -> str:
    """Hash the manifest and all tensors, whatever their layout in the file."""
    import torch

    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"\n{name} {dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _not_exported(path: Path) -> DamagedError:
    return DamagedError(
        f"{path} is not a model exported by ost",
        hint="make such a file with: ost models export NAME",
    )

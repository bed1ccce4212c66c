"""Open what is stored, once and checked: a model to adapt, an adaptation to translate by."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from ostcli.config import (
    AdaptConfig,
    Finish,
    NetworkConfig,
    Precision,
    PretrainConfig,
    ViewConfig,
)
from ostcli.errors import DamagedError, NotFoundError, UsageError
from ostcli.events import Note, OnEvent, ignore_events
from ostcli.images.find import FoundPicture
from ostcli.images.folder import open_folder
from ostcli.images.keepsake import bytes_of_tensor, open_keepsake
from ostcli.method.architecture import build_networks
from ostcli.method.augment import Pictures
from ostcli.method.networks import Networks
from ostcli.store.exchange import import_file
from ostcli.store.generation import StoredModel
from ostcli.store.library import Library
from ostcli.store.manifest import ROLES, Manifest, Parent
from ostcli.store.tensors import check_tensors

C = TypeVar("C", PretrainConfig, AdaptConfig)
T = TypeVar("T")

FOR_USE = ("weights", "keepsake")
"""The files that translating and adapting need; the training state is several times as large."""
EXAMPLE_KEY = "example"
"""The tensor of an adaptation's keepsake that holds the example's file."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of phase I, opened: what phase II starts from."""

    name: str
    config: PretrainConfig
    networks: Networks
    folder_pictures: Pictures
    """Pictures of B: the keepsake, or a folder given in its place; none if it carries none."""
    folder_view: ViewConfig
    """How they are viewed: crops of a keepsake at their own scale, a folder as in phase I."""
    folder: str
    """What it was trained on; the path in full, on the computer where that was."""
    num_pictures: int
    """Pictures of that folder."""
    texture: float
    """How far they are from photographs: `folder_texture`, or as told."""
    parent: Parent


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """An adaptation, opened: what translation needs."""

    name: str
    networks: Networks
    model_config: PretrainConfig
    model_folder: str
    """What the model was trained on; empty if that is not known."""
    config: AdaptConfig
    precision: Precision
    """The number format that its training settled on."""
    finish: Finish
    """What AUTO means for it."""
    example: FoundPicture
    example_bytes: bytes | None
    """The example's file; None in an adaptation that was exported without pictures."""


def open_model(
    reference: str | None,
    library: Library,
    *,
    data: Path | None = None,
    on_event: OnEvent = ignore_events,
) -> Model:
    """Open a model with its weights and its pictures of B.

    Args:
        reference: see `find_model`.
        library: where models are kept.
        data: a folder of B to use in place of the model's keepsake.
        on_event: told of what is in `data`, and of a damaged save that is passed over.

    Raises:
        NotFoundError: there is no such model, or none at all.
        UsageError: the name is that of an adaptation.
        DamagedError: the stored files are not what was written.
    """
    stored = open_stored(find_model(reference, library), library, on_event, FOR_USE)
    manifest = stored.manifest
    if manifest.kind != "model":
        raise UsageError(f"{manifest.name} is an adaptation, not a model", hint="run: ost models")
    config = read_config(PretrainConfig, manifest)
    pictures: Pictures = []
    view = config.view
    if data is not None:
        pictures = open_folder(data, config.view, on_event)
    elif stored.has("keepsake"):
        pictures = open_keepsake(stored.tensors("keepsake"))
        view = replace(view, span=0.0)
    return Model(
        name=manifest.name,
        config=config,
        networks=load_networks(stored, config.network),
        folder_pictures=pictures,
        folder_view=view,
        folder=read_fact(manifest, "folder", str, ""),
        num_pictures=read_fact(manifest, "num_pictures", int, 0),
        texture=read_fact(manifest, "texture", float),
        parent=Parent(name=manifest.name, sha256=stored.generation.files["weights"].sha256),
    )


def open_adaptation(
    name: str | None, library: Library, on_event: OnEvent = ignore_events
) -> Adaptation:
    """Open an adaptation with its weights; the one used last if no name is given.

    Raises:
        NotFoundError: there is none.
        UsageError: the name is that of a model.
        DamagedError: the stored files are not what was written.
    """
    chosen = name or library.last("adaptation")
    if chosen is None:
        raise NotFoundError(
            "there is no adaptation yet",
            hint="run: ost adapt EXAMPLE, after ost pretrain FOLDER",
        )
    stored = open_stored(chosen, library, on_event, FOR_USE)
    manifest = stored.manifest
    if manifest.kind != "adaptation":
        raise UsageError(
            f"{chosen} is a model that has not seen any example yet",
            hint=f"run: ost adapt EXAMPLE --model {chosen}",
        )
    model_config = read_fact(manifest, "model_config", PretrainConfig.from_json)
    config = read_config(AdaptConfig, manifest)
    return Adaptation(
        name=manifest.name,
        networks=load_networks(
            stored, model_config.network, read_fact(manifest, "stroke_filter", float, 0.0)
        ),
        model_config=model_config,
        model_folder=read_fact(manifest, "model_folder", str, ""),
        config=config,
        precision=read_fact(manifest, "precision", Precision, config.precision),
        finish=read_fact(manifest, "finish", Finish),
        example=read_fact(manifest, "example", _example),
        example_bytes=_example_bytes(stored),
    )


def find_model(reference: str | None, library: Library) -> str:
    """Return the name of the model that is meant; import it first if it is an exported file.

    Args:
        reference: a name, or the path of an exported file; the model used last if None. A name in
            the library comes before a file of the same name, unless that has a suffix or a folder.
        library: where models are kept.

    Raises:
        NotFoundError: there is no model at all, or no such file.
        UsageError, DamagedError: the file cannot be imported.
    """
    if reference is None:
        last = library.last("model")
        if last is None:
            raise NotFoundError("there is no model yet", hint="run: ost pretrain FOLDER")
        return last
    path = Path(reference)
    is_bare = path.name == reference and not path.suffix
    if path.is_file() and not (is_bare and reference in library.names()):
        return _imported(path, library)
    is_path = path.name != reference or path.suffix == ".safetensors"
    if is_path and reference not in library.names():
        raise NotFoundError(f"there is no file {reference}", hint="run: ost models")
    return reference


def _imported(path: Path, library: Library) -> str:
    try:
        return import_file(library, path).name
    except UsageError as error:  # Its own hint is for those who import; here --name is another's.
        raise UsageError(
            error.message, hint=f"run: ost models import {path} --name NEW, then use --model NEW"
        ) from error


def parent_of(adaptation: Adaptation, library: Library) -> str:
    """Return the name of the model that an adaptation was made from.

    A model of the same name and folder will do: it was trained on since, to the same look.

    Raises:
        NotFoundError: the model is gone.
    """
    manifest = library.manifest(adaptation.name)
    found = library.find_parent(manifest)
    if found is not None:
        return found
    name = manifest.parent.name if manifest.parent else ""
    reason = f"the model of {adaptation.name} is gone, and adapting needs it"
    if name in library.names("model"):
        folder = library.manifest(name).facts.get("folder")
        if folder and folder == adaptation.model_folder:
            return name
        reason = (
            f"the model of {adaptation.name} is gone: {name} has the look of another folder now"
        )
    raise NotFoundError(
        reason, hint="leave out --adapt-each, or import the model again, or run ost adapt anew"
    )


def open_stored(
    name: str, library: Library, on_event: OnEvent, roles: Collection[str] = ROLES
) -> StoredModel:
    """Open the newest whole save of a name; tell if that is not the newest.

    Args:
        name: of a model or an adaptation.
        library: where it is kept.
        on_event: told of a damaged save that is passed over.
        roles: of the files that will be used.

    Raises:
        NotFoundError, DamagedError: see `Library.open`.
    """
    stored = library.open(name, roles)
    if stored.warning:
        on_event(Note(text=stored.warning, warning=True))
    return stored


def load_networks(
    stored: StoredModel, network: NetworkConfig, stroke_filter_a: float = 0.0
) -> Networks:
    """Build the networks of a stored model or adaptation with its weights for use.

    Args:
        stored: the newest whole save.
        network: the architecture.
        stroke_filter_a: through which an adaptation's E_A sees.

    Raises:
        DamagedError: the weights do not fit the architecture.
    """
    networks = build_networks(network, with_domain_a=stored.manifest.kind == "adaptation")
    tensors = stored.tensors("weights")
    expected = {
        key: (tuple(tensor.shape), tensor.dtype) for key, tensor in networks.state_dict().items()
    }
    check_tensors(tensors, expected, path=stored.folder)
    networks.load_state_dict(tensors)
    networks.stroke_filter_a = stroke_filter_a
    return networks.eval().requires_grad_(False)


def read_config(kind: type[C], manifest: Manifest) -> C:
    """Return the settings of a stored training.

    Raises:
        DamagedError: the manifest holds other settings than this version knows.
    """
    try:
        return kind.from_json(manifest.config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"the settings of {manifest.name} cannot be used: {error}",
            hint="it may come from another version of ost; train it anew with --fresh",
        ) from error


def read_fact(
    manifest: Manifest, key: str, read: Callable[[Any], T], default: T | None = None
) -> T:
    """Return what a manifest says of a training.

    Args:
        manifest: of the model or adaptation.
        key: of the fact.
        read: makes the fact of its JSON.
        default: for a fact that is missing; None if it has to be there.

    Raises:
        DamagedError: it is missing, or not such a fact.
    """
    if default is not None and key not in manifest.facts:
        return default
    try:
        return read(manifest.facts[key])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"what is stored of {manifest.name} cannot be used: its {key} is missing or wrong",
            hint="it may come from another version of ost; train it anew with --fresh",
        ) from error


def _example(fact: str) -> FoundPicture:
    path = Path(fact)
    if not path.name:
        raise ValueError("no name of a file")
    return FoundPicture(path=path, relative=Path(path.name))


def _example_bytes(stored: StoredModel) -> bytes | None:
    if not stored.has("keepsake"):
        return None
    tensor = stored.tensors("keepsake").get(EXAMPLE_KEY)
    if tensor is None or tensor.dtype != torch.uint8:
        raise DamagedError(
            f"{stored.manifest.name} does not hold its example",
            hint="adapt to it anew with --fresh",
        )
    return bytes_of_tensor(tensor)

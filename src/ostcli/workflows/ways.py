"""Ways to get the results that `ost evaluate` measures."""

import copy
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from ostcli.config import AdaptConfig, Finish, ViewConfig
from ostcli.errors import InputError, PictureError, UsageError
from ostcli.events import Note, OnEvent
from ostcli.images.find import FoundPicture, find_pictures
from ostcli.images.folder import reduce_to_working_size
from ostcli.images.read import read_picture
from ostcli.method.networks import NetworkPath, Networks
from ostcli.store.library import Library
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.phase_two import adapt_in_memory
from ostcli.workflows.stored import Adaptation, Model, open_adaptation, open_model
from ostcli.workflows.translator import Translator

SEEN = ViewConfig()
"""Pictures are measured at their own size, at most at a megapixel."""
MOST_STRETCH = 1.02
"""Times by which a partner's aspect may differ from its source's: rounding, no other picture."""

Made = dict[str, Image.Image]
"""Results of one source by the way that they were made."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to get results for a source."""

    name: str | None
    """Of the adaptation, or of the model that is adapted to each source; None for results made
    elsewhere."""
    config: AdaptConfig | None
    """Phase II's settings, as far as they are known."""
    make: Callable[[FoundPicture, Image.Image], Made]
    """From a source, as found and as seen."""
    folder: Path | None
    """Where the pictures of B are, as far as that is known."""
    finish_for: Callable[[Image.Image], Finish | None]
    """What AUTO means for a source."""


class Partners:
    """Pictures that belong to the sources, by the names of their files; the suffix is free.

    Args:
        folder: where they are, searched recursively.
        leave_out: a folder below it that is not searched.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, folder: Path, *, leave_out: Path | None = None) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist",
                hint="give a folder with a picture for each source, of its name",
            )
        self._folder = folder
        self._by_place: dict[Path, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for found in find_pictures([folder], leave_out=leave_out):
            self._by_place[found.relative.with_suffix("")].append(found.path)
            self._by_stem[found.path.stem].append(found.path)

    def of(self, source: FoundPicture, picture: Image.Image) -> Image.Image:
        """Return a source's partner, at the size of the source as it is seen.

        One that lies at the same place below its folder comes first, then one of the same name
        anywhere.

        Raises:
            PictureError: there is none, more than one, or it cannot be used.
        """
        stem = source.path.stem
        there = self._by_place.get(source.relative.with_suffix("")) or self._by_stem.get(stem, [])
        if len(there) != 1:
            number = "more than one picture" if there else "no picture"
            raise PictureError(source.path, f"there is {number} called {stem} in {self._folder}")
        [path] = there
        try:
            partner = read_picture(path).image
        except PictureError as error:
            raise PictureError(source.path, f"its partner {error.message}") from error
        stretch = partner.width * picture.height / (partner.height * picture.width)
        if not 1 / MOST_STRETCH <= stretch <= MOST_STRETCH:
            raise PictureError(source.path, f"its partner {path} has another aspect")
        same = partner.size == picture.size
        return partner if same else partner.resize(picture.size, Image.Resampling.LANCZOS)


def made_already(folder: Path, *, leave_out: Path) -> Way:
    """Take results that lie in a folder, by the names of the sources' files."""
    partners = Partners(folder, leave_out=leave_out)

    def make(found: FoundPicture, source: Image.Image) -> Made:
        return {"translation": partners.of(found, source)}

    return Way(name=None, config=None, make=make, folder=None, finish_for=lambda _: None)


def by_one_adaptation(
    name: str | None, library: Library, device: torch.device, on_event: OnEvent
) -> Way:
    """Translate every source by one adaptation, and by the very model that it was made from."""
    opened = open_adaptation(name, library, on_event)
    networks, view = opened.networks.to(device), opened.model_config.view
    before = _model_before(opened, library, on_event)
    unadapted = before and before.to(device)
    if unadapted is None:
        text = (
            f"the model of {opened.name} is gone, or was trained on since, so there is no row of "
            "it unadapted"
        )
        on_event(Note(text=text, warning=True))

    def make(_: FoundPicture, source: Image.Image) -> Made:
        made = _unadapted(source, unadapted, view) if unadapted else {}
        return made | _adapted(source, networks, view)

    folder = Path(opened.model_folder) if opened.model_folder else None
    return Way(
        name=opened.name,
        config=opened.config,
        make=make,
        folder=folder,
        finish_for=lambda _: opened.finish,
    )


def _model_before(adaptation: Adaptation, library: Library, on_event: OnEvent) -> Networks | None:
    """Return the very model that an adaptation was made from, or None if it is not there."""
    manifest = library.manifest(adaptation.name)
    name = library.find_parent(manifest)
    if name is None or manifest.parent is None:
        return None
    model = open_model(name, library, on_event=on_event)  # Its newest save, so it may differ.
    return model.networks if model.parent.sha256 == manifest.parent.sha256 else None


def adapted_each(
    name: str,
    config: AdaptConfig | Callable[[Model], AdaptConfig],
    library: Library,
    device: torch.device,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> Way:
    """Adapt a model to every source by itself; translate by both.

    Raises:
        UsageError: the model carries no pictures of B.
    """
    model = open_model(name, library, on_event=on_event)
    if not len(model.folder_pictures):
        raise UsageError(
            f"{model.name} was exported without pictures, so it cannot adapt by itself",
            hint="import the model with its pictures",
        )
    chosen = config if isinstance(config, AdaptConfig) else config(model)
    unadapted, view = copy.deepcopy(model.networks).to(device), model.config.view

    def make(_: FoundPicture, source: Image.Image) -> Made:
        networks = adapt_in_memory(source, model, chosen, device, on_event, should_stop)
        return _unadapted(source, unadapted, view) | _adapted(source, networks, view)

    def finish_for(source: Image.Image) -> Finish:
        return Finish(decide_finish(source, model.texture, model.config.look)["finish"])

    folder = Path(model.folder) if model.folder else None
    return Way(name=model.name, config=chosen, make=make, folder=folder, finish_for=finish_for)


def seen(image: Image.Image) -> Image.Image:
    """Return a picture as it is measured."""
    return reduce_to_working_size(image, SEEN)


def _unadapted(source: Image.Image, networks: Networks, view: ViewConfig) -> Made:
    """Translate by the model as phase I left it: T_BB, in each finish."""
    own, finished = _in_each_finish(source, networks, networks.reconstruct_bb, view)
    return {"unadapted": own, "unadapted_finished": finished}


def _adapted(source: Image.Image, networks: Networks, view: ViewConfig) -> Made:
    """Translate by adapted networks: T_AB, in each finish."""
    own, finished = _in_each_finish(source, networks, networks.translate_ab, view)
    return {"network": own, "finished": finished}


def _in_each_finish(
    source: Image.Image, networks: Networks, path: NetworkPath, view: ViewConfig
) -> tuple[Image.Image, Image.Image]:
    own, finished = (
        Translator(networks, path, view, finish=finish).translate(source)
        for finish in (Finish.NETWORK, Finish.PHOTO)
    )
    return own, finished

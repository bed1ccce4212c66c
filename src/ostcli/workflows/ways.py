"""Ways to get the results that `ost evaluate` measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mode

import torch
from PIL import Image

from ostcli.config import AdaptConfig, Finish
from ostcli.errors import PictureError
from ostcli.events import OnEvent
from ostcli.images.find import FoundPicture, find_pictures
from ostcli.images.read import read_picture
from ostcli.method.networks import Networks
from ostcli.store.library import Library
from ostcli.workflows.adapt import adapt_in_memory
from ostcli.workflows.finish import decide_finish
from ostcli.workflows.stored import Model, open_adaptation, open_model, parent_of
from ostcli.workflows.translator import Translator


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to get results for a source."""

    make: Callable[[FoundPicture, Image.Image], dict[str, Image.Image]]
    """From a source, as found and as seen, to its results by name."""
    folder: Path | None
    """Where the pictures of B are, as far as that is known."""
    finish_for: Callable[[Sequence[Image.Image]], Finish | None]
    """What AUTO means for most of some sources."""


def made_already(folder: Path) -> Way:
    """Take results that lie in a folder, by the names of the sources' files."""
    partners = by_stem(folder)

    def make(found: FoundPicture, source: Image.Image) -> dict[str, Image.Image]:
        return {"translation": partner_of(found, source, partners, folder)}

    return Way(make=make, folder=None, finish_for=lambda _: None)


def by_one_adaptation(
    name: str | None, library: Library, device: torch.device, on_event: OnEvent
) -> Way:
    """Translate every source by one adaptation, and by its model unadapted."""
    opened = open_adaptation(name, library, on_event)
    model = open_model(parent_of(opened, library), library, on_event=on_event)
    networks = opened.networks.to(device)

    def make(_: FoundPicture, source: Image.Image) -> dict[str, Image.Image]:
        return _both_ways(source, model, networks)

    return Way(make=make, folder=Path(model.folder), finish_for=lambda _: opened.finish)


def adapted_each(
    name: str,
    config: AdaptConfig | Callable[[Model], AdaptConfig],
    library: Library,
    device: torch.device,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> Way:
    """Adapt a model to every source by itself; translate by both."""
    model = open_model(name, library, on_event=on_event)
    chosen = config if isinstance(config, AdaptConfig) else config(model)

    def make(_: FoundPicture, source: Image.Image) -> dict[str, Image.Image]:
        networks = adapt_in_memory(source, model, chosen, device, on_event, should_stop)
        return _both_ways(source, model, networks)

    def finish_for(sources: Sequence[Image.Image]) -> Finish:
        decided = (decide_finish(source, model.texture, model.config.look) for source in sources)
        return Finish(mode(facts["finish"] for facts in decided))

    return Way(make=make, folder=Path(model.folder), finish_for=finish_for)


def _both_ways(source: Image.Image, model: Model, networks: Networks) -> dict[str, Image.Image]:
    """Translate by the model as phase I left it, then by the adapted networks, in each finish."""
    device = next(networks.parameters()).device
    unadapted = model.networks.to(device)
    ways = {
        "unadapted": (unadapted, unadapted.reconstruct_bb, Finish.NETWORK),
        "unadapted_finished": (unadapted, unadapted.reconstruct_bb, Finish.PHOTO),
        "network": (networks, networks.translate_ab, Finish.NETWORK),
        "finished": (networks, networks.translate_ab, Finish.PHOTO),
    }
    return {
        name: Translator(owner, path, model.config.view, finish=finish).translate(source)
        for name, (owner, path, finish) in ways.items()
    }


def by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by the names of their files without the suffix."""
    return {found.path.stem: found.path for found in find_pictures([folder])}


def partner_of(
    found: FoundPicture, source: Image.Image, partners: Mapping[str, Path], folder: Path
) -> Image.Image:
    """Return the picture of the source's name in another folder, at the source's size.

    Raises:
        PictureError: there is none, or it cannot be read.
    """
    stem = found.path.stem
    if stem not in partners:
        raise PictureError(found.path, f"there is no picture called {stem} in {folder}")
    partner = read_picture(partners[stem]).image
    same = partner.size == source.size
    return partner if same else partner.resize(source.size, Image.Resampling.LANCZOS)

"""A stored model or adaptation as something that translates pictures: the API's `load_model`."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ostcli.config import DeviceChoice, Direction, Finish, Precision, PretrainConfig
from ostcli.errors import UsageError
from ostcli.events import OnEvent, ignore_events
from ostcli.method.networks import Networks
from ostcli.store.library import Library, store_root
from ostcli.training.device import choose_device
from ostcli.training.precision import settle_precision
from ostcli.workflows.stored import find_model, open_adaptation, open_model
from ostcli.workflows.translator import Translator, path_to, view_of


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model or an adaptation in memory."""

    name: str
    networks: Networks
    """The weights for use; a model has no layers of A."""
    config: PretrainConfig
    """The settings of phase I, of the parent for an adaptation."""
    finish: Finish
    """What AUTO means: PHOTO or NETWORK."""

    def translate(
        self,
        image: Image.Image,
        to: Direction = Direction.B,
        *,
        finish: Finish = Finish.AUTO,
        strength: float = 1.0,
        megapixels: float | None = None,
        precision: Precision = Precision.AUTO,
        on_event: OnEvent = ignore_events,
    ) -> Image.Image:
        """Translate one picture, as `ost translate` does. RGB in and out, of the same size.

        Raises:
            UsageError: this is a model that was not adapted to any example, or `megapixels` are
                fewer than a training view has.
        """
        if self.networks.encoder_a is None:
            raise UsageError(
                f"{self.name} has not seen any example yet", hint="call ostcli.adapt first"
            )
        return Translator(
            self.networks,
            path_to(self.networks, to),
            view_of(self.config.view, megapixels),
            finish=self.finish if finish is Finish.AUTO else finish,
            strength=strength,
            precision=settle_precision(precision, next(self.networks.parameters()).device),
            on_event=on_event,
        ).translate(image)

    def reconstruct(self, image: Image.Image) -> Image.Image:
        """Return T_BB of a picture: the folder's look without any adaptation. RGB, same size."""
        path = self.networks.reconstruct_bb
        return Translator(self.networks, path, self.config.view).translate(image)


def load_model(
    reference: str | Path | None = None,
    *,
    device: DeviceChoice = DeviceChoice.AUTO,
    library: Library | None = None,
    on_event: OnEvent = ignore_events,
) -> LoadedModel:
    """Load a model or an adaptation for use.

    Args:
        reference: a name, or the path of an exported file; the adaptation used last if None.
        device: where to compute.
        library: where models are kept; the user's if None.
        on_event: told of a damaged save that is passed over.

    Raises:
        NotFoundError: there is none of that name.
        DamagedError: the stored files are not what was written.
    """
    library = library or Library(store_root())
    where = choose_device(device)
    if reference is not None:
        reference = find_model(str(reference), library)
        if library.manifest(reference).kind == "model":
            model = open_model(reference, library, on_event=on_event)
            return LoadedModel(
                name=model.name,
                networks=model.networks.to(where),
                config=model.config,
                finish=Finish.NETWORK,
            )
    adaptation = open_adaptation(reference, library, on_event)
    return LoadedModel(
        name=adaptation.name,
        networks=adaptation.networks.to(where),
        config=adaptation.model_config,
        finish=adaptation.finish,
    )

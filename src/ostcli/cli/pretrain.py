"""`ost pretrain`: phase I."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import failures, output_of
from ostcli.cli.runs import say_done, stopped, values_of
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice, LatentForm, Look, Medium, Precision, Preset, PretrainConfig
from ostcli.presets import EPOCHS_OF_THE_AUTHORS, STEPS_ON_GPU, pretrain_preset

if TYPE_CHECKING:
    from ostcli.workflows.pretrain import FolderFacts

_FAST = pretrain_preset()
_PAPER = pretrain_preset(Preset.PAPER)


def pretrain(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures of the look, also in sub-folders.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What to call the model.", show_default="the folder's name"),
    ] = None,
    look: Annotated[
        Look,
        typer.Option(
            help="What is to change: style, for season, light and painting; structure, for maps, "
            "labels and drawings."
        ),
    ] = _FAST.look,
    medium: Annotated[
        Medium,
        typer.Option(
            help="What the pictures are, where style is to change: photographs keep their detail, "
            "of paintings strokes are learned; auto looks at them.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = Medium.AUTO,
    size: Annotated[
        int | None,
        typer.Option(
            help="Side of the square crops to train on, in pixels.",
            show_default=f"{_FAST.view.size}, paper {_PAPER.view.size}",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="How long to train.",
            show_default=f"{_FAST.steps}, on a GPU {STEPS_ON_GPU}, "
            f"paper {EPOCHS_OF_THE_AUTHORS} per picture",
        ),
    ] = None,
    minutes: options.Minutes = None,
    preset: Annotated[
        Preset,
        typer.Option(
            help="Sizes, weights and lengths: ours, for minutes on a laptop, or the authors'.",
        ),
    ] = _FAST.preset,
    device: options.Device = DeviceChoice.AUTO,
    seed: options.Seed = _FAST.seed,
    fresh: options.Fresh = False,
    precision: options.TrainingFormat = options.TrainingPrecision.AUTO,
    latent: Annotated[
        LatentForm | None,
        typer.Option(
            help="What the encoder gives: a true VAE's samples, or the features themselves.",
            show_default=f"{_FAST.network.latent}, paper {_PAPER.network.latent}",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    detail: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PIXELS",
            help="Radius of the fine detail that goes past the network; 0 for none.",
            show_default=f"{_FAST.network.detail_radius} for a style of photographs; else 0",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    light: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="STRENGTH",
            help="Of the random light in which the folder is seen; 0 for its own.",
            show_default=f"{_FAST.random_light} for a style of photographs; else 0",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Learn the look of a FOLDER of pictures, once: the model.

    The same command again continues where it was stopped. Ctrl-C saves before it stops.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.workflows.pretrain import pretrain as learn

    @options.sentences_for_wrong_settings()
    def config(facts: "FolderFacts") -> PretrainConfig:
        chosen = pretrain_preset(
            preset,
            look,
            num_pictures=facts.num_pictures,
            of_photographs=facts.of_photographs,
            on_gpu=facts.on_gpu,
            begun=facts.begun,
            size=size,
        )
        network = replace(
            chosen.network,
            latent=latent or chosen.network.latent,
            detail_radius=chosen.network.detail_radius if detail is None else detail,
        )
        return replace(
            chosen,
            network=network,
            random_light=chosen.random_light if light is None else light,
            seed=seed,
            precision=Precision(precision),
            **options.budget(steps, minutes),
        )

    output = output_of(context, as_json=json)
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = learn(
            folder,
            config,
            name=name,
            medium=medium,
            fresh=fresh,
            device=device,
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    output.result({**values_of(result), "failed": failures(result.failed)})
    if not result.finished:
        raise stopped(output, listener, result, stop)
    say_done(output, result)
    output.line(result.name)
    output.say("→ next: ost adapt EXAMPLE, with the one picture that is to get this look")

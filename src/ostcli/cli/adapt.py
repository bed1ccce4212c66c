"""`ost adapt`: phase II."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import Output, failures, output_of
from ostcli.cli.runs import check_failed, say_done, stopped, values_of
from ostcli.cli.signals import StopSignal
from ostcli.config import AdaptConfig, Birth, DeviceChoice, Precision, Pull, Reach
from ostcli.presets import (
    COLOUR_STEPS,
    EPOCHS_OF_THE_AUTHORS,
    STROKE_FILTER,
    STROKE_STEPS,
    adapt_preset,
)

if TYPE_CHECKING:
    from ostcli.workflows.adapt import AdaptResult
    from ostcli.workflows.stored import Model

_FAST = AdaptConfig()


def adapt(
    context: typer.Context,
    examples: Annotated[
        list[Path],
        typer.Argument(
            metavar="EXAMPLE...",
            help="The one picture of the other look; several give an adaptation each.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="The model to start from, or an exported file of one.",
            show_default="the last used",
            autocompletion=options.complete_models,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="What to call the adaptation.", show_default="MODEL+EXAMPLE"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="How long to train.",
            show_default=f"{_FAST.steps}, by patches {COLOUR_STEPS}, of paintings {STROKE_STEPS}, "
            f"paper {EPOCHS_OF_THE_AUTHORS} per picture of the folder",
        ),
    ] = None,
    minutes: options.Minutes = None,
    device: options.Device = DeviceChoice.AUTO,
    seed: options.Seed = _FAST.seed,
    fresh: options.Fresh = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Pictures of the model's look.",
            show_default="those that the model carries",
        ),
    ] = None,
    precision: options.TrainingFormat = options.TrainingPrecision.AUTO,
    reach: Annotated[
        Reach,
        typer.Option(
            help="Which layers the example may change: its own, the folder's too, or the shared "
            "ones as well.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = _FAST.reach,
    birth: Annotated[
        Birth,
        typer.Option(
            help="What the example's layers begin as: copies of the folder's, or fresh ones.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = _FAST.birth,
    pull: Annotated[
        Pull,
        typer.Option(
            help="What draws the example to the folder's look: the discriminator, as in the paper, "
            "or the statistics of the folder's patches; auto is patches for a model of "
            "`--look style`, but not of `--preset paper` or with a wider --reach.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = Pull.AUTO,
    strokes: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="STRENGTH",
            help="Of the filter that takes the strokes from what the network sees of pictures like "
            "the example; 0 for none.",
            show_default=f"{STROKE_FILTER} for a painting that is to be a photograph; else 0",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Learn the look of ONE picture, the EXAMPLE, beside a model's: the adaptation.

    The folder of the model is not needed any more. The same command again continues where it was
    stopped. Ctrl-C saves before it stops.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.workflows.adapt import adapt_all as learn

    @options.sentences_for_wrong_settings()
    def config(opened: "Model") -> AdaptConfig:
        return replace(
            adapt_preset(opened.config, num_pictures=opened.num_pictures, pull=pull, reach=reach),
            birth=birth,
            stroke_filter=strokes,
            seed=seed,
            precision=Precision(precision),
            **options.budget(steps, minutes),
        )

    output = output_of(context, as_json=json)
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = learn(
            examples,
            config,
            model=model,
            name=name,
            data=data,
            fresh=fresh,
            device=device,
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    if len(examples) == 1:
        for _, error in result.failed:
            raise error
    failed = [(path, error.message) for path, error in result.failed]
    output.result(
        {"adaptations": [values_of(one) for one in result.done], "failed": failures(failed)}
    )
    for _, error in result.failed:
        output.fault(f"{error.message}; {error.hint}".removesuffix("; "))
    for one in result.done:
        if not one.finished:
            raise stopped(output, listener, one, stop)
        say_done(output, one)
        _say_finish(output, one)
        output.line(one.name)
    check_failed(len(failed), len(examples), "examples could not be used")
    output.say("→ next: ost translate, for the example; ost translate PICTURES, for others")


def _say_finish(output: Output, result: "AdaptResult") -> None:
    """Say what `--finish auto` will do, by which figure, and whether strokes are filtered."""
    gap = result.texture_gap
    output.say(f"finish: {result.finish}" + ("" if gap is None else f" (texture gap {gap:.2f})"))
    if result.stroke_filter:
        output.say(f"strokes: filtered from what the network sees, by {result.stroke_filter:g}")

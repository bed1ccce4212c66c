"""`ost evaluate`: numbers for translations, beside the controls."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import counted, duration, output_of
from ostcli.cli.runs import check_failed
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice, FeatureNetwork, Pull
from ostcli.errors import InterruptedRun, UsageError

OUT = Path("ost-evaluation")
OF_PIXELS = ("artefacts", "error", "detail", "within")
"""The figures that need no features."""


def evaluate(
    context: typer.Context,
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCES...", help="Pictures of A, and folders of them."),
    ],
    adaptation: options.Adaptation = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead, adapt this model to each picture by itself.",
            autocompletion=options.complete_models,
        ),
    ] = None,
    translations: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead, take translations from here, by the names of their files.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Real pictures of B to hold them against.",
            show_default="the model's folder",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The true partners of the pictures, by the names of their files."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Of torchvision's vgg16 or squeezenet1_0: for content, style, P(B) and KID.",
        ),
    ] = None,
    download: options.DownloadWeights = False,
    features: options.Features = FeatureNetwork.VGG16,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the tables and the sheet go.")
    ] = OUT,
    domain_a: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="More pictures of A, to learn P(B) from.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Pictures of B that no training has seen, as a row of their own.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Take the first so many pictures.",
            show_default="all",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How long --model adapts to each picture.",
            show_default="as ost adapt",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    pull: Annotated[
        Pull,
        typer.Option(
            help="By what --model adapts, as ost adapt --pull.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = Pull.AUTO,
    device: options.Device = DeviceChoice.AUTO,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Measure translations, beside doing nothing, colour matching and other controls.

    `--weights` and `--download` need scikit-learn, for P(B), the probability of a look:
    `pip install 'ostcli[evaluate]'`.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.paper.scores import known_figures
        from ostcli.paper.tables import table_of_estimates
        from ostcli.presets import adapt_preset
        from ostcli.workflows.evaluate import ROW_OF, Yardsticks, values_of
        from ostcli.workflows.evaluate import evaluate as measure

    output = output_of(context, as_json=json)
    of_weights = options.weights_of(weights, features, download=download)
    if model is None and (steps is not None or pull is not Pull.AUTO):
        raise UsageError(
            "--steps and --pull say how --model adapts to each picture",
            hint="add --model NAME, or leave them out",
        )
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = measure(
            sources,
            translations=translations,
            adaptation=adaptation,
            model=model,
            config=lambda opened: replace(
                adapt_preset(opened.config, num_pictures=opened.num_pictures, pull=pull),
                **options.budget(steps, None),
            ),
            yardsticks=Yardsticks(
                folder=folder, domain_a=domain_a, held_out=held_out, truth=truth, weights=of_weights
            ),
            count=count,
            out=out,
            device=device,
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    if result is None:
        raise InterruptedRun(
            "the evaluation was stopped",
            hint="run it again; it begins anew",
            terminated=stop.terminated,
        )
    output.result(values_of(result))
    known = known_figures(list(result.scores.values()))
    of_pixels = [figure for figure in known if figure in OF_PIXELS]
    for figures in ([figure for figure in known if figure not in OF_PIXELS], of_pixels):
        if figures:  # Two tables: one of all would be too wide for a terminal.
            output.table(*table_of_estimates(result.estimates, figures), folding=(0,))
    if result.classifier_accuracy is not None:
        output.say(
            f"features are those of {result.features}; P(B) is by a classifier that is right on "
            f"{result.classifier_accuracy:.0%} of the pictures that it has not seen"
        )
    if result.finish is not None:
        output.say(f'ost translate gives "{ROW_OF[result.finish]}" unless told otherwise')
    if result.features is None:
        output.say("no content, style, P(B) and KID without --weights or --download")
    by = f" by {result.by}" if result.by else ""
    measured = counted(result.num_pictures - len(result.failed), "picture")
    output.say(
        f"{measured} measured{by} in {duration(result.seconds)}; look at {result.sheet}, and at "
        f"{result.table} for the table{' and the differences' if result.comparison else ''}"
    )
    check_failed(len(result.failed), result.num_pictures, "pictures could not be measured")

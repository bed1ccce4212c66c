"""`ost reproduce`: the paper's tables and figures, made again."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import Output, duration, output_of
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice, FeatureNetwork, Precision, Preset
from ostcli.errors import InterruptedRun

if TYPE_CHECKING:
    from ostcli.workflows.reproduce import ReproduceResult

OUT = Path("ost-reproduction")


class Experiment(StrEnum):
    """What of the paper to make again."""

    FIG3 = "fig3"
    TABLE1 = "table1"
    OVERFITTING = "overfitting"
    TABLE2 = "table2"
    TABLE3 = "table3"
    MINIMALITY = "minimality"
    ALL = "all"


def reproduce(
    context: typer.Context,
    experiments: Annotated[
        list[Experiment],
        typer.Argument(
            metavar="EXPERIMENT...",
            help="fig3, table1, overfitting, table2, table3, minimality, or all.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Where the data sets are: digits, and folders such as summer2winter, maps.",
        ),
    ] = Path("data"),
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Where the tables go; rows that are there are not made again.",
        ),
    ] = OUT,
    runs: Annotated[
        int,
        typer.Option(
            min=1,
            help="Adaptations for each row, each to a picture of its own; ten at most for tables "
            "2 and 3.",
        ),
    ] = 200,
    budget: Annotated[
        float,
        typer.Option(
            min=1e-4,
            help="By what to multiply steps of trainings; 33.333 gives digits the authors' length.",
        ),
    ] = 1.0,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROWS",
            help="Rows to make, by name or a part of it; may be given several times. Tables that "
            "have none of them are left out.",
            show_default="all",
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK",
            help="Such as svhn-to-mnist or summer-to-winter; may be given several times.",
            show_default="all",
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download",
            help="Fetch what is missing: MNIST, SVHN, and the weights of --features.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Of torchvision's vgg16 or squeezenet1_0, for the figures of tables 2 and 3.",
        ),
    ] = None,
    features: options.Features = FeatureNetwork.VGG16,
    preset: Annotated[
        Preset,
        typer.Option(
            help="Of tables 2 and 3; paper has the authors' network and lengths.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = Preset.FAST,
    seed: options.Seed = 0,
    device: options.Device = DeviceChoice.AUTO,
    precision: options.TrainingFormat = options.TrainingPrecision.AUTO,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Make the paper's tables and figures again, with the published figures beside ours.

    The same command goes on with a run that was stopped. Each table is written
    as Markdown, CSV and JSON, and as a plot: `pip install 'ostcli[paper]'`.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.workflows.reproduce import reproduce as make
        from ostcli.workflows.reproduce.experiments import EXPERIMENTS
        from ostcli.workflows.reproduce.request import Request

    output = output_of(context, as_json=json)
    every = [name for name in EXPERIMENTS if not (task and name == Experiment.MINIMALITY)]
    names = every if Experiment.ALL in experiments else list(dict.fromkeys(experiments))
    request = Request(
        data=data,
        out=out,
        runs=runs,
        seed=seed,
        budget=budget,
        only=only or (),
        tasks=task or (),
        download=download,
        preset=preset,
        weights=options.weights_of(weights, features, download=download),
    )
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = make(
            names,
            request,
            device=device,
            precision=Precision(precision),
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    _print(output, result)
    if result.stopped:
        raise InterruptedRun(
            "the reproduction was stopped; finished rows are kept",
            hint="the same command goes on",
            terminated=stop.terminated,
        )


def _print(output: Output, result: "ReproduceResult") -> None:
    output.result(
        {
            "tables": {table.draft.name: table.draft.as_json() for table in result.tables},
            "files": [
                str(path) for table in result.tables for path in (table.path, *table.pictures)
            ],
            "missing": result.missing,
            "stopped": result.stopped,
            "seconds": result.seconds,
        }
    )
    for table in result.tables:
        output.table(table.draft.headings, table.draft.cells, folding=(0,))
        output.line(table.path)
    for missing in result.missing:
        output.warn(f"{missing.name} not made: {missing.reason}; {missing.hint}")
    output.say(f"took {duration(result.seconds)}")

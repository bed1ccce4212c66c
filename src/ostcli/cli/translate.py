"""`ost translate`: pictures to pictures."""

import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import Output, counted, duration, failures, output_of
from ostcli.cli.runs import check_failed
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice, Direction, Finish, Precision
from ostcli.errors import InterruptedRun, ResourceError, UsageError

if TYPE_CHECKING:
    from ostcli.workflows.translate import TranslateResult

PIPE = Path("-")


def translate(
    context: typer.Context,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[INPUTS]...",
            help="Pictures and folders, or - for a pipe.",
            show_default="the example itself",
        ),
    ] = None,
    to: Annotated[
        Direction,
        typer.Option(
            case_sensitive=False,
            help="B gives the look of the folder; A, the way back, that of the example.",
        ),
    ] = Direction.B,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where to write; sub-folders are kept.",
            show_default="translated-B or translated-A",
        ),
    ] = None,
    finish: Annotated[
        Finish,
        typer.Option(
            help="photo recolours the picture's own pixels, network takes the network's; auto is "
            "what suits the adaptation."
        ),
    ] = Finish.AUTO,
    strength: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="0 leaves a picture as it is, 1 translates it wholly."),
    ] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write again what is there already.")
    ] = False,
    adapt_each: Annotated[
        bool,
        typer.Option(
            "--adapt-each", help="Adapt to each picture by itself first: slower, and better."
        ),
    ] = False,
    adaptation: options.Adaptation = None,
    device: options.Device = DeviceChoice.AUTO,
    format: Annotated[  # noqa: A002 - the user's word
        options.PictureFormat | None,
        typer.Option(
            help="What to write.",
            show_default="that of each picture; of a pipe, png",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    megapixels: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="How many megapixels of a larger picture the network sees.",
            show_default="1; by --preset paper, what it was trained at",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How long --adapt-each trains for each picture.",
            show_default="what ost adapt was given",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    precision: options.NumberFormat = Precision.AUTO,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Translate pictures, each at its own size, into another look.

    No input is ever changed, and what is there already is not written again. A picture that cannot
    be read does not stop the others.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.workflows.translate import translate as convert

    output = output_of(context, as_json=json)
    suffix = f".{format}" if format else None
    if steps is not None and not adapt_each:
        raise UsageError(
            "--steps is how long --adapt-each trains for each picture",
            hint="add --adapt-each, or leave out --steps",
        )
    if PIPE in (inputs or ()):
        _check_pipe(inputs, any((json, out, overwrite, adapt_each)))
        _translate_pipe(
            output,
            to,
            adaptation,
            finish,
            strength,
            megapixels,
            suffix or ".png",
            device,
            precision,
            threads,
        )
        return
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = convert(
            inputs or (),
            to=to,
            adaptation=adaptation,
            out=out,
            finish=finish,
            strength=strength,
            megapixels=megapixels,
            suffix=suffix,
            overwrite=overwrite,
            adapt_each=adapt_each,
            steps=steps,
            device=device,
            precision=precision,
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    output.result({**vars(result), "failed": failures(result.failed)})
    for path in result.outputs:
        output.line(path)
    if result.stopped:
        raise InterruptedRun(
            f"stopped after {len(result.outputs)} of {result.num_pictures} pictures",
            hint="the same command goes on with those that are missing"
            + (", without --overwrite" if overwrite else ""),
            terminated=stop.terminated,
        )
    _summarise(output, result)
    if 0 < result.num_pictures == result.num_without_memory:
        raise ResourceError(
            "there is not enough memory to translate any of the pictures",
            hint="make them smaller, close other programs, or use --device cpu",
        )
    check_failed(len(result.failed), result.num_pictures, "pictures could not be translated")


def _summarise(output: Output, result: "TranslateResult") -> None:
    by = "each adapted to itself" if result.adapted_each else f"adapted to {result.example.name}"
    output.say(
        f"{counted(len(result.outputs), 'picture')} translated to {result.to} by "
        f"{result.adaptation}, {by}, finish {result.finish}, in {duration(result.seconds)}"
    )
    if result.skipped:
        output.say(
            f"{counted(len(result.skipped), 'picture')} passed over, since there is a translation "
            "already; --overwrite makes it again"
        )


def _check_pipe(inputs: list[Path] | None, other_options: bool) -> None:
    """Refuse what makes no sense beside a picture from a pipe into a pipe."""
    if inputs != [PIPE] or other_options:
        raise UsageError(
            "- stands alone: without other inputs, --out, --overwrite, --adapt-each and --json",
            hint="ost translate - <summer.jpg >winter.png",
        )
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError(
            "- reads a picture from a pipe and writes one into a pipe, not to a terminal",
            hint="ost translate - <summer.jpg >winter.png",
        )


def _translate_pipe(
    output: Output,
    to: Direction,
    adaptation: str | None,
    finish: Finish,
    strength: float,
    megapixels: float | None,
    suffix: str,
    device: DeviceChoice,
    precision: Precision,
    threads: int | None,
) -> None:
    from ostcli.cli.progress import listen
    from ostcli.workflows.translate import translate_stream

    with listen(output) as listener:
        data = translate_stream(
            BytesIO(sys.stdin.buffer.read()),
            to=to,
            adaptation=adaptation,
            finish=finish,
            strength=strength,
            megapixels=megapixels,
            suffix=suffix,
            device=device,
            precision=precision,
            threads=threads,
            on_event=listener,
        )
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()

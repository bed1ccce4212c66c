"""`ost demo`: the main job on pictures drawn by code."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import Output, duration, output_of
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice
from ostcli.errors import InterruptedRun

if TYPE_CHECKING:
    from ostcli.workflows.demo import DemoResult

PICTURES = Path("ost-demo-pictures")
SHEET = Path("ost-demo.png")


def demo(
    context: typer.Context,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of the pictures and of the training.")
    ] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help=f"Leave the drawn pictures in {PICTURES}, to play with.")
    ] = False,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The sheet to look at.")] = SHEET,
    device: options.Device = DeviceChoice.AUTO,
    threads: options.Threads = None,
    nice: options.Nice = False,
    json: options.Json = False,
) -> None:
    """Show it all in some minutes, without a picture of yours.

    Draws winter landscapes and one summer landscape, learns both, translates the summer one and
    compares with the true winter. Nothing is left but a sheet of pictures.
    """
    with options.starting(nice=nice):
        from ostcli.cli.progress import listen
        from ostcli.workflows.demo import demo as show

    output = output_of(context, as_json=json)
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = show(
            seed=seed,
            out=out,
            keep=PICTURES if keep else None,
            device=device,
            threads=threads,
            on_event=listener,
            should_stop=stop,
        )
    if result is None:
        raise InterruptedRun(
            "the demo was stopped",
            hint="run ost demo again; it begins anew",
            terminated=stop.terminated,
        )
    output.result(vars(result))
    _print(output, result)


def _print(output: Output, result: "DemoResult") -> None:
    controls = {
        f"control: {name.replace('_', ' ')}": error for name, error in result.controls.items()
    }
    errors = {
        "translation": result.translation_error,
        "the network alone": result.network_error,
        **controls,
        "doing nothing": result.identity_error,
    }
    output.table(
        ["error against the true winter", "0 to 1", "of doing nothing"],
        [
            [name, f"{error:.4f}", f"{error / result.identity_error:.0%}"]
            for name, error in errors.items()
        ],
        folding=(0,),
    )
    output.line(f"ratio {result.ratio:.3f}")
    output.line(result.sheet)
    if result.pictures:
        output.say(f"the drawn pictures are in {result.pictures}")
    output.say(f"took {duration(result.seconds)}; look at {result.sheet}")
    output.say("→ next: ost pretrain FOLDER, with pictures of a look that you want")

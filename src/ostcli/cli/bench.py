"""`ost bench`: how fast all of it is on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from ostcli.cli import options
from ostcli.cli.render import Output, duration, output_of
from ostcli.cli.signals import StopSignal
from ostcli.config import DeviceChoice
from ostcli.errors import InterruptedRun

if TYPE_CHECKING:
    from ostcli.workflows.bench import BenchResult
    from ostcli.workflows.bench.rows import Row


def bench(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Less of each, within some five minutes.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="A part of it, such as steps; may be given several times.",
            show_default="all",
        ),
    ] = None,
    device: options.Device = DeviceChoice.AUTO,
    json: options.Json = False,
) -> None:
    """Time training, translation and start-up on this machine, beside the authors' arithmetic.

    Every line is a ratio: ours by what it is held against, timed in turn; less is better. Nothing
    is left behind. Close other programs first.
    """
    from ostcli.cli.progress import listen
    from ostcli.workflows.bench import bench as measure

    output = output_of(context, as_json=json)
    with listen(output) as listener, StopSignal(quiet=output.quiet) as stop:
        result = measure(
            quick=quick, only=only or (), device=device, on_event=listener, should_stop=stop
        )
    output.result(vars(result))
    _print(output, result)
    if result.stopped:
        raise InterruptedRun(
            "the bench was stopped", hint="ost bench begins anew", terminated=stop.terminated
        )


def _print(output: Output, result: "BenchResult") -> None:
    output.table(
        ["what", "ours", "held against", "ratio", "spread", "goal", ""],
        [_cells(row) for row in result.rows],
        folding=(0, 2),
    )
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.machine.items())
    output.say(f"{facts}; took {duration(result.seconds)}")


def _cells(row: "Row") -> list[str]:
    spread = "" if row.spread is None else "{:.3f}–{:.3f}".format(*row.spread)
    return [
        row.name,
        f"{row.ours:.3g} {row.unit}".rstrip(),
        f"{row.reference:.3g} {row.unit}: {row.against}".replace(" :", ":"),
        f"{row.ratio:.3f}",
        spread,
        f"≤ {row.goal:.3f}",
        "met" if row.ok else "missed",
    ]

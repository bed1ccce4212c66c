"""`ost`: the commands, what holds for all of them, and the one place that catches errors."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from ostcli import __version__
from ostcli.cli import models
from ostcli.cli.adapt import adapt
from ostcli.cli.bench import bench
from ostcli.cli.demo import demo
from ostcli.cli.evaluate import evaluate
from ostcli.cli.pretrain import pretrain
from ostcli.cli.render import Output
from ostcli.cli.reproduce import reproduce
from ostcli.cli.translate import translate
from ostcli.errors import ExitCode, InterruptedRun, OstError, ResourceError, UsageError

GLOBAL_FLAGS = ("--debug", "--quiet", "-q")
"""May stand anywhere in a command."""
MEANT = {("translate", "--model"): "say --adaptation NAME, or -a NAME: it knows its model"}
"""What to say to an option that a command does not have, where likeness suggests another one."""

app = typer.Typer(
    name="ost",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(pretrain)
app.command()(adapt)
app.command()(translate)
app.command()(demo)
app.command()(evaluate)
app.command()(reproduce)
app.command()(bench)
app.add_typer(models.app, name="models")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ost {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def ost(
    context: typer.Context,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print results, warnings and errors only; anywhere."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error comes from; anywhere.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Bring one picture into the look of a folder of pictures, and back.

    1. `ost pretrain FOLDER` learns the look of many pictures, such as winter: the *model*.
    2. `ost adapt EXAMPLE` learns the look of ONE other picture, a summer day: the *adaptation*.
    3. `ost translate` gives the summer day in winter, and other pictures too.

    `ost demo` shows it all without a picture of yours.
    """
    output = context.ensure_object(Output)
    output.quiet, output.debug = quiet, debug
    output.command = context.invoked_subcommand or ""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str]) -> int:
    """Run a command, say what went wrong if something did, and return the exit code."""
    output = Output(arguments)
    try:
        code = app(
            _global_flags_first(arguments), prog_name="ost", standalone_mode=False, obj=output
        )
    except Exception as error:  # noqa: BLE001 - the one place that catches
        return output.finish(_in_words(error, output))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:  # typer hands Ctrl-C on as a code
        return output.finish(InterruptedRun("interrupted"))
    return output.finish() or int(code or 0)


def run() -> None:
    """Be the program `ost`."""
    warnings.filterwarnings("ignore", module="PIL")
    if os.environ.get("NO_COLOR"):
        os.environ["TERM"] = "dumb"  # For typer's help as for us: no colour, no moving cursor.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # The reader went away: end silently.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # File names that are no valid text.
    sys.exit(main(sys.argv[1:]))


def _global_flags_first(arguments: Sequence[str]) -> list[str]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = sorted(arguments[:end], key=lambda argument: argument not in GLOBAL_FLAGS)
    return [*options, *arguments[end:]]


def _in_words(error: Exception, output: Output) -> OstError:
    """Turn whatever was raised into an error with a sentence."""
    if output.debug:
        traceback.print_exception(error)
    if isinstance(error, OstError):
        return error
    if isinstance(error, typer.TyperException):
        option = getattr(error, "option_name", "")
        if hint := MEANT.get((output.command, option)):
            return UsageError(f"there is no option {option} here", hint=hint)
        command = f"ost {output.command}".strip()
        return UsageError(error.format_message(), hint=f"{command} --help shows what it takes")
    if isinstance(error, typer.Abort):
        return InterruptedRun("interrupted")
    if isinstance(error, MemoryError):
        return ResourceError("out of memory", hint="use a smaller --size, or close other programs")
    if isinstance(error, OSError) and error.filename:
        from ostcli.store.durable import error_in_words

        return error_in_words(error, Path(str(error.filename)))
    kind = type(error).__name__
    return OstError(
        f"something went wrong that is a bug of ours ({kind}: {error})",
        hint="run again with --debug for the details",
    )

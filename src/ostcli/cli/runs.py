"""What several commands say at the end: done, stopped, or some pictures failed."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ostcli.cli.render import Output, counted, duration
from ostcli.cli.signals import StopSignal
from ostcli.errors import ExitCode, InputError, InterruptedRun, OstError

if TYPE_CHECKING:
    from ostcli.cli.progress import Listener
    from ostcli.workflows.job import JobResult


class SomeFailedError(OstError):
    """Some pictures could not be used; the others are done."""

    exit_code = ExitCode.PARTIAL


def check_failed(num_failed: int, num_all: int, sentence: str) -> None:
    """Raise if pictures failed that were asked for.

    Raises:
        SomeFailedError: some of them.
        InputError: all of them.
    """
    if num_failed:
        kind = SomeFailedError if num_failed < num_all else InputError
        raise kind(f"{num_failed} of {num_all} {sentence}", hint="they are named above")


def values_of(result: "JobResult") -> dict[str, Any]:
    """Return a training's result for JSON: its own fields, without the manifest's facts."""
    return {name: value for name, value in vars(result).items() if name != "facts"}


def say_done(output: Output, result: "JobResult") -> None:
    """Say that a training is done, or was done already, and how to go on with it."""
    steps = counted(result.step, "step")
    if result.has_trained:
        took = duration(result.seconds)
        output.say(f"{result.name}: {steps} in {took}, kept in {result.path}")
    else:
        output.say(f"{result.name} is finished already, with {steps}; nothing was done")
        output.say("→ give a larger --steps to go on with it, or --fresh to start over")
    if result.verdict is not None:
        likely = "likely to be good" if result.verdict.is_good else "may fall short"
        output.say(f"{likely}: {result.verdict.summary}")
        for advice in result.verdict.advice:
            output.say(f"→ {advice}")


def stopped(
    output: Output, listener: "Listener", result: "JobResult", stop: StopSignal
) -> InterruptedRun:
    """Return the error of a training that was asked to stop early."""
    of_all = f" of {listener.last_step.num_steps}" if listener.last_step else ""
    return InterruptedRun(
        f"stopped at step {result.step}{of_all}, everything is kept",
        hint=f"the same command continues: {continuing(output.arguments)}",
        terminated=stop.terminated,
    )


def continuing(arguments: Sequence[str]) -> str:
    """Return the command line that continues a stopped one."""
    return shlex.join(["ost", *(word for word in arguments if word != "--fresh")])

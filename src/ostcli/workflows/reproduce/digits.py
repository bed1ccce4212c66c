"""The experiments with digits: Table 1, Figure 3 and the strip of overfitting."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DigitTask:
    """A direction of translation."""

    a: str
    b: str
    published: int | None
    """Which of the two columns of Table 1 it is; None for neither."""


TASKS: Mapping[str, DigitTask] = {
    "svhn-to-mnist": DigitTask("SVHN", "MNIST", 1),
    "mnist-to-svhn": DigitTask("MNIST", "SVHN", 0),
    "mnist-to-mnist-m": DigitTask("MNIST", "MNIST-M", None),
    "mnist-m-to-mnist": DigitTask("MNIST-M", "MNIST", None),
}
"""The paper's two, and two with MNIST-M as the larger colour domain."""

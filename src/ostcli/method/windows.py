"""Sums over the window from each value of a line on, in few passes whatever its length."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

T = TypeVar("T", npt.NDArray[np.float32], Tensor)


def window_sums(values: T, length: int, step: int = 1) -> T:
    """Sum, from each value on, an odd number of values along the last axis.

    By sums of two, four, eight …, so that 9 values take four additions. Running sums would take
    two, and lose in single precision what they have passed.

    Args:
        values: shape (…, n).
        length: how many to sum, odd.
        step: their distance.

    Returns:
        Shape (…, n - (length - 1) step).
    """
    total = doubled = values
    taken = width = 1
    while taken < length:
        doubled = doubled[..., : -width * step] + doubled[..., width * step :]
        width *= 2
        if length & width:
            rest = doubled[..., taken * step :]
            total = total[..., : rest.shape[-1]] + rest
            taken += width
    return total

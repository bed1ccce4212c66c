"""Training batches: a pure function of the step, prepared ahead in the background."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ostcli.config import ViewConfig
from ostcli.method.augment import Pictures, draw_view

Batch = Mapping[str, Tensor]
"""Views by domain, "a" and "b". Shape (N, 3, size, size), range [-1, 1]."""


class Views:
    """The views of one domain, by step.

    Every picture is used once before any is used again. What step t gets depends on the seed and t
    alone, so a run that was stopped goes on as if it had not been.

    Args:
        pictures: RGB.
        view: the augmentation.
        batch_size: views per step.
        seed: of the run; two domains of one run take different ones.
    """

    def __init__(
        self, pictures: Pictures, view: ViewConfig, batch_size: int, seed: Sequence[int]
    ) -> None:
        self._pictures = pictures
        self._view = view
        self._batch_size = batch_size
        self._seed = list(seed)

    def batch(self, step: int) -> Tensor:
        """Return the views of a step. Shape (N, 3, size, size), range [-1, 1]."""
        first = step * self._batch_size
        views = [self._one(n).numpy() for n in range(first, first + self._batch_size)]
        return torch.from_numpy(np.stack(views))  # numpy starts no threads of its own

    def _one(self, n: int) -> Tensor:
        epoch, place = divmod(n, len(self._pictures))
        order = np.random.default_rng([*self._seed, 0, epoch]).permutation(len(self._pictures))
        rng = np.random.default_rng([*self._seed, 1, n])
        return draw_view(self._pictures[int(order[place])], self._view, rng)


class Prefetch:
    """Make the batches of the coming steps in one background thread.

    Args:
        make: the batch of a step; called in the thread, in order.
        ahead: how many steps to prepare beforehand.
    """

    def __init__(self, make: Callable[[int], Batch], ahead: int = 4) -> None:
        self._make = make
        self._ahead = ahead
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ost-views")
        self._coming: dict[int, Future[Batch]] = {}

    def get(self, step: int) -> Batch:
        """Return the batch of a step and begin those after it."""
        if step not in self._coming:  # the first call, or a step back after a roll-back
            self.forget()
        for coming in range(step, step + self._ahead):
            if coming not in self._coming:
                self._coming[coming] = self._executor.submit(self._make, coming)
        return self._coming.pop(step).result()

    def forget(self) -> None:
        """Drop what is prepared: the coming steps are to get other batches."""
        for future in self._coming.values():
            future.cancel()
        self._coming.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

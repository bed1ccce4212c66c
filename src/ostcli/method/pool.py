"""The history of generated pictures that the discriminator learns from."""

import torch
from torch import Tensor


class HistoryPool:
    """Keep up to `capacity` generated pictures; hand out old ones half of the time.

    Args:
        capacity: number of pictures; 0 keeps none and hands back what it is given.

    Source: Shrivastava et al. 2017, section 2.3, in the form of the authors' code.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.pictures: list[Tensor] = []

    def exchange(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Store pictures and return as many: each one itself, or an older one in its place.

        Args:
            pictures: Shape (N, 3, H, W); without gradient.
            generator: on the CPU.

        Returns:
            Shape (N, 3, H, W).
        """
        return torch.stack([self._exchange_one(picture, generator) for picture in pictures])

    def _exchange_one(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        if len(self.pictures) < self.capacity:
            self.pictures.append(picture)
            return picture
        if self.capacity == 0 or torch.rand((), generator=generator) < 0.5:
            return picture
        index = int(torch.randint(self.capacity, (), generator=generator))
        older, self.pictures[index] = self.pictures[index], picture
        return older

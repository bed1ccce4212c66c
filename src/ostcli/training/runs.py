"""Many independent trainings at once, each with an example of its own.

Legend: K runs, N views of each domain in a step, C colours.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ostcli.config import OptimConfig, Precision
from ostcli.training.adam import Adam
from ostcli.training.batches import Batch
from ostcli.training.many import for_many
from ostcli.training.phases import N_contra, Phase
from ostcli.training.trainer import chance_of, on_device

N = TypeVar("N", bound=nn.Module)


class PhaseOfRuns(Phase[N_contra], Protocol):
    """What runs need to know of the training that each of them is."""

    def of_example(self, networks: N_contra, /) -> Sequence[nn.Parameter]:
        """Return the weights whose course depends on the example."""


KERNEL_NDIM = 4
"""Axes of the weights of a convolution."""


class Runs(Generic[N]):
    """K trainings that take each step together.

    Each is what it would be alone, to rounding. Weights whose course depends on the example stand
    K times, in a first axis; the others, whose course is the same in every run, stand once.
    `torch.func.vmap` takes the step of one run over that axis, and computes once what depends on no
    example (decision 0042).

    Args:
        networks: what each of K runs begins from, all on the device that they are trained on; left
            alone, and not held. Of weights that stand once the first one's count.
        phase: gives the losses of one run, the table of gradients, and what depends on the example;
            without a history of generated pictures.
        optim: rates and decays.
        seed: all chance in step t comes from it and t, the same for every run.
        precision: FP32 or BF16.
    """

    def __init__(
        self,
        networks: Iterable[N],
        phase: PhaseOfRuns[N],
        optim: OptimConfig,
        *,
        seed: int,
        precision: Precision = Precision.FP32,
    ) -> None:
        self.step = 0
        self._precision = precision
        self._phase, self._optim, self._seed = phase, optim, seed
        networks = iter(networks)
        first = next(networks)
        self._device = next(first.parameters()).device
        names = {weight: f"networks.{name}" for name, weight in first.named_parameters()}
        own = {names[weight] for weight in phase.of_example(first)}
        self._module = for_many(_Applied(first), own)
        self._of_convolutions = {
            name for weight, name in names.items() if weight.ndim == KERNEL_NDIM
        }
        self._axes = {name: 0 if name in own else None for name in names.values()}
        of_each = {name: [weight.detach()] for weight, name in names.items()}
        for other in networks:
            for name, weight in zip(of_each, other.parameters(), strict=True):
                if name in own:
                    of_each[name].append(weight.detach())
        self._weights = {
            name: nn.Parameter(torch.stack(weights) if name in own else weights[0].clone())
            for name, weights in of_each.items()
        }
        self._rows = {
            total: [names[weight] for weight in row] for total, row in phase.table(first).items()
        }
        self._optimisers = {
            total: Adam([self._weights[name] for name in row], (optim.beta1, optim.beta2))
            for total, row in self._rows.items()
        }

    def do_step(self, batch: Batch, rate: float) -> Mapping[str, Tensor]:
        """Run one step of every run and change the weights.

        Args:
            batch: of A each run's own views, of B the same for all. Shapes (K, N, C, H, W) and
                (N, C, H, W).
            rate: share of the learning rate that the schedule leaves, 0 to 1.

        Returns:
            Each loss by its name, of each run. Shape (K,).
        """
        generator, batch = chance_of(self._seed, self.step), on_device(batch, self._device)

        def losses_of(networks: N, x_a: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
            record = self._phase.run(networks, {**batch, "a": x_a}, generator)
            return dict(record.losses), dict(record.totals)

        losses, totals = self._in_each(losses_of, batch["a"])
        gradients = {}
        for total, row in self._rows.items():
            # Runs do not depend on one another, so the sum of their totals has all gradients. A
            # total that no example has a part in comes out K times over.
            is_own = any(self._axes[name] == 0 for name in row)
            whole = totals[total].sum() if is_own else totals[total][0]
            gradients[total] = torch.autograd.grad(
                whole, [self._weights[name] for name in row], retain_graph=True, allow_unused=True
            )
        for total, optimiser in self._optimisers.items():
            factor = rate * self._phase.rate_of(total)
            optimiser.step(gradients[total], self._optim.learning_rate * factor)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def state(self) -> dict[str, Tensor]:
        """Return all that a later process needs to go on as if never stopped.

        None of it copies: of many runs they are a gigabyte.
        """
        tensors = {"step": torch.tensor(self.step)}
        tensors |= {f"weight.{name}": weight for name, weight in self._weights.items()}
        for total, optimiser in self._optimisers.items():
            tensors |= {f"{total}.{name}": each for name, each in optimiser.state().items()}
        return {name: tensor.detach() for name, tensor in tensors.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            ValueError: the tensors are not such a state; some of them may have been taken.
        """
        try:
            self.step = int(tensors["step"])
            with torch.no_grad():
                for name, weight in self._weights.items():
                    known = tensors[f"weight.{name}"]
                    if known.shape != weight.shape:  # Of one run, it would be taken for all.
                        raise ValueError(f"{name} has the shape {tuple(known.shape)}")
                    weight.copy_(known)
            for total, optimiser in self._optimisers.items():
                start = f"{total}."
                optimiser.load_state(
                    {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
                )
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ValueError(f"not a state of these runs: {error}") from error

    @torch.no_grad()
    def translate(self, path: Callable[[N, Tensor], Tensor], pictures: Tensor) -> Tensor:
        """Return what a path through the networks of each run makes of its own pictures.

        Args:
            path: from the networks of one run and pictures of A to pictures of B.
            pictures: Shape (K, N, C, H, W), range [-1, 1].

        Returns:
            Shape (K, N, C, H, W).
        """
        translated: Tensor = self._in_each(path, pictures.to(self._device))
        return translated

    def _in_each(self, function: Callable[[N, Tensor], Any], pictures: Tensor) -> Any:  # noqa: ANN401
        """Return a function of each run's networks and pictures, over a first axis of runs."""

        def of_one(weights: Mapping[str, Tensor], own: Tensor) -> Any:  # noqa: ANN401
            return functional_call(self._module, dict(weights), (function, own))

        return vmap(of_one, in_dims=(self._axes, 0), randomness="same")(self._cast(), pictures)

    def _cast(self) -> Mapping[str, Tensor]:
        """Return the weights as the step uses them: of convolutions in a half, if that is asked."""
        if self._precision is not Precision.BF16:
            return self._weights
        return {
            name: weight.bfloat16() if name in self._of_convolutions else weight
            for name, weight in self._weights.items()
        }


class _Applied(nn.Module):
    """A module that is called with a function of the networks: `functional_call` takes a module."""

    def __init__(self, networks: nn.Module) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, function: Callable[[nn.Module, Tensor], Any], own: Tensor) -> Any:  # noqa: ANN401
        return function(self.networks, own)

"""All that changes in training, one step of it, and its state as named tensors."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ostcli.config import OptimConfig, Precision
from ostcli.method.record import DISCRIMINATOR, StepRecord
from ostcli.training.adam import Adam, Gradients
from ostcli.training.batches import Batch
from ostcli.training.device import autocast, handed_to
from ostcli.training.health import Health
from ostcli.training.phases import Phase

N = TypeVar("N", bound=nn.Module)


class Trainer(Generic[N]):
    """Networks with their optimisers, their moving average, their histories and their health.

    Args:
        networks: on the device that they are trained on.
        phase: gives the losses and the table of gradients.
        optim: rates and decays.
        seed: all chance in step t comes from it and t.
        precision: FP32 or BF16, not AUTO.
    """

    def __init__(
        self,
        networks: N,
        phase: Phase[N],
        optim: OptimConfig,
        *,
        seed: int,
        precision: Precision = Precision.FP32,
    ) -> None:
        self.networks = networks
        self.phase = phase
        self.optim = optim
        self.seed = seed
        self.precision = precision
        self.memory_format = torch.contiguous_format
        self.step = 0
        self.num_roll_backs = 0
        self.health = Health()
        self.table = phase.table(networks)
        self.optimisers = {
            total: Adam(parameters, (optim.beta1, optim.beta2))
            for total, parameters in self.table.items()
        }
        self.average = AveragedModel(networks, multi_avg_fn=_warm_average(optim))

    @property
    def rate_factor(self) -> float:
        """What the roll-backs leave of the learning rate: each halves it."""
        return 0.5**self.num_roll_backs

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.networks.parameters()).device

    @property
    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""
        return all(bool(torch.isfinite(weight).all()) for weight in self.networks.parameters())

    def reorder(self, memory_format: torch.memory_format) -> None:
        """Put the weights and what goes with them in an order in memory; nothing else changes.

        Args:
            memory_format: by channels, or by pixels with the channels last.
        """
        state = self.state()
        for networks in (self.networks, self.average):
            networks.to(memory_format=memory_format)
        self.load_state(state)
        self.memory_format = memory_format

    def do_step(self, batch: Batch, rate: float) -> StepRecord:
        """Run one step and change the weights.

        Args:
            batch: views by domain.
            rate: share of the learning rate that the schedule leaves, 0 to 1.
        """
        with autocast(self.device, self.precision):
            record = self.phase.run(self.networks, on_device(batch, self.device), self.chance())
        gradients = {
            total: torch.autograd.grad(
                record.totals[total], list(parameters), retain_graph=True, allow_unused=True
            )
            for total, parameters in self.table.items()
        }
        self.change_weights(gradients, rate)
        return record

    def chance(self) -> torch.Generator:
        """Return what draws the chance of the next step: it comes from the seed and the step."""
        return chance_of(self.seed, self.step)

    def change_weights(self, gradients: Mapping[str, Gradients], rate: float) -> None:
        """Step all weights, and with that be one step further.

        Args:
            gradients: of each total, for exactly the weights of its row. A weight that a total does
                not depend on has none and gets no step from it: without a cycle the example's
                losses do not pass through `encoder_b`.
            rate: share of the learning rate that the schedule leaves, 0 to 1.
        """
        learning_rate = self.optim.learning_rate * self.rate_factor * rate
        for total, optimiser in self.optimisers.items():
            optimiser.step(gradients[total], learning_rate * self.phase.rate_of(total))
        self.average.update_parameters(self.networks)
        self.step += 1

    def networks_for_use(self) -> N:
        """Return a copy with averaged weights; the discriminator's as they stand."""
        networks = cast(N, copy.deepcopy(self.average.module))
        names = {weight: name for name, weight in self.networks.named_parameters()}
        for weight in self.table.get(DISCRIMINATOR, ()):
            networks.get_parameter(names[weight]).data.copy_(weight.data)
        return networks.eval().requires_grad_(False)

    def state(self) -> dict[str, Tensor]:
        """Return everything that a later process needs to go on as if never stopped.

        All of it copies, on the CPU.
        """
        tensors: dict[str, Tensor] = {
            "step": torch.tensor(self.step),
            "num_roll_backs": torch.tensor(self.num_roll_backs),
            "health": self.health.state(),
        }
        tensors |= _prefixed("raw", self.networks.state_dict())
        tensors |= _prefixed("average", self.average.state_dict())
        for total, optimiser in self.optimisers.items():
            tensors |= _prefixed(f"optimiser.{total}", optimiser.state())
        for name, pool in self.phase.pools.items():
            if pool.pictures:
                tensors[f"pool.{name}"] = torch.stack(pool.pictures)
        return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            ValueError: the tensors are not such a state; some of them may have been taken.
        """
        try:
            self._take(tensors)
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ValueError(f"not a state of this training: {error}") from error

    def _take(self, tensors: Mapping[str, Tensor]) -> None:
        self.step = int(tensors["step"])
        self.num_roll_backs = int(tensors["num_roll_backs"])
        self.health.load_state(tensors["health"])
        self.networks.load_state_dict(_with_prefix("raw", tensors))
        self.average.load_state_dict(_with_prefix("average", tensors))
        for total, optimiser in self.optimisers.items():
            optimiser.load_state(_with_prefix(f"optimiser.{total}", tensors))
        for name, pool in self.phase.pools.items():
            pictures = tensors.get(f"pool.{name}")
            pool.pictures = [] if pictures is None else list(pictures.clone().to(self.device))


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return the views on a device."""
    return {domain: handed_to(device, views) for domain, views in batch.items()}


class Figures(NamedTuple):
    """What a step is judged by, as plain numbers; see `StepRecord`."""

    losses: dict[str, float]
    latent_spread: float
    flat_error: float


def figures_of(records: Sequence[StepRecord]) -> list[Figures]:
    """Return the figures of steps; the device is waited for once, not for each number."""
    numbers = iter(
        torch.stack(
            [
                number.detach().float()
                for record in records
                for number in (*record.losses.values(), record.latent_spread, record.flat_error)
            ]
        ).tolist()
    )
    return [
        Figures({name: next(numbers) for name in record.losses}, next(numbers), next(numbers))
        for record in records
    ]


def _warm_average(optim: OptimConfig) -> Callable[..., None]:
    """Average over a last share of the steps at first, lest the first, random weights linger."""

    def update(averaged, current, num_averaged) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        count = float(num_averaged)
        warm = (1 + count) / (1 + count + 1 / optim.average_share)
        torch._foreach_lerp_(averaged, current, 1 - min(optim.average_decay, warm))

    return update


def chance_of(seed: int, step: int) -> torch.Generator:
    """Return what draws the chance of one step; another for every pair in practice."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + 1) % 2**63
    return torch.Generator().manual_seed(mixed)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}

"""The talk's figure on minimality: two line segments, and which maps a small network can express.

Infinitely many maps take the uniform distribution on one segment of the plane to that on another:
any cut and rearrangement does. Two of them are "semantic": they keep what is next to what. A
network h(x) = σ(Wx + b) with two leaky-ReLU units can express those two and no other.

Legend: S seeds, P points of a segment, t their place on it, 0 to 1.
Source: Benaim & Wolf 2018, Figure 1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from ostcli.events import OnStep, ignore_steps
from ostcli.training.adam import Adam

Segment = tuple[tuple[float, float], tuple[float, float]]
SEGMENT_A: Segment = ((-1.0, -0.6), (0.2, 0.9))
SEGMENT_B: Segment = ((0.3, 1.2), (1.5, 0.2))
"""In the quarter where both coordinates are positive, which a leaky ReLU does not bend."""
SLOPE = 0.2
"""Of the leaky ReLU below zero."""
NUM_POINTS = 60
STEPS = 2000
LEARNING_RATE = 0.02
WIDE = (32, 32)
"""Units of the hidden layers of the network that is not minimal."""
EXPRESSED = 0.02
"""Mean distance to a map's points, in units of segment B's length, below which it is expressed."""
MATCHED = 0.02
"""Distance between the distributions (Wasserstein's, along the segment, and how far points lie
beside it), in the same units, below which they are the same."""

SEMANTIC: Mapping[str, Callable[[Tensor], Tensor]] = {
    "forwards": lambda t: t,
    "backwards": lambda t: 1 - t,
}
NON_SEMANTIC: Mapping[str, Callable[[Tensor], Tensor]] = {
    "halves swapped": lambda t: (t + 0.5) % 1,
    "first half turned": lambda t: torch.where(t < 0.5, 0.5 - t, t),
    "thirds moved on": lambda t: (t + 1 / 3) % 1,
    "folded": lambda t: 1 - (2 * t - 1).abs(),
    "doubled": lambda t: (2 * t) % 1,
}
"""Each takes the uniform distribution on [0, 1] to itself."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well networks express one map, over all seeds."""

    best_error: float
    """The least mean distance to the map's points, in units of segment B's length."""
    num_expressed: int
    """Seeds whose error is below `EXPRESSED`."""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """What networks come to that are told the two distributions alone, over all seeds."""

    num_forwards: int
    num_backwards: int
    num_non_semantic: int
    """The distributions match, by another map."""
    num_unmatched: int
    """The distributions do not match."""


@dataclass(frozen=True, kw_only=True)
class Minimality:
    """The figure: by network, "two units" and "wide"."""

    fits: Mapping[str, Mapping[str, Fit]]
    """By network and map."""
    matchings: Mapping[str, Matching]


def points_on(segment: Segment, t: Tensor) -> Tensor:
    """Return points of a segment by their places on it. Shape (P,) to (P, 2)."""
    start, end = (torch.tensor(point) for point in segment)
    return start + t[:, None] * (end - start)


class _Networks:
    """S networks of one shape, of weights drawn from the seed.

    Args:
        units: of each layer, the input first.
    """

    def __init__(self, num_seeds: int, units: Sequence[int], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.layers = []
        for before, after in pairwise(units):
            weight = torch.randn(num_seeds, before, after, generator=generator) / before**0.5
            bias = 0.5 * torch.randn(num_seeds, 1, after, generator=generator)
            self.layers.append((weight.requires_grad_(), bias.requires_grad_()))

    @property
    def weights(self) -> list[Tensor]:
        return [tensor for layer in self.layers for tensor in layer]

    def __call__(self, points: Tensor) -> Tensor:
        """Shape (P, 2) to (S, P, 2)."""
        x = points.expand(len(self.layers[0][0]), *points.shape)
        for weight, bias in self.layers:
            x = F.leaky_relu(x @ weight + bias, SLOPE)
        return x


def run_minimality(
    *,
    num_seeds: int = 100,
    steps: int = STEPS,
    seed: int = 0,
    on_step: OnStep = ignore_steps,
) -> Minimality:
    """Train networks of two sizes to be each map, and to match the distributions.

    Args:
        num_seeds: networks of each kind.
        steps: of Adam, each time.
        seed: of all weights.
        on_step: told of each step, of those of all networks.
    """
    t = (torch.arange(NUM_POINTS) + 0.5) / NUM_POINTS
    points_a, points_b = points_on(SEGMENT_A, t), points_on(SEGMENT_B, t)
    length = (points_on(SEGMENT_B, torch.ones(1)) - points_on(SEGMENT_B, torch.zeros(1))).norm()
    maps = {**SEMANTIC, **NON_SEMANTIC}
    shapes = {"two units": (2, 2), "wide": (2, *WIDE, 2)}
    done, num_steps = count(1), len(shapes) * (len(maps) + 1) * steps

    def tell() -> None:
        on_step(next(done), num_steps)

    fits: dict[str, dict[str, Fit]] = {}
    matchings: dict[str, Matching] = {}
    for name, units in shapes.items():
        fits[name] = {}
        for kind, of in maps.items():
            target = points_on(SEGMENT_B, of(t))
            networks = _Networks(num_seeds, units, seed)
            _train(networks, partial(_squared_error, target), points_a, steps, tell)
            error = (networks(points_a).detach() - target).norm(dim=2).mean(1) / length
            fits[name][kind] = Fit(
                best_error=float(error.min()), num_expressed=int((error < EXPRESSED).sum())
            )
        networks = _Networks(num_seeds, units, seed)
        _train(networks, partial(_energy_distance, points_b), points_a, steps, tell)
        made = networks(points_a).detach()
        matchings[name] = _judge(made, t, length)
    return Minimality(fits=fits, matchings=matchings)


def _place(points: Tensor) -> Tensor:
    """Return where on segment B points lie, beside it or beyond it as well: (S, P, 2) to (S, P)."""
    start, end = (torch.tensor(point) for point in SEGMENT_B)
    along = end - start
    return (points - start) @ along / along.square().sum()


def _train(
    networks: _Networks,
    loss: Callable[[Tensor], Tensor],
    points: Tensor,
    steps: int,
    tell: Callable[[], None],
) -> None:
    """Minimise a loss that each network has for itself. Shape of the loss (S,)."""
    optimiser = Adam(networks.weights, (0.9, 0.999))  # type: ignore[arg-type]
    for step in range(steps):
        gradients = torch.autograd.grad(loss(networks(points)).sum(), networks.weights)
        optimiser.step(gradients, LEARNING_RATE * (1 - step / steps))
        tell()


def _squared_error(target: Tensor, made: Tensor) -> Tensor:
    """Shape (P, 2) and (S, P, 2) to (S,)."""
    return (made - target).square().mean((1, 2))


def _energy_distance(target: Tensor, made: Tensor) -> Tensor:
    """Return 2 E‖x − y‖ − E‖x − x'‖ − E‖y − y'‖ of each network's points to the target's.

    Shape (P, 2) and (S, P, 2) to (S,).
    Source: Székely & Rizzo 2013.
    """
    across = _distances(made, target.expand_as(made)).mean((1, 2))
    return (
        2 * across
        - _distances(made, made).mean((1, 2))
        - _distances(target[None], target[None]).mean()
    )


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """Shape (S, P, 2) twice to (S, P, P)."""
    return ((one[:, :, None] - other[:, None]).square().sum(3) + 1e-12).sqrt()


def _judge(made: Tensor, t: Tensor, length: Tensor) -> Matching:
    """Tell what the networks' maps are."""
    places = _place(made)
    beside = (made - points_on(SEGMENT_B, places.flatten()).view_as(made)).norm(dim=2) / length
    apart = (places.sort(1).values - t).abs().mean(1) + beside.mean(1)
    matched = apart < MATCHED
    forwards = matched & ((places - t).abs().mean(1) < EXPRESSED)
    backwards = matched & ((places - (1 - t)).abs().mean(1) < EXPRESSED)
    return Matching(
        num_forwards=int(forwards.sum()),
        num_backwards=int(backwards.sum()),
        num_non_semantic=int((matched & ~forwards & ~backwards).sum()),
        num_unmatched=int((~matched).sum()),
    )

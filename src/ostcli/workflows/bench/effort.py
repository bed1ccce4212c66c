"""How much a bench does."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Sizes and repeats: what a row says does not depend on them, only how surely."""

    rounds: int
    """How often each thing is timed, in turn with what it is held against."""
    step_size: int
    """Side of the views of timed steps, in pixels."""
    learning_steps: int
    """Steps after which losses are compared."""
    pretrain_steps: int | None
    """Steps of phase I that are done; the others are reckoned. None for all."""
    shared_steps: int
    """Steps of trainings that share the machine …"""
    shared_rounds: int
    """… and how often each is timed."""
    num_translated: int
    """Pictures in a batch."""


FULL = Effort(
    rounds=5,
    step_size=256,
    learning_steps=150,
    pretrain_steps=None,
    shared_steps=150,
    shared_rounds=3,
    num_translated=200,
)
QUICK = Effort(
    rounds=3,
    step_size=128,
    learning_steps=20,
    pretrain_steps=40,
    shared_steps=40,
    shared_rounds=1,
    num_translated=60,
)

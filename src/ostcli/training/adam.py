"""Adam by torch's functional form.

`torch.optim.Adam` itself imports torch's compiler with its first weights, for which every command
that trains would wait more than a second.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version
from torch.optim.adam import adam

SLOTS = ("step", "exp_avg", "exp_avg_sq")
"""What is remembered of each weight: its steps, and the averages of its gradient and its square."""
EPSILON = 1e-8

Gradients = Sequence[Tensor | None]


class Adam:
    """The optimiser of some weights.

    Args:
        parameters: the weights, on one device.
        betas: the decays of the two averages.

    Source: Kingma & Ba 2015.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], betas: tuple[float, float]) -> None:
        self.parameters = list(parameters)
        self._betas = betas
        self._slots: list[dict[str, Tensor]] = [{} for _ in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Gradients, learning_rate: float) -> None:
        """Change the weights; one without a gradient is passed over.

        Args:
            gradients: of the weights, in their order.
            learning_rate: of this step.
        """
        pairs = zip(self.parameters, gradients, self._slots, strict=True)
        present = [
            (weight, _as_it_lies(gradient, weight), slots or _begin(slots, weight))
            for weight, gradient, slots in pairs
            if gradient is not None
        ]
        if not present:
            return
        weights, given, remembered = (list(column) for column in zip(*present, strict=True))
        steps, averages, squares = ([slots[name] for slots in remembered] for name in SLOTS)
        adam(
            weights,
            given,
            averages,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
        increment_version(weights)  # What is kept of weights goes by it; fused steps forget it.

    def state(self) -> dict[str, Tensor]:
        """Return what is remembered, by the number of the weight and the slot: "3.exp_avg"."""
        return {
            f"{index}.{name}": tensor
            for index, slots in enumerate(self._slots)
            for name, tensor in slots.items()
        }

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a state that `state` returned.

        Raises:
            KeyError, ValueError: it is none of these weights.
        """
        known = {f"{index}.{name}" for index in range(len(self.parameters)) for name in SLOTS}
        if unknown := set(tensors) - known:
            raise ValueError(f"there is no {min(unknown)} in an optimiser of these weights")
        for index, weight in enumerate(self.parameters):
            if any(name.startswith(f"{index}.") for name in tensors):
                slots = {name: tensors[f"{index}.{name}"] for name in SLOTS}
                if any(slots[name].shape != weight.shape for name in SLOTS[1:]):
                    raise ValueError(f"weight {index} has another shape than its averages")
                self._slots[index] = _begin({}, weight)
                for name, tensor in slots.items():
                    self._slots[index][name].copy_(tensor)
            else:
                self._slots[index] = {}


def _as_it_lies(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return a gradient in the order of its weight in memory: torch's fused steps go by that."""
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)


def _begin(slots: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
    slots["step"] = torch.zeros((), device=weight.device)
    slots["exp_avg"], slots["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
    return slots

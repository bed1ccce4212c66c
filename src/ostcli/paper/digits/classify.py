"""Classifiers of digits, and of the domain that a digit looks to come from.

Each is trained on real pictures of its own domain (of the two, for the second kind) and on nothing
that a translation made.

Legend: N pictures, C colours (1 or 3), 32 × 32 pixels, range [-1, 1].
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ostcli.events import OnStep, ignore_steps
from ostcli.paper.digits.data import Digits, as_values
from ostcli.training.adam import Adam

STEPS = 3000
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
LARGEST_SHIFT = 2
"""Pixels by which a training picture is moved at most, either way."""
DROPOUT = 0.3
SETTINGS = {
    "batch_size": BATCH_SIZE,
    "learning_rate": LEARNING_RATE,
    "largest_shift": LARGEST_SHIFT,
    "dropout": DROPOUT,
}
"""All that a classifier depends on besides its pictures, steps and seed."""
AT_ONCE = 500
"""Pictures that are classified together."""


class Classifier(nn.Module):
    """Three convolutions and two linear layers; no batch norm, which knows B's statistics too well.

    With it, a digit on a ground that B does not have is not read (decision 0045).

    Args:
        colours: of the pictures, 1 or 3.
        num_classes: ten digits, or two domains.
    """

    def __init__(self, colours: int, num_classes: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(colours, 32),
            *_block(32, 64),
            *_block(64, 64),
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 128),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(128, num_classes),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return unnormalised log probabilities. Shape (N, classes)."""
        scores: Tensor = self.layers(pictures)
        return scores

    @torch.inference_mode()
    def probabilities(self, pictures: Tensor) -> Tensor:
        """Return the probability of each class, without dropout. Shape (N, classes)."""
        was_training = self.training
        self.eval()
        scores = [self(part) for part in torch.split(pictures, AT_ONCE)]
        self.train(was_training)
        return torch.cat(scores).softmax(1)

    def guesses(self, pictures: Tensor) -> Tensor:
        """Return the likeliest class of each picture. Shape (N,)."""
        return self.probabilities(pictures).argmax(1)


def train_classifier(
    digits: Digits,
    *,
    num_classes: int = 10,
    steps: int = STEPS,
    seed: int = 0,
    on_step: OnStep = ignore_steps,
) -> Classifier:
    """Learn the labels of some pictures; every label is shown as often as any other.

    Args:
        digits: with labels below `num_classes`, each of them at least once.
        num_classes: ten digits, or two domains.
        steps: of batches of 64.
        seed: of the weights and all that is drawn.
        on_step: told of each step.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(digits.colours, num_classes)
        optimiser = Adam(list(classifier.parameters()), (0.9, 0.99))
        for step in range(steps):
            which = _balanced(digits.labels, num_classes, generator)
            views = _moved(as_values(digits.images[which]), generator)
            loss = F.cross_entropy(classifier(views), digits.labels[which])
            gradients = torch.autograd.grad(loss, optimiser.parameters)
            optimiser.step(gradients, LEARNING_RATE * _one_cycle(step / steps))
            on_step(step + 1, steps)
    return classifier.eval().requires_grad_(False)


def accuracy(classifier: Classifier, digits: Digits) -> float:
    """Return the share of pictures whose label is found, 0 to 1."""
    right = classifier.guesses(digits.pictures) == digits.labels
    return float(right.float().mean())


def _block(channels: int, wider: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, wider, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]


def _balanced(labels: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
    """Return the places of a batch that has every label about as often."""
    counts = torch.bincount(labels, minlength=num_classes).float()
    return torch.multinomial(1 / counts[labels], BATCH_SIZE, True, generator=generator)


def _moved(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return the pictures, all shifted by the same few pixels, their edges repeated."""
    rim = LARGEST_SHIFT
    wider = F.pad(pictures, (rim, rim, rim, rim), mode="replicate")
    top, left = torch.randint(2 * rim + 1, (2,), generator=generator).tolist()
    return wider[..., top : top + pictures.shape[-2], left : left + pictures.shape[-1]]


def _one_cycle(done: float) -> float:
    """Return the share of the learning rate: up for a quarter, then down to 0.

    Source: Smith & Topin 2018.
    """
    return min(done / 0.25, (1 - done) / 0.75)

"""A perceptual network of random weights: its figures mean nothing, but they hold the rules."""

import pytest
import torch
from torchvision.models import squeezenet1_0

from ostcli.paper.features import PerceptualNetwork


@pytest.fixture(scope="session")
def random_weights():
    torch.manual_seed(0)
    return squeezenet1_0(weights=None).state_dict()


@pytest.fixture(scope="session")
def network(random_weights):
    return PerceptualNetwork(random_weights)

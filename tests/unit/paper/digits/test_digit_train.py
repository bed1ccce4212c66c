"""Many trainings of digits: each picture is translated as if it were alone."""

import torch

from ostcli.config import Birth
from ostcli.method.networks import Networks
from ostcli.paper.digits.data import Digits
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import ADAPT, TABLE_1
from ostcli.paper.digits.train import train_many
from ostcli.training.phases import PhaseTwo


def test_what_becomes_of_a_picture_does_not_depend_on_those_translated_with_it():
    generator = torch.Generator().manual_seed(0)
    networks = Networks(DigitLayers(colours_b=1, colours_a=3, width=4), generator)
    networks.add_domain_a(Birth.CLONE, generator)
    bright, dark = (
        torch.randint(low, low + 100, (1, 1, 3, 32, 32), dtype=torch.uint8, generator=generator)
        for low in (150, 0)
    )
    folder = Digits(torch.zeros(1, 1, 32, 32, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    config = TABLE_1[-1].of(ADAPT)

    def translated(pictures: torch.Tensor) -> torch.Tensor:
        made = train_many(
            [networks] * len(pictures),
            PhaseTwo.begin(config),
            lambda networks, x: networks.decode_b(networks.encode_a(x).mode),
            pictures,
            folder,
            config.optim,
            steps=0,
            augment=False,
            seed=0,
        )
        return made[0]

    both = translated(torch.cat([bright, dark], dim=1))
    torch.testing.assert_close(both[:, :1], translated(bright), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both[:, 1:], translated(dark), rtol=1e-4, atol=1e-4)

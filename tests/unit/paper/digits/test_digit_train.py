"""Many trainings of digits: each picture is translated as if it were alone."""

from dataclasses import replace

import pytest
import torch

from ostcli.config import Birth, Reach
from ostcli.method.networks import Networks
from ostcli.paper.digits.data import Digits
from ostcli.paper.digits.layers import DigitLayers
from ostcli.paper.digits.settings import ADAPT, TABLE_1
from ostcli.paper.digits.train import Course
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
        course = Course(
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
        return course.run()[0]

    both = translated(torch.cat([bright, dark], dim=1))
    torch.testing.assert_close(both[:, :1], translated(bright), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(both[:, 1:], translated(dark), rtol=1e-4, atol=1e-4)


def test_a_course_that_was_stopped_goes_on_as_if_it_had_not_been():
    generator = torch.Generator().manual_seed(0)
    networks = Networks(DigitLayers(colours_b=1, colours_a=3, width=4), generator)
    networks.add_domain_a(Birth.CLONE, generator)
    pictures = torch.randint(0, 256, (2, 1, 3, 32, 32), dtype=torch.uint8, generator=generator)
    folder = Digits(
        torch.randint(0, 256, (5, 1, 32, 32), dtype=torch.uint8, generator=generator),
        torch.zeros(5, dtype=torch.int64),
    )
    config = replace(TABLE_1[-1].of(ADAPT), reach=Reach.EVERYTHING)

    def begun() -> Course[Networks]:
        return Course(
            [networks] * 2,
            PhaseTwo.begin(config),
            lambda networks, x: networks.translate_ab(x),
            pictures,
            folder,
            config.optim,
            steps=5,
            augment=True,
            seed=0,
            looks=(0, 1),
        )

    whole, stopped, late = begun().run(), begun(), begun()

    def stop(step: int, _: int) -> None:
        if step == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        stopped.run(stop)
    state = {name: tensor.clone() for name, tensor in stopped.state().items()}
    late.load_state(state)
    steps = []
    made = late.run(lambda step, _: steps.append(step))

    assert steps == [3, 4, 5]
    assert whole.keys() == made.keys() == {0, 1, 5}
    assert all(torch.equal(made[step], pictures) for step, pictures in whole.items())

    name = next(name for name in state if name.startswith("weight."))
    with pytest.raises(ValueError, match="not a state of these runs"):
        begun().load_state({**state, name: state[name][:1]})
    with pytest.raises(ValueError, match="not a state of these runs"):
        begun().load_state({})

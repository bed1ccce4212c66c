"""The optimiser: torch's own steps, without torch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ostcli.training.adam import Adam

BETAS = (0.5, 0.999)


def weights():
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (5,))]


def gradients(step):
    generator = torch.Generator().manual_seed(10 + step)
    return [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,))]


def test_its_steps_are_those_of_torch():
    ours, theirs = weights(), weights()
    adam, expected = Adam(ours, BETAS), torch.optim.Adam(theirs, betas=BETAS, fused=True)
    for step in range(5):
        rate = 0.1 / (1 + step)
        adam.step(gradients(step), rate)
        for weight, gradient in zip(theirs, gradients(step), strict=True):
            weight.grad = gradient
        expected.param_groups[0]["lr"] = rate
        expected.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_a_gradient_may_lie_otherwise_in_memory_than_its_weight():
    ours, theirs = weights(), weights()
    for step in range(3):
        turned = [gradients(step)[0].T.contiguous().T, gradients(step)[1]]
        assert turned[0].stride() != ours[0].stride()
        if not step:
            one, other = Adam(ours, BETAS), Adam(theirs, BETAS)
        one.step(turned, 0.1)
        other.step(gradients(step), 0.1)
    assert torch.equal(ours[0], theirs[0])


def test_a_weight_without_gradient_is_passed_over():
    ours = weights()
    begun = [weight.detach().clone() for weight in ours]
    adam = Adam(ours, BETAS)
    adam.step([None, gradients(0)[1]], 0.1)
    adam.step([None, None], 0.1)
    assert torch.equal(ours[0], begun[0])
    assert not torch.equal(ours[1], begun[1])
    assert set(adam.state()) == {"1.step", "1.exp_avg", "1.exp_avg_sq"}


def test_it_goes_on_from_a_state_as_if_never_stopped():
    whole, half = weights(), weights()
    adam, first = Adam(whole, BETAS), Adam(half, BETAS)
    for step in range(4):
        adam.step(gradients(step), 0.1)
    for step in range(2):
        first.step(gradients(step), 0.1)
    second = Adam(half, BETAS)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(2, 4):
        second.step(gradients(step), 0.1)
    for one, other in zip(whole, half, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "tensors",
    [
        {"0.step": torch.tensor(1.0)},
        {"7.step": torch.tensor(1.0)},
        {"0.momentum": torch.zeros(3, 4)},
        {
            "0.step": torch.tensor(1.0),
            "0.exp_avg": torch.zeros(2),
            "0.exp_avg_sq": torch.zeros(3, 4),
        },
    ],
)
def test_a_state_of_other_weights_is_refused(tensors):
    with pytest.raises((ValueError, KeyError)):
        Adam(weights(), BETAS).load_state(tensors)


def test_training_does_not_import_torchs_compiler():
    program = (
        "import sys, torch; from ostcli.training.adam import Adam; "
        "weight = torch.nn.Parameter(torch.ones(2)); "
        "Adam([weight], (0.5, 0.9)).step([torch.ones(2)], 0.1); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""The optimiser gives PyTorch's own bits, without PyTorch's compiler."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from lp_core.training.sgd import SGD
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import ROOT, plain_network


@settings(deadline=None, max_examples=15)
@given(
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    weight_decay=st.sampled_from([0.0, 5e-4]),
    layout=st.sampled_from([torch.channels_last, torch.contiguous_format]),
    rates=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    frozen=st.booleans(),
)
def test_steps_are_those_of_pytorchs_sgd_to_the_bit(momentum, weight_decay, layout, rates, frozen):
    models = [convert_conv2d_weight_memory_format(plain_network(), layout) for _ in range(2)]
    ours = SGD(models[0].parameters(), momentum, weight_decay)
    theirs = torch.optim.SGD(
        models[1].parameters(), lr=1.0, momentum=momentum, weight_decay=weight_decay, foreach=True
    )
    for step, rate in enumerate(rates):
        images = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(step))
        for model in models:
            # Thawed in the middle, a layer has its first step when others have had theirs.
            model[0].requires_grad_(not frozen or step >= 2)
            model.zero_grad()
            nn.functional.cross_entropy(model(images), torch.arange(8) % 4).backward()
        ours.step(rate)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        assert bits(models[0].state_dict()) == bits(models[1].state_dict())
    for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        buffer = theirs.state[other].get("momentum_buffer")
        assert (mine in ours.momenta) == (buffer is not None)
        if buffer is not None:
            assert torch.equal(ours.momenta[mine], buffer)


def test_forgotten_gradients_move_nothing():
    model = plain_network()
    optimizer = SGD(model.parameters(), 0.9, 0.0)
    model(torch.randn(2, 3, 6, 6)).sum().backward()
    before = bits(model.state_dict())
    optimizer.zero_grad()
    optimizer.step(1.0)
    assert bits(model.state_dict()) == before


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_does_not_import_the_compiler(precision):
    """It would take a stage longer than many an epoch does."""
    code = (
        "import sys; from tests.lp_core.tiny import TinyRun, ComputeSpec;"
        f"TinyRun(epochs=1, compute=ComputeSpec('cpu', '{precision}', threads=1)).train();"
        "assert 'torch._dynamo' not in sys.modules; assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

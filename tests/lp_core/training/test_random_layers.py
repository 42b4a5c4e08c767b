"""Networks with layers that draw at random: every draw comes from the run's seeds."""

import pytest
import torch
from torch import nn

from lp_core.models.factory import build
from lp_core.training.curve import Epoch
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import CLASSES, TinyRun, without_time


class KilledError(Exception):
    """Stands for the end of the process."""


def dropping() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def result(run: TinyRun) -> list[object]:
    return [without_time(run.train()), bits(run.model.state_dict())]


@pytest.mark.parametrize("last", [0, 1])
def test_a_network_with_dropout_resumes_bit_for_bit_whatever_was_drawn_before(last, tmp_path):
    run = TinyRun(network=dropping)
    undisturbed = result(run)

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == last:
            raise KilledError

    with pytest.raises(KilledError):
        run.again(state=tmp_path / "state", on_epoch=stop).train()
    torch.manual_seed(99)
    assert result(run.again(state=tmp_path / "state")) == undisturbed


def test_dropout_follows_the_noise_and_leaves_the_callers_draws_alone():
    model = dropping()
    torch.manual_seed(1)
    TinyRun(network=lambda: model).train()
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)


class Odd(nn.Module):
    """Has layers that no network of the registry has."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.line = nn.Conv1d(3, 4, 1)
        self.scale = nn.Parameter(torch.randn(4))
        self.last = nn.Linear(4, classes, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(self.line(images.flatten(2)).mean(2) * self.scale)
        return logits


def test_layers_of_every_kind_are_drawn_from_the_seed_of_the_weights():
    def drawn(seed: int, before: int) -> dict[str, bytes]:
        torch.manual_seed(before)
        return bits(build(f"{__name__}:Odd", CLASSES, 3, 8, seed=seed).state_dict())

    first = drawn(seed=0, before=1)
    assert drawn(seed=0, before=2) == first
    other = drawn(seed=3, before=1)
    assert all(other[name] != tensor for name, tensor in first.items())

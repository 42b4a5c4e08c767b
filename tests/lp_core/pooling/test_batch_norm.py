"""Any layer's statistics are re-estimated, and only then is it said that they were."""

import pytest
import torch
from torch import Tensor, nn

from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec
from lp_core.models.structure import prunable
from lp_core.pooling.batch_norm import keeping_statistics, re_estimate
from lp_core.pooling.heldout import HeldOut
from lp_core.pooling.interpolation import interpolate
from lp_core.tickets import Ticket
from tests.lp_core.strategies import bits
from tests.lp_core.tiny import residual_network

COMPUTE = Compute(ComputeSpec("cpu", "fp32", channels_last=True, threads=1))
IMAGES = torch.randn(24, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 + 1
BATCHES = IMAGES.split([16, 8])


def _network(norm: nn.Module) -> nn.Module:
    """What normalises the images themselves, in the shape that it takes."""
    shapes: dict[type[nn.Module], tuple[int, ...]]
    shapes = {nn.BatchNorm1d: (3, 64), nn.BatchNorm3d: (3, 2, 4, 8)}
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (3, 1)),
        nn.Flatten(1),
        nn.Unflatten(1, shapes.get(type(norm), (3, 8, 8))),
        norm,
        nn.Flatten(1),
        nn.Unflatten(1, (3, 8, 8)),
        nn.Conv2d(3, 4, 8),
        nn.Flatten(1),
    )


def _ticket(network: nn.Module) -> Ticket:
    mask = {n: torch.ones_like(network.get_parameter(n)).bool() for n in prunable(network)}
    return Ticket.of(network, mask, {"ticket": 0})


def _variance(parts: tuple[Tensor, ...]) -> Tensor:
    """Mean over images of their batch's variance."""
    shares = (len(x) / 24 * x.transpose(0, 1).flatten(1).var(1) for x in parts)
    return sum(shares, start=torch.zeros(()))


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm2d(3),
        nn.BatchNorm3d(3),
        nn.SyncBatchNorm(3),
        nn.BatchNorm2d(3, affine=False),
        nn.BatchNorm1d(3, momentum=None),
        nn.BatchNorm2d(3, momentum=None),
    ],
    ids=str,
)
def test_batch_norm_of_any_kind_gets_the_statistics_of_the_images(norm):
    network = _network(norm)
    ticket, momentum = _ticket(network), norm.momentum
    anew = re_estimate(ticket, network, BATCHES, COMPUTE)
    torch.testing.assert_close(anew.buffers["3.running_mean"], IMAGES.mean((0, 2, 3)))
    torch.testing.assert_close(anew.buffers["3.running_var"], _variance(BATCHES))
    assert anew.meta == {"ticket": 0, "batch_norm": "re-estimated"}
    assert norm.momentum == momentum
    assert ticket.meta == {"ticket": 0}
    assert not ticket.buffers["3.running_mean"].any()


def test_instance_norm_that_keeps_statistics_gets_those_of_the_images():
    network = _network(nn.InstanceNorm2d(3, track_running_stats=True))
    anew = re_estimate(_ticket(network), network, BATCHES, COMPUTE)
    torch.testing.assert_close(anew.buffers["3.running_mean"], IMAGES.mean((0, 2, 3)))
    torch.testing.assert_close(anew.buffers["3.running_var"], IMAGES.var((2, 3)).mean(0))
    assert anew.meta["batch_norm"] == "re-estimated"


class Twice(nn.Module):
    """One layer normalises the images, and then others."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.last = nn.BatchNorm2d(3), nn.Conv2d(3, 4, 8)

    def forward(self, images: Tensor) -> Tensor:
        self.norm(images)
        return self.last(self.norm(images * 3 + 1)).flatten(1)


def test_all_uses_of_a_layer_weigh_alike():
    network = Twice()
    anew = re_estimate(_ticket(network), network, BATCHES, COMPUTE)
    mean = IMAGES.mean((0, 2, 3))
    torch.testing.assert_close(anew.buffers["norm.running_mean"], (mean + mean * 3 + 1) / 2)
    torch.testing.assert_close(anew.buffers["norm.running_var"], _variance(BATCHES) * (1 + 9) / 2)


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.InstanceNorm2d(3),
        nn.GroupNorm(1, 3),
        nn.Identity(),
    ],
    ids=str,
)
@pytest.mark.parametrize("batches", [list(BATCHES), []], ids=["re-estimate", "average"])
def test_of_a_network_that_keeps_no_statistics_none_are_said_to_be_re_estimated(norm, batches):
    network = _network(norm)
    assert keeping_statistics(network) == []
    ticket = _ticket(network)
    mean = interpolate(ticket, ticket, 0.5, ticket.kept)
    score = HeldOut(network, [[(IMAGES, torch.zeros(24).long())]], batches, COMPUTE)
    for each in (ticket, mean):
        for found in (re_estimate(each, network, batches, COMPUTE), score.calibrate(each)):
            assert found.meta["batch_norm"] == "none"
            assert bits(found.weights | found.buffers) == bits(each.weights | each.buffers)


def test_a_trained_ticket_is_re_estimated_like_an_interpolated_one():
    """So that the ends of a line can be measured like the points between them."""
    network = residual_network()
    ticket = _ticket(network)
    same = interpolate(ticket, ticket, 0.5, ticket.prunable)
    assert same.meta["batch_norm"] == "averaged"
    found = [re_estimate(each, network, BATCHES, COMPUTE) for each in (ticket, same)]
    assert bits(found[0].buffers) == bits(found[1].buffers)
    assert bits(found[0].buffers) != bits(ticket.buffers)
    assert {each.meta["batch_norm"] for each in found} == {"re-estimated"}

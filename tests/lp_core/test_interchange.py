"""Tickets from state_dicts and back, of networks that this project does not know."""

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import prune

from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.tickets import Ticket
from tests.lp_core.strategies import bits, state, tickets


class Own(nn.Module):
    """Two convolutions, batch norm, a classifier; a buffer that it does not list."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False)
        self.fc = nn.Linear(width, 4)
        self.register_buffer("scale", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv1(x)).relu()
        return self.fc(self.conv2(x).mean((2, 3)) * self.scale)


def own(width: int = 4, seed: int = 0) -> Own:
    torch.manual_seed(seed)
    return Own(width).eval()


def pruned(*layers: str, amount: float = 0.8) -> Own:
    """A network whose layers are under torch.nn.utils.prune, all together by magnitude."""
    network = own()
    chosen = [(network.get_submodule(name), "weight") for name in layers]
    prune.global_unstructured(chosen, pruning_method=prune.L1Unstructured, amount=amount)
    return network


_IMAGES = torch.randn(5, 3, 9, 9, generator=torch.Generator().manual_seed(0))


@settings(deadline=None, max_examples=60)
@given(ticket=tickets(finite=True), with_mask=st.booleans())
def test_a_ticket_comes_back_from_its_state_dict(ticket, with_mask):
    # Without a mask, a layer of zeros is one that was pruned away.
    assume(with_mask or all(bool(ticket.weights[name].any()) for name in ticket.mask))
    there = ticket.state_dict()
    again = Ticket.from_state_dict(there, ticket.mask if with_mask else None, meta=ticket.meta)
    # A kept weight may be −0, which without a mask is a pruned one.
    assert all(torch.equal(tensor, there[name]) for name, tensor in again.state_dict().items())
    assert list(again.state_dict()) == list(there)
    if with_mask:
        assert state(again) == state(ticket)
        assert again.digest == ticket.digest


@pytest.mark.parametrize("network", [own, lambda: build("resnet8", 4, 3, 8, seed=0)])
def test_a_state_dict_has_pytorchs_order_and_values(network):
    there = network()
    expected = dict(there.state_dict())
    ticket = Ticket.from_state_dict(there.state_dict(), network=there)
    found = {n: t for n, t in ticket.state_dict().items() if n in expected}
    assert bits(found) == bits(expected)
    assert list(found) == list(expected)


def test_what_a_ticket_gives_and_takes_are_copies():
    network = own()
    ticket = Ticket.from_state_dict(network.state_dict(), network=network)
    before = state(ticket)
    for tensor in (*network.state_dict().values(), *ticket.state_dict().values()):
        tensor.add_(1)
    assert state(ticket) == before


@pytest.mark.parametrize("known", [True, False], ids=["with-network", "without"])
@pytest.mark.parametrize("removed", [True, False], ids=["removed", "under-prune"])
@pytest.mark.parametrize("layers", [["conv1", "conv2"], ["conv1", "conv2", "fc"]])
def test_a_network_under_torchs_pruning_gives_the_ticket_that_it_computes(layers, removed, known):
    network = pruned(*layers)
    expected = network(_IMAGES)
    kept = sum(int(network.get_buffer(f"{layer}.weight_mask").sum()) for layer in layers)
    if removed:
        for layer in layers:
            prune.remove(network.get_submodule(layer), "weight")
    given_state = network.state_dict()
    ticket = Ticket.from_state_dict(given_state, network=own(seed=1) if known else None)
    assert set(ticket.mask) == {f"{layer}.weight" for layer in layers}
    assert ticket.kept == kept
    fresh = own(seed=2)
    # Without a network there is nobody to say that `scale` exists.
    fresh.load_state_dict({n: t for n, t in ticket.state_dict().items() if n != "scale"})
    assert torch.equal(fresh(_IMAGES), expected)


def test_a_pruned_state_is_the_ticket_that_its_mask_makes():
    network = pruned("conv1", "conv2")
    implied = Ticket.from_state_dict(network.state_dict(), network=own())
    plain = own()  # whose weights are those from which the masks were found
    masks = {n: network.get_buffer(f"{n}_mask") for n in ("conv1.weight", "conv2.weight")}
    given_mask = Ticket.from_state_dict(plain.state_dict(), masks, plain)
    assert given_mask.digest == implied.digest
    assert bool((plain.conv1.weight != 0).all())


@pytest.mark.parametrize("layers", [(), ("conv1", "conv2")])
def test_names_may_begin_with_what_wrapped_the_network(layers):
    network = pruned(*layers) if layers else own()
    wrapped = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    expected = Ticket.from_state_dict(network.state_dict(), network=own())
    assert state(Ticket.from_state_dict(wrapped, network=own())) == state(expected)


def test_linear_layers_may_be_pruned_where_there_is_nothing_else():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    for known in (network, None):
        ticket = Ticket.from_state_dict(network.state_dict(), network=known)
        assert (list(ticket.mask), ticket.density) == (["0.weight", "2.weight"], 1.0)


def test_tied_weights_are_taken_once():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    ticket = Ticket.from_state_dict(network.state_dict(), network=network)
    assert list(ticket.weights) == ["0.weight", "0.bias", "1.bias"]
    ticket.load_into(network)


def _state(**changes: object) -> dict[str, object]:
    return own().state_dict() | {name.replace("__", "."): t for name, t in changes.items()}


def _without(name: str) -> dict[str, Tensor]:
    return {n: t for n, t in own().state_dict().items() if n != name}


_ONES = torch.ones(4, 4, 3, 3)
_NAN = torch.full((4, 4, 3, 3), float("nan"))


@pytest.mark.parametrize(
    ("given_state", "mask", "told"),
    [
        (_state(), {"conv2": _ONES}, "the mask has conv2, which is no weight of the network; .*"
         r"such as conv2\.weight$"),
        (_state(), {"conv3.weight": _ONES}, r"no weight .* such as conv1\.weight, conv1\.bias"),
        (_state(), {"norm.running_mean": torch.ones(4)}, "the mask has norm.running_mean, which"),
        (_state(), {}, "the mask is empty"),
        (_state(), {"conv2.weight": _ONES * 0}, "the mask keeps none of 144 weights"),
        (_state(), {"conv2.weight": _ONES[0]}, "conv2.weight is 4×3×3, but the weight is 4×4×3×3"),
        (_state(), {"conv2.weight": _ONES / 2}, "neither 0 nor 1"),
        (_state(), {"conv2.weight": _NAN}, "neither 0 nor 1"),
        (_state(), {"conv2.weight": [1, 0]}, "conv2.weight, which is a list and no tensor"),
        (_state(), [1], "the mask is a list"),
        ([("conv1.weight", _ONES)], None, "the state is a list; give tensors by name"),
        ({}, None, "the state is empty"),
        ({"epoch": 3, "model": {}}, None, "epoch, which is an int .* under 'model'"),
        (_state(conv2__weight=_NAN), None, "conv2.weight has 144 values that"),
        (_state(norm__running_var=torch.full((4,), float("inf"))), None, "4 values that are NaN"),
        (_state(conv2__weight=_ONES.double()), None, "torch.float64 in the state and"),
        (_state(conv2__weight=_ONES.to(torch.cfloat)), None, "torch.complex64 in the state"),
        (_state(conv2__weight=_ONES[:2]), None, "2×4×3×3, but 4×4×3×3 in the network"),
        (_without("conv2.weight"), None, r"it has no conv2\.weight \(1 names differ\)"),
        (_state(other=_ONES), None, r"it has other, which the network has not \(1 names"),
        (_state(conv2__weight_orig=_ONES, fc__weight_mask=torch.ones(4, 4)), None,
         "conv2.weight_orig has no conv2.weight_mask beside it"),
        (_state(conv2__weight_mask=_ONES[0]), None, "the mask of conv2.weight is 4 × 3 × 3"),
        (pruned("conv1").state_dict(), {"conv2.weight": _ONES}, "leave one of them out"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line(given_state, mask, told):
    with pytest.raises(InputError, match=told) as error:
        Ticket.from_state_dict(given_state, mask, own())
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_tensor_is_refused():
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    with pytest.raises(InputError, match=r"fc\.weight is nested; save the network"):
        Ticket.from_state_dict({"fc.weight": nested})


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.uint16])
def test_numbers_that_no_average_can_be_made_of_are_refused(dtype):
    with pytest.raises(InputError, match=f"fc.weight is {dtype}; give torch.float32, or"):
        Ticket.from_state_dict({"fc.weight": torch.ones(2, 2).to(dtype)})


@pytest.mark.parametrize(
    ("network", "told"), [(nn.Linear, "class Linear"), ("resnet8", "str"), (3, "int")]
)
def test_what_is_no_network_is_one_clear_line(network, told):
    with pytest.raises(InputError, match=f"network is an? {told}; give a module"):
        Ticket.from_state_dict(own().state_dict(), network=network)


def test_a_network_under_torchs_pruning_is_refused():
    with pytest.raises(InputError, match=r"conv1\.weight_orig.*prune\.remove for conv1\.weight"):
        Ticket.from_state_dict(own().state_dict(), network=pruned("conv1"))


def test_a_state_without_layers_needs_a_mask():
    with pytest.raises(InputError, match="no convolution and no linear weight; give a mask"):
        Ticket.from_state_dict({"scale": torch.ones(3)})
    ticket = Ticket.from_state_dict({"scale": torch.ones(3)}, {"scale": torch.tensor([1, 0, 1])})
    assert ticket.weights["scale"].tolist() == [1, 0, 1]


def test_meta_must_be_what_a_file_can_hold():
    network = own()
    with pytest.raises(InputError, match="meta cannot be kept in a file"):
        Ticket.from_state_dict(network.state_dict(), meta={"when": object()})


def test_a_ticket_that_knows_its_network_builds_it(tmp_path):
    network = build("resnet8", 4, 3, 8, seed=3).eval()
    about = {"name": "resnet8", "arguments": {}, "stem": "auto", "channels": 3, "size": 8}
    about |= {"classes": list("abcd"), "mean": [0.5] * 3, "std": [0.2] * 3}
    ticket = Ticket.from_state_dict(network.state_dict(), network=network, meta={"network": about})
    ticket.save(tmp_path / "one.safetensors")
    again = Ticket.load(tmp_path / "one.safetensors").network()
    assert not again.training
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(again(images), network(images))


def test_a_ticket_that_cannot_build_its_network_says_so(tmp_path):
    ticket = replace(Ticket({"w": torch.ones(2)}, {}), name=str(tmp_path / "old.safetensors"))
    with pytest.raises(
        InputError, match=r"old\.safetensors: does not say of which network"
    ) as told:
        ticket.network()
    assert re.search("load_into", str(told.value))
    about = {"name": "no-such", "arguments": {}, "stem": "auto", "channels": 3, "size": 8}
    ticket.meta["network"] = about | {"classes": ["a", "b"]}
    with pytest.raises(InputError, match=r"old\.safetensors: its network cannot be built again: "):
        ticket.network()

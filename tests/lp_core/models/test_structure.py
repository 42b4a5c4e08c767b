"""Prunable weights come in forward order, and blocks compose to the network they are cut from."""

from dataclasses import dataclass
from functools import reduce

import pytest
import torch
from torch import nn

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.cutting import blocks
from lp_core.models.factory import build
from lp_core.models.spec import NETWORKS
from lp_core.models.structure import prunable

OWN = "tests.lp_core.own_networks"
SETTINGS = [
    *((name, 32, "auto") for name in faces.names(NETWORKS)),
    ("resnet8", 8, "auto"),
    ("resnet18", 64, "imagenet"),
    ("vgg16", 64, "cifar"),
    ("vgg16", 32, "imagenet"),
]
BLOCKS = {"resnet8": 3, "resnet20": 9, "resnet18": 8, "resnet34": 16, "resnet50": 16}
BLOCKS |= {"vgg16": 12, "wrn28_10": 12}


@dataclass
class Built:
    name: str
    model: nn.Module
    images: torch.Tensor


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda setting: "-".join(map(str, setting)))
def built(request: pytest.FixtureRequest) -> Built:
    """In eval mode, with batch-norm statistics and scales as no untrained network has them."""
    name, size, stem = request.param
    model = build(name, 10, 3, size, stem, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5, generator=generator)
    return Built(name, model, torch.randn(1, 3, size, size, generator=generator))


def test_blocks_compose_to_the_network(built: Built) -> None:
    with torch.no_grad():
        expected = built.model(built.images.clone())
        composed = reduce(lambda x, block: block(x), blocks(built.model).values(), built.images)
    assert torch.equal(composed, expected)
    assert expected.std() > 0


def test_blocks_share_each_parameter_of_the_network_once(built: Built) -> None:
    of_blocks = [id(p) for block in blocks(built.model).values() for p in block.parameters()]
    assert of_blocks == [id(p) for p in built.model.parameters()]


def test_blocks_run_from_stem_to_head(built: Built) -> None:
    middle = [f"block{index}" for index in range(1, BLOCKS[built.name] + 1)]
    assert list(blocks(built.model)) == ["stem", *middle, "head"]


def test_prunable_weights_come_in_the_order_of_the_forward_pass(built: Built) -> None:
    model = built.model
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, _args, _out: called.append(module))
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    # Only the order matters: shapes are enough.
    on_meta = {key: value.to("meta") for key, value in model.state_dict().items()}
    torch.func.functional_call(model, on_meta, (built.images.to("meta"),))
    for hook in hooks:
        hook.remove()
    convolutions = [id(m.weight) for m in called if isinstance(m, nn.Conv2d)]
    everything = [id(m.weight) for m in called]
    assert [id(model.get_parameter(name)) for name in prunable(model)] == convolutions
    both = prunable(model, "conv+linear")
    assert [id(model.get_parameter(name)) for name in both] == everything


def test_a_network_that_is_one_layer_names_its_weight() -> None:
    assert prunable(nn.Conv2d(3, 4, 1)) == ["weight"]
    assert prunable(nn.Linear(3, 4)) == []


def test_unknown_kinds_and_foreign_networks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"prunable is 'all'.*conv\+linear"):
        prunable(nn.Conv2d(3, 4, 1), "all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Linear cannot be cut into blocks"):
        blocks(nn.Linear(3, 4))


# Networks of the user's own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "convolutions", "linear"),
    [
        ("Functional", ["one", "two"], ["hidden", "last"]),
        ("Lines", ["down", "up"], ["last"]),
        # A weight of two names counts by one, and one that is computed from others not at all.
        ("Tied", ["stem", "one"], ["last"]),
    ],
)
def test_what_can_be_pruned_is_found_in_the_layers(
    name: str, convolutions: list[str], linear: list[str]
) -> None:
    model = build(f"{OWN}:{name}", 5, 1, 8, seed=0)
    assert prunable(model) == [f"{layer}.weight" for layer in convolutions]
    both = [f"{layer}.weight" for layer in [*convolutions, *linear]]
    assert prunable(model, "conv+linear") == both


def test_attention_counts_among_linear_layers_with_all_its_projections() -> None:
    model = build(f"{OWN}:Transformer", 5, 1, 8, arguments={"depth": 1}, seed=0)
    assert prunable(model) == ["patches.weight"]
    layer = "encoder.layers.0"
    attention = [f"{layer}.attention.{name}" for name in ("in_proj_weight", "out_proj.weight")]
    mix = [f"{layer}.mix.{number}.weight" for number in (0, 2)]
    names = prunable(model, "conv+linear")
    assert names == ["patches.weight", *attention, *mix, "head.weight"]
    apart = nn.MultiheadAttention(4, 2, kdim=6, vdim=5)
    projections = [f"{name}_proj_weight" for name in "qkv"]
    assert prunable(apart, "conv+linear") == [*projections, "out_proj.weight"]


def test_a_plain_sequence_is_cut_before_each_layer_with_weights() -> None:
    model = build(f"{OWN}:plain", 5, 1, 8, seed=0).eval()
    images = torch.randn(3, 1, 8, 8)
    cut = blocks(model)
    assert list(cut) == ["stem", "block1", "head"]
    composed = reduce(lambda x, block: block(x), cut.values(), images)
    assert torch.equal(composed, model(images))
    assert [len(list(block.children())) for block in cut.values()] == [3, 3, 1]


@pytest.mark.parametrize("name", ["Functional", "Transformer"])
def test_what_does_not_say_its_order_is_not_cut(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} cannot be cut into blocks: only an"):
        blocks(build(f"{OWN}:{name}", 5, 1, 8, seed=0))
    with pytest.raises(InputError, match="a single layer with weights; there is nothing to cut"):
        blocks(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))

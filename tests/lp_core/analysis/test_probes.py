"""Linear probes: the features that they read, and how they are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from lp_core import torchvision_ops
from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.analysis.probes import features, probe_accuracy, train_probes
from lp_core.compute import Compute
from lp_core.compute_spec import ComputeSpec, Precision
from lp_core.errors import InputError
from lp_core.models.cutting import blocks
from lp_core.models.factory import build
from tests.lp_core.strategies import bits

CLASSES = 3
SPEC = ProbeSpec(epochs=3, batch_size=16, lr=0.1)


def compute(precision: Precision = "fp32") -> Compute:
    return Compute(ComputeSpec("cpu", precision, channels_last=True, threads=1))


def batches(size: int, channels: int = 3) -> list[tuple[Tensor, Tensor]]:
    """Forty images, the last batch smaller."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(40, channels, size, size, generator=generator)
    labels = torch.randint(0, CLASSES, (40,), generator=generator)
    return list(zip(images.split(16), labels.split(16), strict=True))


@contextmanager
def outputs(model: nn.Module) -> Iterator[list[Tensor]]:
    """What each block gives, as the network itself runs."""
    given: list[Tensor] = []
    handles = []
    for name, block in blocks(model).items():
        if name == "head":
            continue
        last = block if not isinstance(block, nn.Sequential) else list(block.children())[-1]
        if name == "stem" and isinstance(last, nn.Identity):
            last = list(block.children())[-2]
        handles.append(last.register_forward_hook(lambda _m, _i, out: given.append(out.clone())))
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(
    ("name", "size", "count"), [("resnet8", 8, 4), ("resnet18", 32, 9), ("vgg16", 32, 13)]
)
def test_features_are_the_means_of_what_each_block_gives(name, size, count):
    model = build(name, CLASSES, 3, size, seed=0)
    found, labels = features(model, batches(size), compute())
    assert list(found) == ["stem", *(f"block{i}" for i in range(1, count))]
    with outputs(model) as given, torch.no_grad():
        for images, _ in batches(size):
            model(images)
    for index, values in enumerate(found.values()):
        expected = [
            torch.stack([image.flatten(1).mean(1) for image in batch])
            for batch in given[index :: len(found)]
        ]
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, torch.cat(expected))
    assert torch.equal(labels, torch.cat([truth for _, truth in batches(size)]))


def test_the_classifier_of_a_residual_network_reads_the_last_features():
    model = build("resnet8", CLASSES, 3, 8, seed=0)
    found, _ = features(model, batches(8), compute())
    classifier = list(blocks(model)["head"].children())[-1]
    with torch.no_grad():
        logits = torch.cat([model(images) for images, _ in batches(8)])
        torch.testing.assert_close(classifier(found["block3"]), logits)


def test_the_network_is_as_it_was_and_features_are_float32_under_bfloat16():
    model = build("resnet8", CLASSES, 3, 8, seed=0)
    before = bits(model.state_dict())
    found, _ = features(model, iter(batches(8)), compute("bf16"))
    assert bits(model.state_dict()) == before
    assert {values.dtype for values in found.values()} == {torch.float32}


def random_features(
    separable: bool = True, count: int = 90, seed: int = 0
) -> tuple[dict[str, Tensor], Tensor]:
    """Of two blocks of 5 and 9 channels; in one of them a channel for each class tells it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    values = {
        name: torch.randn(count, channels, generator=generator)
        for name, channels in (("stem", 5), ("block1", 9))
    }
    if separable:
        values["block1"][:, :CLASSES] += 8 * nn.functional.one_hot(labels, CLASSES)
    return values, labels


def test_a_probe_is_what_plain_sgd_makes_of_it():
    values, labels = random_features()
    probes = train_probes(values, labels, CLASSES, SPEC, seed=7)
    for name, inputs in values.items():
        untrained = train_probes({name: inputs}, labels, CLASSES, ProbeSpec(lr=1e-30), seed=7)
        layer = untrained[name]
        plain = torch.optim.SGD(layer.parameters(), SPEC.lr, SPEC.momentum, 0, SPEC.weight_decay)
        generator = torch.Generator().manual_seed(7)
        for _ in range(SPEC.epochs):
            order = torch.randperm(len(labels), generator=generator)
            for start in range(0, len(labels), SPEC.batch_size):
                chosen = order[start : start + SPEC.batch_size]
                plain.zero_grad()
                nn.functional.cross_entropy(layer(inputs[chosen]), labels[chosen]).backward()
                plain.step()
        torch.testing.assert_close(probes[name].state_dict(), layer.state_dict())


def test_what_is_linearly_separable_is_learned_and_noise_is_not():
    values, labels = random_features()
    probes = train_probes(values, labels, CLASSES, ProbeSpec(lr=0.1), seed=0)
    unseen, truth = random_features(count=3000, seed=1)
    accuracy = probe_accuracy(probes, unseen, truth)
    assert accuracy["block1"] > 0.95
    assert abs(accuracy["stem"] - 1 / CLASSES) < 0.1


def test_accuracy_is_the_share_of_right_answers():
    probe = nn.Linear(2, 2)
    with torch.no_grad():
        probe.weight.copy_(torch.eye(2))
        probe.bias.zero_()
    values = {"stem": torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [torch.nan, 0.0]])}
    assert probe_accuracy({"stem": probe}, values, torch.tensor([0, 1, 1, 0])) == {"stem": 0.5}


def test_each_probe_comes_out_as_if_it_were_trained_alone():
    values, labels = random_features()
    together = train_probes(values, labels, CLASSES, SPEC, seed=3)
    for name, inputs in values.items():
        alone = train_probes({name: inputs}, labels, CLASSES, SPEC, seed=3)
        assert bits(alone[name].state_dict()) == bits(together[name].state_dict())


def test_the_seed_alone_decides():
    values, labels = random_features()
    torch.manual_seed(1)
    first = train_probes(values, labels, CLASSES, SPEC, seed=3)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again = train_probes(values, labels, CLASSES, SPEC, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    other = train_probes(values, labels, CLASSES, SPEC, seed=4)
    for name, probe in first.items():
        assert bits(probe.state_dict()) == bits(again[name].state_dict())
        assert bits(probe.state_dict()) != bits(other[name].state_dict())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("epochs", 0), ("batch_size", 0), ("lr", 0.0), ("lr", float("nan"))),
        *(("momentum", 1.0), ("weight_decay", -1e-4)),
    ],
)
def test_settings_that_train_nothing_are_refused_by_name(setting, value):
    with pytest.raises(InputError, match=f"^{setting} is {value}"):
        ProbeSpec(**{setting: value})


# Networks of the user's own -----------------------------------------------------------------------

OWN = "tests.lp_core.own_networks"


@contextmanager
def recorded(model: nn.Module, names: list[str]) -> Iterator[list[Tensor]]:
    """What modules give, call by call."""
    given: list[Tensor] = []
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda _m, _i, out: given.append(out.clone())
        )
        for name in dict.fromkeys(names)
    ]
    try:
        yield given
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize(
    ("name", "ends", "positions"),
    [
        # Of one pooling for two blocks, each has its own call.
        ("Functional", ["pool", "pool", "norm"], [(2, 3), (2, 3), ()]),
        # An encoder that holds most of the network is looked into; tokens are averaged.
        ("Transformer", ["patches", "encoder.layers.0", "encoder.layers.1"], [(2, 3), (1,), (1,)]),
        ("Lines", ["down", "norm"], [(2,), (2,)]),
        ("plain", ["2", "5"], [(), ()]),
    ],
)
def test_features_of_any_network_are_those_after_each_module_with_weights(name, ends, positions):
    model = build(f"{OWN}:{name}", CLASSES, 3, 8, seed=0)
    found, _ = features(model, batches(8), compute())
    assert list(found) == ["stem", "block1", "block2"][: len(ends)]
    with recorded(model, ends) as given, torch.no_grad():
        for images, _ in batches(8):
            model(images)
    for index, (values, over) in enumerate(zip(found.values(), positions, strict=True)):
        of_block = given[index :: len(ends)]
        expected = [out.mean(over) if over else out for out in of_block]
        torch.testing.assert_close(values, torch.cat(expected))


def test_a_network_in_a_wrapper_has_its_blocks():
    class Wrapper(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.inner(images * 2)
            return logits

    model = build(f"{OWN}:Functional", CLASSES, 3, 8, seed=0)
    found, _ = features(Wrapper(model), batches(8), compute())
    twice = [(images * 2, labels) for images, labels in batches(8)]
    expected, _ = features(model, twice, compute())
    assert bits(found) == bits(expected)


def test_a_transformer_with_channels_last_is_averaged_over_its_positions():
    torchvision_ops.declare_missing_operators()
    small = {"patch_size": [2, 2], "embed_dim": 6, "depths": [2, 1], "num_heads": [1, 2]}
    swin = "torchvision.models.swin_transformer:SwinTransformer"
    model = build(swin, CLASSES, 3, 8, arguments=small | {"window_size": [2, 2]}, seed=0)
    found, _ = features(model, batches(8), compute())
    # Stem and two blocks, a merging of patches that doubles the channels, one block.
    assert [values.shape[1] for values in found.values()] == [6, 6, 6, 12, 12]


def test_a_linear_classifier_has_nothing_to_probe():
    with pytest.raises(InputError, match="single layer with weights, the classifier"):
        features(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), batches(8), compute())

"""Networks are built to the papers' shapes, from a seed alone."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.factory import build
from lp_core.models.spec import NETWORKS, ModelSpec

# Parameters for 10 classes of 32×32 colour images, counted from the architectures: those of
# Wide ResNet 28-10 are published (36.5 million), those of ResNet-8 and -20 are summed below.
PARAMETERS = {
    "resnet18": 11_173_962,
    "resnet34": 21_282_122,
    "resnet50": 23_520_842,
    "vgg16": 14_728_266,
    "wrn28_10": 36_479_194,
}
SMALL = ["resnet8", "resnet20"]


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def conv_and_norm(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel**2 + 2 * outputs


@pytest.mark.parametrize(("name", "expected"), PARAMETERS.items())
def test_networks_have_the_published_number_of_parameters(name: str, expected: int) -> None:
    assert parameters(build(name, 10, 3, 32, seed=0)) == expected


@pytest.mark.parametrize(("name", "per_stage"), [("resnet8", 1), ("resnet20", 3)])
def test_small_resnets_have_6n_plus_2_layers(name: str, per_stage: int) -> None:
    expected = conv_and_norm(3, 16, 3) + 64 * 10 + 10
    for before, width in [(16, 16), (16, 32), (32, 64)]:
        expected += conv_and_norm(before, width, 3)
        expected += (2 * per_stage - 1) * conv_and_norm(width, width, 3)
        expected += conv_and_norm(before, width, 1) if before != width else 0
    model = build(name, 10, 3, 32, seed=0)
    layers = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear)
        or (isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3))
    ]
    assert len(layers) == 6 * per_stage + 2
    assert parameters(model) == expected


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_imagenet_networks_are_torchvisions_without_dropout(name: str) -> None:
    from torchvision import models

    with torch.device("meta"):
        reference = getattr(models, {"vgg16": "vgg16_bn"}.get(name, name))()
    model = build(name, 1000, 3, 224, seed=0)
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert shapes == {key: value.shape for key, value in reference.state_dict().items()}
    # Dropout would draw from the global random state.
    assert not any(isinstance(m, nn.Dropout) and m.p > 0 for m in model.modules())


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, [9, 12])])
def test_small_resnets_train_from_8_pixels_up(
    name: str, channels: int, size: int | list[int]
) -> None:
    model = build(name, 7, channels, size, seed=0)
    height, width = (size, size) if isinstance(size, int) else size
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, channels, height, width, generator=generator)
    model(images).logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_large_networks_take_grey_images(name: str) -> None:
    model = build(name, 100, 1, 32, seed=0).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 100)


@pytest.mark.parametrize(
    ("size", "kernel", "pooled"), [(32, 3, False), ([64, 48], 3, False), (65, 7, True)]
)
def test_stem_follows_the_image_size(size: int | list[int], kernel: int, pooled: bool) -> None:
    model = build("resnet18", 10, 1, size, seed=0)
    conv = model.get_submodule("conv1")
    assert isinstance(conv, nn.Conv2d)
    assert conv.kernel_size == (kernel, kernel)
    assert conv.in_channels == 1
    assert isinstance(model.get_submodule("maxpool"), nn.MaxPool2d) is pooled


def test_a_stem_can_be_chosen_against_the_image_size() -> None:
    small = build("resnet18", 10, 3, 64, "imagenet", seed=0)
    large = build("resnet18", 10, 3, 96, "cifar", seed=0)
    assert small.get_parameter("conv1.weight").shape[2] == 7
    assert large.get_parameter("conv1.weight").shape[2] == 3


@pytest.mark.parametrize("name", ["resnet8", "resnet18"])
def test_weights_depend_on_the_seed_and_on_nothing_else(name: str) -> None:
    torch.manual_seed(1)
    first = build(name, 10, 3, 32, seed=5).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = build(name, 10, 3, 32, seed=5).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = build(name, 10, 3, 32, seed=6).state_dict()
    assert all(not torch.equal(first[key], other[key]) for key in first if "conv" in key)


def test_other_classes_leave_the_features_as_they_were() -> None:
    few, many = (dict(build("resnet8", n, 1, 8, seed=3).named_parameters()) for n in (10, 100))
    assert all(torch.equal(few[key], many[key]) for key in few if not key.startswith("head"))


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "vgg16"])
def test_convolutions_start_with_he_normal_weights_by_fan_out(name: str) -> None:
    for module in build(name, 10, 3, 32, seed=0).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
            assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize(
    ("name", "size", "stem", "least"),
    [
        ("vgg16", 28, "auto", 32),
        ("resnet18", 7, "auto", 8),
        ("resnet18", [40, 31], "imagenet", 32),
        ("resnet20", 4, "auto", 8),
    ],
)
def test_too_small_images_are_refused_with_the_size_that_would_do(
    name: str, size: int | list[int], stem: str, least: int
) -> None:
    with pytest.raises(InputError, match=f"{name}.*at least {least}×{least} pixels"):
        build(name, 10, 3, size, stem, seed=0)  # type: ignore[arg-type]


def test_impossible_settings_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"name is 'resnet19'; .*resnet18"):
        build("resnet19", 10, 3, 32, seed=0)
    with pytest.raises(InputError, match="stem is 'tiny'"):
        ModelSpec("resnet18", "tiny")  # type: ignore[arg-type]
    with pytest.raises(
        InputError,
        match=r"stem is 'imagenet', which resnet20 has not; .* resnet18, resnet34, .*",
    ):
        ModelSpec("resnet20", "imagenet")
    with pytest.raises(InputError, match="at least 2 classes"):
        build("resnet8", 1, 3, 32, seed=0)
    with pytest.raises(InputError, match="at least 1 image channel"):
        build("resnet8", 2, 0, 32, seed=0)


def test_small_networks_are_built_without_importing_torchvision() -> None:
    script = (
        "import sys; from lp_core.models import build; build('resnet20', 10, 1, 8, seed=0); "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_named_network_is_tested_here() -> None:
    assert {*PARAMETERS, *SMALL} == set(faces.names(NETWORKS))

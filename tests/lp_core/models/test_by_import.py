"""Networks by an import path are built as those of the registry, and what cannot be is one line."""

import os
import re
import subprocess
import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from lp_core.errors import InputError
from lp_core.models.architecture import Architecture
from lp_core.models.factory import build
from lp_core.models.spec import ModelSpec
from tests.lp_core import own_networks
from tests.lp_core.strategies import bits

OWN = "tests.lp_core.own_networks"
WORKING = ["Functional", "Transformer", "Lines", "Tied", "plain", "Numpy"]


def own(
    name: str, arguments: dict[str, Any] | None = None, seed: int = 0, **more: Any
) -> nn.Module:
    shapes = {"classes": 5, "channels": 1, "size": 8} | more
    return build(f"{OWN}:{name}", arguments=arguments, seed=seed, **shapes)


@pytest.mark.parametrize("name", WORKING)
def test_the_seed_alone_decides_what_an_own_network_draws(name: str) -> None:
    torch.manual_seed(1)
    first = bits(own(name).state_dict())
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert bits(own(name).state_dict()) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert bits(own(name, seed=1).state_dict()) != first


def test_weights_are_those_that_the_constructor_drew() -> None:
    torch.manual_seed(7)
    plain = own_networks.Functional(5, 1)
    assert bits(own("Functional", seed=7).state_dict()) == bits(plain.state_dict())


def test_statistics_and_mode_are_as_in_a_new_network() -> None:
    model = own("Functional")
    assert all(module.training for module in model.modules())
    norm = model.get_submodule("norm")
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.num_batches_tracked == 0
    assert not norm.running_mean.any()  # type: ignore[union-attr]


def test_a_constructor_gets_what_it_asks_for_unless_arguments_say_it() -> None:
    assert own("Transformer", classes=7, channels=3).get_parameter("place").shape == (16, 8)
    model = own("Functional", {"width": 6}, classes=7, channels=3)
    assert model.get_parameter("one.weight").shape == (6, 3, 3, 3)
    assert model.get_parameter("last.weight").shape == (7, 6)
    resnet = "lp_core.models.networks.residual_blocks:resnet"
    model = build(resnet, 4, 3, 8, arguments={"depth": 8}, seed=0)
    named = build("resnet8", 4, 3, 8, seed=0)
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (model, named)]
    assert shapes[0] == shapes[1]
    with pytest.raises(InputError, match=r"makes 1×9 of images .* makes logits, 1×5"):
        own("Functional", {"classes": 9})


HINT = r"; mend model\.arguments, or the network"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("Functonal", {}, "tests.lp_core.own_networks has no Functonal; it has Functional"),
        ("NoNetwork", {}, "NoNetwork is a class, but not of nn.Module; name one that is"),
        ("no_network", {}, "gives a list; name a class of nn.Module, or a function"),
        ("A_NETWORK", {}, "A_NETWORK is a Linear; name a class of nn.Module"),
        ("WIDTH", {}, "has no WIDTH; it has"),
        (
            "Functional",
            {"wdith": 3},
            "arguments.wdith: it takes no wdith, but classes: int, channels: int, width: int = 4; ",
        ),
        ("Functional", {"width": "a"}, "cannot be built with width='a', classes=5, channels=1: "),
        ("Broken", {}, "AttributeError: 'Linear' object has no attribute 'wieght' (…, line "),
        ("Features", {}, "makes 1×4×8×8 of images 1×1×8×8; a network here makes logits, 1×5"),
        ("Auxiliary", {}, "makes tuple of images 2×1×8×8; a network here makes logits, 2×5"),
        ("Dropping", {}, "answers one image differently when it is asked again in evaluation mode"),
        ("InPlace", {}, "changes the images that it is given; … x -= 0.5, say, write x = x - 0.5"),
        ("Viewing", {}, "cannot take images that lie channels_last … call reshape or flatten(1)"),
        ("Shapeless", {}, "unused.weight has no shape after images have passed; remove the layer"),
        ("Double", {}, "scale is of float64; weights must be float32"),
    ],
)
def test_what_is_no_network_is_one_line(name: str, arguments: dict[str, Any], told: str) -> None:
    pattern = ".*".join(map(re.escape, f"{OWN}:{name}: … {told}".split("…")))
    with pytest.raises(InputError) as error:
        own(name, arguments)
    assert re.match(pattern.replace("\\ .*\\ ", " .*"), str(error.value)), error.value
    assert "\n" not in str(error.value)


def test_images_that_are_too_small_are_named_with_what_the_network_says() -> None:
    with pytest.raises(InputError, match=r"cannot take images of 1×1×2×2 \(RuntimeError: .*small"):
        own("Functional", size=2)


def test_a_module_that_cannot_be_imported_says_why_and_where(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lacking.py").write_text("import torch\nimport no_such_package\n")
    for name, told in {
        "nowhere.nets:Net": "No module named 'nowhere'; run in the folder of nowhere, or",
        "lacking:Net": r"named 'no_such_package' \(.*lacking.py, line 2\); mend the name or",
    }.items():
        with pytest.raises(InputError, match=told):
            build(name, 5, 1, 8, seed=0)


def test_what_runs_is_the_file_as_it_is_and_not_what_python_has_kept_of_it(tmp_path: Path) -> None:
    """Two files of one size and one time are the same to Python; `cp -p` and rsync make such."""
    (tmp_path / "kept").mkdir()
    for module in ("__init__", "nets", "layers"):
        (tmp_path / "kept" / f"{module}.py").write_text("width = 3\n")
    (tmp_path / "kept" / "nets.py").write_text(
        "from torch import nn\n\nfrom . import layers, width\n\n\ndef net(classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, layers.width + width),"
        " nn.Linear(layers.width + width, classes))\n"
    )
    count = (
        "import sys; from lp_core.models.factory import build;"
        "print(build('kept.nets:net', 5, 1, 8, seed=0)[1].out_features)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    run = partial(subprocess.run, env=environment, check=True, capture_output=True, text=True)
    run([sys.executable, "-c", "import kept.nets"])
    assert len(list((tmp_path / "kept" / "__pycache__").iterdir())) == 3
    for module in ("__init__", "layers"):
        file = tmp_path / "kept" / f"{module}.py"
        before = file.stat()
        file.write_text("width = 4\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run([sys.executable, "-c", "import kept; print(kept.width)"]).stdout == "3\n"
    assert run([sys.executable, "-c", count]).stdout == "8\n"


@pytest.mark.parametrize("text", ["sys.exit()", "def net():\n    sys.exit(0)"])
def test_a_network_that_ends_the_process_is_one_line(
    tmp_path: Path, monkeypatch: Any, text: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"ending{len(text)}"
    (tmp_path / f"{name}.py").write_text(f"import sys\n\n{text}\n")
    with pytest.raises(InputError, match=r"cannot be .*: SystemExit: .*\.py, line [34]\)"):
        build(f"{name}:net", 5, 1, 8, seed=0)


@pytest.mark.parametrize(
    "name", ["a:", ":b", "a b:C", "a:b:C", "../own:Net", "torchvision:", "timm:a b"]
)
def test_a_name_that_leads_nowhere_is_refused_before_anything_is_imported(name: str) -> None:
    with pytest.raises(InputError, match=r"^name is "):
        ModelSpec(name)


def test_what_only_other_networks_take_is_refused() -> None:
    with pytest.raises(InputError, match=r"^arguments are width, but resnet8 takes none"):
        ModelSpec("resnet8", arguments={"width": 3})
    with pytest.raises(InputError, match=r"^stem is 'cifar', which own.nets:Net has not; leave it"):
        ModelSpec("own.nets:Net", "cifar")


def test_torchvisions_resnet_is_the_registrys_with_its_own_stem() -> None:
    theirs = build("torchvision:resnet18", 10, 3, 64, seed=0).state_dict()
    ours = build("resnet18", 10, 3, 64, "imagenet", seed=0).state_dict()
    assert {k: v.shape for k, v in theirs.items()} == {k: v.shape for k, v in ours.items()}
    grey = build("torchvision:resnet18", 10, 1, 64, seed=0).get_submodule("conv1")
    assert isinstance(grey, nn.Conv2d)
    assert (grey.in_channels, grey.stride, grey.padding, grey.bias) == (1, (2, 2), (3, 3), None)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("resnet81", {}, "torchvision:resnet81: torchvision has no resnet81; it has resnet18"),
        ("resnet18", {"weights": "DEFAULT"}, "nothing is downloaded; give weights a file"),
        ("resnet18", {"depth": 3}, "cannot be built with depth=3"),
        ("squeezenet1_1", {}, "cannot take images of 1×3×8×8"),
    ],
)
def test_what_torchvision_does_not_have_is_one_line(
    name: str, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        build(f"torchvision:{name}", 10, 3, 8, arguments=arguments, seed=0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("deeplabv3_mobilenet_v3_large", "makes OrderedDict of images 1×3×32×32; a network here"),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", "(makes list|cannot take images) of "),
    ],
)
def test_torchvisions_networks_download_nothing_for_a_backbone_either(
    name: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    build("torchvision:resnet18", 10, 3, 32, seed=0)  # which prepares torchvision's import
    api = import_module("torchvision.models._api")
    monkeypatch.setattr(api.WeightsEnum, "get_state_dict", lambda *_, **__: asked.append(name))
    with pytest.raises(InputError, match=told) as error:
        build(f"torchvision:{name}", 10, 3, 32, seed=0)
    assert not asked
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_initial_weights_come_from_a_file_whatever_the_seed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights.{ending}"
    state = own("Functional", seed=3).state_dict()
    torch.save(state, path) if ending == "pt" else save_file(state, path)
    assert bits(own("Functional", weights=str(path)).state_dict()) == bits(state)


def test_a_network_of_the_registry_takes_them_too(tmp_path: Path) -> None:
    path, state = tmp_path / "weights.pt", build("resnet8", 5, 1, 8, seed=3).state_dict()
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    assert bits(build("resnet8", 5, 1, 8, weights=str(path), seed=0).state_dict()) == bits(state)


def test_weights_of_another_network_or_a_pruned_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(InputError, match=r"weights\.pt: there is no such file"):
        own("Functional", weights=str(path))
    torch.save(own("Functional", {"width": 6}).state_dict(), path)
    with pytest.raises(InputError, match=r"of another network than .*: \d tensors differ, such as"):
        own("Functional", weights=str(path))
    model = own("Functional")
    prune.l1_unstructured(model.get_submodule("one"), "weight", 0.5)
    torch.save(model.state_dict(), path)
    with pytest.raises(InputError, match="has masks; initial weights are dense"):
        own("Functional", weights=str(path))


def test_an_architecture_rebuilds_the_network_from_what_json_holds() -> None:
    architecture = Architecture(
        f"{OWN}:Functional", list("abcde"), 1, 8, [0.5], [0.25], arguments={"width": 3}
    )
    again = Architecture.of(architecture.meta | {"more": 1})
    assert again == architecture
    expected = own("Functional", {"width": 3}, seed=2).state_dict()
    assert bits(again.build(seed=2).state_dict()) == bits(expected)
    with pytest.raises(InputError, match="network: channels missing"):
        Architecture.of({k: v for k, v in architecture.meta.items() if k != "channels"})


@pytest.mark.skipif(find_spec("timm") is None, reason="the extra timm is not installed")
def test_timms_networks_are_built_by_name() -> None:
    grey = build("timm:test_convnext", 5, 1, 32, seed=0)
    assert next(iter(grey.parameters())).shape[1] == 1
    patches = {"img_size": 8, "patch_size": 2}
    first, again = (build("timm:test_vit", 5, 3, 8, arguments=patches, seed=3) for _ in range(2))
    assert bits(first.state_dict()) == bits(again.state_dict())
    with pytest.raises(InputError, match=r"images of 1×3×8×8 .*patch size.*give the network"):
        build("timm:test_vit", 5, 3, 8, seed=0)
    with pytest.raises(InputError, match="timm:resnet1: timm has no resnet1; it has res"):
        build("timm:resnet1", 5, 3, 8, seed=0)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (lambda t: t.to(torch.complex64), "is torch.complex64; give finite numbers of"),
        (lambda t: t.to(torch.int64), "is torch.int64; give finite numbers of torch.float32"),
        (lambda t: t * float("nan"), "is NaN or infinite; give finite numbers"),
    ],
)
def test_initial_weights_are_finite_numbers(tmp_path: Path, odd: Any, told: str) -> None:
    state = own("Functional").state_dict()
    name = next(iter(state))
    torch.save(state | {name: odd(state[name])}, tmp_path / "weights.pt")
    with pytest.raises(InputError, match=re.escape(f"weights.pt: {name} {told}")):
        own("Functional", weights=str(tmp_path / "weights.pt"))

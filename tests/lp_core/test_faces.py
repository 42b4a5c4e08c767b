"""Registries: what is in them, and that one entry more changes nothing for the others."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lp_core import faces
from lp_core.corruptions.names import CORRUPTIONS, EXTRA
from lp_core.corruptions.spec import KINDS
from lp_core.errors import InputError
from lp_core.models.network import Network
from lp_core.models.spec import NETWORKS
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.spec import RECIPES
from tests import closure as closures

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = [NETWORKS, RECIPES, KINDS]


def test_entries_are_found_by_the_names_that_settings_use():
    assert all(isinstance(faces.member(NETWORKS, n), Network) for n in faces.names(NETWORKS))
    assert all(issubclass(faces.member(RECIPES, n), Recipe) for n in faces.names(RECIPES))
    assert all(faces.member(KINDS, n).__name__ == n for n in faces.names(KINDS))
    assert set(faces.names(KINDS)) == {*CORRUPTIONS, *EXTRA}
    assert {"search", "greedy-soup"} <= set(faces.names(RECIPES))
    assert {"resnet8", "wrn28_10"} <= set(faces.names(NETWORKS))


def test_the_module_of_an_entry_is_where_it_is_defined():
    assert faces.module_of(NETWORKS, "resnet20") == "lp_core.models.networks.residual"
    assert faces.module_of(RECIPES, "greedy-soup") == "lp_core.pooling.recipes.greedy_soup"
    assert faces.module_of(KINDS, "snow") == "lp_core.corruptions.kinds.weather"


@pytest.mark.parametrize("face", REGISTRIES)
@pytest.mark.parametrize("look_up", [faces.module_of, faces.member])
def test_an_unknown_name_is_refused_with_those_that_there_are(face, look_up):
    known = ", ".join(faces.names(face))
    with pytest.raises(InputError, match=f"^{face} has no 'no-such'; it has {known}$"):
        look_up(face, "no-such")


def test_a_module_is_found_without_importing_it():
    script = """
import sys
from lp_core import faces
faces.names("lp_core.models.networks")
assert faces.module_of("lp_core.models.networks", "vgg16") == "lp_core.models.networks.vgg"
assert not [name for name in sys.modules if name.startswith("lp_core.models.networks.")]
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of lp_core, whose closures `code` tells."""
    shutil.copytree(
        ROOT / "lp_core", tmp_path / "lp_core", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(closures, "ROOT", tmp_path)
    return tmp_path


def code(root: Path, module: str) -> dict[str, str]:
    """The files that a module imports, and what they hold."""
    return {
        file: hashlib.sha256((root / file).read_bytes()).hexdigest()
        for file in closures.closure(module)
    }


SHARED = [
    *("lp_core.models.factory", "lp_core.models.spec", "lp_core.pooling.spec"),
    *("lp_core.pooling.greedy", "lp_core.pooling.heldout", "lp_core.pooling.recipe"),
    *("lp_core.corruptions.apply", "lp_core.corruptions.spec", "lp_core.corruptions.sets"),
]


def everything(root: Path) -> dict[str, dict[str, str]]:
    """The code of what is shared and of every entry that there is without additions."""
    entries = {faces.module_of(face, name) for face in REGISTRIES for name in faces.names(face)}
    return {module: code(root, module) for module in (*SHARED, *entries)}


_MADE_UP_NETWORK = """
from lp_core.models.network import Network

def _one_layer(classes, channels, stem):
    from torch import nn
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))

one_layer = Network(_one_layer, {"cifar": 1})
"""

_MADE_UP_RECIPE = """
from dataclasses import dataclass
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.result import PoolResult

@dataclass(frozen=True, kw_only=True)
class NoChange(Recipe):
    def _combine(self, target, siblings, score):
        return PoolResult(target, [])
"""

_MADE_UP_CORRUPTION = """
def darkness(images, severity, streams):
    return images // (1 + severity)
"""

ADDITIONS = {
    NETWORKS: ("tiny", _MADE_UP_NETWORK, "one_layer"),
    RECIPES: ("no_change", _MADE_UP_RECIPE, "NoChange"),
    KINDS: ("dark", _MADE_UP_CORRUPTION, "darkness"),
}

_USES_THEM = """
import numpy as np
from lp_core.corruptions import CorruptSpec, corrupt
from lp_core.models import ModelSpec, build
from lp_core.pooling import recipe_class

assert ModelSpec("one_layer").stem_for(99, 99) == "cifar"
assert len(build("one_layer", 4, 3, 5, seed=0)[2].weight) == 4
assert recipe_class("no-change")().pool("ticket", [], None).ticket == "ticket"
CorruptSpec(watch="x", corruptions=["snow", "darkness"])
assert corrupt(np.full((1, 4, 4, 3), 60, np.uint8), "darkness", 2, seed=0).max() == 20
"""


def test_a_new_entry_is_a_file_and_a_line_and_leaves_all_other_code_as_it_was(copy):
    before = everything(copy)
    for face, (module, text, name) in ADDITIONS.items():
        folder = copy.joinpath(*face.split("."))
        (folder / f"{module}.py").write_text(text)
        stub = folder / "__init__.pyi"
        stub.write_text(stub.read_text() + f"from .{module} import {name} as {name}\n")
    assert everything(copy) == before
    subprocess.run([sys.executable, "-c", _USES_THEM], cwd=copy, check=True)


@pytest.mark.parametrize(
    ("edited", "module"),
    [
        ("lp_core/models/networks/residual_blocks.py", "lp_core.models.networks.residual"),
        ("lp_core/models/networks/vgg.py", "lp_core.models.networks.vgg"),
        ("lp_core/pooling/soup.py", "lp_core.pooling.recipes.greedy_soup"),
        ("lp_core/pooling/recipes/ema.py", "lp_core.pooling.recipes.ema"),
        ("lp_core/corruptions/plasma.py", "lp_core.corruptions.kinds.weather"),
    ],
)
def test_an_edit_changes_the_code_of_its_own_entries_and_of_nothing_shared(copy, edited, module):
    before = everything(copy)
    (copy / edited).write_text((copy / edited).read_text() + "\nedited = True\n")
    after = everything(copy)
    changed = {name for name in before if before[name] != after[name]}
    assert module in changed
    assert changed == {name for name in before if edited in before[name]}
    assert not changed & set(SHARED)
    assert len(changed) <= 2  # the two soups share what makes them soups

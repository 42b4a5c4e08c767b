"""One network, recipe or corruption more changes nothing that the others run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lp_core import faces
from lp_core.corruptions.spec import KINDS
from lp_core.models.spec import NETWORKS
from lp_core.pooling.spec import RECIPES
from tasks.kit.code import PROJECT, Fingerprint, fingerprint

REGISTRIES = [NETWORKS, RECIPES, KINDS]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of lp_core."""
    shutil.copytree(
        PROJECT / "lp_core", tmp_path / "lp_core", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


SHARED = [
    *("lp_core.models.factory", "lp_core.models.spec", "lp_core.pooling.spec"),
    *("lp_core.pooling.greedy", "lp_core.pooling.heldout", "lp_core.pooling.recipe"),
    *("lp_core.corruptions.apply", "lp_core.corruptions.spec", "lp_core.corruptions.sets"),
]


def everything(root: Path) -> dict[str, Fingerprint]:
    """The code of what is shared and of every entry that there is without additions."""
    entries = {faces.module_of(face, name) for face in REGISTRIES for name in faces.names(face)}
    return {module: fingerprint([module], root) for module in (*SHARED, *entries)}


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

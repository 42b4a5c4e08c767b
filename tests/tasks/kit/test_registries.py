"""One network, recipe, corruption or training method more changes nothing that the others run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lp_core import faces
from lp_core.corruptions.spec import KINDS
from lp_core.models.ensembles.spec import ENSEMBLES
from lp_core.models.spec import NETWORKS
from lp_core.pooling.spec import RECIPES
from lp_core.sparsity.method_spec import METHODS
from lp_core.superposing.spec import SELECTIONS
from tasks.kit.code import PROJECT, Fingerprint, fingerprint

REGISTRIES = [NETWORKS, RECIPES, KINDS, METHODS, ENSEMBLES, SELECTIONS]


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
    *("lp_core.sparsity.method", "lp_core.sparsity.method_spec", "lp_core.superposing.spec"),
    *("lp_core.superposing.cheap_tickets", "lp_core.models.ensembles.ensemble"),
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

_MADE_UP_METHOD = """
from dataclasses import dataclass
from lp_core.sparsity.method import SparseMethod

@dataclass(frozen=True, kw_only=True)
class FirstHalf(SparseMethod):
    def layer_densities(self, shapes, density):
        return dict.fromkeys(shapes, density)
"""

_MADE_UP_SELECTION = """
def latest(tickets, *others):
    return tickets[-1]
"""

_MADE_UP_ENSEMBLE = """
from lp_core.models.ensembles.ensemble import Ensemble

class Lonely(Ensemble):
    pass
"""

ADDITIONS = {
    NETWORKS: ("tiny", _MADE_UP_NETWORK, "one_layer"),
    RECIPES: ("no_change", _MADE_UP_RECIPE, "NoChange"),
    KINDS: ("dark", _MADE_UP_CORRUPTION, "darkness"),
    METHODS: ("half", _MADE_UP_METHOD, "FirstHalf"),
    SELECTIONS: ("last", _MADE_UP_SELECTION, "latest"),
    ENSEMBLES: ("single", _MADE_UP_ENSEMBLE, "Lonely"),
}

_USES_THEM = """
import numpy as np
from lp_core.corruptions import CorruptSpec, corrupt
from lp_core.models import ModelSpec, build
from lp_core import faces
from lp_core.pooling import recipe_class
from lp_core.sparsity import method_class

assert ModelSpec("one_layer").stem_for(99, 99) == "cifar"
assert len(build("one_layer", 4, 3, 5, seed=0)[2].weight) == 4
assert recipe_class("no-change")().pool("ticket", [], None).ticket == "ticket"
CorruptSpec(watch="x", corruptions=["snow", "darkness"])
assert corrupt(np.full((1, 4, 4, 3), 60, np.uint8), "darkness", 2, seed=0).max() == 20
assert method_class("first-half")(density=0.5).layer_densities({"a": [2]}, 0.5) == {"a": 0.5}
assert faces.member("lp_core.superposing.selections", "latest")([1, 2]) == 2
assert "lonely" in faces.names("lp_core.models.ensembles")
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


_USES_THE_EXAMPLES = """
import torch
from lp_core.models import ModelSpec, build
from lp_core.pooling import recipe_class

assert ModelSpec("strided").stem_for(8, 8) == "cifar"
assert build("strided", 4, 1, 8, seed=0)(torch.zeros(2, 1, 8, 8)).shape == (2, 4)
assert recipe_class("halves")().weight_of_average(3) == 0.5
"""


def test_the_examples_of_entries_in_contributing_work_as_they_stand_there(copy):
    text = (PROJECT / "CONTRIBUTING.md").read_text()
    examples = re.findall(
        r"```python\n(# (\S+/)\w+\.py; in __init__\.pyi: ([^\n]*)\n.*?)```", text, re.DOTALL
    )
    assert len(examples) == 2
    for code, folder, line in examples:
        name = re.findall(r"from \.(\w+)", line)[0]
        (copy / folder / f"{name}.py").write_text(code)
        with (copy / folder / "__init__.pyi").open("a") as stub:
            stub.write(f"{line}\n")
    subprocess.run([sys.executable, "-c", _USES_THE_EXAMPLES], cwd=copy, check=True)


@pytest.mark.parametrize(
    ("edited", "module"),
    [
        ("lp_core/models/networks/residual_blocks.py", "lp_core.models.networks.residual"),
        ("lp_core/models/networks/vgg.py", "lp_core.models.networks.vgg"),
        ("lp_core/pooling/soup.py", "lp_core.pooling.recipes.greedy_soup"),
        ("lp_core/pooling/recipes/ema.py", "lp_core.pooling.recipes.ema"),
        ("lp_core/corruptions/plasma.py", "lp_core.corruptions.kinds.weather"),
        ("lp_core/sparsity/methods/granet.py", "lp_core.sparsity.methods.granet"),
        ("lp_core/sparsity/saliency.py", "lp_core.sparsity.methods.snip"),
        ("lp_core/models/ensembles/tree_net.py", "lp_core.models.ensembles.tree_net"),
        ("lp_core/superposing/selections/greedy.py", "lp_core.superposing.selections.greedy"),
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


IMP_POOL = ("pretrain", "imp", "ood", "landscape", "pool", "ood_pool", "ensemble")
SUP_TICKETS = ("sparse", "ending", "ending_scores", "ood_ending", "seeds_ensemble")


def test_neither_flow_runs_what_is_the_others_alone():
    """Of what both run, each file is of both: data, networks, the training loop, tickets."""
    imp_pool, sup_tickets = (
        {file for stage in stages for file in fingerprint([f"tasks.{stage}"])}
        for stages in (IMP_POOL, SUP_TICKETS)
    )
    of_one = re.compile(r"superpos|exploration|densities|sparsity/method|sparse|ending|cheap")
    assert not [file for file in imp_pool if of_one.search(file)]
    of_other = re.compile(r"rounds|heldout|coefficients|recipe|greedy|trail|landscape|best")
    assert not [file for file in sup_tickets if of_other.search(file)]


def test_a_search_is_code_of_the_endings_that_search_and_of_no_others():
    """Its files are found by the name of the average."""
    assert "lp_core/pooling/greedy.py" in fingerprint([faces.module_of(SELECTIONS, "search")])
    assert "lp_core/pooling/greedy.py" not in fingerprint(["tasks.ending"])

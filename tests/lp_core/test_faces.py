"""Registries: what is in them, and how it is found."""

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
from lp_core.sparsity.method import SparseMethod
from lp_core.sparsity.method_spec import METHODS

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = [NETWORKS, RECIPES, KINDS, METHODS]


def test_entries_are_found_by_the_names_that_settings_use():
    assert all(isinstance(faces.member(NETWORKS, n), Network) for n in faces.names(NETWORKS))
    assert all(issubclass(faces.member(RECIPES, n), Recipe) for n in faces.names(RECIPES))
    assert all(faces.member(KINDS, n).__name__ == n for n in faces.names(KINDS))
    assert all(issubclass(faces.member(METHODS, n), SparseMethod) for n in faces.names(METHODS))
    assert set(faces.names(KINDS)) == {*CORRUPTIONS, *EXTRA}
    assert {"search", "greedy-soup"} <= set(faces.names(RECIPES))
    assert {"rigl", "granet"} <= set(faces.names(METHODS))
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

"""A method's recipe as params.yaml has it: its name, and the settings that this recipe reads."""

from typing import Any

from lp_core.pooling.recipe import Recipe
from lp_core.pooling.spec import recipe_class
from tasks.kit.params import Params, check_recipe


def read_recipe(params: Params, method: str) -> Recipe:
    """The recipe of a method, with its settings. Raises ParamsError for a wrong one."""
    settings = params.section(f"pooling.recipes.{method}", dict[str, Any])
    return check_recipe(settings, recipe_class, params.path, f"pooling.recipes.{method}")

"""A method's recipe as params.yaml has it: its name, and the settings that this recipe reads."""

from typing import Any

from lp_core.errors import InputError
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.spec import recipe_class
from tasks.kit.params import Params, ParamsError, check


def read_recipe(params: Params, method: str) -> Recipe:
    """The recipe of a method, with its settings. Raises ParamsError for a wrong one."""
    settings = params.section(f"pooling.recipes.{method}", dict[str, Any])
    key = f"pooling.recipes.{method}"
    name = settings.pop("recipe", None)
    try:
        kind = recipe_class(name)
    except InputError as error:
        raise ParamsError(f"{params.path}: {key}.recipe: {error}") from None
    return check(settings, kind, params.path, key)

"""Settings of pooling: how tickets are scored, and where recipes are found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from lp_core import faces
from lp_core.errors import InputError

if TYPE_CHECKING:
    from lp_core.pooling.recipe import Recipe

# Where ways to pool are found by name.
RECIPES = "lp_core.pooling.recipes"

_Search = Literal["halving", "exact"]
_BatchNorm = Literal["re-estimate", "average"]


@dataclass(frozen=True)
class ScoringSpec:
    """How interpolated tickets are scored, whatever the recipe.

    search: `halving` over class-balanced slices of the held-out set, or `exact` (Algorithm 2).
    batch_norm: `re-estimate` the statistics of an interpolated ticket, or `average` its parents'.
    calibration_images: training images that the statistics are re-estimated on.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    search: _Search = "halving"
    batch_norm: _BatchNorm = "re-estimate"
    calibration_images: int = 1024

    def __post_init__(self) -> None:
        if self.search not in get_args(_Search):
            raise InputError(f"search is {self.search!r}; give halving or exact")
        if self.batch_norm not in get_args(_BatchNorm):
            raise InputError(f"batch_norm is {self.batch_norm!r}; give re-estimate or average")
        if not isinstance(self.calibration_images, int) or self.calibration_images < 2:
            raise InputError(
                f"calibration_images is {self.calibration_images!r}; batch norm needs at least 2"
            )


def recipe_class(name: str) -> "type[Recipe]":
    """The class of a recipe; its fields are the recipe's settings. PyTorch is not imported.

    name: such as `search`, `swa` or `greedy-soup`. Raises InputError, with the names that there
    are, for another one.
    """
    known = faces.names(RECIPES)
    if name not in known:
        raise InputError(f"recipe {name!r} is unknown; it can be one of {', '.join(known)}")
    recipe: type[Recipe] = faces.member(RECIPES, name)
    return recipe

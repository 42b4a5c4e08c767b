"""Which methods a figure compares: chosen by their settings, so that a new method finds its figure.

A method's settings are read as the plain mapping under `pooling.recipes`: a new recipe changes
nothing here.
"""

from collections import Counter
from typing import Any

from tasks.reporting.imp_pool.results import Results
from tasks.reporting.no_data import NoData

Settings = dict[str, Any]

# What each setting of the recipe `search` is where the params do not give it.
SEARCH_DEFAULTS: Settings = {
    # Lottery Pools, appendix, table 1.
    "coefficients": [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
    "candidates": None,
    "prune": "during",
}


def of_recipe(results: Results, *recipes: str) -> dict[str, Settings]:
    """The methods that have one of these recipes, and their settings.

    Raises NoData where no method has.
    """
    chosen = {
        method: settings
        for method, settings in results.recipes.items()
        if settings["recipe"] in recipes
    }
    if not chosen:
        names = " or ".join(f"`{recipe}`" for recipe in recipes)
        raise NoData(f"no method of recipe {names} in `pooling.methods`")
    return chosen


def first_search(results: Results) -> str:
    """The search that the ablations vary. Raises NoData where no method searches."""
    return next(iter(of_recipe(results, "search")))


def varying(results: Results, setting: str) -> dict[str, str]:
    """Label by method: the first search and the searches that differ from it in `setting` alone.

    In the setting's order; all candidates and pruning at the end come last. Where two labels are
    equal, they name the method. Raises NoData where no method differs so.
    """
    searches = {m: SEARCH_DEFAULTS | own for m, own in of_recipe(results, "search").items()}
    first = searches[first_search(results)]
    alike = {
        method: settings
        for method, settings in searches.items()
        if settings | {setting: None} == first | {setting: None}
    }
    if len(alike) < 2:
        raise NoData(
            f"no method in `pooling.methods` differs from the first search in `{setting}` alone"
        )
    ordered = sorted(alike, key=lambda method: _rank(alike[method], setting))
    labels = {method: _label(alike[method], setting) for method in ordered}
    count = Counter(labels.values())
    return {m: label if count[label] == 1 else f"{label} ({m})" for m, label in labels.items()}


def _rank(settings: Settings, setting: str) -> float:
    value = settings[setting]
    if setting == "candidates":
        return float("inf") if value is None else value
    return len(value) if setting == "coefficients" else value == "after"


def _label(settings: Settings, setting: str) -> str:
    value = settings[setting]
    if setting == "candidates":
        return "All tickets" if value is None else f"{value} nearest"
    if setting == "coefficients":
        return f"{len(value)} coefficient{'s' if len(value) > 1 else ''}"
    return f"Prune {value}"

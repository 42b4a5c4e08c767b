"""Which methods a figure compares: read from their settings, so that a new one finds its place."""

from dataclasses import asdict

from lp_core.pooling.spec import MethodSpec
from tasks.figures.results import NoData, Results

# Settings of a search that one figure each asks about.
SETTINGS = ("candidates", "coefficients", "prune")


def recipe(results: Results, method: str) -> str:
    """`search` where the params do not say."""
    return str((results.params.raw["methods"][method] or {}).get("recipe", "search"))


def searches(results: Results) -> dict[str, MethodSpec]:
    """The methods that search, in the order of `pools`; the first is what the others vary."""
    return {
        method: results.params.section(f"methods.{method}", MethodSpec)
        for method in results.methods
        if recipe(results, method) == "search"
    }


def first_search(results: Results) -> str:
    """Raises NoData where no method searches."""
    found = searches(results)
    if not found:
        raise NoData("no method of recipe `search` in `pools`")
    return next(iter(found))


def varying(results: Results, setting: str) -> dict[str, str]:
    """Label by method: the first search and those that differ from it in `setting` alone.

    In the setting's order, all candidates and pruning at the end last. Raises NoData where no
    method differs so.
    """
    first = asdict(searches(results)[first_search(results)])
    alike = {
        method: spec
        for method, spec in searches(results).items()
        if all(value == first[key] for key, value in asdict(spec).items() if key != setting)
    }
    if len(alike) < 2:
        raise NoData(f"no method in `pools` differs from the first search in `{setting}` alone")
    ordered = sorted(alike, key=lambda method: _rank(alike[method], setting))
    return {method: _label(alike[method], setting) for method in ordered}


def of_recipe(results: Results, *recipes: str) -> list[str]:
    """Raises NoData where no method has one of these recipes."""
    found = [method for method in results.methods if recipe(results, method) in recipes]
    if not found:
        raise NoData(f"no method of recipe {' or '.join(f'`{r}`' for r in recipes)} in `pools`")
    return found


def _rank(spec: MethodSpec, setting: str) -> float:
    if setting == "candidates":
        return float("inf") if spec.candidates is None else spec.candidates
    return len(spec.coefficients) if setting == "coefficients" else spec.prune == "after"


def _label(spec: MethodSpec, setting: str) -> str:
    if setting == "candidates":
        return "All tickets" if spec.candidates is None else f"{spec.candidates} nearest"
    if setting == "coefficients":
        count = len(spec.coefficients)
        return f"{count} coefficient{'s' if count > 1 else ''}"
    return f"Prune {spec.prune}"

"""Which methods a figure compares: read from their settings, so that a new one finds its place."""

from collections import Counter
from dataclasses import asdict

from lp_core.pooling.spec import MethodSpec
from tasks.reporting.figures.results import NoData, Results


def of_recipe(results: Results, *recipes: str) -> dict[str, MethodSpec]:
    """Settings by method, in the order of `pools`. Raises NoData where no method has one of these
    recipes."""
    specs = {m: results.params.section(f"methods.{m}", MethodSpec) for m in results.methods}
    found = {method: spec for method, spec in specs.items() if spec.recipe in recipes}
    if not found:
        raise NoData(f"no method of recipe {' or '.join(f'`{r}`' for r in recipes)} in `pools`")
    return found


def first_search(results: Results) -> str:
    """What the other searches vary. Raises NoData where no method searches."""
    return next(iter(of_recipe(results, "search")))


def varying(results: Results, setting: str) -> dict[str, str]:
    """Label by method: the first search and those that differ from it in `setting` alone.

    In the setting's order, all candidates and pruning at the end last. Where two would have the
    same label, it names the method. Raises NoData where no method differs so.
    """
    searches = of_recipe(results, "search")
    first = asdict(searches[first_search(results)])
    alike = {
        method: spec
        for method, spec in searches.items()
        if all(value == first[key] for key, value in asdict(spec).items() if key != setting)
    }
    if len(alike) < 2:
        raise NoData(f"no method in `pools` differs from the first search in `{setting}` alone")
    ordered = sorted(alike, key=lambda method: _rank(alike[method], setting))
    labels = {method: _label(alike[method], setting) for method in ordered}
    count = Counter(labels.values())
    return {m: label if count[label] == 1 else f"{label} ({m})" for m, label in labels.items()}


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

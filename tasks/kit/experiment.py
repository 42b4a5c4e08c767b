"""The whole params file, checked before anything runs: every key, type, name and round."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lp_core.checkpoints.spec import ImportSpec
from lp_core.compute_spec import ComputeSpec
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.spec import DatasetSpec
from lp_core.models.spec import ModelSpec
from lp_core.pooling.recipe import Recipe
from lp_core.pooling.spec import ScoringSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.training.spec import RewindSpec, TrainSpec
from tasks.kit import imports, network_faults, products, sgd_noise_faults, sup_tickets
from tasks.kit.faults import empty, no_names, repeated, same_stages, unlisted
from tasks.kit.needed import circles
from tasks.kit.params import PARAMS, Params, ParamsError, check, overlay
from tasks.kit.recipes import read_recipe
from tasks.kit.sgd_noise import SgdNoise
from tasks.kit.sup_tickets import SupTickets

# What a variant may change: how tickets are made. How they are pooled is a method's matter.
VARIES = ("model", "train", "rewind", "imp")

_STRICT = ConfigDict(extra="forbid", strict=True)
_MOST = 2**63  # beyond every seed: the tables hold signed 64-bit numbers


class Pooling(BaseModel):
    """What is pooled and how.

    variants: whose tickets are pooled; the other variants are only measured. methods: the recipes
    to run; the ablations vary the first that searches. corrupted: methods whose pooled tickets are
    also measured on corrupted images. ensemble: the method that is compared with an ensemble of
    the same tickets' outputs. recipes: for each method a recipe by name, and its settings.
    """

    model_config = _STRICT

    variants: list[str]
    methods: list[str]
    corrupted: list[str]
    ensemble: str
    scoring: ScoringSpec
    recipes: dict[str, dict[str, Any]]


class Experiment(BaseModel):
    """params.yaml; each section is explained where it is declared, in lp_core."""

    model_config = _STRICT

    dataset: str
    datasets: dict[str, DatasetSpec]
    corrupt: dict[str, CorruptSpec]
    seeds: list[int]
    grid: list[str]
    imports: dict[str, ImportSpec]
    products: list[dict[str, dict[str, Any]]]
    variants: dict[str, dict[str, Any] | None]
    model: ModelSpec
    own_code: str
    compute: ComputeSpec
    train: TrainSpec
    rewind: RewindSpec
    imp: ImpSpec
    pooling: Pooling
    sup_tickets: SupTickets
    sgd_noise: SgdNoise


def validate(path: Path = PARAMS) -> Experiment:
    """The experiment that the file describes. Raises ParamsError with every fault in it."""
    raw = Params(path=path).raw
    experiment = check(raw, Experiment, path, "")
    recipes, faults = _recipes(experiment, Params(path=path))
    faults += [*_choices(experiment), *_names(experiment), *_siblings(experiment, recipes)]
    faults += [*imports.faults(experiment), *circles(experiment)]
    faults += sup_tickets.faults(experiment, Params(path=path))
    faults += sgd_noise_faults.faults(experiment, Params(path=path))
    faults += network_faults.faults(experiment, Params(path=path))
    of_products = _products(experiment, raw, path)
    faults += of_products
    if not of_products:  # which would come up in each of their variants
        for variant, over in experiment.variants.items():
            faults += _variant(variant, over or {}, raw, path)
    if faults:
        # A fault that is not the variant's own comes up in each of them.
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in dict.fromkeys(faults)))
    return experiment


def _choices(experiment: Experiment) -> list[str]:
    """What is chosen must be there, and be chosen once."""
    faults = []
    sections: dict[str, Iterable[str]] = {
        "datasets": experiment.datasets,
        "corrupt": experiment.corrupt,
    }
    for key, names in sections.items():
        if experiment.dataset not in names:
            there = ", ".join(names)
            faults.append(f"dataset: {experiment.dataset!r} is not in {key}, which has {there}")
            break
    faults += [
        f"corrupt.{name}: there is no data set of this name in datasets"
        for name in experiment.corrupt
        if name not in experiment.datasets
    ]
    pooling = experiment.pooling
    measured = ("grid", experiment.grid)
    if experiment.imports:
        measured = ("grid or imports", [*experiment.grid, *experiment.imports])
    for key, chosen, section, known in (
        ("grid", experiment.grid, "variants", experiment.variants),
        ("pooling.variants", pooling.variants, *measured),
        ("pooling.methods", pooling.methods, "pooling.recipes", pooling.recipes),
        ("pooling.corrupted", pooling.corrupted, "pooling.methods", pooling.methods),
        ("pooling.ensemble", [pooling.ensemble], "pooling.methods", pooling.methods),
    ):
        faults += unlisted(key, chosen, section, known)
    lists: dict[str, Sequence[Any]] = {
        "seeds": experiment.seeds,
        "pooling.methods": pooling.methods,
        "pooling.corrupted": pooling.corrupted,
    }
    may_be_empty = {"grid": experiment.grid, "pooling.variants": pooling.variants}
    faults += [*repeated(lists | may_be_empty), *empty(lists)]
    if not (experiment.grid or experiment.imports or experiment.sup_tickets.variants):
        faults.append(
            "grid: the list is empty, and so is sup_tickets.variants; name a variant in one of them"
        )
    if any(not 0 <= seed < _MOST for seed in experiment.seeds):
        faults.append(f"seeds: {experiment.seeds}; give 0 or more, below 2**63")
    return faults


def _names(experiment: Experiment) -> list[str]:
    """Names become those of stages, folders and files."""
    pooling = experiment.pooling
    faults = no_names(
        {
            "datasets": experiment.datasets,
            "variants": experiment.variants,
            "pooling.recipes": pooling.recipes,
            "sup_tickets.training": experiment.sup_tickets.training,
            "sup_tickets.ending": experiment.sup_tickets.ending,
        }
    )
    faults += [
        f"datasets.{name}: data/{name} stands for the corrupted images of {name[:-2]}; "
        "give a name that does not end in -C"
        for name in experiment.datasets
        if name.endswith("-C")
    ]
    if "ticket" in pooling.recipes:
        faults.append(
            "pooling.recipes.ticket: this name stands for the unpooled ticket; give another"
        )
    if "predictors" in experiment.variants:
        faults.append(
            "variants.predictors: in results/metrics.json this name stands for what tells the gain "
            "of pooling; give another"
        )
    stages = product(pooling.variants, experiment.seeds, pooling.methods)
    items = [dict(zip(("variant", "seed", "method"), stage, strict=True)) for stage in stages]
    return [*faults, *same_stages("pooling", "pool", items)]


def _recipes(experiment: Experiment, params: Params) -> tuple[dict[str, Recipe], list[str]]:
    """Each method's recipe with its settings, and what is wrong in any of them."""
    recipes: dict[str, Recipe] = {}
    faults = []
    for method in experiment.pooling.recipes:
        try:
            recipes[method] = read_recipe(params, method)
        except ParamsError as error:
            faults += [line.removeprefix(f"{params.path}: ") for line in str(error).splitlines()]
    return recipes, faults


def _siblings(experiment: Experiment, recipes: dict[str, Recipe]) -> list[str]:
    """No method that runs may ask for more siblings than a ticket has."""
    tickets = len(experiment.imp.rounds)
    return [
        f"pooling.recipes.{name}.candidates is {recipe.candidates}; of {tickets} tickets give at "
        f"most {tickets - 1}, or null for all"
        for name, recipe in recipes.items()
        if name in experiment.pooling.methods and (recipe.candidates or 0) >= tickets
    ]


def _products(experiment: Experiment, raw: dict[str, Any], path: Path) -> list[str]:
    """What is wrong in products, or lacks their variants."""
    faults = products.own_faults(experiment.products)
    if faults:  # such as too many to look at each
        return faults
    for at, over in products.settings(experiment.products):
        faults += _changes(at, over, raw, path)[1]
    return faults or products.unwritten(experiment.products, experiment.variants)


def _variant(variant: str, over: dict[str, Any], raw: dict[str, Any], path: Path) -> list[str]:
    """What is wrong in the file as a variant sees it."""
    varied, faults = _changes(f"variants.{variant}", over, raw, path)
    fixed = varied and varied.rewind.mode == "fixed"
    if varied and fixed and varied.rewind.epochs >= varied.train.epochs:
        rewind, end = (
            f"variants.{variant}.{dotted}" if _sets(over, dotted) else dotted
            for dotted in ("rewind.epochs", "train.epochs")
        )
        faults.append(
            f"{rewind}: {varied.rewind.epochs}; it must come before the end of training, "
            f"{end} = {varied.train.epochs}"
        )
    return faults


def _changes(
    at: str, over: dict[str, Any], raw: dict[str, Any], path: Path
) -> tuple[Experiment | None, list[str]]:
    """The experiment with what stands at `at` laid over it, if that can be, and what is wrong."""
    faults = [
        f"{at}.{key}: a variant may change {', '.join(VARIES)}; remove it"
        for key in over
        if key in Experiment.model_fields and key not in VARIES
    ]
    if _sets(over, "imp.rounds"):
        faults.append(f"{at}.imp.rounds: all variants have the same rounds")
    try:
        return check(overlay(raw, over), Experiment, path, ""), faults
    except ParamsError as error:
        lines = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
        return None, faults + [f"{at}.{line}" for line in lines]


def _sets(over: Any, dotted: str) -> bool:
    """Whether a variant has a value of its own at a dotted path."""
    for key in dotted.split("."):
        if not isinstance(over, dict) or key not in over:
            return False
        over = over[key]
    return True

"""The whole params file, checked before anything runs: every key, type, name and round."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lp_core.compute import ComputeSpec
from lp_core.corruptions.spec import CorruptSpec
from lp_core.data.spec import DatasetSpec
from lp_core.files import atomic_write
from lp_core.models.spec import ModelSpec
from lp_core.pooling.spec import EnsembleSpec, MethodSpec, PoolSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.training.spec import RewindSpec, TrainSpec
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.params import PARAMS, Params, ParamsError, check, overlay

# What a variant may change: how tickets are made. How they are pooled is a method's matter.
VARIES = ("model", "train", "rewind", "imp")


class Experiment(BaseModel):
    """params.yaml; each section is explained where it is declared, in lp_core."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dataset: str
    datasets: dict[str, DatasetSpec]
    corrupt: CorruptSpec
    seeds: list[int]
    grid: list[str]
    variants: dict[str, dict[str, Any] | None]
    model: ModelSpec
    compute: ComputeSpec
    train: TrainSpec
    rewind: RewindSpec
    imp: ImpSpec
    pool: PoolSpec
    pooled: list[str]
    pools: list[str]
    ood: list[str]
    ensemble: EnsembleSpec
    methods: dict[str, MethodSpec]


def validate(path: Path = PARAMS) -> Experiment:
    """The experiment that the file describes. Raises ParamsError with every fault found."""
    raw = Params(path=path).raw
    experiment = check(raw, Experiment, path, "")
    faults = [*_choices(experiment), *_names(experiment), *_siblings(experiment)]
    for variant, over in experiment.variants.items():
        faults += _variant(variant, over or {}, raw, path)
    if faults:
        # A fault that is not the variant's own comes up in each of them.
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in dict.fromkeys(faults)))
    return experiment


def _choices(experiment: Experiment) -> list[str]:
    """What is chosen must be there, and be chosen once."""
    faults = []
    if experiment.dataset not in experiment.datasets:
        faults.append(f"dataset: {experiment.dataset!r} is none of {list(experiment.datasets)}")
    for key, chosen, section, known in (
        ("grid", experiment.grid, "variants", experiment.variants),
        ("pooled", experiment.pooled, "grid", experiment.grid),
        ("pools", experiment.pools, "methods", experiment.methods),
        ("ood", experiment.ood, "pools", experiment.pools),
        ("ensemble.method", [experiment.ensemble.method], "pools", experiment.pools),
    ):
        faults += [f"{key}: {name!r} is not in {section}" for name in chosen if name not in known]
    for key in ("seeds", "grid", "pooled", "pools", "ood"):
        values: list[Any] = getattr(experiment, key)
        if not values or len(set(values)) < len(values):
            faults.append(f"{key}: {values}; give at least one, each once")
    if any(seed < 0 for seed in experiment.seeds):
        faults.append(f"seeds: {experiment.seeds}; give 0 or more")
    return faults


def _names(experiment: Experiment) -> list[str]:
    """Names become those of stages and folders."""
    faults = [
        f"{section}.{name}: names may have letters, digits, - and _ only (DVC reads the rest)"
        for section in ("datasets", "variants", "methods")
        for name in getattr(experiment, section)
        if not name.replace("-", "").replace("_", "").isalnum()
    ]
    faults += [
        f"datasets.{name}: data/{name} stands for the corrupted images of {name[:-2]}; "
        "give a name that does not end in -C"
        for name in experiment.datasets
        if name.endswith("-C")
    ]
    if "ticket" in experiment.methods:
        faults.append("methods.ticket: this name stands for the unpooled ticket in the tables")
    return faults


def _siblings(experiment: Experiment) -> list[str]:
    """No method that runs may ask for more siblings than a ticket has."""
    tickets = len(experiment.imp.rounds)
    return [
        f"methods.{name}.candidates: {method.candidates}, but each of the {tickets} tickets has "
        f"{tickets - 1} siblings; give no more, or null for all"
        for name, method in experiment.methods.items()
        if name in experiment.pools and (method.candidates or 0) >= tickets
    ]


def _variant(variant: str, over: dict[str, Any], raw: dict[str, Any], path: Path) -> list[str]:
    """What is wrong in the file as a variant sees it."""
    faults = [
        f"variants.{variant}.{key}: a variant may change {', '.join(VARIES)}"
        for key in over
        if key in Experiment.model_fields and key not in VARIES
    ]
    if _sets(over, "imp.rounds"):
        faults.append(f"variants.{variant}.imp.rounds: all variants have the same rounds")
    try:
        one = check(overlay(raw, over), Experiment, path, "")
    except ParamsError as error:
        lines = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
        return faults + [f"variants.{variant}.{line}" for line in lines]
    if one.rewind.epochs >= one.train.epochs:
        rewind, end = (
            f"variants.{variant}.{dotted}" if _sets(over, dotted) else dotted
            for dotted in ("rewind.epochs", "train.epochs")
        )
        faults.append(
            f"{rewind}: {one.rewind.epochs}; it must come before the end of training, "
            f"{end} = {one.train.epochs}"
        )
    return faults


def _sets(over: Any, dotted: str) -> bool:
    """Whether a variant has a value of its own at a dotted path."""
    for key in dotted.split("."):
        if not isinstance(over, dict) or key not in over:
            return False
        over = over[key]
    return True


def absent(experiment: Experiment) -> Iterator[str]:
    """What the experiment reads from this machine and is not there. Wrong official files, say,
    would else be found out when the tickets are trained and it is their turn."""
    data, corrupt = experiment.datasets[experiment.dataset], experiment.corrupt
    fetched = data.download or data.source == "digits"
    official = corrupt.source == "official"
    for at, path, may_be_empty in (
        (f"datasets.{experiment.dataset}.path", data.path, fetched),
        ("corrupt.path", corrupt.path, not official),
    ):
        if not Path(path).is_dir():
            would = "make it; it may be empty" if may_be_empty else "name one that has the files"
            yield f"{at}: there is no folder {path}; {would}"
    if official and Path(corrupt.path).is_dir():
        names = [f"{name}.npy" for name in ("labels", *corrupt.corruptions)]
        missing = [name for name in names if not Path(corrupt.path, name).is_file()]
        if missing:
            yield (
                f"corrupt.path: {corrupt.path} lacks {', '.join(missing)}; name the folder that "
                "the official files are unpacked in, or list under corrupt.corruptions what it has"
            )


def main(_: Namespace) -> None:
    """The stage `params`. What it writes never changes, so it never makes another stage stale."""
    faults = list(absent(validate()))
    if faults:
        raise ParamsError("\n".join(f"{PARAMS}: {fault}" for fault in faults))
    with atomic_write(paths.VALID) as temporary:
        temporary.write_text("params.yaml is valid\n")


if __name__ == "__main__":
    run(main)

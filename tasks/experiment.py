"""The whole params file, checked before anything runs: every key, type, name and round."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lp_core.compute import ComputeSpec
from lp_core.data.corrupted import CorruptSpec
from lp_core.data.spec import DatasetSpec
from lp_core.files import replacing
from lp_core.models.spec import ModelSpec
from lp_core.pooling.spec import EnsembleSpec, MethodSpec, PoolSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.training.spec import RewindSpec, TrainSpec
from tasks import paths
from tasks.params import PARAMS, Params, ParamsError, check, overlay
from tasks.stage import run

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
    faults = list(_faults(experiment))
    for variant, over in experiment.variants.items():
        for key in over or {}:
            if key not in VARIES:
                faults.append(f"variants.{variant}.{key}: a variant may change {', '.join(VARIES)}")
        if "rounds" in ((over or {}).get("imp") or {}):
            faults.append(f"variants.{variant}.imp.rounds: all variants have the same rounds")
        merged = overlay(raw, over)
        try:
            one = check(merged, Experiment, path, "")
        except ParamsError as error:
            lines = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
            faults += [f"variants.{variant}.{line}" for line in lines]
            continue
        if one.rewind.epochs >= one.train.epochs:
            faults.append(
                f"rewind.epochs: {one.rewind.epochs} in variant {variant}; it must come before "
                f"the end of training, train.epochs = {one.train.epochs}"
            )
    if faults:
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in faults))
    return experiment


def _faults(experiment: Experiment) -> list[str]:
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
    for section in ("datasets", "variants", "methods"):
        faults += [
            f"{section}.{name}: names may have letters, digits, - and _ only (DVC reads the rest)"
            for name in getattr(experiment, section)
            if not name.replace("-", "").replace("_", "").isalnum()
        ]
    for key in ("seeds", "grid", "pooled", "pools", "ood"):
        values: list[Any] = getattr(experiment, key)
        if not values or len(set(values)) < len(values):
            faults.append(f"{key}: {values}; give at least one, each once")
    if any(seed < 0 for seed in experiment.seeds):
        faults.append(f"seeds: {experiment.seeds}; give 0 or more")
    if "ticket" in experiment.methods:
        faults.append("methods.ticket: this name stands for the unpooled ticket in the tables")
    return faults


def main(_: Namespace) -> None:
    """The stage `params`. What it writes never changes, so it never makes another stage stale."""
    validate()
    with replacing(paths.VALID) as temporary:
        temporary.write_text("params.yaml is valid\n")


if __name__ == "__main__":
    run(main)

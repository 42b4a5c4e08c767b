"""A made sup-tickets flow as its figures and sentences see it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.rows import own, without_unconverged
from tests.tasks.reporting.made import Made
from tests.tasks.reporting.made_sup import MadeSup

PUBLISHED = Path(__file__).resolve().parents[4] / "presets" / "published"
FEW = MadeSup(methods=("dense", "rigl", "granet"), corruptions=("fog", "snow"))


def made_of(sup: MadeSup, **setting: Any) -> Made:
    """An experiment of this flow alone. setting: dataset and model."""
    return Made(variants=(), pooled=(), sup=sup, **setting)


def results_of(sup: MadeSup, frames: Frames | None = None, **setting: Any) -> Results:
    """frames: in place of the flow's own."""
    made = made_of(sup, **setting)
    with TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        YAML(typ="safe").dump(made.params(), path)
        params = Params(path=path)
    tables = without_unconverged(own(made.frames() if frames is None else frames))
    return Results(tables, params, PUBLISHED)


def where(frame: pd.DataFrame, **values: Any) -> "pd.Series[bool]":
    """The rows that have these values."""
    found = pd.Series(True, index=frame.index)
    for column, value in values.items():
        found &= frame[column] == value
    return found


def fail(frames: Frames, score: float, **values: Any) -> Frames:
    """The endings with these values did not converge, and score so wherever they have a part."""
    lost = frames["sup_tickets"].loc[where(frames["sup_tickets"], **values)]
    runs = {tuple(run) for run in lost[["variant", "seed", "method", "ending"]].to_numpy()}
    failed = {name: frame.copy() for name, frame in frames.items()}
    for name in ("sup_tickets", "cheap_tickets", "diversity", "siblings", "ood", "curves"):
        frame = failed[name]
        keys = zip(frame["variant"], frame["seed"], frame["method"], frame["ending"], strict=True)
        rows = [key in runs for key in keys]
        columns = {"accuracy", "average_accuracy", "disagreement", "kl", "accuracy_with", "nll"}
        frame.loc[rows, sorted(columns & set(frame))] = score
    table = failed["sup_tickets"]
    table.loc[lost.index, "converged"] = False
    return failed

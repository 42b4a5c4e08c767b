"""A made sgd-noise flow as its figures and sentences see it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from tasks.kit.params import Params
from tasks.reporting.frames import Frames
from tasks.reporting.sgd_noise.results import Results
from tasks.reporting.sgd_noise.rows import without_unconverged
from tests.tasks.reporting.made import Made
from tests.tasks.reporting.made_sgd import MadeSgd

PUBLISHED = Path(__file__).resolve().parents[4] / "presets" / "published"
SMALL = MadeSgd(tickets=4, starts=("rewind", "2"), probed=(0, 3))


def made_of(sgd: MadeSgd, **setting: Any) -> Made:
    """An experiment of this flow alone. setting: dataset."""
    return Made(variants=(), pooled=(), sgd=sgd, **setting)


def results_of(sgd: MadeSgd, frames: Frames | None = None, **setting: Any) -> Results:
    """frames: in place of the flow's own."""
    made = made_of(sgd, **setting)
    with TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        YAML(typ="safe").dump(made.params(), path)
        params = Params(path=path)
    tables = without_unconverged(made.frames() if frames is None else frames)
    return Results(tables, params, PUBLISHED)


def changed(sgd: MadeSgd, table: str, value: dict[str, Any], **where: Any) -> Frames:
    """The flow's tables with other values in the rows of one table that have these."""
    frames = made_of(sgd).frames()
    frame = frames[table] = frames[table].copy()
    rows = pd.Series(True, index=frame.index)
    for column, wanted in where.items():
        rows &= frame[column] == wanted
    assert rows.any()
    for column, new in value.items():
        frame.loc[rows, column] = new
    return frames

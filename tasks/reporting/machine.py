"""What the stages of all flows ran on, and how long they took."""

import pandas as pd

from tasks.reporting.part import Table


def machine_table(stages: pd.DataFrame) -> Table:
    """A row for each machine and precision, with the stages' names. stages: that table."""
    columns = ["device", "precision", "threads", "python", "torch"]
    by_machine = stages.groupby(columns, dropna=False)["stage"]
    rows = [
        [", ".join(dict.fromkeys(names)), *(str(value) for value in machine)]
        for machine, names in by_machine
    ]
    head = ["Stages", "Device", "Precision", "Threads", "Python", "PyTorch"]
    return Table("What the stages ran on", head, rows, words=3)


def time_table(stages: pd.DataFrame) -> Table:
    """Seconds of all stages of a kind, added up. stages: that table."""
    by_stage = stages.groupby("stage", sort=False)["seconds"]
    rows = [[str(stage), str(len(part)), _clock(part.sum())] for stage, part in by_stage]
    rows.append(["all of these", str(len(stages)), _clock(stages["seconds"].sum())])
    return Table(
        "Wall time of the stages, added up (stages may have run side by side)",
        ["Stage", "Stages", "Hours:minutes:seconds"],
        rows,
        "Making the data sets, these tables and this report is not counted.",
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"

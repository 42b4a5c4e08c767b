"""The tiny experiment of the flow sgd-noise, with a stage of every kind and nothing of the others.

Only what it builds on is there of imp-pool: tickets, and what is measured on them as they stand.
"""

from typing import Any

from tests.changes import with_changes
from tests.dag.project import TINY

_MORE = {"source": "digits", "watch": "constraints.txt", "val_fraction": 0.3}

# As many as three epochs need.
STEPS = [{"step": k, "after": k - 1 or "start"} for k in (1, 2, 3)]
SECTION: dict[str, Any] = with_changes(
    TINY["sgd_noise"],
    {
        "variants": ["base"],
        "starts": ["rewind", 1],
        "subsets.variants": ["base"],
        "crossed": [{"masks": "base", "training": "longer"}],
        "crossed_tickets": [1],
        "probes.tickets": [1],
        "transfer": {"tickets": [1], "targets": ["more"]},
        "few_shot.tickets": [1],
        "few_shot.selections": ["least-forgotten"],
        "stable_rewind": {"variants": ["base"], "steps": STEPS},
    },
    ".",
)
EXPERIMENT: dict[str, Any] = TINY | {
    "datasets": {"digits": _MORE | {"val_fraction": 0.2}, "more": _MORE},
    "variants": {"base": {}, "longer": {"train": {"epochs": 4}}},
    "grid": ["base"],
    "pooling": TINY["pooling"] | {"variants": []},
    "sup_tickets": with_changes(TINY["sup_tickets"], {"variants": [], "siblings.methods": []}, "."),
    "sgd_noise": SECTION,
}

# The tables that have rows in no other experiment.
TABLES = (
    *("forks", "fork_curves", "instability", "instability_paths", "crossed", "probes"),
    *("transfer", "few_shot", "stable_rewind", "rewind_probes"),
)

# Its stages by what they do.
FORKS = [f"fork@base-0-{start}-{noise}" for start in ("rewind", 1) for noise in (1, 2)]
INSTABILITY = [f"instability@base-0-{start}" for start in ("rewind", 1)]
SUBSET_FORKS = [f"subset_fork@base-0-easiest-30-{noise}" for noise in (1, 2)]
SUBSET_INSTABILITY = ["subset_instability@base-0-easiest-30"]
SUBSETS = [*SUBSET_FORKS, *SUBSET_INSTABILITY]
CROSS = ["cross@pair0-0-1"]
PROBES = ["probe@base-0-1", "transfer@base-0-1-more"]
FEW_SHOT = ["few_shot@base-0-1-ticket-20"]
FORGOTTEN = ["few_shot_forgotten@base-0-1-ticket-20-least-forgotten"]
START = ["rewind_start@base-0"]
SEARCH = [*(f"rewind_probe@base-0-step{k}" for k in range(3)), "stable_rewind@base-0"]
SGD_NOISE = [
    *(*FORKS, *INSTABILITY, *SUBSETS, *CROSS),
    *(*PROBES, *FEW_SHOT, *FORGOTTEN, *START, *SEARCH),
]
TICKETS = ["pretrain@base-0", "imp@base-0-round0", "imp@base-0-round1"]
MEASURED = ["landscape@base-0", "ood@base-0-round0", "ood@base-0-round1"]
FIRST = ["params", "code", "dataset@digits", "dataset@more", "corrupt@digits"]
ALL = [*FIRST, *TICKETS, *MEASURED, *SGD_NOISE, "tables", "report"]

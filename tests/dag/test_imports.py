"""Checkpoints of another program in the place of training: what runs then, and what comes out."""

from pathlib import Path
from typing import Any

import torch

from flows import imp_pool
from flows.graph import read_graph
from flows.wish import owns
from lp_core.models.factory import build
from lp_core.tickets import Ticket
from tests.dag.project import TINY, Project
from tests.dag.stages import RESULTS
from tests.lp_core.foreign import save_openlth

LEVEL = "replicate_0/level_{}/main/model_ep3_it0.pth"
ITEMS = [f"{each}@mine-0-round{k}" for each in ("ood_imported",) for k in (0, 1)]
METHODS = ["interpolation", "swa", "greedy-soup"]
POOLS = [
    *(f"pool@mine-0-{method}" for method in METHODS),
    *("ood_pool@mine-0-interpolation", "ood_pool@mine-0-swa", "ensemble@mine-0"),
]
# When it was made, and what only a training knows.
APART = ["variant", "run", "train_seconds"]


def _import(project: Project, folder: Path, **sections: Any) -> None:
    """The tickets of base as OpenLTH would have saved them, outside the project."""
    for number in (0, 1):
        ticket = Ticket.load(project.root / f"tickets/base/0/{number}.safetensors")
        save_openlth(folder / LEVEL.format(number), build("resnet8", 10, 1, 8, seed=5), ticket)
    pattern = LEVEL.format("{ticket}").replace("replicate_0", "replicate_{seed}")
    project.params(
        {
            "imports": {"mine": {"path": str(folder), "pattern": pattern}},
            "variants": {"base": {}, "no-rewind": {"rewind": {"epochs": 0}}, "mine": {}},
            "pooling": TINY["pooling"] | {"variants": ["base", "mine"]},
        }
        | sections
    )


def _rows(project: Project, table: str, variant: str) -> list[dict[str, Any]]:
    frame = project.table(table)
    if table == "ood":  # of both flows
        frame = frame[frame["ending"].isna()]
    frame = frame[frame["variant"] == variant].drop(columns=APART, errors="ignore")
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def test_imported_tickets_give_the_rows_of_those_that_were_trained_here(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    _import(project, folder)
    made = ["imports@mine", *ITEMS, "landscape_imported@mine-0", *POOLS]
    assert sorted(project.reruns()) == sorted(["params", "code", *made, *RESULTS])
    for table in ("tickets", "ood", "heatmap", "interpolation", "barriers", "disagreement"):
        assert _rows(project, table, "mine") == _rows(project, table, "base") != [], table
    for table in ("pools", "pool_search", "layers", "ensembles", "predictors"):
        assert _rows(project, table, "mine") == _rows(project, table, "base") != [], table
    assert not _rows(project, "curves", "mine")
    seconds = project.table("tickets").query("variant == 'mine'")["train_seconds"]
    assert seconds.isna().all()

    project.run("git", "add", "-A")
    stages = read_graph(project.root, clones=True).stages
    assert stages["imports@mine"].local  # no clone has that folder
    assert not stages["ood_imported@mine-0-round0"].local

    # A file beside them is DVC's matter, and no ticket's.
    (folder / "notes.txt").write_text("trained on another machine")
    assert sorted(project.reruns()) == sorted(["imports@mine", *RESULTS])

    # Of a checkpoint that is another one, what was made of it.
    state = torch.load(folder / LEVEL.format(1))
    name = next(name for name in state if state[name].ndim == 4)
    torch.save(state | {name: state[name] * 1.01}, folder / LEVEL.format(1))
    assert project.repro("imports@mine") == ["imports@mine"]
    pools = [f"pool@mine-0-{method}" for method in METHODS]
    again = [ITEMS[1], "landscape_imported@mine-0", *pools, "ensemble@mine-0"]
    assert sorted(project.stale()) == sorted([*again, *RESULTS])


def test_nothing_but_imports_is_an_experiment(project: Project, tmp_path: Path) -> None:
    first = {"variants": ["mine"], "methods": METHODS[:1], "corrupted": METHODS[:1]}
    _import(
        project,
        tmp_path / "runs",
        pooling=TINY["pooling"] | first,
        sup_tickets=TINY["sup_tickets"] | {"variants": []},
    )
    project.edit("params.yaml", "- base\n- no-rewind\n", "  []\n")
    own = owns[imp_pool.imp_pool.name]
    stages = read_graph(project.root, own.targets, own.switch).stages
    assert {"imports@mine", "pool@mine-0-interpolation", "report"} <= set(stages)
    assert not [name for name in stages if "base" in name]
    ran = project.repro("tables")
    assert ran[-1] == "tables"
    assert set(project.table("tickets")["variant"]) == {"mine"}

"""`rewind.mode: stable` on the real DAG: tickets go back to the epoch that the search finds."""

from typing import Any

import pytest

from lp_core.tickets import Ticket
from tests.changes import with_changes
from tests.dag.project import TINY, Project
from tests.dag.sgd_noise import EXPERIMENT, SEARCH, START, STEPS

TARGET = "imp@base-0-round0"


def _section(threshold: float) -> dict[str, Any]:
    search = {"variants": ["base"], "steps": STEPS}
    changes = {"threshold": threshold, "stable_rewind": search}
    return {"sgd_noise": with_changes(TINY["sgd_noise"], changes, ".")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Every epoch is stable to this threshold."""
    made = Project(tmp_path_factory.mktemp("stable"))
    made.params(EXPERIMENT | _section(1.0))
    made.params({"rewind": {"mode": "stable", "epochs": 2}})
    ran = made.repro(TARGET)
    first = ["params", "code", "dataset@digits"]
    assert sorted(ran) == sorted([*first, *START, *SEARCH, "pretrain@base-0", TARGET])
    return made


def _rewound_to(project: Project) -> int:
    ticket = Ticket.load(project.root / "tickets/base/0/rewind.safetensors")
    return int(ticket.meta["epochs"])


def test_tickets_rewind_to_the_epoch_that_the_search_finds(project: Project) -> None:
    assert _rewound_to(project) == 0
    curve = Ticket.load(project.root / "tickets/base/0/0.safetensors")
    assert curve.meta["epochs"] == TINY["train"]["epochs"]


def test_tickets_are_trained_anew_only_where_a_threshold_finds_another_epoch(
    project: Project,
) -> None:
    project.params(_section(0.99))  # all stable still
    assert set(project.repro(TARGET)) - {SEARCH[-1]} == {"params", *SEARCH[:-1]}
    assert _rewound_to(project) == 0

    project.params(_section(1e-9))  # and now not the first
    ran = project.repro(TARGET)
    assert set(ran) == {"params", *SEARCH, "pretrain@base-0", TARGET}
    assert _rewound_to(project) > 0

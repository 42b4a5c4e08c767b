"""The drill in its short form; `python -m tests.drill` is the long one."""

import sys
from itertools import islice
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from tests.drill.drill import Drill
from tests.drill.experiment import SMALLEST
from tests.drill.plan import RUNNERS, Kill, kills

SHORT = [
    Kill("dvc repro", SIGKILL, "all", write=9, half=True),
    Kill("flow", SIGKILL, "stage", after=0.1),
    Kill("flow", SIGINT, "flow"),
    Kill("dask", SIGTERM, "stage"),
    Kill("dask", SIGKILL, "worker", after=0.1),
    Kill("dask", SIGKILL, "flow", after=0.1),
]


def test_a_seed_gives_the_same_kills_again_and_all_kinds_of_them() -> None:
    first = list(islice(kills(0), 200))
    assert first == list(islice(kills(0), 200))
    assert first != list(islice(kills(1), 200))
    assert {kill.signal for kill in first} == {SIGKILL, SIGTERM, SIGINT}
    for runner, targets in RUNNERS.items():
        assert {kill.whom for kill in first if kill.runner == runner} == set(targets)
    assert {kill.runner for kill in first if kill.write} == set(RUNNERS)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_what_was_killed_ends_as_what_was_not(tmp_path: Path) -> None:
    drill = Drill(tmp_path, SMALLEST)
    drill.run(SHORT)
    assert drill.faults == []
    assert sum(drill.moments.values()) == len(SHORT)

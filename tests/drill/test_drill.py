"""The drill in its short form; `python -m tests.drill` is the long one."""

import signal
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.drill.drill import Drill
from tests.drill.plan import kills


def test_a_seed_gives_the_same_kills_again_and_all_kinds_of_them() -> None:
    first = list(islice(kills(0), 50))
    assert first == list(islice(kills(0), 50))
    assert first != list(islice(kills(1), 50))
    assert {kill.signal for kill in first} == {signal.SIGKILL, signal.SIGTERM, signal.SIGINT}
    assert {kill.whom for kill in first} == {"stage", "dvc", "flow", "all"}
    assert {kill.runner for kill in first if kill.write} == {"dvc repro", "flow"}


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_what_was_killed_ends_as_what_was_not(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    drill.run(3, seed=22)  # Ctrl-C, SIGTERM to the flow, and SIGKILL in the middle of a write
    assert drill.faults == []
    assert sum(drill.moments.values()) == 3

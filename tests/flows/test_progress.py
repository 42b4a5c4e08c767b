import json
import logging
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows import artifacts, progress
from flows.durations import FILE, Durations
from flows.graph import Graph, Stage
from flows.progress import RunProgress

RAN: State[Any] = Completed(message="ran")
SAME: State[Any] = Completed(name="Cached", message="unchanged")
RESTORED: State[Any] = Completed(name="Cached", message="restored from DVC's run cache")


def graph(root: Path, stale: tuple[str, ...]) -> Graph:
    """Two chains of three rounds, and a table of both."""
    upstream: dict[str, tuple[str, ...]] = {"base": ()}
    for seed in (0, 1):
        for n in (0, 1, 2):
            upstream[f"imp@{seed}-{n}"] = (f"imp@{seed}-{n - 1}",) if n else ("base",)
    upstream["table"] = ("imp@0-2", "imp@1-2")
    stages = {name: Stage(name, ups, (), name in stale) for name, ups in upstream.items()}
    return Graph(root, stages)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run_of(root: Path, clock: Clock, stale: tuple[str, ...] = ("base",)) -> RunProgress:
    run = RunProgress("imp-pool", Durations(root), lambda: 2, clock=clock)
    run.begin(graph(root, stale))
    return run


def know(root: Path, seconds: dict[str, float]) -> None:
    durations = Durations(root)
    for stage, each in seconds.items():
        durations.note(stage, each)
    durations.save()


def test_the_rest_is_told_from_siblings_that_have_finished(tmp_path: Path, clock: Clock) -> None:
    run = run_of(tmp_path, clock)
    assert run.counts() == "0 of 8 stages done, 0 cached"
    assert run.left() == ""  # nothing is known
    run.finished("base", RAN, 20.0)
    assert run.left() == ""  # nothing of what is left
    run.started("imp@0-0")
    run.started("imp@1-0")
    clock.now = 600
    run.finished("imp@0-0", RAN, 600.0)
    assert run.counts() == "2 of 8 stages done, 0 cached"
    assert run.left() == "at least 20 min left (table not known yet)"
    run.started("imp@0-1")
    clock.now = 900
    assert run.left() == "at least 20 min left (table not known yet)"  # the other chain's now


def test_last_times_durations_are_known_at_the_start(tmp_path: Path, clock: Clock) -> None:
    know(tmp_path, {"base": 60.0, "imp@0-0": 3600.0, "table": 60.0})
    run = run_of(tmp_path, clock)
    assert run.left() == "about 3 h 2 min left"
    run.finished("base", SAME)
    assert run.left() == ""  # for nothing else is stale
    assert run_of(tmp_path, clock, stale=()).left() == ""


def test_what_builds_on_something_restored_is_expected_to_run(tmp_path: Path, clock: Clock) -> None:
    know(tmp_path, {"imp@0-0": 3600.0, "table": 60.0})
    run = run_of(tmp_path, clock)
    run.finished("base", RESTORED)
    assert run.left() == "about 3 h 1 min left"


def test_what_cannot_run_any_more_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    know(tmp_path, {"imp@0-0": 60.0, "table": 5000.0})
    run = run_of(tmp_path, clock)
    run.finished("base", RAN, 1.0)
    run.finished("imp@0-0", Failed(message="no"))
    run.finished("imp@0-1", Cancelled(name="NotRun"))
    assert run.left() == "about 3 min left"
    assert run.counts() == "1 of 8 stages done, 0 cached, 1 failed"


class Shown:
    """Stands for Prefect's progress artifacts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str | None] = []
        self.percents: list[float] = []
        monkeypatch.setattr(artifacts, "create_progress_artifact", self._create)
        monkeypatch.setattr(artifacts, "update_progress_artifact", self._update)

    def _create(self, percent: float, key: str, description: str) -> UUID:
        assert key == "imp-pool-progress"
        self._update(uuid4(), percent, description)
        return uuid4()

    def _update(self, _artifact: UUID, percent: float, description: str) -> None:
        self.percents.append(percent)
        self.texts.append(description)


def test_a_run_ends_with_its_bar_where_it_has_come_to(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(monkeypatch)
    monkeypatch.setattr(progress, "get_run_logger", lambda: logging.getLogger("test"))
    with run_of(tmp_path, clock) as run:
        run.finished("base", RAN, 20.0)
        run.finished("imp@0-0", SAME)
    assert shown.texts == ["2 of 8 stages done, 1 cached"]
    assert shown.percents == [25.0]
    assert json.loads((tmp_path / FILE).read_text()) == {"base": 20.0}

    # Where it is interrupted, nobody waits for Prefect's server.
    def interrupted() -> None:
        with run_of(tmp_path, clock) as run:
            run.finished("base", RAN, 30.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(shown.texts) == 1
    assert Durations(tmp_path).last == {"base": 30.0}


def test_a_long_run_logs_a_line_now_and_then(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown = Shown(monkeypatch)
    monkeypatch.setattr(progress, "get_run_logger", lambda: logging.getLogger("test"))
    caplog.set_level(logging.INFO, "test")
    run = run_of(tmp_path, clock)
    turns = iter(range(100))

    class Turns:
        """Each look at the run comes 5 s after the last one; a stage ends before every second."""

        def wait(self, _seconds: float) -> bool:
            turn = next(turns)
            clock.now += 5
            if turn % 2 == 0 and turn < 16:
                run.finished(list(graph(tmp_path, ()).stages)[turn // 2], RAN, 10.0)
            return turn == 40

        def set(self) -> None: ...

    run._over = Turns()  # type: ignore[assignment]
    with run:
        pass
    lines = [record.message for record in caplog.records]
    assert lines == [
        "3 of 8 stages done, 0 cached; at least 30 s left (table not known yet)",
        "6 of 8 stages done, 0 cached; at least 10 s left (table not known yet)",
        "8 of 8 stages done, 0 cached",
    ]
    assert shown.texts[-1] == lines[-1]
    assert len(shown.texts) == 8

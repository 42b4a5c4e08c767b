from typing import Any
from uuid import UUID, uuid4

import pytest

from flows import artifacts
from flows.artifacts import EpochProgress, slug


class Bar:
    """Stands for Prefect's progress artifacts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shown: list[float] = []
        self.created = 0
        self.now = 0.0
        monkeypatch.setattr(artifacts, "create_progress_artifact", self._create)
        monkeypatch.setattr(artifacts, "update_progress_artifact", self._update)

    def _create(self, progress: float, **_: Any) -> UUID:
        self.created += 1
        self.shown.append(progress)
        return uuid4()

    def _update(self, _artifact: UUID, progress: float, **_: Any) -> None:
        self.shown.append(progress)

    def clock(self) -> float:
        return self.now


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> Bar:
    return Bar(monkeypatch)


def test_a_long_round_moves_its_bar_now_and_then_and_ends_at_its_last_epoch(bar: Bar) -> None:
    progress = EpochProgress("imp@0-round1", bar.clock)
    for epoch in range(1, 41):
        bar.now += 1.0
        progress.see(f"imp: epoch {epoch}/40  loss 0.3")
        progress.see("a line without progress")
    progress.finish()
    assert bar.created == 1
    assert bar.shown == [12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5, 100.0]
    progress = EpochProgress("imp@0-round2", bar.clock)
    bar.now += 6
    for epoch in (1, 2, 3):
        progress.see(f"Epoch {epoch}/4")
    progress.finish()
    assert bar.shown[-2:] == [25.0, 75.0]


def test_a_stage_of_several_trainings_shows_one_after_the_other(bar: Bar) -> None:
    progress = EpochProgress("rewind_probe@base-0-step0", bar.clock)
    for training, epochs in (("1", (1, 2)), ("1-1", (3, 4)), ("1-2", (3, 4))):
        for epoch in epochs:
            bar.now += 6
            progress.see(f"rewind_probe@base-0-{training}: epoch {epoch}/4")
    progress.finish()
    assert bar.created == 1
    assert bar.shown == [25.0, 50.0, 75.0, 100.0, 75.0, 100.0]


def test_a_short_stage_has_no_bar(bar: Bar) -> None:
    progress = EpochProgress("imp@0-round1", bar.clock)
    for epoch in range(1, 5):
        bar.now += 1.0
        progress.see(f"epoch {epoch}/4")
    progress.finish()
    assert bar.shown == []


def test_an_api_that_refuses_does_not_fail_the_stage(
    bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> UUID:
        raise ConnectionError("no server")

    monkeypatch.setattr(artifacts, "create_progress_artifact", refuse)
    progress = EpochProgress("imp@0-round1", bar.clock)
    bar.now += 60
    progress.see("epoch 1/4")
    progress.finish()


def test_keys_are_what_prefect_allows() -> None:
    assert slug("imp@base-0-round3") == "imp-base-0-round3"
    assert slug("Pool@wide_28.10-0") == "pool-wide-28-10-0"

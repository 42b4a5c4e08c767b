from typing import Any
from uuid import UUID, uuid4

import pytest

from flows import artifacts
from flows.stage_progress import Counter, StageProgress, is_bar


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
    progress = StageProgress("imp@0-round1", bar.clock)
    for epoch in range(1, 41):
        bar.now += 1.0
        progress.see(f"imp: epoch {epoch}/40  loss 0.3")
        progress.see("a line without progress")
    progress.finish()
    assert bar.created == 1
    assert bar.shown == [12.5, 25.0, 37.5, 50.0, 62.5, 75.0, 87.5, 100.0]
    progress = StageProgress("imp@0-round2", bar.clock)
    bar.now += 6
    for epoch in (1, 2, 3):
        progress.see(f"Epoch {epoch}/4")
    progress.finish()
    assert bar.shown[-2:] == [25.0, 75.0]


def test_a_stage_of_several_trainings_shows_one_after_the_other(bar: Bar) -> None:
    progress = StageProgress("rewind_probe@base-0-step0", bar.clock)
    for training, epochs in (("1", (1, 2)), ("1-1", (3, 4)), ("1-2", (3, 4))):
        for epoch in epochs:
            bar.now += 6
            progress.see(f"rewind_probe@base-0-{training}: epoch {epoch}/4")
    progress.finish()
    assert bar.created == 1
    assert bar.shown == [25.0, 50.0, 75.0, 100.0, 75.0, 100.0]


def test_a_short_stage_has_no_bar(bar: Bar) -> None:
    progress = StageProgress("imp@0-round1", bar.clock)
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
    progress = StageProgress("imp@0-round1", bar.clock)
    bar.now += 60
    progress.see("epoch 1/4")
    progress.finish()


@pytest.mark.parametrize(
    ("stage", "line", "percent", "text"),
    [
        ("imp@0-1", "imp@0-1: epoch 3/40  loss 0.3  train 9.1%", 7.5, "epoch 3 of 40"),
        ("imp@0-1", "Epoch [3/40], Step [100/600], Loss: 0.2", 7.5, "epoch 3 of 40"),
        ("pool@base-0-swa", "pool@base-0-swa: 1/4", 25.0, "1 of 4"),
        ("landscape@base-0", "landscape@base-0, pairs: 3/6", 50.0, "pairs 3 of 6"),
        ("corrupt@digits", "corrupt@digits: snow 2/19", 100 * 2 / 19, "snow 2 of 19"),
        ("one", " 45%|████▌     | 45/100 [00:01<00:01, 30.1it/s]", 45.0, "45 of 100"),
        ("one", "train:   9%|▉     | 1.2k/13k [00:01<?, ?batch/s]", 9.0, "train 1.2k of 13k"),
    ],
)
def test_what_plainly_counts_is_believed_at_once(
    stage: str, line: str, percent: float, text: str
) -> None:
    count = Counter(stage).read(line)
    assert count is not None
    assert count.percent == pytest.approx(percent)
    assert count.text == text


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("probe 2/9", "probe 3/9", "probe 3 of 9"),
        ("12/71 tickets", "13/71 tickets", "13 of 71 tickets"),
        ("[ 1/10] building", "[ 2/10] linking", "2 of 10"),
        ("snow: 2/4 (3.1 s)", "fog: 3/4 (2.9 s)", "fog 3 of 4"),
    ],
)
def test_other_numbers_are_when_they_count(first: str, second: str, text: str) -> None:
    counter = Counter("one")
    assert counter.read(first) is None
    count = counter.read(second)
    assert count is not None
    assert count.text == text


@pytest.mark.parametrize(
    "lines",
    [
        ("written on 2026/11/22", "written on 2026/11/23"),
        ("since 11/22", "since 12/22/26"),
        ("01/12 09:30:01 begins", "02/12 0:12 ends"),
        ("rows/imp/0/1.json", "rows/imp/1/1.json"),
        ("wrote rows/base/0/4", "wrote rows/base/1/4"),
        ("reads 0/4.npy", "reads 1/4.npy"),
        ("loss 0.5/1.0", "loss 0.6/1.0"),
        ("density 4/5", "density 4/5"),
        ("half, 1/2, of the weights", "half, 1/2, of the weights"),
        ("lr 1/10", "lr 1/100"),
        ("32x32/64x64", "33x32/65x64"),
        ("at 3/s", "at 4/s"),
        ("9/4 attempts", "10/4 attempts"),
        ("0/0", "1/0"),
        ("x" * 3_000_000, "1" * 3_000_000),
    ],
)
def test_dates_fractions_and_paths_are_no_progress(lines: tuple[str, str]) -> None:
    counter = Counter("one")
    assert [counter.read(line) for line in lines] == [None, None]


def test_of_a_bar_that_is_drawn_over_and_over_a_state_now_and_then_is_logged(bar: Bar) -> None:
    progress = StageProgress("one", bar.clock)
    logged = []
    for number in range(100):
        bar.now += 1
        line = f"{number:3}%|███  | {number}/100 [00:01<00:01, 30.1it/s]"
        logged.append(progress.see(line))
        assert is_bar(line)
    assert sum(logged) == 4
    assert len(bar.shown) > 10
    assert progress.see("epoch 3/4 |")
    assert is_bar("45it [00:01, 30.1it/s]")
    assert is_bar("12.0MB [00:01, 8.1MB/s]")

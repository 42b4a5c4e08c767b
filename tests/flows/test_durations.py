import json
from pathlib import Path

import pytest

from flows.durations import FILE, Durations, spoken


def test_what_a_stage_took_is_known_to_the_next_run(tmp_path: Path) -> None:
    first = Durations(tmp_path)
    assert first.last == {}
    first.note("imp@0-round0", 61.23456)
    first.note("base", 2)
    first.save()
    first.save()

    second, beside = Durations(tmp_path), Durations(tmp_path)
    assert second.last == {"imp@0-round0": 61.235, "base": 2.0}
    second.note("base", 3.0)
    beside.note("table", 1.0)
    beside.save()
    second.save()
    assert Durations(tmp_path).last == {"imp@0-round0": 61.235, "base": 3.0, "table": 1.0}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1]", "null", "[" * 100_000, '{"a": "b", "c": null, "d": true, "e": -1, "f": NaN}'],
)
def test_of_a_damaged_file_nothing_is_known(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(content)
    durations = Durations(tmp_path)
    assert durations.last == {}
    durations.note("base", 1.5)
    durations.save()
    assert json.loads((tmp_path / FILE).read_text()) == {"base": 1.5}


def test_times_are_said_as_one_would_say_them() -> None:
    times = (0.2, 40.4, 99.4, 100, 5300, 6000, 12_000, 47 * 3600, 216_000)
    assert [spoken(seconds) for seconds in times] == [
        *("under 1 s", "40 s", "99 s", "2 min", "88 min"),
        *("1 h 40 min", "3 h 20 min", "47 h", "2.5 days"),
    ]

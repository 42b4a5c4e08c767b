import os
from pathlib import Path

import psutil
import pytest

from flows import on_failure
from flows.on_failure import run_on_failure


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_command_is_told_what_has_failed(tmp_path: Path) -> None:
    command = 'printf "%s|%s|%s" "$FLOW_NAME" "$FAILED" "$MESSAGE" > told'
    message = "2 stages: 1 Failed\nits last lines; 'quoted' $HOME\0"
    assert run_on_failure(command, "imp-pool", ["a@0", "b"], message) is None
    assert (tmp_path / "told").read_text() == f"imp-pool|a@0 b|{message[:-1]}"
    assert run_on_failure(command, "imp-pool", [], "x" * 1_000_000) is None
    many = [f"imp@base-{n}" for n in range(10_000)]
    assert run_on_failure(command, "imp-pool", many, "") is None
    told = (tmp_path / "told").read_text().split("|")[1].split()
    assert told == many[: len(told)]


def test_a_command_that_fails_is_one_line() -> None:
    line = run_on_failure("echo no network >&2; exit 3", "imp-pool", [], "")
    assert line == "on_failure: 'echo no network >&2; exit 3' exited with 3: no network"
    assert run_on_failure("exit 4", "imp-pool", [], "") == "on_failure: 'exit 4' exited with 4"
    line = run_on_failure("no-such-command", "imp-pool", [], "")
    assert line is not None
    assert "exited with 127" in line
    assert "\n" not in line
    assert "could not be started" in str(run_on_failure("a\0b", "imp-pool", [], ""))


def test_a_command_has_its_time_and_may_leave_something_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_failure, "SECONDS", 0.3)
    line = run_on_failure("(sleep 5; echo > late) & sleep 60", "imp-pool", [], "")
    assert line is not None
    assert "was killed after" in line
    monkeypatch.setattr(on_failure, "SECONDS", 30.0)
    assert run_on_failure("sleep 20 & echo $! > pid", "imp-pool", [], "") is None
    left = psutil.Process(int((tmp_path / "pid").read_text()))
    assert left.status() != psutil.STATUS_ZOMBIE  # nobody has waited for it
    left.kill()
    assert not (tmp_path / "late").exists()


def test_a_command_that_prints_without_end_does_not_fill_the_disk_or_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[int] = []
    truncate = os.ftruncate

    def note(file: int, length: int) -> None:
        truncate(file, length)
        held.append(os.fstat(file).st_blocks * 512)

    monkeypatch.setattr(os, "ftruncate", note)
    command = (
        "timeout 2 head -c 200000000 /dev/zero | tr '\\0' '\\n'; sleep 0.5; echo full >&2; exit 5"
    )
    line = run_on_failure(command, "imp-pool", [], "")
    assert line is not None
    assert line.endswith("exited with 5: full")
    assert held

"""How DVC waits for its lock inside a flow."""

from pathlib import Path

import pytest
import zc.lockfile
from dvc import lock as dvc_lock
from dvc.lock import HardlinkLock, Lock, LockError

from flows import prompt_lock


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lock, "lock", Lock.lock)
    monkeypatch.setattr(HardlinkLock, "_sleep", HardlinkLock._sleep)


def test_whoever_waits_for_the_lock_gets_it_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = zc.lockfile.LockFile(str(tmp_path / "lock"))
    pauses = 0

    def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            held.close()

    monkeypatch.setattr(prompt_lock, "pause", pause)
    prompt_lock.install()
    lock = Lock(str(tmp_path / "lock"), wait=True)
    with lock:
        assert lock.is_locked
        with pytest.raises(zc.lockfile.LockError):
            zc.lockfile.LockFile(str(tmp_path / "lock"))
    assert pauses == 2
    zc.lockfile.LockFile(str(tmp_path / "lock")).close()


def test_whoever_does_not_wait_gives_up_as_dvc_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt_lock.install()
    monkeypatch.setattr(dvc_lock.time, "sleep", lambda _: None)
    held = zc.lockfile.LockFile(str(tmp_path / "lock"))
    with pytest.raises(LockError):
        Lock(str(tmp_path / "lock")).lock()
    held.close()


def test_locks_made_of_hard_links_wait_as_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        HardlinkLock(str(tmp_path / "lock"), tmp_dir=str(tmp_path), wait=True) for _ in range(2)
    )
    monkeypatch.setattr(prompt_lock, "pause", lambda _: first.unlock())
    prompt_lock.install()
    first.lock()
    second.lock()
    assert second.is_locked
    second.unlock()

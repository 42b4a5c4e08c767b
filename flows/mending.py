"""Mends what a kill or a lost disk has left of DVC's own files, before a flow has DVC read them.

`dvc repro` empties dvc.lock and `.dvc/tmp/rwlock` and then writes them anew; killed in between, it
leaves half a file, with which no DVC command works. All functions here ask for the repository's
lock to be held: then no DVC process is writing any of these files, except the read-write lock,
which has a lock of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import lockfile
from lp_core.errors import InputError, one_line
from lp_core.files import atomic_write

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.stage import Stage as DvcStage

LOCK_FILE = "dvc.lock"
GOOD_COPY = Path(".dvc", "tmp", LOCK_FILE)
_BROKEN = Path(".dvc", "tmp", f"{LOCK_FILE}.broken")
RWLOCK = Path(".dvc", "tmp", "rwlock")

_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)
_LEFT_BY_DVC = re.compile(r"\.[\w-]{22}\.tmp")
_BY_THE_RUN_CACHE = "what DVC's cache holds is restored, not computed again"


def mend(root: Path, is_running: Callable[[int, str], bool]) -> None:
    """Mends what there is to mend before another DVC process reads any of it. InputError where it
    cannot be mended."""
    mend_rwlock(root, is_running)
    if lockfile.read(root / LOCK_FILE) is None:
        mend_lock_file(root)


def keep_lock_file(root: Path) -> None:
    """Copies dvc.lock to where `mend_lock_file` finds it, if it is as DVC writes it."""
    copy = root / GOOD_COPY
    lock, kept = lockfile.read(root / LOCK_FILE), lockfile.read(copy)
    if lock is not None and lock != kept and not lock.damaged(kept):
        with atomic_write(copy) as temporary:
            temporary.write_text(lock.text, encoding="utf-8")


def is_cut_short(root: Path) -> bool:
    """Whether dvc.lock does not end as DVC ends it. DVC may take what is left for something else:
    the first digits of a hash for a number."""
    text = _content(root / LOCK_FILE)
    return text is not None and not text.endswith(b"\n")


def mend_lock_file(root: Path) -> str | None:
    """Puts the copy in place of a dvc.lock that DVC cannot read; gives a line that says so.

    None where nothing is wrong with dvc.lock. InputError where there is no copy, and where the
    file is in the middle of a merge.
    """
    path, copy = root / LOCK_FILE, root / GOOD_COPY
    found = _fault(path)
    if found is None:
        return None
    if found == _MERGE:
        raise InputError(
            f"{LOCK_FILE}: {found}; take one side (`git checkout --ours {LOCK_FILE}`, or --theirs) "
            f"and run again: {_BY_THE_RUN_CACHE}"
        )
    taken_out = mend_entries(root)
    if taken_out is not None:
        return taken_out
    good = _content(copy) if _fault(copy) is None else None  # a disk may have damaged both
    if path.is_dir() or (good is None and found != _EMPTY):
        raise InputError(
            f"{LOCK_FILE}: {found}; remove it (`rm {LOCK_FILE}`) and run again: {_BY_THE_RUN_CACHE}"
        )
    if good is None:
        path.unlink()
        return f"{LOCK_FILE} was {found}, and was removed: {_BY_THE_RUN_CACHE}"
    os.replace(path, root / _BROKEN)
    with atomic_write(path) as temporary:
        temporary.write_bytes(good)
    return f"{LOCK_FILE} was {found}; restored the copy of the last flow: {_BY_THE_RUN_CACHE}"


def mend_entries(root: Path) -> str | None:
    """Takes out of a dvc.lock that is otherwise as DVC writes it the entries that DVC cannot read,
    as after an edit by hand; gives a line that says so, or None.
    """
    path = root / LOCK_FILE
    lock = lockfile.read(path)
    damaged = lock.damaged(lockfile.read(root / GOOD_COPY)) if lock is not None else []
    if lock is None or not damaged or len(damaged) == len(lock.places):
        return None
    with atomic_write(root / _BROKEN) as temporary:
        temporary.write_text(lock.text, encoding="utf-8")
    with atomic_write(path) as temporary:
        temporary.write_text(lock.without(damaged), encoding="utf-8")
    more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
    return (
        f"{LOCK_FILE}: the entry of {damaged[0]}{more} was not as DVC writes it and was taken out "
        f"({_BROKEN} has it as it was): {_BY_THE_RUN_CACHE}"
    )


_EMPTY = "empty, as DVC leaves it when it is killed while it writes"
_CUT = "cut short, as DVC leaves it when it is killed while it writes"
_MERGE = "has the conflict marks of a merge"


def _fault(path: Path) -> str | None:
    """What is wrong with dvc.lock, in words; None where it is sound or not there."""
    from dvc.dvcfile import Lockfile
    from dvc.utils.serialize import YAMLError, parse_yaml
    from voluptuous import Invalid

    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            return _EMPTY
        if _CONFLICT.search(text):
            return _MERGE
        if not text.endswith("\n"):
            return _CUT
        Lockfile.SCHEMA(parse_yaml(text, str(path)))
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        return "not UTF-8 text"
    except YAMLError:
        return "no YAML"
    except Invalid as error:
        return f"not as DVC writes it ({one_line(error)})"
    return None


def mend_rwlock(root: Path, is_running: Callable[[int, str], bool]) -> str | None:
    """Takes out of DVC's read-write lock what ended processes have left there; all if it is broken.

    is_running: tells of a PID and a command whether they belong together. Gives a line that says
    what was done, or None.
    """
    path = root / RWLOCK
    if _content(path) in (None, b"{}", b'{"write": {}, "read": {}}'):
        return None
    with _rwlock_guard(path):
        for half in path.parent.glob(f".{path.name}.*"):  # by a killed `atomic_write`
            half.unlink(missing_ok=True)
        try:
            lock = _rwlock_schema()(json.loads(path.read_bytes()))
        except Exception:  # whatever it is, DVC would stop there
            with atomic_write(path) as temporary:
                temporary.write_text("{}")
            return f"{RWLOCK} was damaged, as DVC leaves it when it is killed; it is empty now"

        def alive(info: dict[str, Any]) -> bool:
            return is_running(info["pid"], info["cmd"])

        write = {file: info for file, info in lock["write"].items() if alive(info)}
        read = {
            file: left
            for file, infos in lock["read"].items()
            if (left := [info for info in infos if alive(info)])
        }
        if write == lock["write"] and read == lock["read"]:
            return None
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps({"write": write, "read": read}))
    return f"took out of {RWLOCK} what processes had left there that have ended"


def _rwlock_schema() -> Callable[[Any], Any]:
    from dvc.rwlock import SCHEMA

    schema: Callable[[Any], Any] = SCHEMA
    return schema


@contextmanager
def _rwlock_guard(path: Path) -> Iterator[None]:
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_LOCK

    with make_lock(str(path.with_name(RWLOCK_LOCK)), wait=True):
        yield


def refill_cache(stage: DvcStage) -> list[str]:
    """Puts the stage's outputs into DVC's cache that are missing there but intact where they lie.

    DVC would compute them again. Intact: of the hash that dvc.lock records. Gives their paths.
    """
    missing = _lost_in_cache(stage)
    for out in missing:
        out.commit(relink=False)
    return [str(out) for out in missing]


def is_lost_in_cache_alone(stage: DvcStage, changes: Mapping[str, Any]) -> bool:
    """Whether `refill_cache` would bring the stage up to date. changes: its status."""
    lost = {str(out): "not in cache" for out in _lost_in_cache(stage)}
    return bool(lost) and list(changes.values()) == [[{"changed outs": lost}]]


def _lost_in_cache(stage: DvcStage) -> list[Output]:
    return [
        out
        for out in stage.outs
        if out.use_cache and out.hash_info and out.changed_cache() and not out.workspace_status()
    ]


def refill_run_cache(stage: DvcStage) -> None:
    """Notes of a stage that is up to date what it has made of what, as DVC does when it runs."""
    if all(dep.exists for dep in stage.deps):
        stage.repo.stage_cache.save(stage)


def sweep(root: Path, outs: Iterable[str]) -> None:
    """Removes the temporary files that killed processes have left of dvc.lock, in DVC's cache, and
    beside its outputs."""
    for beside in (root, (root / GOOD_COPY).parent):
        for left in beside.glob(f".{LOCK_FILE}.*"):  # by `atomic_write`
            left.unlink(missing_ok=True)
    places = [root / out for out in outs]
    for place in {root / ".dvc" / "cache", *places, *(place.parent for place in places)}:
        for folder, below, files in os.walk(place):
            if place == root:  # below which lies more than outputs
                below.clear()
            for file in filter(_LEFT_BY_DVC.fullmatch, files):
                Path(folder, file).unlink(missing_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None

"""What a kill or a lost disk leaves of DVC's own files, and what reading the graph makes of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows import mending
from flows.graph import Graph, read_graph
from flows.mending import GOOD_COPY
from lp_core.errors import InputError
from tests.flows.toy import Toy, environment

# DVC, stopped for good in the middle of writing a file of that name.
STOPPED_WRITING = """\
import builtins, os, sys, time
name, half = sys.argv[1], int(sys.argv[2])
real = builtins.open

def opened(file, mode="r", *arguments, **options):
    stream = real(file, mode, *arguments, **options)
    if os.path.basename(str(file)) == name and "w" in mode:
        write = stream.write
        def some(text):
            write(text)
            stream.flush()
            if stream.tell() >= half:
                real("stopped", "w").close()
                time.sleep(60)
        if half == 0:
            real("stopped", "w").close()
            time.sleep(60)
        stream.write = some
    return stream

builtins.open = opened
from dvc.cli import main
sys.exit(main(["repro", "-q"]))
"""


def stale(graph: Graph) -> set[str]:
    return {name for name, stage in graph.stages.items() if stage.stale}


def kill_while_writing(toy: Toy, name: str, after: int) -> None:
    """Runs `dvc repro` and kills it once it has written that many characters of the file."""
    command = [sys.executable, "-c", STOPPED_WRITING, name, str(after)]
    dvc = subprocess.Popen(command, cwd=toy.root, env=environment())
    end = time.monotonic() + 30
    while not (toy.root / "stopped").exists():
        assert dvc.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    (toy.root / "stopped").unlink()


@pytest.mark.parametrize("after", [0, 100, 700])
def test_a_dvc_lock_cut_short_by_a_kill_is_restored(done_toy: Toy, after: int) -> None:
    toy = done_toy
    whole = toy.read("dvc.lock")
    assert read_graph(toy.root).mended == ()
    toy.write("source.txt", "other\n")
    kill_while_writing(toy, "dvc.lock", after)
    assert len(toy.read("dvc.lock")) < len(whole)
    toy.ran()

    graph = read_graph(toy.root)
    (line,) = graph.mended
    assert re.match("dvc.lock was (empty|cut short).*restored", line)
    assert toy.read("dvc.lock") == whole
    assert "aside" in stale(graph)
    assert read_graph(toy.root).mended == ()
    toy.dvc("repro", "-q")  # goes on; what has run comes from the run cache
    assert set(toy.ran()).isdisjoint({"base"} if after else set())
    assert stale(read_graph(toy.root)) == set()


def test_dvc_goes_on_from_the_run_cache_where_nobody_kept_a_copy(done_toy: Toy) -> None:
    """What the docs tell who runs `dvc repro` alone."""
    toy = done_toy
    toy.write("dvc.lock", "")
    (toy.root / "dvc.lock").unlink()
    toy.dvc("repro", "-q")
    assert toy.ran() == []
    assert stale(read_graph(toy.root)) == set()


def test_an_empty_dvc_lock_without_a_copy_is_removed(done_toy: Toy) -> None:
    toy = done_toy
    toy.write("dvc.lock", "")
    (line,) = read_graph(toy.root).mended
    assert line.startswith("dvc.lock was empty")
    assert not (toy.root / "dvc.lock").exists()


@pytest.mark.parametrize("spoilt", [b"", b"stages: [", b"\xff\xfe", b"- a\n"])
def test_a_copy_that_is_damaged_itself_is_not_put_in_place(done_toy: Toy, spoilt: bytes) -> None:
    toy = done_toy
    read_graph(toy.root)
    copy = toy.root / mending.GOOD_COPY
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(spoilt)
    toy.write("dvc.lock", "")
    (line,) = read_graph(toy.root).mended
    assert "was removed" in line
    assert not (toy.root / "dvc.lock").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("schema: '2.0'\nstages:\n  base\n", "not as DVC writes it"),
        ("schema: '2.0'\nstages:\n  ba: [", "cut short"),
        ("schema: '2.0'\nstages:\n  ba: [\n", "no YAML"),
        ("- a\n- b\n", "not as DVC writes it"),
        ("<<<<<<< HEAD\nschema: '2.0'\n=======\n", "conflict marks of a merge"),
    ],
)
def test_without_a_copy_one_line_says_what_would_do(done_toy: Toy, text: str, found: str) -> None:
    toy = done_toy
    toy.write("dvc.lock", text)
    with pytest.raises(InputError, match=rf"^dvc\.lock: .*{found}.*run again[^\n]*$"):
        read_graph(toy.root)
    assert toy.read("dvc.lock") == text


def test_an_entry_that_an_edit_has_broken_is_taken_out_and_no_other(done_toy: Toy) -> None:
    toy = done_toy
    read_graph(toy.root)
    edited = re.sub(r"  aside:\n    cmd:", "  aside:\n    cmd", toy.read("dvc.lock"))
    others = toy.locked() - {"aside"}
    toy.write("dvc.lock", edited)
    assert mending.mend_entries(toy.root) == (
        "dvc.lock: the entry of aside was not as DVC writes it and was taken out "
        "(.dvc/tmp/dvc.lock.broken has it as it was): what DVC's cache holds is restored, not "
        "computed again"
    )
    assert toy.locked() == others
    assert toy.read(".dvc/tmp/dvc.lock.broken") == edited
    assert mending.mend_entries(toy.root) is None
    toy.dvc("repro", "-q")
    assert toy.ran() == []

    toy.write("dvc.lock", edited)
    assert "entry of aside" in read_graph(toy.root).mended[0]
    assert toy.locked() == others


def test_a_merge_is_left_to_whoever_merges(done_toy: Toy) -> None:
    toy = done_toy
    read_graph(toy.root)
    assert (toy.root / GOOD_COPY).exists()
    toy.write("dvc.lock", "<<<<<<< HEAD\n" + toy.read("dvc.lock"))
    with pytest.raises(InputError, match="git checkout --ours"):
        read_graph(toy.root)


def test_what_dvc_lock_held_when_it_was_broken_is_kept(done_toy: Toy) -> None:
    toy = done_toy
    read_graph(toy.root)
    toy.write("dvc.lock", "- something else\n")
    assert read_graph(toy.root).mended
    assert (toy.root / GOOD_COPY).with_name("dvc.lock.broken").read_text() == "- something else\n"


def test_another_fault_of_the_graph_is_not_blamed_on_dvc_lock(
    make_toy: Callable[..., Toy],
) -> None:
    toy = make_toy("stages:\n  one:\n    cmd: echo ${nothing.here}\n")
    toy.write("dvc.lock", "schema: '2.0'\nstages: {}\n")
    with pytest.raises(InputError, match=r"^DVC cannot read the graph[^\n]*nothing\.here[^\n]*$"):
        read_graph(toy.root)


@pytest.mark.parametrize("text", ["", '{"write": {', "[]", '{"write": 3}', "\x00\x01"])
def test_a_broken_read_write_lock_is_emptied(done_toy: Toy, text: str) -> None:
    toy = done_toy
    toy.write(".dvc/tmp/rwlock", text)
    (line,) = read_graph(toy.root).mended
    assert ".dvc/tmp/rwlock was damaged" in line
    assert "up to date" in toy.dvc("status")


def test_a_kill_while_dvc_writes_its_read_write_lock_stops_nothing(done_toy: Toy) -> None:
    toy = done_toy
    toy.write("source.txt", "other\n")
    kill_while_writing(toy, "rwlock", 0)
    (line,) = read_graph(toy.root).mended
    assert ".dvc/tmp/rwlock was damaged" in line
    toy.dvc("repro", "-q")


def test_only_locks_of_ended_processes_are_taken_out(done_toy: Toy) -> None:
    toy = done_toy
    ended = subprocess.Popen(["true"])
    ended.wait()
    alive = {"pid": os.getpid(), "cmd": " ".join(psutil.Process().cmdline())}
    another = {"pid": os.getpid(), "cmd": "/bin/dvc repro another"}
    dead = {"pid": ended.pid, "cmd": "/bin/dvc repro"}
    files = [str(toy.root / name) for name in ("aside.txt", "base.txt", "t0-0.txt")]
    lock = {
        "write": {files[0]: dead},
        "read": {files[1]: [alive, another], files[2]: [dead]},
    }
    toy.write(".dvc/tmp/rwlock", json.dumps(lock))
    graph = read_graph(toy.root)
    assert "processes had left there that have ended" in graph.mended[0]
    left = json.loads(toy.read(".dvc/tmp/rwlock"))
    assert left["write"] == {}
    assert left["read"] == {files[1]: [alive]}
    assert stale(graph) == set()  # reading beside another reader is allowed


def test_a_lock_that_nobody_holds_any_more_stops_nothing(done_toy: Toy) -> None:
    toy = done_toy
    toy.write(".dvc/tmp/lock", "  99999\n")
    toy.write(".dvc/tmp/rwlock.lock", "  99999\n")
    assert stale(read_graph(toy.root)) == set()
    assert "up to date" in toy.dvc("status")


def lose_cache(toy: Toy) -> None:
    shutil.rmtree(toy.root / ".dvc" / "cache")


def test_a_lost_cache_is_refilled_from_what_lies_intact(done_toy: Toy) -> None:
    toy = done_toy
    lose_cache(toy)
    toy.write("aside.txt", "tampered")
    graph = read_graph(toy.root)
    (line,) = graph.mended
    assert "put back" in line
    assert stale(graph) == {"aside"}  # which is not what dvc.lock records
    toy.dvc("repro", "-q")
    assert toy.ran() == ["aside"]
    assert "up to date" in toy.dvc("status")


def test_the_run_cache_is_refilled_as_well(done_toy: Toy) -> None:
    toy = done_toy
    lose_cache(toy)
    read_graph(toy.root)
    for name in ("dvc.lock", "base.txt", "t0-0.txt"):
        (toy.root / name).unlink()
    toy.dvc("repro", "-q")
    assert toy.ran() == []


def test_dvc_commit_keeps_what_lies_intact_when_the_cache_is_lost(done_toy: Toy) -> None:
    """What the docs tell who runs `dvc repro` alone."""
    toy = done_toy
    lose_cache(toy)
    toy.dvc("commit")
    toy.dvc("repro", "-q")
    assert toy.ran() == []


def test_temporary_files_of_a_killed_dvc_are_swept(done_toy: Toy) -> None:
    toy = done_toy
    folders = (".dvc/cache/files/md5/ab/", "results/", "results/figures/", "")
    for folder in folders:
        toy.write(f"{folder}.{'x' * 22}.tmp", "half")
        toy.write(f"{folder}.mine.tmp", "whole")
    read_graph(toy.root)
    for folder in folders:
        assert not (toy.root / f"{folder}.{'x' * 22}.tmp").exists()
        assert (toy.root / f"{folder}.mine.tmp").exists()


def test_dvc_itself_names_its_temporary_files_so(tmp_path: Path) -> None:
    from dvc_objects.fs.utils import tmp_fname

    from flows.mending import _LEFT_BY_DVC

    assert all(_LEFT_BY_DVC.fullmatch(tmp_fname()) for _ in range(100))
    assert not _LEFT_BY_DVC.fullmatch(str(tmp_path))


def test_a_damaged_site_cache_is_one_line(toy: Toy) -> None:
    toy.dvc("status")
    databases = list((toy.root / ".dvc" / "site").rglob("cache.db"))
    assert databases
    for database in databases:
        database.write_bytes(bytes(range(256)) * 16)
    with pytest.raises(InputError, match=r"^\.site-cache: [^\n]*git clean -fdX[^\n]*$"):
        read_graph(toy.root)

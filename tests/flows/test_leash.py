"""How a stage ends whose flow ends: DVC must be able to go on from there."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows import processes
from flows.processes import Commands, StoppedError
from tests.flows.toy import Toy, environment

SLOW = """\
stages:
  first:
    cmd: echo > first.txt
    outs: [first.txt]
  slow:
    cmd: "echo $$ > pid; sleep ${seconds}; echo > slow.txt"
    deps: [first.txt]
    outs: [slow.txt]
"""
FLOW = """\
import os, signal, sys
from pathlib import Path
from flows.processes import Commands
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", "slow"]
Commands().run(command, Path(), os.environ, print)
"""


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dvc_goes_on_from_a_stage_that_the_end_of_the_flow_interrupted(
    make_toy: Callable[..., Toy], number: signal.Signals
) -> None:
    toy = make_toy(SLOW, "seconds: 60\n")
    toy.dvc("repro", "-q", "first")
    flow = subprocess.Popen([sys.executable, "-c", FLOW], cwd=toy.root, env=environment())
    wait((toy.root / "pid").exists)
    started = psutil.Process(flow.pid).children(recursive=True)
    assert len(started) >= 3  # the leash, DVC, the stage
    flow.send_signal(number)
    flow.wait()
    wait(lambda: not any(map(running, started)))

    assert not any(json.loads(toy.read(".dvc/tmp/rwlock")).values())
    assert toy.locked() == {"first"}
    assert not (toy.root / "slow.txt").exists()
    toy.write("params.yaml", "seconds: 0\n")
    toy.dvc("repro", "-q")
    assert toy.locked() == {"first", "slow"}


def stop_when_it_speaks(code: str, folder: Path) -> None:
    """Runs Python `code` as a command until it has printed something, and then ends it."""
    commands = Commands()
    speaks = threading.Event()

    def work() -> None:
        with pytest.raises(StoppedError):
            commands.run(
                [sys.executable, "-u", "-c", code], folder, os.environ, lambda _: speaks.set()
            )

    thread = threading.Thread(target=work)
    thread.start()
    assert speaks.wait(20)
    commands.stop()
    thread.join(20)


def test_a_command_may_finish_what_it_writes_itself(tmp_path: Path) -> None:
    code = (
        "import time; f = open('dvc.lock', 'w'); f.write('half '); f.flush(); print('writing')\n"
        "time.sleep(0.5); f.write('whole')"
    )
    stop_when_it_speaks(code, tmp_path)
    assert (tmp_path / "dvc.lock").read_text() == "half whole"


def test_a_command_that_does_not_finish_can_still_release_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 2)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a shell's background job
    code = (
        "import time, pathlib\n"
        "try:\n    print('holding'); time.sleep(60)\n"
        "finally:\n    pathlib.Path('released').touch()"
    )
    try:
        stop_when_it_speaks(code, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "released").exists()

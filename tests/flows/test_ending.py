"""How `python -m flows.…` ends by a signal: soon, in one line, and with nothing left of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows import ending
from tests.drill.marked import Mark, command_line
from tests.flows.toy import Toy, environment

SLOW = """\
stages:
  slow:
    cmd: "echo $$ > pid; sleep 60"
    outs: [slow.txt]
"""


def test_a_closed_terminal_does_not_keep_a_flow_from_ending(monkeypatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as nobody_reads, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", nobody_reads)
        ended = ending._Ending()
        ended.number = signal.SIGHUP
        ended.say()
        with contextlib.suppress(OSError):
            nobody_reads.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write_end)  # so that closing it can succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
@pytest.mark.parametrize(
    ("number", "whom", "during"),
    [
        (signal.SIGINT, "its group", "a stage"),  # Ctrl-C
        (signal.SIGTERM, "everyone", "a stage"),  # a container stop
        (signal.SIGKILL, "the flow", "a stage"),
        (signal.SIGTERM, "the flow", "the start"),
    ],
)
def test_a_signal_ends_the_flow_and_its_server(
    make_toy: Callable[..., Toy], home: Path, number: signal.Signals, whom: str, during: str
) -> None:
    toy, mark = make_toy(SLOW), Mark()
    flow = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.everything"],
        env=environment(PREFECT_HOME=str(home), **mark.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while True:
        servers = [p for p in mark.processes() if "temporary_server.py" in command_line(p)]
        if servers and (during == "the start" or (toy.root / "pid").exists()):
            break
        assert flow.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    started = time.monotonic()
    if whom == "the flow":
        flow.send_signal(number)
    elif whom == "its group":
        os.killpg(flow.pid, number)
    else:
        for process in mark.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
    output, _ = flow.communicate(timeout=60)
    assert time.monotonic() - started < 15
    assert mark.left_after(10) == []
    assert "Traceback" not in output
    if number == signal.SIGKILL:
        assert flow.returncode == -signal.SIGKILL
    else:
        assert flow.returncode == 128 + number
        assert f"Ended by {number.name}; run again to go on\n" in output
    assert not (toy.root / "slow.txt").exists()


FAILS = """\
import os, signal, sys
from flows.ending import ended_by_signals
with ended_by_signals():
    if sys.argv[1] != "0":
        try:
            os.kill(os.getpid(), int(sys.argv[1]))
        except KeyboardInterrupt:
            if sys.argv[2] == "goes on":
                sys.exit()
    raise ConnectionError("the server is gone")
"""


@pytest.mark.parametrize("then", ["fails", "goes on"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_no_failure_is_told(number: signal.Signals, then: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILS, str(int(number)), then],
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 128 + number
    assert done.stderr == f"Ended by {number.name}; run again to go on\n"


def test_without_a_signal_a_failure_is_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILS, "0", ""], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ConnectionError: the server is gone" in done.stderr


def test_invalid_input_is_told_without_waiting_for_a_server(toy: Toy, home: Path) -> None:
    toy.write("dvc.lock", "- nothing that DVC writes\n")
    mark = Mark()
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.everything"],
        env=environment(PREFECT_HOME=str(home), **mark.environment),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "error: dvc.lock: not as DVC writes it" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert mark.left_after(5) == []


def _command(process: psutil.Process) -> str:
    """Empty of one that is over."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

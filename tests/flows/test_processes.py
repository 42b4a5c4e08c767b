import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from flows import processes
from flows.processes import Commands, StoppedError
from tests.flows.toy import environment


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def run(code: str, tmp_path: Path) -> tuple[int, list[str]]:
    lines: list[str] = []
    return Commands().run(python(code), tmp_path, os.environ, lines.append), lines


def wait_for(path: Path) -> list[int]:
    end = time.monotonic() + 20
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_lines_of_both_streams_come_in_order_with_progress_bars_split(tmp_path: Path) -> None:
    code = "import sys; print('a\\rb'); print('c', file=sys.stderr); print('é', end='')"
    assert run(code, tmp_path) == (0, ["a", "b", "c", "é"])


def test_lines_arrive_while_the_command_runs(tmp_path: Path) -> None:
    times: list[float] = []
    code = "import time; print(1); time.sleep(0.5); print(2)"
    Commands().run(python(code), tmp_path, os.environ, lambda _: times.append(time.monotonic()))
    assert times[1] - times[0] > 0.3


@pytest.mark.parametrize(("code", "status"), [("exit(3)", 3), ("import os; os.abort()", -6)])
def test_the_exit_status_is_the_commands(tmp_path: Path, code: str, status: int) -> None:
    assert run(code, tmp_path)[0] == status


def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, pathlib; p = subprocess.Popen(['sleep', '60']);"
        "pathlib.Path('pids').write_text(f'{p.pid}\\n')"
    )
    start = time.monotonic()
    assert run(code, tmp_path) == (0, [])
    assert time.monotonic() - start < 20
    (left,) = wait_for(tmp_path / "pids")
    assert not alive(left)


def test_stop_ends_the_tree_even_where_it_ignores_signals_or_left_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    code = (
        "import subprocess, pathlib, time, os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "a = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "b = subprocess.Popen(['sleep', '60'])\n"
        "pathlib.Path('pids').write_text(f'{os.getpid()} {a.pid} {b.pid}\\n')\n"
        "time.sleep(60)"
    )
    commands = Commands()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            commands.run(python(code), tmp_path, os.environ, print)
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pids = wait_for(tmp_path / "pids")
    commands.stop()
    assert not any(alive(pid) for pid in pids)
    thread.join(10)
    assert len(errors) == 1
    with pytest.raises(StoppedError):
        commands.run(python("pass"), tmp_path, os.environ, print)


def test_a_listener_that_fails_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)

    def fail(_line: str) -> None:
        raise RuntimeError("no")

    start = time.monotonic()
    with pytest.raises(RuntimeError):
        Commands().run(python("import time; print(1); time.sleep(60)"), tmp_path, os.environ, fail)
    assert time.monotonic() - start < 20


def test_a_command_ends_even_where_its_flow_is_killed(tmp_path: Path) -> None:
    flow = (
        "import os\nfrom pathlib import Path\nfrom flows.processes import Commands\n"
        "shell = ['sh', '-c', 'sleep 60 & echo $$ $! > pids; wait']\n"
        "Commands().run(shell, Path(), os.environ, print)"
    )
    process = subprocess.Popen(python(flow), cwd=tmp_path, env=environment())
    pids = wait_for(tmp_path / "pids")
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.05)

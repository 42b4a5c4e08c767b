"""The warm interpreter: what it forks behaves as what is started, and never outlives it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows import interpreter
from flows.processes import Commands
from flows.stage import stage_environment
from flows.warm import plain_python
from tests.flows.toy import Toy, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is forked on Linux only")


@pytest.fixture(scope="module")
def warm() -> Iterator[Commands]:
    with Commands() as commands:
        commands.warm_up(stage_environment())
        yield commands


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait(condition: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def run(
    commands: Commands, folder: Path, *arguments: str, **variables: str
) -> tuple[int, list[str]]:
    lines: list[str] = []
    command = [sys.executable, "-m", *arguments]
    env = stage_environment() | variables
    return commands.run(command, folder, env, lines.append), lines


def both(warm: Commands, folder: Path, *arguments: str, **variables: str) -> list[str]:
    """The lines that a module prints, which must be the same started cold and forked warm."""
    cold = run(Commands(), folder, *arguments, **variables)
    assert run(warm, folder, *arguments, **variables) == cold
    return cold[1]


def test_a_module_sees_itself_as_python_m_would_start_it(warm: Commands, tmp_path: Path) -> None:
    (tmp_path / "show.py").write_text(
        "import os, sys\n"
        "print(__name__, __spec__.name, sys.modules['__main__'].__spec__.name, __file__)\n"
        "print(sys.argv, sys.orig_argv[1:], sys.path[0], os.getcwd(), sys.executable)\n"
        "hidden = ('SHELL', 'FLOWS_WARM_ADDRESS', 'FLOWS_WARM_SHELL')\n"
        "print(sorted((k, v) for k, v in os.environ.items() if k not in hidden))\n"
        "print(repr(sys.stdin.read()), type(sys.stdout), sys.stdout.line_buffering)\n"
        "print(sorted(os.listdir('/proc/self/fd'))[:-1])\n"
        "print(len(os.listdir('/proc/self/task')), os.getpgid(0) == os.getpid())\n"
        "print([m for m in sys.modules if m.partition('.')[0] in ('flows', 'lp_core', 'tasks')])\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    (tmp_path / "folder").mkdir()
    lines = both(warm, tmp_path, "show", "--a", "b c", ONE="1")
    assert "('ONE', '1')" in lines[2]
    assert lines[-2:] == ["[]", "to stderr"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sys.exit()", 0),
        ("sys.exit(7)", 7),
        ("sys.exit('why')", 1),
        ("1 / 0", 1),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("os.kill(os.getpid(), 2)", -signal.SIGINT),
        ("threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()", 0),
        ("atexit.register(print, 'at exit', end='')", 0),
        ("sys.stdout.write('no newline')", 0),
    ],
)
def test_a_module_ends_as_python_would_end_it(
    warm: Commands, tmp_path: Path, code: str, status: int
) -> None:
    imports = "import atexit, os, signal, sys, threading, time\n"
    (tmp_path / "end.py").write_text(f"{imports}{code}\n")
    cold = run(Commands(), tmp_path, "end")
    forked = run(warm, tmp_path, "end")
    assert forked[0] == cold[0] == status
    frames = [line for line in cold[1] if "^^^" not in line and "~~" not in line]
    assert [line for line in forked[1] if "^^^" not in line and "~~" not in line][-3:] == frames[
        -3:
    ]


def test_a_forked_training_gives_the_bytes_of_a_started_one(warm: Commands, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import hashlib, numpy, torch\n"
        "print(torch.get_num_threads(), torch.cuda.is_initialized())\n"
        "a = numpy.random.default_rng(0).normal(size=(300, 300))\n"
        "print(hashlib.md5((a @ a).tobytes()).hexdigest())\n"
        "torch.set_num_threads(1); torch.manual_seed(0)\n"
        "net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8),\n"
        "    torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 10))\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)\n"
        "for _ in range(20):\n"
        "    images, labels = torch.randn(16, 3, 8, 8), torch.randint(10, (16,))\n"
        "    loss = torch.nn.functional.cross_entropy(net(images), labels)\n"
        "    optimizer.zero_grad(); loss.backward(); optimizer.step()\n"
        "for value in net.state_dict().values():\n"
        "    print(hashlib.md5(value.numpy().tobytes()).hexdigest())\n"
    )
    lines = both(warm, tmp_path, "train")
    assert "False" in lines[0]
    assert len(lines) > 8


def test_a_forked_stage_may_start_processes_of_its_own(warm: Commands, tmp_path: Path) -> None:
    # As torchrun and data loaders do.
    (tmp_path / "parent.py").write_text(
        "import subprocess, sys, torch.multiprocessing as mp\n"
        "def work(rank, queue): queue.put(rank)\n"
        "if __name__ == '__main__':\n"
        "    print(subprocess.check_output([sys.executable, '-c', 'print(6 * 7)'], text=True))\n"
        "    for kind in ('fork', 'spawn'):\n"
        "        context = mp.get_context(kind)\n"
        "        queue = context.Queue()\n"
        "        process = context.Process(target=work, args=(3, queue))\n"
        "        process.start(); print(queue.get()); process.join()\n"
    )
    assert both(warm, tmp_path, "parent") == ["42", "3", "3"]


def test_nothing_of_the_project_is_imported_and_no_thread_runs(
    warm: Commands, tmp_path: Path
) -> None:
    (tmp_path / "look.py").write_text(
        "import json, os, sys\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('lp_core', 'tasks', 'flows')]\n"
        "torch = sys.modules['torch']\n"
        "print(json.dumps([ours, torch.cuda.is_initialized(), os.getppid()]))\n"
    )
    status, lines = run(warm, tmp_path, "look")
    ours, cuda, leash = json.loads(lines[0])
    assert (status, ours, cuda) == (0, [], False)
    assert warm._interpreter is not None
    server = psutil.Process(warm._interpreter._process.pid)
    assert server.num_threads() == 1
    wait(lambda: not psutil.pid_exists(leash))
    assert server.children(recursive=True) == []


PATH = os.path.dirname(sys.executable)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python -m tasks.imp --seed 0", ["python", "-m", "tasks.imp", "--seed", "0"]),
        (f"{sys.executable} -m a", [sys.executable, "-m", "a"]),
        ("python -m a 'b c' 'it'\"'\"'s $HOME'", ["python", "-m", "a", "b c", "it's $HOME"]),
        ("python -m a --x a=b", ["python", "-m", "a", "--x", "a=b"]),
        ("python -m a | cat", None),
        ("python -m a && true", None),
        ("python -m a > out", None),
        ("python -m a $HOME", None),
        ("python -m a *.txt", None),
        ("python -m a ~", None),
        ("python -m a \\n", None),
        ("python -m a\ntrue", None),
        ("python -m a `b`", None),
        ('python -m a "b"', None),
        ("X=1 python -m a", None),
        ("python -O -m a", None),
        ("python a.py", None),
        ("python -m", None),
        ("echo -m a", None),
        ("/usr/bin/env python -m a", None),
    ],
)
def test_only_a_plain_python_command_is_forked(command: str, words: list[str] | None) -> None:
    assert plain_python(command, PATH) == words


def test_the_python_of_another_environment_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    assert plain_python("python -m a", str(tmp_path)) is None


STAGES = """\
stages:
  plain:
    cmd: python -m module 'a b' > plain.txt
    outs: [plain.txt]
  slow:
    cmd: python -m slow
    outs: [slow.txt]
  fails:
    cmd: python -m fails
"""
SHOW = """\
import json, os, sys
shell = {k: v for k, v in os.environ.items() if 'SHELL' in k or 'WARM' in k}
print(json.dumps({"argv": sys.argv[1:], "shell": shell, "forked": "torch" in sys.modules}))
"""
SLOW = """\
import os, pathlib, signal, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
detached = subprocess.Popen(["sleep", "60"], start_new_session=True)
def end(number, _):
    pathlib.Path("ended").write_text(str(number))
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
pathlib.Path("pids").write_text(f"{os.getpid()} {child.pid} {detached.pid}\\n")
time.sleep(60)
"""


@pytest.fixture
def stages(make_toy: Callable[..., Toy]) -> Toy:
    toy = make_toy(STAGES)
    toy.write("module.py", SHOW)
    toy.write("slow.py", SLOW)
    toy.write("fails.py", "print('no good'); exit(2)\n")
    return toy


REPRO = ("dvc", "--wait-for-lock", "repro", "--single-item")


def test_dvc_runs_plain_stages_forked_and_others_in_the_users_shell(
    warm: Commands, stages: Toy
) -> None:
    status, _ = run(warm, stages.root, *REPRO, "plain", SHELL="/bin/bash")
    assert status == 0
    # A redirection is for the shell: started the ordinary way.
    shown = json.loads(stages.read("plain.txt"))
    assert shown == {"argv": ["a b"], "shell": {"SHELL": "/bin/bash"}, "forked": False}
    stages.write("dvc.yaml", STAGES.replace(" > plain.txt", "").replace("[plain.txt]", "[]"))
    _, lines = run(warm, stages.root, *REPRO, "plain", SHELL="/bin/bash")
    (shown,) = (json.loads(line) for line in lines if line.startswith("{"))
    assert shown == {"argv": ["a b"], "shell": {"SHELL": "/bin/bash"}, "forked": True}


def test_the_exit_status_of_a_forked_stage_reaches_dvc(warm: Commands, stages: Toy) -> None:
    status, lines = run(warm, stages.root, *REPRO, "fails")
    assert status == 255
    assert "no good" in lines
    assert "exited with 2" in lines[-1]


def start_slow(stages: Toy, *, in_thread: Commands) -> tuple[threading.Thread, list[int]]:
    """Starts the slow stage; gives the thread that waits for it and the exit status to be."""
    ended: list[int] = []

    def work() -> None:
        with contextlib.suppress(RuntimeError):
            ended.append(run(in_thread, stages.root, *REPRO, "slow")[0])

    thread = threading.Thread(target=work)
    thread.start()
    wait((stages.root / "pids").exists)
    return thread, ended


def slow_processes(stages: Toy) -> list[psutil.Process]:
    """The stage and its children."""
    wait(lambda: stages.read("pids").endswith("\n"))
    return [psutil.Process(int(word)) for word in stages.read("pids").split()]


def find(warm: Commands, word: str) -> psutil.Process:
    """The one process below the warm interpreter whose command line has this word."""
    assert warm._interpreter is not None
    server = psutil.Process(warm._interpreter._process.pid)
    (process,) = (p for p in server.children(recursive=True) if word in " ".join(p.cmdline()))
    return process


@pytest.mark.parametrize("victim", ["warm_shell.py", "repro --single-item", "flows.leash"])
def test_whoever_is_killed_takes_the_stage_with_it(
    warm: Commands, stages: Toy, victim: str
) -> None:
    thread, ended = start_slow(stages, in_thread=warm)
    stage, child, detached = slow_processes(stages)
    assert stage.cmdline()[:3] == ["python", "-m", "slow"]
    dvc = find(warm, "repro --single-item")
    find(warm, victim).kill()
    wait(lambda: not is_alive(stage), 10)
    if victim == "flows.leash":  # nobody is left to look for them
        child.kill()
        detached.kill()
    thread.join(20)
    assert not thread.is_alive()
    assert ended[0] != 0
    wait(lambda: not is_alive(dvc), 10)  # it releases its locks first
    assert not is_alive(child)
    assert not is_alive(detached)
    assert not (stages.root / "slow.txt").exists()
    if victim == "warm_shell.py":  # then DVC ends in order
        assert not any(json.loads(stages.read(".dvc/tmp/rwlock")).values())


def test_a_signal_to_the_shell_reaches_the_stage(warm: Commands, stages: Toy) -> None:
    thread, ended = start_slow(stages, in_thread=warm)
    slow = slow_processes(stages)
    find(warm, "warm_shell.py").terminate()
    wait((stages.root / "ended").exists)
    slow[2].kill()  # it left the stage's session
    thread.join(20)
    assert stages.read("ended") == str(int(signal.SIGTERM))
    assert ended == [255]


def test_the_end_of_the_flow_lets_a_forked_stage_end_itself(stages: Toy) -> None:
    with Commands() as commands:
        commands.warm_up(stage_environment())
        thread, _ = start_slow(stages, in_thread=commands)
        processes = slow_processes(stages)
        dvc = find(commands, "repro --single-item")
        commands.stop()
        assert not any(map(is_alive, [*processes, dvc]))
        thread.join(20)
    assert stages.read("ended") == str(int(signal.SIGTERM))
    assert not any(json.loads(stages.read(".dvc/tmp/rwlock")).values())


FLOW = """\
import sys
from pathlib import Path
from flows.processes import Commands
from flows.stage import stage_environment
with Commands() as commands:
    commands.warm_up(stage_environment())
    command = [sys.executable, "-m", *sys.argv[1:]]
    commands.run(command, Path(), stage_environment(), print)
"""


@pytest.mark.parametrize("victim", ["flow", "server"])
def test_nothing_is_left_where_the_flow_is_killed(stages: Toy, victim: str) -> None:
    flow = subprocess.Popen([sys.executable, "-c", FLOW, *REPRO, "slow"], env=environment())
    wait((stages.root / "pids").exists)
    everything = [*psutil.Process(flow.pid).children(recursive=True), *slow_processes(stages)]
    (server,) = psutil.Process(flow.pid).children()
    assert "flows.warm" in server.cmdline()
    if victim == "server":  # what it has forked goes on
        server.kill()
        wait(lambda: not is_alive(server))
        time.sleep(0.5)
        assert is_alive(slow_processes(stages)[0])
    flow.kill()
    flow.wait()
    wait(lambda: not any(map(is_alive, everything)))


def test_without_the_server_commands_are_started_the_ordinary_way(tmp_path: Path) -> None:
    with Commands() as commands:
        commands.warm_up(stage_environment())
        assert commands._interpreter is not None
        commands._interpreter._process.kill()
        commands._interpreter._process.wait()
        assert run(commands, tmp_path, "calendar", "2026", "11")[0] == 0


def test_a_server_that_cannot_start_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreter, "_FOLDER", tmp_path)  # where there is no flows.warm
    with Commands() as commands:
        commands.warm_up({"PATH": PATH, "PYTHONPATH": ""})
        assert run(commands, tmp_path, "calendar", "2026", "11")[0] == 0


def test_a_command_that_is_stopped_while_the_server_starts_never_runs(tmp_path: Path) -> None:
    (tmp_path / "touch.py").write_text("open('touched', 'w').close()")
    with Commands() as commands:
        commands.warm_up(stage_environment())
        errors: list[BaseException] = []

        def work() -> None:
            try:
                run(commands, tmp_path, "touch")
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        wait(lambda: bool(commands._running))
        commands.stop()
        thread.join(20)
        assert len(errors) == 1
    assert not (tmp_path / "touched").exists()

"""A warm interpreter: one process that has imported what every stage imports, and is forked.

`import torch` costs a stage about two seconds and starting `dvc` about one, in every stage. The
flow starts this module once. For each `dvc repro` it forks a leash (see `flows.leash`), which
forks DVC, and then each stage whose command line is plainly `python -m MODULE ARGUMENTS…`; DVC
gets to it by `warm_shell.py`, which the leash gives it as the environment's SHELL. Whatever is no
plain Python command runs in the shell that it would have run in.

    flow ── server            holds imported modules; ends when the flow's end of the socket closes
              └── leash       one for each `dvc repro`; ends when the flow's end of its stdin closes
                    ├── dvc repro --single-item STAGE
                    │     └── warm_shell.py -c "python -m tasks.…"
                    └── python -m tasks.…       ends when warm_shell.py ends, or the leash

No project code is imported here, no thread is started (BLAS ends its own before a fork) and CUDA
is not initialised, so that a forked stage computes what a freshly started one computes.
Linux only: the flow starts everything the ordinary way elsewhere.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from flows import lockfile, parsed, prompt_lock
from flows.leash import Leash, adopt_orphans, kill_with_descendants
from flows.warm_child import Program, fork_python, set_title

# What most stages import, and starts no thread that survives a fork (pyarrow does).
FOR_STAGES = (
    "numpy",
    "torch",
    "torch.nn.functional",
    "safetensors.torch",
    "lazy_loader",
    "pydantic",
    "ruamel.yaml",
    "tqdm",
)
# What `dvc repro` imports, some of it only while it runs.
FOR_DVC = (
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.data_cloud",
    "dvc.lock",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.metrics",
    "dvc.repo.open_repo",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.rwlock",
    "dvc.stage.run",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.status",
    "psutil",
    "pyparsing",
    "scmrepo.git",
    "scmrepo.noscm",
)
FOLDER_BYTES = 4096
ROOM_FOR_TITLE = 1000  # bytes of the server's command line, for those of its children
STARTED = b"+"
NUMBER = struct.Struct("i")

SHELL = Path(__file__).with_name("warm_shell.py")
ADDRESS, USUAL_SHELL = "FLOWS_WARM_ADDRESS", "FLOWS_WARM_SHELL"

_WORD = r"(?:[A-Za-z0-9_@%+=:,./-]|'[^'\n]*'|\"'\")+"  # as shlex.quote writes it
_PLAIN = re.compile(rf"{_WORD}(?:[ \t]+{_WORD})*")


def serve(channel: socket.socket) -> None:
    """Forks a leash for each message on `channel`, until its other end is closed.

    A message names the project's folder and carries three file descriptors: the leash's standard
    input, its output, and a socket for everything else (see `_hold`).
    """
    set_title([sys.executable, "-m", "flows.warm"])
    for module in (*FOR_STAGES, *FOR_DVC):
        with contextlib.suppress(ImportError):  # whoever needs it says that it is missing
            importlib.import_module(module)
    with contextlib.suppress(ImportError):
        lockfile.install()
        parsed.install()
        prompt_lock.install()
        importlib.import_module("dvc.cli.parser").get_main_parser()  # DVC keeps it
    gc.collect()
    gc.freeze()  # a collection in a child would otherwise copy every page
    adopt_orphans()
    leashes: set[int] = set()

    def reap(*_: object) -> None:
        # Their processor time then counts as this process's, and at last as the flow's.
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                leashes.discard(pid)

    signal.signal(signal.SIGCHLD, reap)
    while True:
        folder, descriptors, *_ = socket.recv_fds(channel, FOLDER_BYTES, 3)
        if not folder:
            break
        with contextlib.suppress(ImportError):
            parsed.learn(Path(os.fsdecode(folder)))
        pid = os.fork()
        if pid == 0:
            channel.close()
            _hold(*descriptors)
        leashes.add(pid)
        for descriptor in descriptors:
            os.close(descriptor)
        reap()  # a leash that ended before it was noted
    while leashes:  # without the flow they end, too
        time.sleep(0.05)


def _hold(stdin: int, output: int, descriptor: int) -> NoReturn:
    """The leash: runs the command that `descriptor` (a socket) describes and tells how it ended.

    It sends STARTED, reads `{grace, command, cwd, environment}` as JSON, and sends the exit status.
    """
    try:
        os.setsid()
        set_title([sys.executable, "-m", "flows.leash"])
        for source, target in ((stdin, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.close(stdin)
        os.close(output)
        channel = socket.socket(fileno=descriptor)
        channel.sendall(STARTED)
        request = json.loads(read_message(channel))
        leash = Leash(request["grace"])
        leash.private.append(descriptor)
        status = -signal.SIGTERM
        if not leash.is_released():
            stages = _Stages(leash)
            environment = request["environment"] | stages.environment(request["environment"])
            dvc = Program(request["command"], request["cwd"], environment)
            streams = (os.open(os.devnull, os.O_RDONLY), 1, 2)
            # As after Ctrl-C, DVC releases its locks where the leash is killed.
            pid = fork_python(dvc, streams, 0, signal.SIGINT, leash.private)
            os.close(streams[0])
            status = leash.hold(pid)
        channel.sendall(NUMBER.pack(status))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(0)


class _Stages:
    """Forks the stages that one DVC process wants to run, and tells it how they ended."""

    def __init__(self, leash: Leash) -> None:
        self._leash = leash
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind("")  # a fresh abstract address: no file that could be left behind
        self._listener.listen()
        leash.on_input[self._listener.fileno()] = self._accept
        leash.private.append(self._listener.fileno())

    def environment(self, usual: Mapping[str, str]) -> dict[str, str]:
        """What leads a DVC process here; `usual` is its environment otherwise."""
        if not os.access(SHELL, os.X_OK):
            return {}  # stages are started the ordinary way
        address = self._listener.getsockname()[1:].decode()
        return {"SHELL": str(SHELL), ADDRESS: address, USUAL_SHELL: usual.get("SHELL", "")}

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * NUMBER.size)
        _, user, _ = struct.unpack("3i", credentials)
        client.settimeout(10)
        try:
            if user != os.getuid() or not self._start(client):
                client.close()
        except OSError:  # the client has gone
            client.close()

    def _start(self, client: socket.socket) -> bool:
        """Forks what `client` asks for; False where that is not for Python alone to run."""
        _, streams, *_ = socket.recv_fds(client, 1, 3)
        try:
            command_line, cwd, *variables = map(os.fsdecode, read_message(client).split(b"\0"))
            environment = dict(variable.split("=", 1) for variable in variables)
            words = plain_python(command_line, environment.get("PATH", ""))
            if words is None:
                return False
            stage, leash = Program(words, cwd, environment), self._leash
            leash.private.append(client.fileno())
            pid = fork_python(stage, streams, leash.command, signal.SIGKILL, leash.private)
            leash.on_exit[pid] = partial(self._tell, client)
            leash.on_input[client.fileno()] = partial(self._pass_on, client, pid)
        finally:
            for descriptor in streams:
                os.close(descriptor)
        with contextlib.suppress(OSError):  # a client that has gone is seen by `_pass_on`
            client.sendall(STARTED)
        return True

    def _pass_on(self, client: socket.socket, pid: int) -> None:
        """Hands on the signals that the client got; its end is the stage's."""
        try:
            numbers = client.recv(64)
        except OSError:
            numbers = b""
        if not numbers:
            del self._leash.on_input[client.fileno()]
            kill_with_descendants(pid)
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _tell(self, client: socket.socket, status: int) -> None:
        self._leash.on_input.pop(client.fileno(), None)
        self._leash.private.remove(client.fileno())
        with contextlib.suppress(OSError):
            client.sendall(NUMBER.pack(status))
        client.close()


def plain_python(command_line: str, path: str) -> list[str] | None:
    """The words of a `python -m MODULE …` that this interpreter would run; None for all else.

    path: where the command would look for `python`.
    """
    if not _PLAIN.fullmatch(command_line):
        return None
    words = shlex.split(command_line)
    program = shutil.which(words[0], path=path)
    if program is None or words[1:2] != ["-m"] or len(words) < 3:
        return None
    same_folder = os.path.dirname(os.path.abspath(program)) == os.path.dirname(sys.executable)
    return words if same_folder and os.path.samefile(program, sys.executable) else None


def read_message(channel: socket.socket) -> bytes:
    """A message that the other end sent with its length before it. OSError where it did not."""
    head = channel.recv(NUMBER.size, socket.MSG_WAITALL)
    length = NUMBER.unpack(head)[0] if len(head) == NUMBER.size else 0
    message = channel.recv(length, socket.MSG_WAITALL)
    if not message or len(message) < length:
        raise ConnectionError("the other end of the socket has gone")
    return message


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))

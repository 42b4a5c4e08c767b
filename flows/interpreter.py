"""The flow's end of the warm interpreter (`flows.warm`): starts it, and forks commands from it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from flows.warm import NUMBER, ROOM_FOR_TITLE, STARTED

CLOSE_SECONDS = 5.0  # as long as its imports may take

_FOLDER = Path(__file__).resolve().parent.parent


class ForkedCommand:
    """A command on a leash that the warm interpreter forked: as much of a Popen as it takes."""

    def __init__(self, stdin: int, stdout: int, channel: socket.socket) -> None:
        self.stdin: BinaryIO = os.fdopen(stdin, "wb", buffering=0)
        self.stdout: BinaryIO = os.fdopen(stdout, "rb", buffering=0)
        self.returncode: int | None = None
        self._channel = channel
        self._lock = threading.Lock()

    def wait(self) -> int:
        """Waits for the leash to end, and gives the command's exit status."""
        with self._lock:
            if self.returncode is None:
                status = b""
                with contextlib.suppress(ConnectionError):
                    status = self._channel.recv(NUMBER.size)
                # A leash that tells nothing was killed itself.
                self.returncode = NUMBER.unpack(status)[0] if status else -signal.SIGKILL
                self._channel.close()
        return self.returncode

    def begin(self, request: Mapping[str, object]) -> bool:
        """Sends what to run once the leash is up; False where it never came up."""
        with self._lock:  # nobody waits for the end before the beginning
            try:
                if self._channel.recv(1) == STARTED:
                    text = json.dumps(request).encode()
                    self._channel.sendall(NUMBER.pack(len(text)) + text)
                    return True
            except ConnectionError:
                pass
            self.returncode = -signal.SIGKILL
            self.stdin.close()
            self.stdout.close()
            self._channel.close()
            return False


class WarmInterpreter:
    """A running `flows.warm`. It imports in the background; what is asked of it meanwhile waits."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        room = " " * ROOM_FOR_TITLE
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.warm", str(theirs.fileno()), room],
                cwd=_FOLDER,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(self, folder: Path) -> ForkedCommand | None:
        """A new leash, which `ForkedCommand.begin` tells what to run; None without the server.

        folder: the project's, where the command will run.
        """
        stdin, our_stdin = os.pipe()
        our_stdout, stdout = os.pipe()
        channel, theirs = socket.socketpair()
        try:
            socket.send_fds(
                self._channel, [os.fsencode(folder.resolve())], [stdin, stdout, theirs.fileno()]
            )
        except OSError:
            os.close(our_stdin)
            os.close(our_stdout)
            channel.close()
            return None
        finally:
            os.close(stdin)
            os.close(stdout)
            theirs.close()
        return ForkedCommand(our_stdin, our_stdout, channel)

    def close(self) -> None:
        """Ends the server, which ends once the commands have ended that it forked."""
        self._channel.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

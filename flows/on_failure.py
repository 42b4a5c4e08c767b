"""The command that a user wants run where a flow has failed, such as one that sends a message."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

SECONDS = 60.0
LETTERS = 30_000  # of a variable; Linux takes 131,072 bytes at most
KEPT_BYTES = 1_000_000  # of its output
TAIL_BYTES = 4_000  # of which the last line is told
LOOK_SECONDS = 0.2


def run_on_failure(command: str, flow: str, failed: Sequence[str], message: str) -> str | None:
    """Runs the shell command; gives a line that says how it failed itself, or None.

    It finds in its environment FLOW_NAME, FAILED (the stages that failed, with spaces between;
    empty where params were invalid) and MESSAGE. After SECONDS it is killed.
    """
    names = " ".join(failed)
    if len(names) > LETTERS:
        names = names[:LETTERS].rpartition(" ")[0]
    told = {"FLOW_NAME": flow, "FAILED": names, "MESSAGE": message[:LETTERS].replace("\0", "")}
    name = f"on_failure: {command!r}"
    # Into a file: what the command leaves running would hold a pipe open.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                shell=True,
                env={**os.environ, **told},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return f"{name} could not be started: {error}"
        try:
            status = _status(process, output)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return f"{name} was killed after {SECONDS:.0f} s"
            raise
        if status == 0:
            return None
        output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL_BYTES))
        lines = output.read().decode("utf-8", errors="replace").replace("\0", "").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        ended = f"exited with {status}" if status > 0 else f"was killed by signal {-status}"
        return f"{name} {ended}" + (f": {last}" if last else "")


def _status(process: subprocess.Popen[bytes], output: IO[bytes]) -> int:
    """Its exit status. What it prints without end does not fill the disk meanwhile."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return process.wait(min(LOOK_SECONDS, max(0.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                raise
            if os.fstat(output.fileno()).st_blocks * 512 > KEPT_BYTES:
                os.ftruncate(output.fileno(), 0)  # it goes on behind a hole

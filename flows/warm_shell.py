#!/usr/bin/env -S python3 -I -S
"""What DVC runs a stage's command with inside a flow: `warm_shell.py -c COMMAND`.

Has the leash (see `flows.warm`) fork the command, gives it this process's standard streams,
environment and working directory, passes signals on to it, and ends as it ends. Where the leash
does not take the command, or is gone, the user's shell runs it. Imports little, to start in
milliseconds.
"""

import os
import signal
import socket
import struct
import sys

NUMBER, STARTED = struct.Struct("i"), b"+"  # as in flows.warm
PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def main() -> None:
    command = sys.argv[-1]
    address = os.environ.pop("FLOWS_WARM_ADDRESS", "")
    shell = os.environ.pop("FLOWS_WARM_SHELL", "")
    os.environ.pop("SHELL", None)
    if shell:
        os.environ["SHELL"] = shell
    status = run_forked(command, address)
    if status is None:
        shell = shell or "/bin/sh"
        os.execv(shell, [shell, "-c", command])
    if status < 0:
        if status != -signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def run_forked(command: str, address: str) -> "int | None":
    """The exit status of the command, negative for a signal; None where it was not run."""
    connection = socket.socket(socket.AF_UNIX)
    variables = [name + b"=" + value for name, value in os.environb.items()]
    message = b"\0".join([os.fsencode(command), os.fsencode(os.getcwd()), *variables])
    try:
        connection.connect(b"\0" + address.encode())
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(NUMBER.pack(len(message)) + message)
        if connection.recv(1) != STARTED:
            return None
    except OSError:
        return None
    for number in PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    try:
        status = connection.recv(NUMBER.size)
    except OSError:
        status = b""
    # Where the leash was killed, so is the command.
    return NUMBER.unpack(status)[0] if status else -signal.SIGKILL


if __name__ == "__main__":
    main()

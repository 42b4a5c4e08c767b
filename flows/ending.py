"""How a flow that was started from the command line ends by a signal.

It ends the stages that run, says so in one line, and exits as a shell would report it: 130 after
Ctrl-C, 143 after SIGTERM. A container stop signals the flow's children, too. Then Prefect's
temporary server is gone, and Prefect would ask it for minutes how to go on: whatever it does, the
process ends LAST_SECONDS after the last stage.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect.exceptions import TerminationSignal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STAGES_SECONDS = 20.0  # longer than a stage's and DVC's grace
LAST_SECONDS = 4.0

SERVER = Path(__file__).with_name("temporary_server.py")

# What runs stages in other processes than this one's children, until it has ended them.
elsewhere: set[object] = set()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within it, the first of SIGNALS raises KeyboardInterrupt; on leaving it, the process exits.

    Where a signal is ignored, as SIGHUP under nohup and SIGINT in a shell's background, it stays
    so. To be used in the main thread.
    """
    ending = _Ending()
    chosen = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in chosen:
        signal.signal(number, ending.interrupt)
    signal.set_wakeup_fd(ending.write_end, warn_on_full_buffer=False)
    threading.Thread(target=ending.watch, daemon=True).start()
    try:
        yield
    except TerminationSignal:
        ending.number = ending.number or signal.SIGTERM
    except BaseException:  # after a signal, whatever Prefect makes of it where its server is gone
        if not ending.number:
            raise
    finally:
        if not ending.number:
            signal.set_wakeup_fd(-1)
            for number in chosen:  # there is nothing left to end in order
                signal.signal(number, signal.SIG_DFL)
    if ending.number:
        ending.say()
        sys.exit(128 + ending.number)


class _Ending:
    def __init__(self) -> None:
        self.number = 0
        self._interrupted = self._said = False
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)

    def interrupt(self, number: int, _: object) -> None:
        """The signals' handler; a second Ctrl-C does not interrupt the ending."""
        self.number = self.number or number
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt

    def watch(self) -> None:
        """Waits for a signal, whoever handles it (Prefect handles SIGTERM); then sees to the end.

        Python writes the signals' numbers into the pipe.
        """
        while not self.number:
            for number in os.read(self._read_end, 64):
                if number in SIGNALS:
                    self.number = self.number or number
        deadline = time.monotonic() + STAGES_SECONDS
        while _stages_left() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(LAST_SECONDS)
        self.say()
        os._exit(128 + self.number)  # leashes and pipes end whatever there still is

    def say(self) -> None:
        if not self._said:
            self._said = True
            name = signal.Signals(self.number or signal.SIGINT).name
            with suppress(OSError, ValueError):  # the terminal may be closed
                print(f"Ended by {name}; run again to go on", file=sys.stderr, flush=True)


def _stages_left() -> bool:
    """Whether this process still has children beside the temporary server, or stages elsewhere."""
    import psutil

    if elsewhere:
        return True
    for child in psutil.Process().children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and str(SERVER) not in child.cmdline():
                return True
        except psutil.NoSuchProcess:
            pass
    return False

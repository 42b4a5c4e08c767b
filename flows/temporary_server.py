"""Runs uvicorn for as long as standard input stays open: `python -m flows.temporary_server …`.

The flow holds the other end of the pipe. When it dies, by whatever means, its temporary Prefect
server ends as after SIGTERM, and after SECONDS in any case. The arguments are uvicorn's.
"""

import os
import runpy
import signal
import sys
import threading
import time

SECONDS = 3.0


def _end_with_the_flow() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_flow, daemon=True).start()
    sys.argv[0] = "uvicorn"
    runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)

"""Runs a Dask worker for as long as standard input stays open: `temporary_worker.py ARGUMENTS…`.

The flow holds the other end of the pipe. When it closes it, or dies by whatever means, the worker
ends as after SIGTERM, and after SECONDS in any case; the stages that it runs are on leashes of
their own. The arguments are those of `dask worker`.
"""

import os
import runpy
import signal
import threading
import time

SECONDS = 20.0  # longer than a stage's and DVC's grace


def _end_with_the_flow() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_flow, daemon=True).start()
    runpy.run_module("distributed.cli.dask_worker", run_name="__main__", alter_sys=True)

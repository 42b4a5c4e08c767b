"""Prefect flows that run the DVC graph: stages in parallel, with retries, logs and artifacts.

Importing this package keeps Prefect and DVC from sending telemetry. Both decide from the
environment, Prefect as it is imported, and child processes inherit it.
"""

import os
import signal
import sys

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

# `python -m flows.…` imports for seconds; until it can end in order, Ctrl-C just ends it.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

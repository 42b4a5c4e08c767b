"""Prefect flows that run the DVC graph: stages in parallel, with retries, logs and artifacts.

Importing this package keeps Prefect and DVC from sending telemetry. Both decide from the
environment, Prefect as it is imported, and child processes inherit it.
"""

import os

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

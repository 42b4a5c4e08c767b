"""Keeps Prefect and DVC from sending telemetry; to be imported before either of them.

Both decide from the environment, Prefect as it is imported, and child processes inherit it.
"""

import os

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

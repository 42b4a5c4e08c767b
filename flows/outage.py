"""A flow whose Prefect server does not answer for a while waits for it.

Stages that run do not need the server, and tell it what they have to tell once it is back. But
Prefect asks for it before each task begins, and would give the task up.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient

LOOK_SECONDS = 2.0


def is_outage(error: BaseException, client: SyncPrefectClient) -> bool:
    """Whether Prefect says by this error that its server does not answer, which may come back, as
    a flow's temporary one does not."""
    said = isinstance(error, httpx.TransportError) or "Failed to reach API" in str(error)
    return said and client.server_type is not ServerType.EPHEMERAL


def wait_for_server(client: SyncPrefectClient, logger: Any) -> None:
    """Returns once the server answers."""
    if client.api_healthcheck() is None:
        return
    logger.warning(
        "Prefect's server %s does not answer; stages that run go on, others wait for it",
        str(client.api_url).rstrip("/"),
    )
    while client.api_healthcheck() is not None:
        time.sleep(LOOK_SECONDS)
    logger.info("Prefect's server answers again")

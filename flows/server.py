"""Which Prefect server a flow run reports to: the configured one, or a temporary one of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

import prefect
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_SERVER_LOGGING_LEVEL,
    get_current_settings,
    temporary_settings,
)

from flows.ending import SERVER

START_SECONDS = 120  # beside a training it is slow
SETTLE_SECONDS = 20.0

_log = logging.getLogger(__name__)


class _TemporaryServer(SubprocessASGIServer):
    """Prefect's, but that it ends with this process however that ends, and not by Ctrl-C."""

    def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
        arguments = [
            *("--app-dir", str(prefect.__module_path__.parent)),
            *("--factory", "prefect.server.api.server:create_app"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--log-level", "error", "--lifespan", "on"),
        ]
        return subprocess.Popen(
            # -P: the modules beside the script must not pass for others' of the same name.
            [sys.executable, "-P", str(SERVER), *arguments],
            env={
                **os.environ,
                "PREFECT_UI_ENABLED": "0",
                "PREFECT__SERVER_EPHEMERAL": "1",
                "PREFECT__SERVER_FINAL": "1",
                **get_current_settings().to_environment_variables(exclude_unset=True),
            },
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Ends it at once, where nobody has used it yet."""
        if self.server_process is not None:
            self.server_process.kill()


@contextmanager
def server_or_temporary(meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within it, Prefect has a temporary server where the project's usual one is not running.

    meanwhile: what to do while that server starts, which takes longer than all the rest of a flow
    that has nothing to do; or at once, where none has to start.

    prefect.toml names the server that `prefect server start` makes, so that all of Prefect's
    commands find it; a run from the command line must not need it. A server that the environment
    names is meant to be used, and Prefect complains where it is not there.
    """
    url = get_current_settings().api.url
    if "PREFECT_API_URL" in os.environ or (url is not None and _answers(url)):
        meanwhile()
        yield
        return
    with temporary_settings(
        updates={
            PREFECT_SERVER_EPHEMERAL_ENABLED: True,
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: START_SECONDS,
            # It is ended in the middle of whatever it does then, and prints how that failed.
            PREFECT_SERVER_LOGGING_LEVEL: "CRITICAL",
        },
        restore_defaults={PREFECT_API_URL},
    ):
        since = datetime.now(UTC)
        # Prefect's client would start the same server, and wait for it.
        server = _TemporaryServer()
        start = threading.Thread(
            target=copy_context().run, args=(server.start, START_SECONDS), daemon=True
        )
        start.start()
        try:
            meanwhile()
        except BaseException:
            server.kill()
            raise
        start.join()
        yield
        _settle(since)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=3):
            return True
    except (OSError, ValueError):
        return False


def _settle(since: datetime) -> None:
    """Waits until the server has written down how every task run since then ended.

    It hears of them by events and lags behind by seconds; what it had not written when it ended
    would be missing, or running for ever, in the history that later servers show.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    last = -1
    try:
        with get_client(sync_client=True) as client:
            while time.monotonic() < deadline:
                every, ended = _count(client, since), _count(client, since, *TERMINAL_STATES)
                if every == ended == last:
                    return
                last = every
                time.sleep(0.5)
    except Exception as error:  # the run itself is over
        _log.debug("Prefect's temporary server was not waited for: %s", error)


def _count(client: SyncPrefectClient, since: datetime, *kinds: StateType) -> int:
    """How many task runs, of flow runs started since then, are in a state of these kinds."""
    which: dict[str, object] = {"flow_runs": {"start_time": {"after_": since.isoformat()}}}
    if kinds:
        which["task_runs"] = {"state": {"type": {"any_": [kind.value for kind in kinds]}}}
    return int(client.request("POST", "/task_runs/count", json=which).json())

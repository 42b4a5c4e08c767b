"""The process of a Dask worker ends, once its worker has.

Python waits for threads as it exits, and Prefect for every event that its server has yet to take:
where that server has gone with its flow, each takes eight seconds, one after another.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time

LAST_SECONDS = 10.0  # stages have ended by then

_watch: asyncio.Task[None] | None = None


def exit_in_time() -> None:
    """Has the process end at the latest LAST_SECONDS after the running event loop, the worker's.

    A worker in a thread of somebody's process leaves that process alone.
    """
    global _watch
    if _watch is None and threading.current_thread() is threading.main_thread():
        _watch = asyncio.create_task(_exit_after_the_loop())


async def _exit_after_the_loop() -> None:
    try:
        await asyncio.Event().wait()
    finally:  # asyncio.run cancels what is left when the worker has ended
        threading.Thread(target=_exit, daemon=True).start()


def _exit() -> None:
    time.sleep(LAST_SECONDS)
    os._exit(0)  # leashes and pipes end whatever there still is

"""An SSH server on this machine that lets everyone in and serves files (SFTP)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncssh


class _Everyone(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return False  # nothing is asked


@contextmanager
def ssh_server() -> Iterator[str]:
    """Gives `ssh://HOST:PORT`."""
    loop = asyncio.new_event_loop()

    async def start() -> Any:
        return await asyncssh.create_server(
            _Everyone,
            *("127.0.0.1", 0),
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=True,
        )

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    try:
        yield f"ssh://user@127.0.0.1:{server.get_port()}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

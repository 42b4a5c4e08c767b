"""The process of a Dask worker ends, and reports to the server of whichever flow it works for."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.flows.dask_cluster import wait_for
from tests.flows.toy import environment

# A worker's process whose event loop ends while Prefect has yet to tell a server that is gone, or a
# thread is busy for ever.
ENDING = """\
import asyncio, sys, threading, time
from distributed import Status
from prefect.events import emit_event
from flows import worker_exit
from flows.worker import _report_to

async def work():
    worker_exit.exit_in_time()
    if "events" in sys.argv:
        _report_to(sys.argv[2])
        for number in range(50):
            emit_event("an event", {"prefect.resource.id": f"of.{number}"})
    if "thread" in sys.argv:
        threading.Thread(target=time.sleep, args=[600]).start()

worker_exit.LAST_SECONDS = 1
asyncio.run(work())
print("the loop has ended", flush=True)
"""
# What runs a worker in a thread goes on when the worker has ended.
IN_A_THREAD = """\
import asyncio, threading, time
from flows import worker_exit

async def work():
    worker_exit.exit_in_time()

worker_exit.LAST_SECONDS = 0
thread = threading.Thread(target=asyncio.run, args=[work()])
thread.start()
thread.join()
time.sleep(0.2)
print("still here", flush=True)
"""


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", ["events", "thread"])
def test_a_worker_whose_flow_and_server_have_gone_ends(what: str) -> None:
    pytest.importorskip("distributed")
    assert run(ENDING, what, "http://127.0.0.1:9/api") == "the loop has ended\n"


def test_a_worker_in_a_thread_leaves_its_process_alone() -> None:
    assert run(IN_A_THREAD) == "still here\n"


def test_events_go_to_the_server_of_the_flow_that_the_worker_works_for() -> None:
    worker = pytest.importorskip("flows.worker")
    from prefect.events.worker import EventsWorker

    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, HTTPServer)
            asked.append(f"{self.server.server_port} {self.path}")
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    servers = [HTTPServer(("127.0.0.1", 0), Server) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = [server.server_address[1] for server in servers]
    try:
        for port in ports:
            worker._report_to(f"http://127.0.0.1:{port}/api")
            EventsWorker.instance()
        wait_for(lambda: all(f"{port} /api/events/in" in asked for port in ports))
    finally:
        EventsWorker.set_client_override(None)
        EventsWorker.drain_all(timeout=0)
        for server in servers:
            server.shutdown()
            server.server_close()

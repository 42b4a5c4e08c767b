"""Registers every flow with the Prefect server, and runs what is asked of it.

Each flow's deployment has the flow's own name:
`prefect deployment run imp-pool/imp-pool`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from flows.imp_pool import imp_pool
from flows.sgd_noise import sgd_noise
from flows.sup_tickets import sup_tickets

FLOWS = [imp_pool, sup_tickets, sgd_noise]


def main() -> None:
    """Serves until interrupted or terminated; then runs in progress are cancelled."""
    names = ", ".join(f"{flow.name}/{flow.name}" for flow in FLOWS)
    parser = argparse.ArgumentParser(
        prog="python -m flows.serve",
        description=__doc__,
        epilog=f"Deployments: {names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # breaks no name at its hyphen
    )
    parser.parse_args()
    runner = Runner(
        # Runs share one workspace, with one params.yaml: one at a time, the others wait.
        limit=1,
        pause_on_shutdown=False,  # a schedule set in the UI outlives a restart of this process
    )
    for flow in FLOWS:
        runner.add_deployment(_deployment(flow))
    asyncio.run(_serve(runner))


async def _serve(runner: Runner) -> None:
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    def stop(*_: object) -> None:
        if not stopping:
            stopping.append(loop.create_task(runner.astop()))

    def on_sigterm(*_: Any, **__: Any) -> None:
        loop.call_soon_threadsafe(stop)

    # Prefect's own handler of SIGTERM cannot wait for the runs that it cancels: they would be
    # killed at once and stay "Running" on the server.
    runner.handle_sigterm = on_sigterm  # type: ignore[method-assign]
    loop.add_signal_handler(signal.SIGINT, stop)
    names = ", ".join(f"{flow.name}/{flow.name}" for flow in FLOWS)
    print(f"Serving {names}; run one with: prefect deployment run {names.partition(',')[0]}")
    await runner.start()
    for task in stopping:
        await task


def _deployment(flow: Flow[..., Any]) -> RunnerDeployment:
    # By module, because a file's path would have to lie below the working directory.
    deployment = flow.to_deployment(flow.name, entrypoint_type=EntrypointType.MODULE_PATH)
    assert isinstance(deployment, RunnerDeployment)  # not a coroutine: no event loop runs here
    deployment.work_pool_name = None  # unless it is set, `prefect deploy` would keep it in its pool
    return deployment


if __name__ == "__main__":
    main()

"""The flow as a user runs it: from terminals, with and without a Prefect server."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.states import Cancelling

from tests.flows.conftest import end_process, free_port
from tests.flows.toy import DVC_YAML, Toy, environment

SLOW = """\
  slow:
    cmd: "echo $$ > pid; sleep 60; echo > slow.txt"
    outs: [slow.txt]
"""
SPARSE = """\
  sparse:
    matrix: {seed: "${seeds}"}
    cmd: cp base.txt sparse-${item.seed}.txt
    deps: [base.txt]
    outs: ["sparse-${item.seed}.txt"]
"""
FORK = """\
  fork:
    matrix: {seed: "${seeds}", noise: [1, 2]}
    cmd: cp base.txt fork-${item.seed}-${item.noise}.txt
    deps: [base.txt]
    outs: ["fork-${item.seed}-${item.noise}.txt"]
"""
# What each flow but the first runs of this by default.
OWN = {
    "sup-tickets": {"sparse@0", "sparse@1"},
    "sgd-noise": {"fork@0-1", "fork@0-2", "fork@1-1", "fork@1-2", "imp@1-round0", "imp@1-round1"},
}


def prefect(toy: Toy, home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        cwd=toy.root,
        env=environment(PREFECT_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start_slow(toy: Toy) -> tuple[UUID, int]:
    """Starts a long stage through the deployment; gives the flow run and the stage's process."""
    pid = toy.root / "pid"
    pid.unlink(missing_ok=True)
    run = flow_run(run_deployment("imp-pool/imp-pool", parameters={"targets": ["slow"]}, timeout=0))
    wait(lambda: pid.exists() and pid.read_text().endswith("\n"))
    return run.id, int(pid.read_text())


def flow_run(run: object) -> FlowRun:
    assert isinstance(run, FlowRun)  # not a coroutine: no event loop runs here
    return run


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def state_name(run: UUID) -> str | None:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run).state_name


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_serve_and_deployment_run_complete_on_a_fresh_home(
    toy: Toy, prefect_server: str, prefect_home: Path
) -> None:
    # As in the project: prefect.toml, and nothing else, tells Prefect's commands of the server.
    toy.write("prefect.toml", f'[api]\nurl = "{prefect_server}"\n')
    toy.write("dvc.yaml", DVC_YAML + SLOW + SPARSE + FORK)
    log = toy.root / "serve.log"
    with log.open("w") as file:
        serve = subprocess.Popen(
            [sys.executable, "-m", "flows.serve"],
            cwd=toy.root,
            env=environment(PREFECT_HOME=str(prefect_home), PREFECT_RUNNER_POLL_FREQUENCY="1"),
            stdout=file,
            stderr=file,
        )
    try:
        served = "Serving imp-pool/imp-pool, sup-tickets/sup-tickets, sgd-noise/sgd-noise;"
        wait(lambda: served in log.read_text())
        arguments = ["deployment", "run", "imp-pool/imp-pool", "--watch"]
        chosen = ["--param", 'targets=["imp@0-*"]', "--param", "max_parallel=2"]
        output = prefect(toy, prefect_home, *arguments, *chosen)
        assert "finished successfully in 'Completed'" in output
        assert toy.locked() == {"base", "imp@0-round0", "imp@0-round1"}
        assert "up to 2 at once" in log.read_text()

        # The other flows run their own stages.
        for flow, stages in OWN.items():
            before = toy.locked()
            assert flow_run(run_deployment(f"{flow}/{flow}", timeout=90)).state_name == "Completed"
            assert toy.locked() - before == stages

        # Cancelling a run ends what it has started.
        run, shell = start_slow(toy)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Cancelling())
        wait(lambda: not alive(shell))
        wait(lambda: state_name(run) == "Cancelled")

        # So does ending `flows.serve`.
        run, shell = start_slow(toy)
        serve.send_signal(signal.SIGTERM)
        serve.wait(40)
        assert not alive(shell)
        assert state_name(run) == "Cancelled"
    except BaseException:
        print(log.read_text())
        raise
    finally:
        if serve.poll() is None:
            end_process(serve)


def test_the_command_line_needs_no_server(toy: Toy, prefect_home: Path) -> None:
    arguments = ["--targets", "base", "aside", "--set", "train.epochs=9", "--max-parallel", "2"]
    toy.write("prefect.toml", f'[api]\nurl = "http://127.0.0.1:{free_port()}/api"\n')
    done = subprocess.run(
        [sys.executable, "-m", "flows.imp_pool", *arguments],
        cwd=toy.root,
        env=environment(PREFECT_HOME=str(prefect_home)),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(toy.ran()) == ["aside", "base"]
    assert "epochs: 9" in toy.read("params.yaml")

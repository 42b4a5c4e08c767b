"""prefect.yaml as docs/cluster.md uses it: a work pool, `prefect deploy`, a Prefect worker."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelling
from ruamel.yaml import YAML

from flows import serve
from flows.imp_pool import imp_pool
from tests.flows.conftest import end_process
from tests.flows.test_serve import SLOW, alive, prefect, start_slow, state_name, wait
from tests.flows.toy import DVC_YAML, REPO, Toy, environment

DEPLOYMENT = "imp-pool/imp-pool"


def with_schedule() -> str:
    """prefect.yaml with the schedule that its comment shows."""
    text = (REPO / "prefect.yaml").read_text()
    text, count = re.subn(r"    schedules: \[\]\n    # (schedules:\n    )# ", r"    \1", text)
    assert count == 1
    return text


def commands() -> list[list[str]]:
    """What docs/cluster.md tells to type, in order: the arguments of `prefect`."""
    section = (REPO / "docs" / "cluster.md").read_text().split("### A work pool", 1)[1]
    block = section.split("```sh\n", 1)[1].split("```", 1)[0]
    lines = re.findall(r"^(?:\w+=\S+ )?prefect (.*?)(?: +#.*)?$", block, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def scheduled() -> set[str]:
    """The deployments whose schedule has made runs."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
        made = {run.deployment_id for run in runs if run.auto_scheduled and run.deployment_id}
        return {client.read_deployment(one).name for one in made}


@pytest.fixture
def worker(toy: Toy, prefect_server: str, prefect_home: Path, tmp_path: Path) -> Iterator[None]:
    """Does as the page says, in the toy."""
    *before, start = commands()
    assert [command[0] for command in before] == ["work-pool", "work-pool", "deploy"]
    assert start[:2] == ["worker", "start"]
    toy.write("prefect.toml", f'[api]\nurl = "{prefect_server}"\n')
    toy.write("prefect.yaml", with_schedule())
    for command in before:
        prefect(toy, prefect_home, *command)
    elsewhere, log = tmp_path / "elsewhere", tmp_path / "worker.log"
    elsewhere.mkdir()
    server = {"PREFECT_API_URL": prefect_server, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *start],
            cwd=elsewhere,  # the runs find the project wherever the worker was started
            env=environment(PREFECT_HOME=str(prefect_home), **server),
            stdout=output,
            stderr=output,
        )
    try:
        wait(lambda: "started!" in log.read_text())
        yield
    finally:
        end_process(process)
        print(log.read_text())


@pytest.mark.usefixtures("worker")
def test_a_work_pool_runs_the_deployments_of_prefect_yaml(toy: Toy) -> None:
    # In the project's folder, which is not where the worker was started.
    toy.write("dvc.yaml", DVC_YAML + SLOW)
    run, shell = start_slow(toy)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelling())
    wait(lambda: not alive(shell))
    wait(lambda: state_name(run) == "Cancelled")

    # The schedule has made runs.
    wait(lambda: scheduled() == {flow.name for flow in serve.FLOWS})

    # `flows.serve` takes the deployment out of the pool.
    with get_client(sync_client=True) as client:
        assert client.read_deployment_by_name(DEPLOYMENT).work_pool_name == "lottery-pools"
        serve._deployment(imp_pool).apply()
        assert client.read_deployment_by_name(DEPLOYMENT).work_pool_name is None


def test_the_file_has_every_flow_that_is_served() -> None:
    deployments = YAML(typ="safe").load((REPO / "prefect.yaml").read_text())["deployments"]
    told = {(one["name"], one["entrypoint"]) for one in deployments}
    flows = {(flow.name, flow.name.replace("-", "_")) for flow in serve.FLOWS}
    assert told == {(name, f"flows.{variable}.{variable}") for name, variable in flows}

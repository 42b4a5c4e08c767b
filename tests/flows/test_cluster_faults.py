"""What stands in the way of a cluster is told in one line; without a cluster, Dask stays out."""

import socket
import subprocess
import sys

import pytest

from lp_core.errors import InputError
from tests.flows.everything import everything
from tests.flows.toy import Toy, environment

LOADED = """\
import sys
sys.argv = ["everything", *{arguments}]
from flows.command_line import main
from tests.flows.everything import everything
try:
    main(everything)
finally:
    print(sorted({{"dask", "distributed", "prefect_dask"}} & set(sys.modules)))
"""


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense"])
def test_an_address_where_no_scheduler_answers_is_told_at_once(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    cluster = pytest.importorskip("flows.cluster")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = address.format(port=listener.getsockname()[1])  # where nobody listens
        state = everything(dask=address, return_state=True)
    assert state.name == "InvalidInput"
    with pytest.raises(InputError, match=f"^dask: no scheduler answers at '?{address}"):
        state.result()
    assert state.message is not None
    assert "\n" not in state.message
    assert toy.ran() == []


def test_without_the_extra_the_line_says_what_to_install(toy: Toy) -> None:
    for name in ("distributed", "prefect_dask"):
        toy.write(f"{name}.py", f"raise ModuleNotFoundError({name!r})")
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.everything", "--dask"],
        cwd=toy.root,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "pip install 'lottery-pools[pipeline,dask]'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert toy.ran() == []


def test_a_run_without_a_cluster_does_not_import_dask(toy: Toy) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=["--targets", "aside"])],
        cwd=toy.root,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
    assert toy.ran() == ["aside"]

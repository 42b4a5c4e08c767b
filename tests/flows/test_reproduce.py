"""The flow on toy projects, against a Prefect server for tests."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import TerminationSignal

from flows import processes, stage, stage_progress
from flows.command_line import main
from flows.imp_pool import imp_pool
from flows.sgd_noise import sgd_noise
from flows.sup_tickets import sup_tickets
from lp_core.errors import InputError
from tests.flows.everything import everything
from tests.flows.toy import PARAMS, STAGES, Toy

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.reproduce_stage, "retry_delay_seconds", [0.1, 0.1, 0.1])


@contextlib.contextmanager
def no_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where a command is started."""

    def refuse(*_: Any) -> int:
        raise AssertionError("a command was started")

    with monkeypatch.context() as patch:
        patch.setattr(processes.Commands, "run", refuse)
        yield


def task_runs(state: State[Any]) -> dict[str, TaskRun]:
    """The task runs of a finished flow run by name, once the server has seen how each ended."""
    assert state.state_details.flow_run_id is not None
    flow_run = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    end = time.monotonic() + 20
    with get_client(sync_client=True) as client:
        while True:
            runs = client.read_task_runs(flow_run_filter=flow_run)
            if runs and all(run.state is not None and run.state.is_final() for run in runs):
                return {run.name: run for run in runs}
            assert time.monotonic() < end, [(run.name, run.state_name) for run in runs]
            time.sleep(0.2)


def test_flow_and_repro_find_done_what_the_other_did(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A first run does everything, in order, and DVC has nothing to add.
    first = everything(max_parallel=2, return_state=True)
    ran = toy.ran()
    assert sorted(ran) == sorted(
        ["base", "aside", "imp-0-0", "imp-0-1", "imp-1-0", "imp-1-1", "table"]
    )
    assert ran.index("base") < min(ran.index(n) for n in ran if n.startswith("imp"))
    assert first.result() == dict.fromkeys(STAGES, "Completed")
    assert "up to date" in toy.dvc("status")
    assert "up to date" in toy.dvc("repro")

    # Task runs are named as DVC names the stages, and know what they build on.
    runs = task_runs(first)
    assert set(runs) == STAGES
    upstream = {getattr(edge, "id", None) for edge in runs["table"].task_inputs["upstream"]}
    assert upstream == {runs["imp@0-round1"].id, runs["imp@1-round1"].id}

    # The results are shown.
    with get_client(sync_client=True) as client:
        shown = {a.key: a.data for a in client.read_artifacts()}
    assert shown["everything-accuracy"] == toy.read("results/summary.md")
    assert shown["everything-figure"] == "![accuracy](data:image/svg+xml;base64,U1ZH)"

    # A second run starts no process at all.
    with no_commands(monkeypatch):
        assert everything() == dict.fromkeys(STAGES, "Cached")

    # What `dvc repro` does, the flow finds done.
    toy.write("source.txt", "other\n")
    toy.dvc("repro", "-q")
    assert "base" in toy.ran()
    with no_commands(monkeypatch):
        assert everything(["table"]) == dict.fromkeys(
            ["base", "imp@0-round1", "imp@1-round1", "table"], "Cached"
        )


def test_what_is_downstream_of_a_change_is_asked_again(done_toy: Toy) -> None:
    toy = done_toy

    # An upstream that ran and gave other bytes makes a stage stale that was not so at first.
    toy.write("source.txt", "other\n")
    states = everything(["imp@0-*"])
    assert states == {"base": "Completed", "imp@0-round0": "Completed", "imp@0-round1": "Completed"}
    assert sorted(toy.ran()) == ["base", "imp-0-0", "imp-0-1"]

    # One that was restored from the run cache counts as cached, and still changes its output.
    toy.write("source.txt", "source\n")
    states = everything(["imp@0-round0"])
    assert states == {"base": "Cached", "imp@0-round0": "Cached"}
    assert toy.read("base.txt") == "source\n"
    assert "source" in toy.read("t0-0.txt")
    assert toy.ran() == []

    # One that ran and gave the same bytes leaves the rest as it is.
    toy.write("dvc.yaml", toy.read("dvc.yaml").replace("cp source.txt", "cp -f source.txt"))
    states = everything(["imp@0-round0"])
    assert states == {"base": "Completed", "imp@0-round0": "Cached"}
    assert toy.ran() == ["base"]


def test_force_runs_what_has_not_changed(done_toy: Toy) -> None:
    toy = done_toy
    assert everything(["imp@1-round0"], force=True) == {
        "base": "Completed",
        "imp@1-round0": "Completed",
    }
    assert toy.ran() == ["base", "imp-1-0"]


def test_overrides_are_written_first_and_stay(done_toy: Toy) -> None:
    toy = done_toy
    states = everything(["imp@0-round0", "aside"], overrides=["train.epochs=5"])
    assert states == {"base": "Cached", "imp@0-round0": "Completed", "aside": "Cached"}
    assert "epochs: 5" in toy.read("params.yaml")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"overrides": ["train.epochs=-1"]}, r"params\.yaml: train\.epochs must not"),
        ({"overrides": ["train.epocs=1"]}, "near it: train.epochs"),
        ({"targets": ["pool@*"]}, "'pool@.*' matches no stage"),
    ],
)
def test_invalid_parameters_stop_the_flow_before_anything_runs(
    toy: Toy, parameters: dict[str, list[str]], message: str
) -> None:
    state = everything(**parameters, return_state=True)
    assert state.name == "InvalidInput"
    with pytest.raises(ValueError, match=message):
        state.result()
    assert toy.ran() == []
    assert "epochs: 2" in toy.read("params.yaml")


def test_a_flow_runs_what_the_experiment_has_of_it(toy: Toy) -> None:
    assert set(imp_pool()) == STAGES - {"aside", "table"}  # they are not its own

    # What is asked for by name has to be there.
    with pytest.raises(InputError, match="'ood' matches no stage"):
        imp_pool(["imp", "ood"])

    toy.write("params.yaml", PARAMS.replace("seeds: [0, 1]", "seeds: []"))
    state = imp_pool(return_state=True)
    assert state.name == "InvalidInput"
    with pytest.raises(InputError, match=r"params\.yaml: grid: the list is empty"):
        state.result()
    for flow, switch in ((sup_tickets, "sup_tickets"), (sgd_noise, "sgd_noise")):
        state = flow(return_state=True)
        with pytest.raises(
            InputError, match=rf"params\.yaml: {switch}\.variants: the list is empty"
        ):
            state.result()


WIDE = """\
stages:
  one:
    matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8]}
    cmd: >-
      python -c "import time, os; a = time.monotonic(); time.sleep(0.7);
      print(a, time.monotonic(), os.environ.get('CUDA_VISIBLE_DEVICES'),
      file=open('out${item.n}.txt', 'w'))"
    outs: ["out${item.n}.txt"]
"""


def test_parallel_stages_leave_the_lock_file_complete_and_share_the_gpus(
    make_toy: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = make_toy(WIDE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    everything()  # four GPUs: four at once
    assert toy.locked() == {f"one@{n}" for n in range(1, 9)}

    spans = [toy.read(f"out{n}.txt").split() for n in range(1, 9)]
    assert {gpu for _, _, gpu in spans} == {"4", "5", "6", "7"}
    times = [(float(a), float(b), gpu) for a, b, gpu in spans]
    at_once = [[gpu for a, b, gpu in times if a <= start < b] for start, _, _ in times]
    assert 2 <= max(map(len, at_once)) <= 4
    assert all(len(set(gpus)) == len(gpus) for gpus in at_once)  # no GPU was shared


def test_stages_that_train_on_two_gpus_have_two(
    make_toy: Callable[..., Toy],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    toy = make_toy(WIDE.replace("[1, 2, 3, 4, 5, 6, 7, 8]", "[1, 2, 3]"), "train: {devices: 2}\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    everything(max_parallel=3)
    assert {toy.read(f"out{n}.txt").split()[2] for n in (1, 2, 3)} == {"4,5", "6,7"}
    assert "max_parallel is 3, but the GPUs are enough for 2 at once" in caplog.text


BROKEN = """\
stages:
  invalid:
    cmd: "echo tried-invalid >> ran.log; echo error: bad data; exit 2"
    outs: [invalid.txt]
  crash:
    cmd: "echo tried-crash >> ran.log; echo what went wrong; exit 1"
    outs: [crash.txt]
  flaky:
    cmd: "echo tried-flaky >> ran.log; test $(grep -c flaky ran.log) = 3 && echo > flaky.txt"
    outs: [flaky.txt]
  forgets:
    cmd: "echo tried-forgets >> ran.log"
    outs: [forgets.txt]
  next:
    cmd: echo next >> ran.log
    deps: [crash.txt, flaky.txt]
    outs: [next.txt]
  after:
    cmd: echo after >> ran.log
    deps: [next.txt]
    outs: [after.txt]
  good:
    cmd: echo good >> ran.log; echo > good.txt
    deps: [flaky.txt]
    outs: [good.txt]
"""


def test_failures_are_told_apart_and_independent_branches_go_on(
    make_toy: Callable[..., Toy],
) -> None:
    toy = make_toy(BROKEN)
    state = everything(max_parallel=2, return_state=True)
    ran = toy.ran()
    tries = {name: ran.count(f"tried-{name}") for name in ("invalid", "crash", "flaky", "forgets")}
    assert tries == {"invalid": 1, "crash": 1 + stage.RETRIES, "flaky": 3, "forgets": 1}
    assert "next" not in ran
    assert "good" in ran

    assert state.is_failed()
    assert state.message is not None
    for name in ("invalid", "crash", "forgets"):
        assert name in state.message.partition("failed: ")[2]
    runs = task_runs(state)
    assert {name: run.state_name for name, run in runs.items()} == {
        "invalid": "InvalidInput",
        "crash": "Failed",
        "flaky": "Completed",
        "forgets": "Refused",
        "next": "NotRun",
        "after": "NotRun",
        "good": "Completed",
    }
    messages = {name: run.state.message or "" for name, run in runs.items() if run.state}
    assert "what went wrong" in messages["crash"]
    assert "exited with 1" in messages["crash"]
    assert "error: bad data" in messages["invalid"]
    assert messages["next"] == "needs crash"


def test_the_command_line_tells_its_failures_apart(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, code in (
        (["--set", "train.epochs=-1"], 2),
        (["--targets", "aside", "base"], 1),
    ):
        monkeypatch.setattr(sys, "argv", ["everything", *arguments])
        with pytest.raises(SystemExit) as ended:
            main(everything)
        assert ended.value.code == code
        toy.write("dvc.yaml", toy.read("dvc.yaml").replace("echo base >> ran.log;", "exit 2;"))
    assert toy.ran() == ["aside"]


FIRST = """\
stages:
  params:
    cmd: >-
      echo params >> ran.log;
      grep -q 'epochs: 99' params.yaml && echo error: too many && exit 2; true
    deps: [params.yaml]
    outs:
      - valid.txt: {cache: false}
  code:
    cmd: echo code >> ran.log; mkdir -p code; cp source.txt code/one; echo same > code/two
    deps: [source.txt]
    outs: [code]
  one:
    cmd: echo one >> ran.log; echo 1 > one.txt
    deps: [code/one]
    outs: [one.txt]
  two:
    cmd: echo two >> ran.log; echo 2 > two.txt
    deps: [code/two]
    outs: [two.txt]
  three:
    cmd: echo three >> ran.log; echo 3 > three.txt
    deps: [two.txt, valid.txt]
    outs: [three.txt]
"""


def test_params_and_code_are_brought_up_to_date_before_the_graph_is_read(
    make_toy: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = make_toy(FIRST.replace("; true", "; echo valid > valid.txt"))
    everything()
    assert set(toy.ran()) == {"params", "code", "one", "two", "three"}

    # Nobody is asked about what the new code does not concern.
    asked: list[str] = []
    run = processes.Commands.run

    def count(commands: Any, command: list[str], *arguments: Any) -> int:
        asked.append(command[-1])
        return run(commands, command, *arguments)

    monkeypatch.setattr(processes.Commands, "run", count)
    toy.write("source.txt", "edited\n")
    states = everything()
    assert states == {
        "params": "Cached",
        "code": "Completed",
        "one": "Completed",
        "two": "Cached",
        "three": "Cached",
    }
    assert asked == ["code", "one"]
    assert toy.ran() == ["code", "one"]


def test_a_fault_that_the_stage_params_finds_ends_the_flow_before_anything_else_runs(
    make_toy: Callable[..., Toy],
) -> None:
    toy = make_toy(FIRST, PARAMS.replace("epochs: 2", "epochs: 99"))
    state = everything(["three"], return_state=True)
    assert state.name == "InvalidInput"
    with pytest.raises(InputError, match=r"(?s)params exited with 2.*error: too many"):
        state.result()
    assert set(toy.ran()) <= {"params", "code"}


SLOW = """\
stages:
  slow:
    cmd: "echo $$ > pid; echo epoch 1/4; sleep 1; echo epoch 2/4; sleep ${seconds}"
    outs:
      - slow.txt: {cache: false}
  idle:
    cmd: "echo $$ > pid2; sleep 30; echo > idle.txt"
    outs: [idle.txt]
  last:
    cmd: echo > last.txt
    deps: [slow.txt]
    outs: [last.txt]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_running_stages_and_starts_no_others(
    make_toy: Callable[..., Toy], number: signal.Signals
) -> None:
    toy = make_toy(SLOW, "seconds: 30\n")
    children: list[psutil.Process] = []

    def interrupt() -> None:
        end = time.monotonic() + 40
        while not all((toy.root / name).exists() for name in ("pid", "pid2")):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        children.extend(
            child
            for child in psutil.Process().children(recursive=True)
            if "dvc" in child.cmdline() or "sleep" in child.cmdline()
        )
        os.kill(os.getpid(), number)

    # Prefect hands SIGTERM on to the handler that was there before it. SIGINT is ignored in a test
    # run that a shell started in the background.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    before_interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    start = time.monotonic()
    try:
        with pytest.raises((KeyboardInterrupt, TerminationSignal)):
            everything(max_parallel=2)
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, before_interrupt)
    assert time.monotonic() - start < 28
    assert len(children) >= 4  # two of DVC, two sleeping
    assert not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children)
    assert not (toy.root / "last.txt").exists()
    assert not (toy.root / "dvc.lock").exists()


def test_a_long_stage_shows_its_progress(
    make_toy: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = make_toy(SLOW.replace("sleep ${seconds}", "echo > slow.txt"), "seconds: 0\n")
    monkeypatch.setattr(stage_progress, "LONG_SECONDS", 0.5)
    state = everything(["slow"], return_state=True)
    task_run = task_runs(state)["slow"].id
    with get_client(sync_client=True) as client:  # which also has what other tests have shown
        (bar,) = (a for a in client.read_artifacts() if a.task_run_id == task_run)
    assert bar.data == 50.0
    assert bar.key == "slow"
    assert bar.description == "slow: epoch 2 of 4"
    assert (toy.root / "slow.txt").exists()


def in_use(toy: Toy, file: str, command: str) -> None:
    """Has DVC take `file` for one that this process writes, which it takes for `command`."""
    writer = {"pid": os.getpid(), "cmd": command}
    toy.write(".dvc/tmp/rwlock", json.dumps({"write": {str(toy.root / file): writer}}))


def test_files_that_another_dvc_process_uses_are_waited_for(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BUSY_SECONDS", 0.2)
    in_use(toy, "aside.txt", " ".join(psutil.Process().cmdline()))
    release = threading.Timer(
        2.5, lambda: (toy.root / ".dvc/tmp/rwlock").write_text('{"write": {}, "read": {}}')
    )
    release.start()
    assert everything(["aside"]) == {"aside": "Completed"}
    release.join()
    assert toy.ran() == ["aside"]


def test_files_of_a_process_that_is_gone_are_not_waited_for(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number has gone to another process, so that DVC takes it for alive."""

    def gone_meanwhile(*_: object) -> None:
        in_use(toy, "aside.txt", "/bin/dvc repro another")

    monkeypatch.setattr(processes.Commands, "warm_up", gone_meanwhile)  # once the graph is read
    assert everything(["aside"]) == {"aside": "Completed"}
    assert toy.ran() == ["aside"]
    assert not any(json.loads(toy.read(".dvc/tmp/rwlock")).values())


DVC_DIES = """\
stages:
  one:
    cmd: >-
      echo tried >> ran.log; test $(grep -c tried ran.log) = 2 || kill -9 $(ps -o ppid= $$);
      sleep 0.2; cp params.yaml one.txt
    deps: [params.yaml]
    outs: [one.txt]
"""


def test_locks_of_a_dvc_that_died_are_gone_when_the_flow_ends(make_toy: Callable[..., Toy]) -> None:
    toy = make_toy(DVC_DIES)
    assert everything() == {"one": "Completed"}
    assert toy.ran() == ["tried", "tried"]
    assert not any(json.loads(toy.read(".dvc/tmp/rwlock")).values())


def test_what_was_mended_is_said_and_nothing_runs_again(
    done_toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    toy = done_toy
    whole = toy.read("dvc.lock")
    everything()
    toy.write("dvc.lock", whole[: len(whole) // 3])
    shutil.rmtree(toy.root / ".dvc" / "cache")
    toy.write(".dvc/tmp/rwlock", '{"write": {')
    states = everything(return_state=True).result()
    assert set(states.values()) == {"Cached"}
    assert toy.ran() == []
    assert toy.read("dvc.lock") == whole
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split()[0] for line in said] == [".dvc/tmp/rwlock", "dvc.lock", "DVC's"]


def test_a_command_runs_where_a_stage_has_failed_or_params_are_invalid(
    make_toy: Callable[..., Toy], caplog: pytest.LogCaptureFixture
) -> None:
    toy = make_toy(BROKEN)
    command = 'printf "%s|%s|%s" "$FLOW_NAME" "$FAILED" "$MESSAGE" > told'
    everything(["good"], on_failure=command)
    assert not (toy.root / "told").exists()
    everything(["invalid", "forgets"], on_failure=command, return_state=True)
    flow, failed, message = toy.read("told").split("|")
    assert flow == "everything"
    assert set(failed.split()) == {"invalid", "forgets"}
    assert message.startswith("2 stages: ")
    assert "error: bad data" in message
    everything(["nothing"], on_failure=command, return_state=True)
    assert toy.read("told").startswith("everything||targets: 'nothing' matches no stage")
    everything(["nothing"], on_failure="exit 5", return_state=True)
    assert "on_failure: 'exit 5' exited with 5" in caplog.text


def test_a_run_shows_how_far_it_came_and_what_it_is_of(
    done_toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    toy = done_toy
    for words in (["init", "-q"], ["add", "params.yaml"], ["commit", "-q", "-m", "x"]):
        settings = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *settings, *words], cwd=toy.root, check=True)
    # An override of an earlier run that was cancelled at once.
    toy.write("params.yaml", toy.read("params.yaml").replace("seeds: [0, 1]", "seeds: [0, 1, 2]"))
    state = everything(["imp@0-*"], overrides=["train.epochs=5"], return_state=True)
    assert "set for this run: train.epochs: 2 → 5; there before it: seeds: [0, 1] → [0, 1, 2]" in (
        caplog.text
    )
    with get_client(sync_client=True) as client:
        shown = {
            a.key: a
            for a in client.read_artifacts()
            if a.flow_run_id == state.state_details.flow_run_id
        }
    assert shown["everything-progress"].data == 100
    assert shown["everything-progress"].description == "3 of 3 stages done, 1 cached"
    page = str(shown["everything-params"].data)
    assert "| `seeds` | `[0, 1]` | `[0, 1, 2]` | before this run |" in page
    assert "  epochs: 5   # few" in page
    known = json.loads(toy.read(".dvc/tmp/durations.json"))
    assert set(known) == {"imp@0-round0", "imp@0-round1"}

import subprocess
import sys
import time

import psutil
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.dvc import Fault, Outcome, Transcript, is_running
from flows.stage import may_pass_by_itself

CMD = "python -m tasks.imp --seed 0"


def transcript(*lines: str) -> Transcript:
    made = Transcript("imp@0-round1")
    for line in lines:
        made.read(line)
    return made


def test_what_dvc_says_first_tells_what_it_did() -> None:
    skipped = transcript("Stage 'imp@0-round1' didn't change, skipping")
    assert skipped.outcome is Outcome.UNCHANGED
    cached = "Stage 'imp@0-round1' is cached - skipping run, checking out outputs"
    assert transcript(cached).outcome is Outcome.RESTORED
    running = "Running stage 'imp@0-round1':"
    assert transcript(running, f"> {CMD}").outcome is Outcome.RAN


def test_a_stage_cannot_pass_for_cached_by_what_it_prints() -> None:
    line = "Stage 'imp@0-round1' didn't change, skipping"
    assert transcript("Running stage 'imp@0-round1':", f"> {CMD}", line).outcome is Outcome.RAN


def test_what_dvc_says_of_git_and_remotes_is_not_logged() -> None:
    made = transcript("Running stage 'imp@0-round1':", f"> {CMD}")
    hints = (
        "Generating lock file 'dvc.lock'",
        "Updating lock file 'dvc.lock'",
        "To track the changes with git, run:",
        "\tgit add dvc.lock rows/imp/base/0/.gitignore",
        "To enable auto staging, run:",
        "\tdvc config core.autostage true",
        "Use `dvc push` to send your updates to remote storage.",
        "Data and pipelines are up to date.",
    )
    assert [made.read(line) for line in hints] == [None] * len(hints)
    assert made.read("\x1b[32mepoch 1/4\x1b[0m ") == "epoch 1/4"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(2, Fault.INVALID_INPUT), (1, Fault.FAILED), (-9, Fault.FAILED), (137, Fault.FAILED)],
)
def test_only_the_code_for_invalid_input_is_not_retried(status: int, expected: Fault) -> None:
    fault, message = transcript(
        "Running stage 'imp@0-round1':",
        f"> {CMD}",
        "error: params.yaml: train.epochs",
        f"\x1b[31mERROR\x1b[39m: failed to reproduce 'imp@0-round1': failed to run: {CMD}, "
        f"exited with {status}",
    ).fault(255)
    assert fault is expected
    state: State[None] = Failed(name=fault.value)
    retried = may_pass_by_itself(None, None, state)  # type: ignore[arg-type]
    assert retried == (fault is Fault.FAILED)
    assert "error: params.yaml: train.epochs" in message
    assert "failed to reproduce" not in message


def test_what_dvc_itself_refuses_is_not_retried_unless_it_was_unexpected() -> None:
    refused = transcript("ERROR: failed to reproduce 'imp@0-round1': output 't' does not exist")
    assert refused.fault(255)[0] is Fault.REFUSED
    full = transcript("ERROR: unexpected error - [Errno 28] No space left on device")
    assert full.fault(255)[0] is Fault.FAILED
    assert transcript().fault(-9)[0] is Fault.FAILED


def test_files_in_use_by_another_dvc_process_are_told_apart() -> None:
    line = "ERROR: failed to reproduce 'imp@0-round1': '/x/t' is busy, it is being blocked by:"
    assert transcript(line, "  (PID 3): /bin/dvc repro").busy
    assert not transcript("Running stage 'imp@0-round1':", line).busy


@pytest.mark.parametrize("where", ["", "failed to reproduce 'imp@0-round1': "])
def test_a_read_write_lock_that_a_kill_has_broken_is_mended_and_not_failed_for(where: str) -> None:
    line = f"ERROR: {where}Unable to read RWLock-file '.dvc/tmp/rwlock'. JSON structure is bad"
    assert transcript(line).busy
    assert transcript("Running stage 'imp@0-round1':", line).busy  # or as DVC gives it back


def test_a_process_is_told_from_another_that_got_its_number() -> None:
    # As `python -m dvc repro table`: DVC notes the module's path in place of `-m dvc`.
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, "repro", "table"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # until then its command line may still be its parent's, or none
    try:
        assert is_running(process.pid, "/x/site packages/dvc/__main__.py repro table")
        assert not is_running(process.pid, "/x/dvc/__main__.py repro imp@0-round1")
        assert is_running(process.pid, "/x/flows/imp_pool.py")  # nothing to tell it by
    finally:
        process.communicate()
    assert not is_running(process.pid, "/x/dvc/__main__.py repro table")


def test_a_process_that_nobody_reaps_is_not_running() -> None:
    process = subprocess.Popen(["true", "repro"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not is_running(process.pid, "/bin/dvc repro")
    process.wait()

"""Command lines and overrides that are wrong by themselves, or at odds with params.yaml."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.mending import mend_lock_file
from flows.params import set_params
from lp_core.errors import InputError
from tasks.kit.code import PROJECT
from tests.bad_input.table import (
    Case,
    check,
    lines,
    nothing,
    pattern,
    removed,
    table,
    tree,
    written,
)

OLD = '{"entries": [], "modules": ["tasks.ood"], "reads": [], "files": {}}'
CROSS = "tasks.cross --pair.masks base --pair.training base --seed 0 --ticket 1"
FEW_SHOT = "tasks.few_shot --variant base --seed 0 --ticket 1"
OOD = "tasks.ood --variant base --seed 0 --ticket 1 --parent 0"


@table(
    "commands",
    Case("no-arguments", nothing, "tasks.imp"),
    Case("unknown-argument", nothing, f"{OOD} --gpu 1"),
    Case("no-value", nothing, "tasks.dataset --dataset"),
    Case("value-with-hyphen-first", nothing, "tasks.dataset --dataset -rf"),
    Case("seed-is-a-word", nothing, OOD.replace("seed 0", "seed zero")),
    Case("seed-2-63", nothing, OOD.replace("seed 0", f"seed {2**63}")),
    Case("seed-of-5000-digits", nothing, OOD.replace("seed 0", f"seed {'9' * 5000}")),
    Case("negative-seed", nothing, OOD.replace("seed 0", "seed -1")),
    Case("fractional-ticket", nothing, OOD.replace("ticket 1", "ticket 1.5")),
    Case("unknown-variant", nothing, OOD.replace("base", "wide")),
    Case("variant-is-a-path", nothing, OOD.replace("base", "../base")),
    Case("variant-of-300-letters", nothing, OOD.replace("base", "a" * 300)),
    Case("unknown-dataset", nothing, "tasks.corrupt --dataset cifar10"),
    Case("unknown-method", nothing, "tasks.pool --variant base --seed 0 --method soup"),
    Case("seed-without-tickets", nothing, OOD.replace("seed 0", "seed 7")),
    Case(
        "parent-without-ticket", nothing, OOD.replace("ood", "imp").replace("parent 0", "parent x")
    ),
    Case("unknown-pair", nothing, CROSS.replace("training base", "training wide")),
    Case("pair-without-ticket", nothing, CROSS.replace("ticket 1", "ticket 7")),
    Case("unknown-network", nothing, f"{FEW_SHOT} --network dense --percent 10"),
    Case("percent-is-a-share", nothing, f"{FEW_SHOT} --network ticket --percent 0.1"),
    Case("percent-0", nothing, f"{FEW_SHOT} --network ticket --percent 0"),
    Case("no-such-target", nothing, "tasks.transfer --variant base --seed 0 --ticket 1 --target x"),
    Case("no-params", removed("params.yaml"), OOD),
    Case("no-fingerprint", removed("code/ood.json"), OOD),
    Case("foreign-fingerprint", written("code/ood.json", "[]"), OOD),
    Case("old-fingerprint", written("code/ood.json", OLD), OOD),
    Case("unknown-preset", nothing, "presets resnet19"),
    Case("misspelt-preset", nothing, "presets cifar10-gpu"),
    Case("preset-over-a-folder", nothing, "presets default --to data"),
    Case("preset-with-two-names", nothing, "presets default vgg"),
)
def test_a_wrong_command(case: Case, root: Path, monkeypatch: Any, capsys: Any):
    check(case, root, monkeypatch, capsys)


OVERRIDES = lines("overrides")


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_wrong_override(override: str, root: Path):
    before = tree(root)
    with pytest.raises(InputError) as error:
        set_params(Path("params.yaml"), [override])
    told = str(error.value).removesuffix(f" (with the overrides {override})")
    assert re.fullmatch(pattern(OVERRIDES[override]), told), told
    assert tree(root) == before


PROCESSES = lines("processes")


@pytest.mark.parametrize("command", PROCESSES)
def test_a_process_of_its_own_ends_alike(command: str, root: Path):
    """With an exit code that the shell sees, and nothing else on the screen."""
    before = tree(root)
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.fullmatch(pattern(f"error: {PROCESSES[command]}\n"), done.stderr), done.stderr
    assert done.stdout == ""
    assert done.returncode == 2
    assert tree(root) == before


MERGE = "<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '2.0'\n>>>>>>> other\n"
LOCK_FILES = {
    "merge": written("dvc.lock", MERGE),
    "no-yaml": written("dvc.lock", "stages: {\n"),
    "other-bytes": written("dvc.lock", b"\xff\xfe\n"),
    "cut": written("dvc.lock", "schema: '2.0'\nstages:\n  params:\n    cm"),
    "foreign": written("dvc.lock", "- 1\n"),
    "folder": written("dvc.lock/note", ""),
}


@pytest.mark.parametrize("name", LOCK_FILES)
def test_a_lock_file_that_nobody_can_mend(name: str, root: Path):
    """The flow has no copy of it; where it has, it puts that in its place."""
    LOCK_FILES[name](root)
    before = tree(root)
    with pytest.raises(InputError) as error:
        mend_lock_file(root)
    assert re.fullmatch(pattern(lines("lock files")[name]), str(error.value)), str(error.value)
    assert tree(root) == before

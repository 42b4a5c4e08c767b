"""One stage in a workspace with a DVC remote: `python -m flows.clone STAGE ORDER`.

Takes the dvc.lock entries of what the stage builds on into this workspace's dvc.lock, fetches what
of that lies here otherwise or not at all, has `dvc repro` bring the stage up to date, and pushes
what it has made; its own entry goes back by way of the file ORDER. All of it is one process,
because DVC takes a second to start. It prints what `dvc repro` prints, and ends as that ends, but
for TRANSFER_FAILED and MISFIT.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows import lockfile, remote
from flows.dvc import MISFIT, TRANSFER_FAILED, is_running, repro_arguments
from flows.errand import Errand, leave_answer, read_errand
from flows.folders import leftovers, needed, source_hashes
from flows.mending import keep_lock_file, mend
from lp_core.errors import InputError

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage as DvcStage


class MisfitError(Exception):
    """This clone does not have what the coordinator has."""


def main(stage: str, order: Path) -> int:
    errand = read_errand(order)
    root = Path.cwd()
    lockfile.install()
    try:
        repo = remote.open_repo(root)
        try:
            status = _bring(repo, root, stage, errand)
        finally:
            repo.close()
    except (MisfitError, InputError) as error:
        print(f"error: {error}")
        return MISFIT
    except remote.TransferError as error:
        print(f"error: {error}")
        return TRANSFER_FAILED
    if status == 0:
        leave_answer(order, lockfile.entries(root / "dvc.lock")[stage])
    return status


def _bring(repo: Repo, root: Path, name: str, errand: Errand) -> int:
    from dvc.cli import main as dvc
    from dvc.lock import LockError

    _check(root, errand)
    try:
        with repo.lock:
            if errand.tidy:
                mend(root, is_running)
            lockfile.record(root / "dvc.lock", errand.recorded)
            keep_lock_file(root)
        stage, *upstream = remote.load(repo, [name, *errand.entries])
        outs = needed(stage, upstream)
        _check_sources(stage, outs, errand)
        fetched = remote.fetch(repo, outs)
        if fetched:
            print(f"Fetched {', '.join(map(str, fetched))}", flush=True)
        if errand.tidy:
            _tidy(repo, stage, outs)
        if not errand.force:
            remote.fetch_runs(repo, stage)
    except LockError as error:  # worded so that the flow waits
        print(f"ERROR: {error}")
        return 1
    status = dvc(repro_arguments(name, errand.force))
    if status == 0:
        _check(root, errand)
        remote.push(repo, remote.load(repo, [name]))
    return int(status)


def _check(root: Path, errand: Errand) -> None:
    for name, content in errand.files.items():
        if (root / name).read_bytes() != content:
            raise MisfitError(
                f"{root / name} is no longer the flow's; put it back and start the worker again"
            )


def _check_sources(stage: DvcStage, outs: Sequence[Output], errand: Errand) -> None:
    here = source_hashes(stage, outs) if errand.sources else {}
    for path, wanted in errand.sources.items():
        if here.get(path) != wanted:
            found = "is not there" if here.get(path) is None else "is not the flow's"
            raise MisfitError(
                f"{os.path.join(stage.repo.root_dir, path)} {found}, and {stage.addressing} "
                "depends on it; `git status` shows what was edited: put it back and start the "
                "worker again"
            )


def _tidy(repo: Repo, stage: DvcStage, outs: Sequence[Output]) -> None:
    """Removes from folders of outputs what no stage makes any more: the folder's hash would be of
    more than the coordinator's stages make. MisfitError where DVC's cache does not keep it."""
    from dvc_data.hashfile.hash import hash_file

    for path in leftovers(stage, outs):
        _, found = hash_file(path, repo.fs, "md5", repo.state)
        if not repo.cache.local.exists(found.value):
            raise MisfitError(
                f"{path}: no stage makes it, but {stage.addressing} depends on its folder; remove "
                "it and run again"
            )
        os.unlink(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

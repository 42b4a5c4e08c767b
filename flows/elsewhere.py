"""In a run with clones: which stages are up to date, though their outputs lie in the remote alone,
and which stages run in the coordinator's workspace whatever workers there are.

DVC's own word for the first is `--allow-missing`. It takes a file that was edited for a missing one
where DVC's cache has lost it, asks nobody whether the remote has what is missing here, and finds a
folder changed of which a part is missing. So it is put together here from DVC's own parts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flows import remote
from flows.artifacts import FIGURES, SUMMARY
from flows.folders import overlap, recorded_hash

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage as DvcStage


class Elsewhere:
    """What the stages of `repo` have made that is not here."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._missing: dict[str, list[Output]] = {}

    def is_stale(self, name: str, stage: DvcStage, upstream: Sequence[DvcStage]) -> bool:
        """Whether `dvc repro` would act on the stage if what is missing were here as recorded."""
        from dvc.exceptions import DvcException

        try:
            return self._is_stale(name, stage, upstream)
        except DvcException:  # its own `dvc repro` will word it better
            return True

    def _is_stale(self, name: str, stage: DvcStage, upstream: Sequence[DvcStage]) -> bool:
        if stage.is_callback or stage.always_changed or stage.changed_stage():
            return True
        if not stage.frozen:
            outs = [out for up in upstream for out in up.outs]
            for dep in stage.deps:
                if dep.status():
                    part = [out for out in outs if overlap(out, dep.fs_path)]
                    if not part or recorded_hash(dep.fs_path, part) != dep.hash_info.value:
                        return True
        missing = []
        for out in stage.outs:
            if not out.hash_info or (out.exists and out.changed_checksum()):
                return True
            if not out.exists:
                if not out.use_cache:
                    return True
                if out.changed_cache():
                    missing.append(out)
        if missing:
            self._missing[name] = missing
        return False

    def lost(self) -> set[str]:
        """The stages, not stale by themselves, of which the remote does not have all that is
        missing here. remote.TransferError where it cannot be asked."""
        outs = [out for missing in self._missing.values() for out in missing]
        if not outs:
            return set()
        gone = set(map(id, remote.lost(self._repo, outs)))
        return {
            name
            for name, missing in self._missing.items()
            if any(id(out) in gone for out in missing)
        }


def is_local(stage: DvcStage, made: Sequence[DvcStage], root: Path) -> bool:
    """Whether a clone could not run the stage, or its outputs are looked at here.

    made: the stages that it builds on. A clone has what git has and what stages make; DVC pushes
    what it keeps in its cache.
    """
    if not stage.cmd or stage.is_callback or stage.always_changed:
        return True
    if any(not out.is_in_repo or not out.use_cache or not out.can_push for out in stage.outs):
        return True
    shown = [str(root / path) for path in (SUMMARY, FIGURES)]
    if any(overlap(out, path) for out in stage.outs for path in shown):
        return True
    outs = [out for up in made for out in up.outs]
    return any(
        not dep.is_in_repo or not _is_tracked(root, dep.fs_path)
        for dep in stage.deps
        if not any(overlap(out, dep.fs_path) for out in outs)
    )


@cache
def _is_tracked(root: Path, path: str) -> bool:
    """Whether git has the path; where there is no git, clones were made by other means."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "--", path], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:  # git is not installed
        return True
    return done.returncode != 0 or bool(done.stdout)

"""One stage's traffic with the DVC remote, by DVC's own functions: as much as it needs, no more.

`dvc pull` and `dvc push` read the whole graph for outputs that are named by their paths, and copy
the whole run-cache; here it is the outputs of a few stages, and one stage's runs. And what DVC
takes for granted is looked at: it takes a folder's listing in the remote for proof that all its
files are there, and an object of the right name for a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lp_core.errors import InputError, one_line

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage as DvcStage
    from dvc_data.hashfile.db import HashFileDB

_RUNS = "runs"  # the folder of the run-cache, here and in the remote


class TransferError(RuntimeError):
    """What the remote should have or take, it does not. It may pass by itself."""


def open_repo(root: Path) -> Repo:
    """The project in `root`; what comes from its remote is checked against its hash.

    InputError where it has no default remote, or one that DVC cannot use this way.
    """
    from dvc.repo import Repo

    repo = Repo(str(root), _wait_for_lock=True)
    name = repo.config["core"].get("remote")
    settings = repo.config["remote"].get(name) if name else None
    if settings is None:
        repo.close()
        raise InputError(
            f"{root}: workers with clones of their own need a default DVC remote between them; "
            "`dvc remote add --default NAME URL`, and commit .dvc/config"
        )
    if settings.get("version_aware") or settings.get("worktree"):
        repo.close()
        raise InputError(
            f"{root}: the DVC remote {name} is version_aware or a worktree, to which no run-cache "
            "can be pushed; use one that is not"
        )
    settings["verify"] = True
    return repo


def load(repo: Repo, names: Sequence[str]) -> list[DvcStage]:
    """The stages of these names, as dvc.yaml and dvc.lock have them now."""
    from dvc.dvcfile import PROJECT_FILE, load_file
    from dvc.utils import parse_target

    files: dict[str, Any] = {}
    stages = []
    for name in names:
        path, stage = parse_target(name)
        path = path or PROJECT_FILE
        if path not in files:
            files[path] = load_file(repo, os.path.join(repo.root_dir, path))
        stages.append(files[path].stages[stage] if stage else files[path].stage)
    return stages


def fetch(repo: Repo, outs: Sequence[Output]) -> list[Output]:
    """Makes these outputs lie here as dvc.lock records them; gives those that did not.

    TransferError where the remote does not have them.
    """
    with repo.lock:
        differing = [out for out in outs if out.workspace_status()]
    if not differing:
        return []
    with transferring(f"fetch {_listed(differing)}"):
        for odb, objects in _objects(differing).items():
            repo.cloud.pull(objects, odb=odb)
        with repo.lock:
            for out in differing:
                if out.workspace_status():  # nobody else has done it meanwhile
                    with suppress(FileNotFoundError):  # what DVC's cache has not got
                        out.stage.checkout(filter_info=out.fs_path, force=True)
            lost = [out for out in differing if out.workspace_status()]
    if lost:
        repo.drop_data_index()
        raise TransferError(f"the DVC remote does not have {_listed(lost)}")
    return differing


def fetch_runs(repo: Repo, stage: DvcStage) -> None:
    """Takes from the remote what anyone has ever made of the stage's inputs as they lie here, so
    that `dvc repro` finds it. Nothing where there is no such run. `stage` is used up."""
    from dvc.dependency.base import DependencyDoesNotExistError
    from dvc.stage.cache import RunCacheNotFoundError

    with suppress(DependencyDoesNotExistError), transferring("fetch runs of the stage"):
        with repo.lock:
            if not stage.changed():
                return
            stage.save_deps()
        key = _key(stage)
        if key is None:
            return
        remote = repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        if not os.path.isdir(os.path.join(repo.stage_cache.cache_dir, key[:2], key)):
            _copy_runs(key, remote, repo.cache.legacy)
        run = repo.stage_cache._load(stage)
        if run is None:
            return
        with suppress(RunCacheNotFoundError):
            made = repo.stage_cache._create_stage(run, wdir=stage.wdir)
            for odb, objects in _objects(made.outs).items():
                repo.cloud.pull(objects, odb=odb)


def push(repo: Repo, stages: Sequence[DvcStage]) -> None:
    """Makes the remote have the stages' outputs, and then their runs in the run-cache.

    TransferError where it does not have them in the end.
    """
    outs = [out for stage in stages for out in stage.outs if out.use_cache and out.can_push]
    with transferring(f"push {_listed(outs)}"):
        for odb, objects in _objects(outs).items():
            repo.cloud.push(objects, odb=odb)
            default = repo.cloud.get_remote_odb() if odb is None else odb
            oids = sorted(info.value for info in objects if info.name == default.hash_name)
            short = _short(repo.cache.local, default, oids)
            # A folder's listing comes after the files that it promises.
            for oid in sorted(short, key=lambda oid: oid.endswith(".dir")):
                path = repo.cache.local.oid_to_path(oid)
                default.add(path, repo.cache.local.fs, oid, check_exists=False)
            if _short(repo.cache.local, default, short):
                raise TransferError(f"the DVC remote has not taken all of {_listed(outs)}")
        remote = repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        for stage in stages:
            key = _key(stage)
            if key is not None:
                _copy_runs(key, repo.cache.legacy, remote)


def lost(repo: Repo, outs: Iterable[Output]) -> list[Output]:
    """Those of the outputs of which the remote lacks a part, whatever DVC remembers of it."""
    from dvc.exceptions import CollectCacheError

    wanted: list[tuple[Output, set[str]]] = []
    gone = []
    with transferring("look for outputs"):
        for out in outs:
            try:
                oids = {info.value for objects in _objects([out]).values() for info in objects}
            except CollectCacheError:  # not even the listing of a folder
                gone.append(out)
            else:
                wanted.append((out, oids))
        every = set().union(*(oids for _, oids in wanted)) if wanted else set()
        there = set(repo.cloud.get_remote_odb().oids_exist(every)) if every else set()
    return gone + [out for out, oids in wanted if oids - there]


@contextmanager
def transferring(what: str) -> Iterator[None]:
    """Within it, whatever DVC or a remote's file system raises is a TransferError in one line."""
    from dvc.lock import LockError

    try:
        yield
    except (TransferError, LockError):
        raise
    except Exception as error:
        reason = one_line(error)
        raise TransferError(f"cannot {what}: {reason}") from error


def _objects(outs: Iterable[Output]) -> dict[HashFileDB | None, set[Any]]:
    """What DVC's cache and remotes keep of the outputs, by the remote; None for the default one."""
    objects: dict[HashFileDB | None, set[Any]] = {}
    for out in outs:
        for odb, infos in out.get_used_objs().items():
            if infos:
                objects.setdefault(odb, set()).update(infos)
    return objects


def _short(local: HashFileDB, remote: HashFileDB, oids: Iterable[str]) -> list[str]:
    """Those that are not in the remote with as many bytes as here."""

    def size(odb: HashFileDB, oid: str) -> int | None:
        try:
            return int(odb.fs.info(odb.oid_to_path(oid))["size"])
        except FileNotFoundError:
            return None

    return [oid for oid in oids if size(remote, oid) != size(local, oid)]


def _key(stage: DvcStage) -> str | None:
    """The name of the stage's folder in the run-cache; None where DVC notes no runs of it."""
    from dvc.stage.cache import _can_hash, _get_stage_hash

    if any(not out.use_cache and not (out.metric or out.plot) for out in stage.outs):
        return None
    key: str | None = _get_stage_hash(stage) if _can_hash(stage) else None
    return key


def _copy_runs(key: str, source: HashFileDB, target: HashFileDB) -> None:
    """As `StageCache.transfer`, which copies the runs of all stages."""
    from dvc_objects.fs.generic import copy

    folder = source.fs.join(source.path, _RUNS, key[:2], key)
    if not source.fs.exists(folder):
        return
    for path in source.fs.find(folder):
        parts = (_RUNS, key[:2], key, source.fs.name(path))
        goal = target.fs.join(target.path, *parts)
        target.fs.makedirs(target.fs.parent(goal), exist_ok=True)
        copy(source.fs, path, target.fs, goal)


def _listed(outs: Sequence[Output]) -> str:
    named = [str(out) for out in outs[:3]]
    return ", ".join(named) + (f" and {len(outs) - 3} more" if len(outs) > 3 else "")

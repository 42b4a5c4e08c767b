"""Outputs and the paths that stages depend on: the same, one inside the other, or apart."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.stage import Stage as DvcStage


def overlap(out: Output, path: str) -> bool:
    """Whether a stage that depends on `path` depends on the output, whole or in part."""
    return bool(out.fs.isin_or_eq(path, out.fs_path) or out.fs.isin(out.fs_path, path))


def needed(stage: DvcStage, upstream: Iterable[DvcStage]) -> list[Output]:
    """The outputs of `upstream` that the stage depends on, or reads beside what it depends on."""
    paths = [dep.fs_path for dep in stage.deps] + reads(stage)
    return [out for up in upstream for out in up.outs if any(overlap(out, path) for path in paths)]


def reads(stage: DvcStage) -> list[str]:
    """The folders in which the stage reads what stages before it have made, though it depends on
    the last of them alone: `meta: {reads: [...]}` in dvc.yaml, which DVC leaves to us."""
    paths = (stage.meta or {}).get("reads", [])
    return [os.path.join(stage.wdir, path) for path in paths]


def source_hashes(stage: DvcStage, outs: Sequence[Output]) -> dict[str, str | None]:
    """The hashes, as they are now, of the files and folders in the project that the stage depends
    on and that are no part of `outs`, by path; None for what is not there."""
    from dvc.dependency import Dependency

    root = stage.repo.root_dir
    return {
        os.path.relpath(dep.fs_path, root): str(dep.get_hash().value) if dep.exists else None
        for dep in stage.deps
        if type(dep) is Dependency  # no params
        and dep.is_in_repo
        and not any(overlap(out, dep.fs_path) for out in outs)
    }


def recorded_hash(path: str, outs: Iterable[Output]) -> str | None:
    """The hash that DVC gives `path` where these outputs, and nothing else in it, lie there as
    dvc.lock records them. None where that cannot be said without their content."""
    from dvc_data.hashfile.tree import Tree

    tree = Tree()
    for out in outs:
        if not out.hash_info:
            return None
        if out.fs_path == path:
            return str(out.hash_info.value)
        if out.fs.isin(path, out.fs_path):
            listing = out.get_dir_cache()
            inside = (
                listing.get_obj(out.cache, out.fs.relparts(path, out.fs_path)) if listing else None
            )
            return str(inside.hash_info.value) if inside is not None else None
        if not out.fs.isin(out.fs_path, path):
            continue
        place = out.fs.relparts(out.fs_path, path)
        if not out.is_dir_checksum:
            tree.add(place, out.meta, out.hash_info)
            continue
        listing = out.get_dir_cache()
        if listing is None:
            return None
        for below, meta, info in listing:
            tree.add((*place, *below), meta, info)
    if not len(tree):
        return None
    tree.digest()
    return str(tree.hash_info.value)


def leftovers(stage: DvcStage, outs: Sequence[Output]) -> list[str]:
    """The files in folders of `outs`, on which the stage depends, that belong to none of them."""
    left = []
    for dep in stage.deps:
        if not any(out.fs.isin(out.fs_path, dep.fs_path) for out in outs):
            continue
        for folder, _, files in os.walk(dep.fs_path):
            for file in files:
                path = os.path.join(folder, file)
                if not any(out.fs.isin_or_eq(path, out.fs_path) for out in outs):
                    left.append(path)
    return left

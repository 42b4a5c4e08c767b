"""What all workspaces of a run with clones must have alike, so that a stage is the same in each."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import lockfile, remote
from flows.dvc import is_running
from flows.mending import mend
from flows.processes import Commands
from lp_core.errors import InputError

FILES = ("dvc.yaml", "params.yaml")


@dataclass(frozen=True)
class Agreement:
    """The coordinator's side of it.

    commit: of git; None outside a repository. files: the content of FILES. made: for the stages
    that every workspace runs by itself, the hashes of their outputs. code: the hash of each stage's
    fingerprint, by its file's name.
    """

    commit: str | None
    files: Mapping[str, bytes]
    made: Mapping[str, Mapping[str, str]]
    code: Mapping[str, str]


def agreement(root: Path, first: tuple[str, ...]) -> Agreement:
    """What holds in the project `root`.

    first: the stages that every workspace runs by itself; they are up to date.
    """
    entries = lockfile.entries(root / "dvc.lock")
    made = {
        name: {out["path"]: out["md5"] for out in entries[name].get("outs", ())}
        for name in first
        if name in entries
    }
    return Agreement(
        commit=_commit(root),
        files={name: (root / name).read_bytes() for name in FILES},
        made=made,
        code=_fingerprints(root, made),
    )


def agree(wanted: Agreement, root: Path, commands: Commands) -> None:
    """InputError, in one line, where the clone `root` does not have what is wanted.

    Brings the stages up to date that every workspace runs by itself.
    """
    commit = _commit(root)
    if commit != wanted.commit:
        raise InputError(
            f"{root} is at commit {_short(commit)}, and the flow at {_short(wanted.commit)}; bring "
            "the two together (`git pull`) and start the worker again"
        )
    for name, content in wanted.files.items():
        if not (root / name).is_file() or (root / name).read_bytes() != content:
            raise InputError(
                f"{root / name} is not the flow's{_difference(root / name, content)}; copy the "
                "flow's there, or commit it and `git pull`, and start the worker again"
            )
    with closing(remote.open_repo(root)) as repo, repo.lock:
        mend(root, is_running)
    if not wanted.made:
        return
    _bring_up_to_date(root, list(wanted.made), commands)
    here = agreement(root, tuple(wanted.made))
    if here.made != wanted.made:
        differ = sorted(
            name.removesuffix(".json")
            for name in wanted.code.keys() | here.code.keys()
            if wanted.code.get(name) != here.code.get(name)
        )
        raise InputError(
            f"{root} has other code than the flow at the same commit, for {_listed(differ)}; "
            "`git status` there and here shows what was edited: commit it, `git pull`, and start "
            "the worker again"
        )
    with closing(remote.open_repo(root)) as repo:
        stages = remote.load(repo, list(wanted.made))
        try:
            lost = remote.lost(repo, [out for stage in stages for out in stage.outs])
        except remote.TransferError as error:
            raise InputError(f"{root}: {error}") from error
        if lost:
            raise InputError(
                f"{root} has another DVC remote than the flow: it lacks {lost[0]}, which the flow "
                "has pushed; `dvc remote list` there and here shows which they are"
            )


def _bring_up_to_date(root: Path, stages: list[str], commands: Commands) -> None:
    from flows.stage import stage_environment  # which needs workspaces, and those this module

    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", *stages]
    lines: list[str] = []
    commands.warm_up(stage_environment())
    if commands.run(command, root, stage_environment(), lines.append) != 0:
        lines = [line for line in lines if line.strip()]
        said = next((line for line in lines if line.startswith("error:")), "".join(lines[-1:]))
        raise InputError(f"{root}: `dvc repro {' '.join(stages)}` fails there: {said}")


def _commit(root: Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:  # git is not installed
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _fingerprints(root: Path, made: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The hash of each file in folders among the outputs."""
    folders = [root / path for outs in made.values() for path in outs if (root / path).is_dir()]
    return {
        file.relative_to(folder).as_posix(): hashlib.md5(file.read_bytes()).hexdigest()
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _difference(path: Path, wanted: bytes) -> str:
    """In params.yaml, the first key of which the values differ, and both."""
    from dvc.utils.serialize import YAMLError, parse_yaml

    if path.name != "params.yaml" or not path.is_file():
        return ""
    try:
        here, there = (
            dict(_leaves(parse_yaml(text.decode(), "params.yaml")))
            for text in (path.read_bytes(), wanted)
        )
    except (YAMLError, UnicodeDecodeError):
        return ""
    for key in [*there, *here]:
        if here.get(key) != there.get(key):
            return f": {key} is {_shown(here, key)} there and {_shown(there, key)} in the flow's"
    return " in comments or layout"


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(node, dict) or not node:
        yield prefix.removesuffix("."), node
        return
    for key, value in node.items():
        yield from _leaves(value, f"{prefix}{key}.")


def _shown(params: Mapping[str, Any], key: str) -> str:
    text = json.dumps(params[key], default=str) if key in params else "not"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _short(commit: str | None) -> str:
    return commit[:10] if commit else "none (no git repository)"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "what every workspace makes by itself") + more

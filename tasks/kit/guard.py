"""Whether a stage runs the code and the parameters that DVC will record with its result.

DVC compares `code/*.json` and params.yaml as they lie on disk, and hashes them again after the
command has ended (treeverse/dvc#11058). So DVC does not notice an edit that the stage `code` has
not seen, nor one that is made while a stage runs. A stage therefore compares when it starts and
when it ends, and fails where they differ: DVC then records nothing. DVC itself keeps other stages
from writing a stage's inputs meanwhile; nobody looks for an edit of them by hand.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lp_core.errors import InputError
from lp_core.faces import module_of
from tasks.kit import paths
from tasks.kit.code import PACKAGES, PROJECT, Fingerprint, difference, fingerprint, packages_of
from tasks.kit.params import READ, Params, ParamsError
from tasks.kit.watched import OwnReads


class Guard:
    """The code that one process runs, as it was when the stage began.

    fingerprints: by name, one for each file `code/<name>.json` that the stage depends on.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Raises InputError where the code is not what `code/<name>.json` says."""
        self.fingerprints = {name: _current(name) for name in names}
        for name, current in self.fingerprints.items():
            changed = difference(_recorded(name), current)
            if changed:
                raise InputError(
                    f"{changed} is not what {paths.code(name)} was made from; bring it up to date "
                    "(`dvc repro code`, or `python -m tasks.code`), then run this stage again"
                )
        # Not of the project's own packages: their READS are complete, and tested to be.
        self._own_reads = OwnReads(self._packages() - set(PACKAGES), PROJECT)

    def changes(self) -> Iterator[str]:
        """A line for each fingerprint, and each parameter that was read, that has changed since.

        And one for each file of the project that this process has loaded, or own code has read,
        and that no fingerprint holds: the next edit of it would go unnoticed.
        """
        known = set().union(*self.fingerprints.values())
        loaded = _loaded(self._packages()) if self.fingerprints else set()
        for path in sorted(loaded - known):
            yield (
                f"{path} was loaded, but no fingerprint of this stage holds it; import it by the "
                "name of its module, or give the stage the fingerprint that does"
            )
        for path in sorted(self._own_reads.paths - known - loaded):
            yield (
                f"{path} was read, but no fingerprint of this stage holds it; list it in the "
                f"module that reads it: READS = ({path!r},)"
            )
        for name, before in self.fingerprints.items():
            changed = difference(before, _current(name)) or difference(before, _recorded(name))
            if changed:
                yield f"{changed} changed while this ran; the result is of the old code; run again"
        yield from _changed_params()

    def _packages(self) -> set[str]:
        return packages_of(m for name in self.fingerprints for m in _content(name)["modules"])


def _loaded(packages: set[str]) -> set[str]:
    """The files of these packages that this process has imported, by their paths below the root."""
    folders = tuple(f"{PROJECT / package}{os.sep}" for package in packages)
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    return {Path(f).relative_to(PROJECT).as_posix() for f in files if f.startswith(folders)}


def _recorded(name: str) -> Fingerprint:
    """The fingerprint that `code/<name>.json` holds."""
    files: Fingerprint = _content(name)["files"]
    return files


def _current(name: str) -> Fingerprint:
    """The fingerprint of what `code/<name>.json` is of, as the files are now."""
    content = _content(name)
    modules = {module_of(registry, entry) for registry, entry in content["entries"]}
    return fingerprint({*content["modules"], *modules}, files=content["reads"])


def _content(name: str) -> dict[str, Any]:
    path = paths.code(name)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        kinds = {"entries": list, "modules": list, "reads": list, "files": dict}
        if all(isinstance(content[name], kind) for name, kind in kinds.items()):
            return content
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise InputError(
        f"{path}: not there or not a fingerprint; run `dvc repro code` (or `python -m tasks.code`) "
        "first"
    )


def _changed_params() -> Iterator[str]:
    for (path, variant, dotted), old in READ.items():
        try:
            new = Params(variant, path).value(dotted)
        except ParamsError as error:
            yield f"{error}; it was when this began; run again"
            continue
        for key, change in _differences(old, new, dotted):
            yield (
                f"{path}: {key} changed {change} while this ran; "
                "the result is of the old value; run again"
            )


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, str]]:
    """Where two values differ, as a dotted path, and what they are there."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for part in old | new:
            below = f"{key}.{part}" if key else str(part)
            yield from _differences(old.get(part, "nothing"), new.get(part, "nothing"), below)
    elif old != new:
        yield key, f"from {old} to {new}"

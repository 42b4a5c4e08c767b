"""Writes dvc.lock as DVC does, but only the stage that changed.

After each stage DVC reads dvc.lock with a parser in pure Python that keeps comments, and writes all
of it again: with a hundred stages over a second, during which DVC's lock lets no other stage begin
or end. `install` has DVC parse the file in C and serialise just the entries that differ; all other
lines stay as they are. The bytes are those that DVC would have written (but for the last digits of
some numbers, which its parser changes). Where the file does not look as DVC writes it, DVC does it
its own way.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = "schema: '2.0'\nstages:\n"
_ENTRY = re.compile(r"^  (?=\S)", re.MULTILINE)  # where a stage's entry begins
_ANCHOR = re.compile(r"(?:: |- )[&*]")  # entries that share values cannot be cut apart


def install() -> None:
    """From now on, DVC writes dvc.lock this way in this process and in those forked from it.

    In a release of DVC that has no `dvcfile.modify_yaml`, DVC goes on in its own way.
    """
    from dvc import dvcfile
    from dvc.utils.serialize import dump_yaml

    usual = getattr(dvcfile, "modify_yaml", None)
    if usual is None:
        return

    @contextmanager
    def modify_yaml(path: Any, fs: Any = None) -> Iterator[dict[str, Any]]:
        if os.path.basename(path) != dvcfile.LOCK_FILE:
            with usual(path, fs=fs) as data:
                yield data
            return
        from lp_core.files import atomic_write  # not where stages are forked from

        with atomic_write(Path(path)) as temporary:  # a kill leaves the old file or the new one
            lock = read(path)
            if lock is None:
                if os.path.exists(path):
                    shutil.copyfile(path, temporary)
                with usual(str(temporary)) as data:
                    yield data
                return
            data = {"schema": "2.0", "stages": dict(lock.stages)}
            yield data
            if data.keys() == {"schema", "stages"}:
                temporary.write_text(lock.updated(data["stages"]), encoding="utf-8")
            else:
                dump_yaml(str(temporary), data)

    dvcfile.modify_yaml = modify_yaml


@dataclass(frozen=True)
class Lock:
    """A dvc.lock: each stage's entry, parsed and as the lines that it has in the file."""

    stages: dict[str, Any]
    lines: dict[str, str]

    def updated(self, stages: Mapping[str, Any]) -> str:
        """The file's text once it has the entries `stages`."""
        return _HEAD + "".join(
            self.lines[name] if self.stages.get(name) == entry else _dump(name, entry)
            for name, entry in stages.items()
        )


def read(path: str) -> Lock | None:
    """The file, or None where it is not there or not as DVC writes it."""
    from dvc.utils.serialize import YAMLError, parse_yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
        stages = parse_yaml(text, path)["stages"]
    except (OSError, UnicodeDecodeError, YAMLError, KeyError):  # DVC will say what is the matter
        return None
    body = text.removeprefix(_HEAD)
    starts = [match.start() for match in _ENTRY.finditer(body)]
    if (
        not text.startswith(_HEAD)
        or not text.endswith("\n")
        or not isinstance(stages, dict)
        or starts[:1] != [0]
        or len(starts) != len(stages)
        or _ANCHOR.search(text)
        or any(line and not line.startswith("  ") for line in body.split("\n"))
    ):
        return None
    ends = [*starts[1:], len(body)]
    entries = [body[start:end] for start, end in zip(starts, ends, strict=True)]
    return Lock(stages, dict(zip(stages, entries, strict=True)))


def _dump(name: str, entry: Any) -> str:
    from dvc.utils.serialize import dumps_yaml

    return dumps_yaml({"stages": {name: entry}}).removeprefix("stages:\n")

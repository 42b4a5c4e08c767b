"""What own code may import and read: what lies where DVC looks for edits.

DVC compares the folder `own_code` before each run. It does not look behind links to folders in it,
nor elsewhere.
"""

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import decode_source
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from lp_core.errors import InputError

_PYTHON = (".py", ".pyi", ".pyc")


def require_watched(
    path: str, outside: Mapping[str, str], reads: Iterable[str], root: Path
) -> None:
    """Raises InputError where an edit of what an own module needs would go unnoticed.

    path: of the module below the root. outside: what it imports from elsewhere in the project, and
    the files that these are. reads: the files that its `READS` names.
    """
    own = path.partition("/")[0]
    require_no_link(path, root)
    for module, file in outside.items():
        raise InputError(
            f"{path} imports {module}, but nobody would notice an edit of {file}; move it into "
            f"{own}/"
        )
    for read in reads:
        if Path(read).parts[:1] != (own,) or ".." in Path(read).parts:
            raise InputError(
                f"{path}: READS has {read!r}, where nobody would notice an edit; give a file in "
                f"{own}, by its path from the project's root, such as '{own}/table.json'"
            )
        require_no_link(read, root)
        if not (root / read).exists():
            raise InputError(f"{path}: READS has {read!r}, but there is no such file; mend READS")


def require_listed(modules: Iterable[str], reads: Iterable[str], root: Path) -> None:
    """Raises InputError where an own module names a file beside it that no `READS` lists.

    modules: their paths below the root. A file is named where its name ends a text that is written
    out: how it is then read, nobody can hear, since not all of it is Python.
    """
    listed = [root / path for path in reads]
    for package, own in groupby(sorted(modules), lambda module: module.partition("/")[0]):
        files = (file for file in (root / package).rglob("*") if file.suffix not in _PYTHON)
        unlisted = {
            file.name: file.relative_to(root).as_posix()
            for file in files
            if file.is_file() and not any(file.is_relative_to(top) for top in listed)
        }
        for module in own:
            for text in _texts(root / module):
                if path := unlisted.get(PurePosixPath(text).name):
                    raise InputError(
                        f"{module} names {text!r}, but nobody would notice an edit of {path}; list "
                        f"it there: READS = ({path!r},)"
                    )


def _texts(path: Path) -> Iterator[str]:
    """The texts that a module writes out."""
    for node in ast.walk(ast.parse(decode_source(path.read_bytes()))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield os.fsdecode(node.value)


def require_no_link(path: str, root: Path) -> None:
    """Raises InputError for a path through a link to a folder that lies in a folder DVC watches."""
    parts = Path(os.path.relpath(root / path, root)).parts
    if parts[0] == os.pardir:
        return
    for end in range(2, len(parts) + 1):
        folder = Path(*parts[:end])
        if (root / folder).is_symlink() and (root / folder).is_dir():
            raise InputError(
                f"{path}: {folder} is a link to a folder, and DVC does not look behind those for "
                "edits; put a copy in its place"
            )


class OwnReads:
    """The files of the user's own packages that this process opens to read."""

    def __init__(self, packages: Iterable[str], root: Path) -> None:
        """Listens from now on, until the process ends."""
        self._root = root
        self._folders = tuple(f"{root / package}{os.sep}" for package in packages)
        self._opened: set[str] = set()
        if self._folders:
            sys.addaudithook(self._heard)

    @property
    def paths(self) -> set[str]:
        """Those that are there, below the root; not what Python itself keeps in __pycache__."""
        return {
            Path(file).relative_to(self._root).as_posix()
            for file in self._opened.copy()
            if "__pycache__" not in file and os.path.isfile(file)
        }

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, flags = os.path.abspath(os.fsdecode(arguments[0])), arguments[2]
            if path.startswith(self._folders) and flags & os.O_ACCMODE != os.O_WRONLY:
                self._opened.add(path)

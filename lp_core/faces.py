"""Registries: packages whose stub, `__init__.pyi`, has one line for each entry.

An entry is found by name when it is asked for, so that no shared code imports it: a new network,
recipe or corruption is a file and a line, and changes nothing that other entries run. A name is
what settings say: that of a function or an object as it is (`resnet8`), that of a class in lower
case with hyphens (`GreedySoup` is `greedy-soup`).
"""

import ast
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

from lp_core.errors import InputError


def names(face: str) -> list[str]:
    """The names of a registry's entries, in the order of its stub. face: the package's name."""
    return list(_entries(face))


def module_of(face: str, name: str) -> str:
    """The module that defines an entry; it is not imported.

    Raises InputError for a name that the registry does not have.
    """
    return _entry(face, name)[0]


def member(face: str, name: str) -> Any:
    """The entry itself; its module is imported.

    Raises InputError for a name that the registry does not have.
    """
    module, attribute = _entry(face, name)
    return getattr(importlib.import_module(module), attribute)


def _entry(face: str, name: str) -> tuple[str, str]:
    entries = _entries(face)
    if name not in entries:
        raise InputError(f"{face} has no {name!r}; it has {', '.join(entries)}")
    return entries[name]


def _entries(face: str) -> dict[str, tuple[str, str]]:
    """By name: the module of an entry, and what it is called there."""
    package = importlib.util.find_spec(face)
    assert package is not None, face
    assert package.origin is not None, face
    stub = ast.parse(Path(package.origin).with_suffix(".pyi").read_text())
    return {
        _name(alias.name): (f"{face}.{line.module}", alias.name)
        for line in stub.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }


def name_of(entry: type) -> str:
    """The name of an entry that is a class, as settings give it."""
    return _name(entry.__name__)


def _name(attribute: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", attribute).lower()

"""The checkpoints in a folder, found by a pattern of their names."""

import os
from dataclasses import dataclass
from pathlib import Path

from lp_core.checkpoints.pattern import compiled
from lp_core.errors import InputError, MissingInputError

_LONGEST = 100  # characters of a path in a message


@dataclass(frozen=True)
class Found:
    """A file, and what its name says. seed, ticket: None where the pattern has no such number."""

    path: Path
    seed: int | None
    ticket: int | None


def find(folder: str | Path, pattern: str) -> list[Found]:
    """The files below a folder that match, in the order of their paths.

    A file may be a link; folders that are links are not looked into, as DVC does not, which would
    miss a change behind them. Raises MissingInputError where there is no folder, InputError where
    no file matches.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # Path.is_dir raises where a name is too long
        raise MissingInputError(
            f"{_told(folder)}: there is no such folder; name that of the checkpoints"
        )
    expression = compiled(pattern)
    found: list[Found] = []
    others: list[Path] = []
    links: list[Path] = []
    for top, folders, files in os.walk(folder):
        links += [path for name in folders if (path := Path(top, name)).is_symlink()]
        for name in files:
            path = Path(top, name)
            match = expression.fullmatch(path.relative_to(folder).as_posix())
            if match is None:
                others.append(path)
                continue
            numbers = {key: int(value) for key, value in match.groupdict().items()}
            found.append(Found(path, numbers.get("seed"), numbers.get("ticket")))
    if not found:
        there = f"others are there, such as {_told(min(others))}" if others else "there is none"
        if links:
            there += f"; {min(links)} is a link to a folder, and those are not looked into"
        raise InputError(f"{_told(folder)}: no file matches {pattern!r}; {there}")
    return sorted(found, key=lambda file: file.path)


def _told(path: Path) -> str:
    """A path as a message has it: in one line, and not too long."""
    text = str(path) if str(path).isprintable() else repr(str(path))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

"""Reads and writes dvc.lock as DVC does, but only the stage that is asked for.

For each stage DVC reads all of dvc.lock twice, once with a parser in pure Python that keeps
comments, and writes all of it again: with a hundred stages over a second, during which DVC's lock
lets no other stage begin or end; with a thousand, ten. `install` has DVC cut the file into entries
by position, parse and validate the one that it needs, and serialise the one that differs; all other
lines stay as they are. The bytes are those that DVC would have written (but for the last digits of
some numbers, which its parser changes). Where the file does not look as DVC writes it, DVC does it
its own way.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = "schema: '2.0'\nstages:\n"
_KEY = re.compile(r"\n  (\S.*)")  # the first line of an entry
_PLAIN_KEYS = re.compile(r"(?:[A-Za-z_][\w@./-]*:\n)+", re.ASCII)
_ANCHOR = re.compile(r"(?:: |- )[&*]")  # entries that share values cannot be cut apart


def install() -> None:
    """From now on, DVC treats dvc.lock this way in this process and in those forked from it.

    In a release of DVC that has none of what this replaces, DVC goes on in its own way.
    """
    from dvc import dvcfile

    usual = getattr(dvcfile, "modify_yaml", None)
    if usual is not None and not hasattr(usual, "of_lockfile"):

        @contextmanager
        def modify_yaml(path: Any, fs: Any = None) -> Iterator[Any]:
            ours = os.path.basename(path) == dvcfile.LOCK_FILE
            with modify(path) if ours else usual(path, fs=fs) as data:
                yield data

        modify_yaml.of_lockfile = True  # type: ignore[attr-defined]
        dvcfile.modify_yaml = modify_yaml
    usual_load = getattr(dvcfile.Lockfile, "_load_yaml", None)
    if usual_load is not None and not hasattr(usual_load, "of_lockfile"):
        from dvc.fs import LocalFileSystem

        def load(self: Any, **kwargs: Any) -> tuple[Any, str]:
            lock = None
            if not kwargs and isinstance(self.repo.fs, LocalFileSystem):
                lock = read(self.path)
            if lock is None:
                loaded: tuple[Any, str] = usual_load(self, **kwargs)
                return loaded

            def whole() -> dict[str, Any]:  # or DVC's own words for what is wrong
                return usual_load(self)[0].get("stages") or {}

            return {"schema": "2.0", "stages": _Entries(lock, whole)}, lock.text

        load.of_lockfile = True  # type: ignore[attr-defined]
        dvcfile.Lockfile._load_yaml = load


@dataclass(frozen=True)
class Lock:
    """A dvc.lock as DVC writes it: its text, and where in it each stage's entry begins and ends."""

    text: str
    places: dict[str, tuple[int, int]]

    def lines(self, name: str) -> str:
        """The entry of stage `name` as it stands in the file. KeyError where there is none."""
        start, end = self.places[name]
        return self.text[start:end]

    def entry(self, name: str) -> Any:
        """The entry of stage `name`, parsed. ValueError where it is none of DVC's."""
        from dvc.dvcfile import Lockfile
        from dvc.utils.serialize import YAMLError, parse_yaml
        from voluptuous import Invalid

        try:
            stages = parse_yaml(self.lines(name), "dvc.lock")
            if list(stages) == [name]:
                Lockfile.SCHEMA({"schema": "2.0", "stages": stages})
                return stages[name]
        except (YAMLError, Invalid):
            pass
        raise ValueError(name)

    def updated(self, lines: Mapping[str, str]) -> str:
        """The file's text once it has these entries (the lines of each, by the stage's name)."""
        new = "".join(lines[name] for name in lines if name not in self.places)
        pieces, done = [], 0
        for name in sorted(lines.keys() & self.places.keys(), key=lambda name: self.places[name]):
            start, end = self.places[name]
            pieces += [self.text[done:start], lines[name]]
            done = end
        return "".join([*pieces, self.text[done:], new])

    def without(self, names: Collection[str]) -> str:
        """The file's text without these entries."""
        left = [self.lines(name) for name in self.places if name not in names]
        return "".join([self.text[: len(_HEAD)], *left])

    def damaged(self, known: Lock | None = None) -> list[str]:
        """The stages whose entries are none of DVC's; those that `known` has alike are not looked
        at."""
        return [
            name
            for name in self.places
            if known is None or name not in known.places or known.lines(name) != self.lines(name)
            if not self._is_sound(name)
        ]

    def _is_sound(self, name: str) -> bool:
        try:
            self.entry(name)
        except ValueError:
            return False
        return True


def read(path: str | Path) -> Lock | None:
    """The file, or None where it is not there or not as DVC writes it.

    Each entry is looked at when it is asked for.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # DVC will say what is the matter
        return None
    first = len(_HEAD) - 1  # the end of the line before the first entry
    keys = [(match.start() + 1, match[1]) for match in _KEY.finditer(text, first)]
    starts = [start for start, _ in keys]
    if (
        not text.startswith(_HEAD)
        or not text.endswith("\n")
        or starts[:1] != [first + 1]
        or not _PLAIN_KEYS.fullmatch("".join(f"{key}\n" for _, key in keys))
        # Lines that are neither empty nor belong to an entry; rather too many than too few.
        or text.count("\n", first) != text.count("\n  ", first) + text.count("\n\n", first) + 1
        or (("&" in text or "*" in text) and _ANCHOR.search(text))
    ):
        return None
    places = {
        key[:-1]: (start, end)
        for (start, key), end in zip(keys, [*starts[1:], len(text)], strict=True)
    }
    return Lock(text, places) if len(places) == len(keys) else None


@contextmanager
def modify(path: str | Path) -> Iterator[Any]:
    """Gives `{"schema", "stages"}` of the file to change, and then writes it in one step.

    DVC's lock on the repository is to be held.
    """
    from dvc.utils.serialize import dump_yaml, modify_yaml, parse_yaml

    from lp_core.files import atomic_write  # not where stages are forked from

    path = Path(path)
    with atomic_write(path) as temporary:  # a kill leaves the old file or the new one
        lock = read(path)
        if lock is None:
            if path.exists():
                shutil.copyfile(path, temporary)
            with modify_yaml(str(temporary)) as data:
                yield data
            return
        text = lock.text
        stages = _Entries(lock, lambda: parse_yaml(text, str(path))["stages"])
        data = {"schema": "2.0", "stages": stages}
        yield data
        new = None
        if data.keys() == {"schema", "stages"} and data["stages"] is stages:
            new = stages.updated()
        if new is not None:
            temporary.write_text(new, encoding="utf-8")
        else:
            dump_yaml(str(temporary), {**data, "stages": dict(data["stages"])})


def entries(path: str | Path) -> Mapping[str, Any]:
    """The entries of all stages as they are now, each parsed when it is asked for."""
    from dvc.utils.serialize import parse_yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}

    def whole() -> Mapping[str, Any]:
        return (parse_yaml(text, str(path)) or {}).get("stages") or {}

    lock = read(path)
    return whole() if lock is None else _Entries(lock, whole)


def record(path: str | Path, new: Mapping[str, Any]) -> None:
    """Makes the file have these entries. DVC's lock on the repository is to be held."""
    old = entries(path)
    if any(old.get(name) != entry for name, entry in new.items()):
        with modify(path) as data:
            data.setdefault("schema", "2.0")
            data.setdefault("stages", {}).update(new)


class _Entries(MutableMapping[str, Any]):
    """The stages of a dvc.lock, each parsed when it is asked for.

    whole: parses all of the file, for where an entry by itself is none of DVC's.
    """

    def __init__(self, lock: Lock, whole: Callable[[], Mapping[str, Any]]) -> None:
        self._lock, self._whole = lock, whole
        self._all: dict[str, Any] | None = None
        self._parsed: dict[str, Any] = {}
        self._changed: dict[str, Any] = {}

    def updated(self) -> str | None:
        """The file's text as it is to be; None where all of it has to be written anew."""
        lines = {name: _dump(name, entry) for name, entry in self._changed.items()}
        if self._all is not None or not all(
            _PLAIN_KEYS.fullmatch(text[2 : text.index("\n") + 1]) for text in lines.values()
        ):
            return None
        return self._lock.updated(lines)

    def __getitem__(self, name: str) -> Any:
        if self._all is not None:
            return self._all[name]
        if name in self._changed:
            return self._changed[name]
        if name not in self._parsed:
            if name not in self._lock.places:
                raise KeyError(name)
            try:
                self._parsed[name] = self._lock.entry(name)
            except ValueError:
                return self._parse_whole()[name]
        return self._parsed[name]

    def __setitem__(self, name: str, entry: Any) -> None:
        if self.get(name) != entry:
            (self._changed if self._all is None else self._all)[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._parse_whole()[name]

    def __iter__(self) -> Iterator[str]:
        if self._all is not None:
            return iter(self._all)
        return iter({**self._lock.places, **self._changed})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _parse_whole(self) -> dict[str, Any]:
        if self._all is None:
            self._all = {**self._whole(), **self._changed}
        return self._all


def _dump(name: str, entry: Any) -> str:
    from dvc.utils.serialize import dumps_yaml

    return dumps_yaml({"stages": {name: entry}}).removeprefix("stages:\n")

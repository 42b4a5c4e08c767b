"""Faults that lists and names in params.yaml may have, each a line that begins with its key."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tasks.kit.params import shown

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


def unlisted(key: str, chosen: Iterable[str], section: str, known: Collection[str]) -> list[str]:
    """Names under `key` that are not among those that `section` has."""
    there = f"has {', '.join(known)}" if known else "is empty"
    return [
        f"{key}: {name!r} is not in {section}, which {there}"
        for name in chosen
        if name not in known
    ]


def repeated(lists: Mapping[str, Sequence[Any]]) -> list[str]:
    """Lists, by key, that have a value twice."""
    return [
        f"{key}: {list(values)}; give each once"
        for key, values in lists.items()
        if len(set(values)) < len(values)
    ]


def empty(lists: Mapping[str, Sequence[Any]]) -> list[str]:
    """Lists, by key, that have no value."""
    return [
        f"{key}: the list is empty; give at least one"
        for key, values in lists.items()
        if not values
    ]


def no_names(sections: Mapping[str, Iterable[str]]) -> list[str]:
    """Names, by section, that cannot become those of stages, folders and files."""
    return [
        f"{section}.{shown(name)}: a name has up to 64 letters, digits, - and _, and does not "
        "begin with -"
        for section, names in sections.items()
        for name in names
        if not _NAME.fullmatch(name)
    ]


def same_stages(key: str, stage: str, items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Two items of one name: DVC joins an item's values by hyphens, and of two stages of one name
    it keeps one without a word."""
    known: dict[str, Mapping[str, Any]] = {}
    for item in items:
        name = "-".join(map(str, item.values()))
        first = known.setdefault(name, item)
        if first != item:
            yield (
                f"{key}: {_told(first)} and {_told(item)} would both be the stage {stage}@{name}; "
                "rename one of them"
            )
            return


def _told(item: Mapping[str, Any]) -> str:
    return " with ".join(f"{what} {value!r}" for what, value in item.items() if what != "seed")

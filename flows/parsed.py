"""Has DVC parse a YAML text once, however often it reads it.

For one stage DVC parses params.yaml some ten times, once for each question about its parameters,
and to read the graph as often as there are stages. With `install` it still reads the file each
time, but a text that it knows it gets from memory, as a copy that it may change. A process that was
forked (see `flows.warm`) also knows what was parsed before.
"""

from __future__ import annotations

import pickle
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

TEXTS = 8  # kept in memory: the last ones
READ_BY_DVC = ("dvc.yaml", "params.yaml")


def install() -> None:
    """From now on, DVC parses YAML this way in this process and in those forked from it."""
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    for module in (_yaml, strictyaml):
        if hasattr(module, "parse_yaml"):
            module.parse_yaml = parse_yaml


def parse_yaml(text: str, path: Any, typ: str = "safe") -> Any:
    """As DVC's function of this name."""
    from dvc.utils.serialize import parse_yaml as usual

    if typ != "safe":
        return usual(text, path, typ)
    with suppress(_NotKept):
        return pickle.loads(_parsed(text))
    return usual(text, path)  # raises with the file's name


def learn(root: Path) -> None:
    """Parses what DVC is going to read in the project in `root`, unless it is known."""
    for name in READ_BY_DVC:
        with suppress(OSError, UnicodeDecodeError, _NotKept):
            _parsed((root / name).read_text(encoding="utf-8"))


class _NotKept(Exception):
    """The text is no YAML, or is of what cannot be kept."""


@lru_cache(TEXTS)
def _parsed(text: str) -> bytes:
    from dvc.utils.serialize import parse_yaml as usual

    try:
        return pickle.dumps(usual(text, ""))
    except Exception as error:  # DVC is to meet it itself
        raise _NotKept from error

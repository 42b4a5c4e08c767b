"""Has DVC parse a YAML text once, however often it reads it, and find a parameter where it is.

For one stage DVC parses params.yaml some ten times, once for each question about its parameters,
and to read the graph as often as there are stages; and for each parameter of a stage it walks
through the whole file. With `install` it still reads the file each time, but a text that it knows
it gets from memory, as a copy that it may change. A process that was forked (see `flows.warm`) also
knows what was parsed before.
"""

from __future__ import annotations

import pickle
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

TEXTS = 8  # kept in memory: the last ones
READ_BY_DVC = ("dvc.yaml", "params.yaml")

_WORD = re.compile(r"(?!(True|False|None|nan|inf)$)[A-Za-z_][A-Za-z0-9_-]*")


def install() -> None:
    """From now on, DVC parses YAML this way in this process and in those forked from it."""
    from dvc.dependency import param
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    if hasattr(param, "dpath"):
        param.dpath = _Dpath()
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


class _Dpath:
    """The module `dpath`, but that `get` looks only at what leads to a plain name such as `a.b`."""

    def __getattr__(self, name: str) -> Any:
        import dpath

        return getattr(dpath, name)

    def get(self, params: Any, name: str, separator: str = "/", **options: Any) -> Any:
        import dpath

        found = params
        for word in name.split(separator):
            # A word that is no number and no pattern means one key at most.
            if not isinstance(found, dict) or not _WORD.fullmatch(word) or word not in found:
                return dpath.get(params, name, separator, **options)
            found = found[word]
        return found


class _NotKept(Exception):
    """The text is no YAML, or is of what cannot be kept."""


@lru_cache(TEXTS)
def _parsed(text: str) -> bytes:
    from dvc.utils.serialize import parse_yaml as usual

    try:
        return pickle.dumps(usual(text, ""))
    except Exception as error:  # DVC is to meet it itself
        raise _NotKept from error

"""Reading a YAML file that may hold anything: one line where it is no YAML, or too much of it.

Aliases let a few lines stand for billions of values, or for themselves. So values are counted as
the parser comes by them, before any is made.
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from lp_core.errors import InputError, MissingInputError

_MOST = 100_000  # values, with what aliases stand for; the default experiment has 300
_DEEPEST = 50  # lists and mappings within one another; the default experiment has 5


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, as DVC reads it (YAML 1.2).

    Raises MissingInputError for no file, and InputError for one that is not UTF-8, no YAML, or
    beyond the bounds.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise MissingInputError(f"{path}: not found; run in the project's root") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: line {line} is not UTF-8 (byte {error.object[error.start]:#x}); "
            "save the file as UTF-8"
        ) from None
    try:
        _require_bounded(text, path)
        value = YAML(typ="safe").load(text)
        _require_text_keys(value, path)
        return value
    except (YAMLError, ValueError) as error:  # ValueError: such as the 30th of February
        if isinstance(error, InputError):
            raise
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        problem = problem.partition(": ")[0].partition(" with value ")[0]  # which says no more
        where = f"line {mark.line + 1} is " if mark else ""
        # libyaml's alone: other parsers take `{name: own.nets:Net}`.
        colon = problem == "found unexpected ':'"
        mend = "put the text with the colon in quotes" if colon else "mend it"
        raise InputError(f"{path}: {where}not valid YAML ({problem}); {mend}") from None


def _require_text_keys(value: Any, path: Path, at: str = "") -> None:
    if isinstance(value, list):
        value = dict(zip(map(str, range(len(value))), value, strict=True))
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                where = f"{at}: " if at else ""
                raise InputError(f"{path}: {where}the key {key} is not text; put it in quotes")
            _require_text_keys(below, path, f"{at}.{key}" if at else key)


def _require_bounded(text: str, path: Path) -> None:
    sizes: dict[str, int] = {}  # of what has an anchor, by its name
    opened: list[tuple[str | None, int]] = []  # anchors, and how many values came before
    count = 0
    for event in YAML(typ="safe").parse(text):
        line = event.start_mark.line + 1
        if isinstance(event, CollectionStartEvent):
            opened.append((event.anchor, count))
            count += 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, AliasEvent):
            if event.anchor in [anchor for anchor, _ in opened]:
                raise InputError(
                    f"{path}: line {line}: *{event.anchor} stands within what it stands for; "
                    "write the values out"
                )
            count += sizes.get(event.anchor, 1)
        if count > _MOST or len(opened) > _DEEPEST:
            what = f"{_MOST} values" if count > _MOST else f"{_DEEPEST} levels of nesting"
            raise InputError(f"{path}: line {line}: more than {what}; no experiment has so many")

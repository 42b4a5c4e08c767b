"""Write a preset as a whole, commented params.yaml. Without a name: list the presets."""

import os
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from lp_core.errors import InputError
from lp_core.files import atomic_write
from presets.overlays import names, source, title, whole
from tasks.kit.cli import INVALID_INPUT, OneLineParser
from tasks.kit.experiment import validate


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = OneLineParser(prog="python -m presets", description=__doc__)
    parser.add_argument("name", nargs="?", help="the preset to write")
    parser.add_argument("--to", type=Path, default=Path("params.yaml"), help="the file to write")
    try:
        given = parser.parse_args(arguments)
        if given.name is None:
            width = max(map(len, names()))
            print("\n".join(f"{name:<{width}}  {title(source(name))}" for name in names()))
            return
        write(given.name, given.to)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(INVALID_INPUT)


def write(name: str, path: Path) -> None:
    """Replace a params file in one step, and print what that changes in it.

    Raises InputError for an unknown preset, and for one whose parameters have a fault.
    """
    if name not in names():
        near = get_close_matches(name, names(), cutoff=0.5)
        hint = "did you mean" if near else "there are"
        raise InputError(f"there is no preset {name!r}; {hint} {', '.join(near or names())}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"--to {path}: no file that could be replaced; name another")
    text = whole(name)
    old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    with atomic_write(path) as temporary:
        temporary.write_text(text)
        try:
            validate(temporary)
        except InputError as error:
            raise InputError(str(error).replace(str(temporary), f"preset {name}")) from None
    print(f"{path} is now: {title(text)}")
    if old:
        lines = [f"  {line}" for line in differences(_values(old), _values(text))]
        print(
            f"before it was: {title(old) or 'a file without a title'}; values changed: {len(lines)}"
        )
        print(*lines, sep="\n", end="\n" if lines else "")


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """A line for each value, or entry of a list, that two params files do not share."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            below = f"{at}.{key}" if at else str(key)
            yield from differences(old.get(key, "nothing"), new.get(key, "nothing"), below)
    elif old != new:
        yield f"{at}: {old} → {new}"


def _values(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    except YAMLError:
        return None


if __name__ == "__main__":
    main()

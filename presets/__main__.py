"""Write a preset as a whole, commented params.yaml. Without a name: list the presets.

A preset of your own is a file, such as mine.yaml. With --expand: add to a params file the variants
that its products make.
"""

import os
import stat
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from lp_core.errors import InputError
from lp_core.files import atomic_write
from presets.overlays import DEFAULT, is_file, names, source, title, whole
from presets.products import expanded
from tasks.kit.cli import INVALID_INPUT, OneLineParser
from tasks.kit.experiment import Experiment, validate
from tasks.kit.params import check, overlay, shown
from tasks.kit.yaml_file import read_yaml


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = OneLineParser(prog="python -m presets", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", nargs="?", help="the preset to write, or the file of one of your own")
    what.add_argument("--expand", action="store_true", help="write out the products of the file")
    parser.add_argument("--to", type=Path, default=Path("params.yaml"), help="the file to write")
    try:
        given = parser.parse_args(arguments)
        if given.expand:
            expand(given.to)
        elif given.name is None:
            width = max(map(len, names()))
            print("\n".join(f"{name:<{width}}  {title(source(name))}" for name in names()))
        else:
            write(given.name, given.to)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough; the file is written by then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(INVALID_INPUT)


def write(name: str, path: Path) -> None:
    """Replace a params file in one step, and print what that changes in it.

    Raises InputError for an unknown preset, and for one whose parameters have a fault.
    """
    if is_file(name):
        _require_preset(Path(name))
    elif name not in names():
        near = get_close_matches(name, names(), cutoff=0.5)
        hint = "did you mean" if near else "there are"
        raise InputError(f"there is no preset {name!r}; {hint} {', '.join(near or names())}")
    file = _behind_links(path)
    text = whole(name)
    old = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    _replace(file, text, name if is_file(name) else f"preset {name}")
    print(f"{path} is now: {title(text)}")
    if old:
        lines = [f"  {line}" for line in differences(_values(old), _values(text))]
        print(f"before it was: {title(old) or 'a file without a title'}")
        print(f"values changed: {len(lines)}", *lines, sep="\n")


def _require_preset(path: Path) -> None:
    """Raises InputError where a file is missing, is no YAML, or has values of other types."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(
            f"{path}: found no `name: value` lines; give what it changes in the default"
        )
    check(overlay(_values(source(DEFAULT)), values), Experiment, path, "")


def expand(path: Path) -> None:
    """Write the variants that a params file's products make into it, in one step.

    Raises InputError for a file that is missing or has a fault, which then stays as it is.
    """
    file = _behind_links(path)
    read_yaml(path)  # which finds what is no YAML
    text, names = expanded(path.read_bytes().decode(), path)
    if names:
        _replace(file, text, str(path))
    else:
        validate(path)
    told = f"{len(names)} variants added: {', '.join(names)}" if names else "nothing to add"
    print(f"{path}: {told}")


def _behind_links(path: Path) -> Path:
    """The file itself, so that a link to it stays one. Raises InputError where none can be."""
    try:
        file = Path(os.path.realpath(path))
        replaceable = file.is_file() or not file.exists()
    except (OSError, ValueError) as error:  # such as a name of 300 letters, or with a NUL
        problem = getattr(error, "strerror", None) or error
        told = f"no name of a file ({problem}); name another"
        raise InputError(f"--to {shown(str(path))}: {told}") from None
    if not replaceable:
        raise InputError(f"--to {path}: no file that could be replaced; name another")
    return file


def _replace(path: Path, text: str, whose: str) -> None:
    """In one step; who may read and write the file stays as it was."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        with atomic_write(path) as temporary:
            temporary.write_bytes(text.encode())
            try:
                validate(temporary)
            except InputError as error:
                raise InputError(str(error).replace(str(temporary), whose)) from None
        if mode is not None:
            path.chmod(mode)
    except OSError as error:
        problem = error.strerror
        raise InputError(f"--to {path}: cannot be written ({problem}); name another") from None


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

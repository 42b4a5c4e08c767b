"""Whether, at a stage's end, its code and parameters are still those that it ran with.

DVC records what a result was made from after the command has ended, by what the files say then
(treeverse/dvc#11058). What was edited in the meantime would pass for what the result is of. So a
stage that finds such an edit fails, and DVC records nothing. Its other inputs DVC itself keeps
other stages from writing meanwhile; an edit of them by hand is not looked for.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tasks.kit.params import READ, Params, ParamsError

PROJECT = Path(__file__).resolve().parent.parent


@cache
def loaded() -> dict[Path, bytes]:
    """The project's modules that this process has imported: the text of each, by its file.

    As they were when first asked for, which is when the stage begins.
    """
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    inside = {Path(f).resolve() for f in files if f and "site-packages" not in f}
    ours = sorted(f for f in inside if f.is_relative_to(PROJECT) and f.is_file())
    return {file: file.read_bytes() for file in ours}


def changes() -> Iterator[str]:
    """A line for each file and each parameter that is not what this process ran with: of the
    files, those of `loaded`; of the parameters, those that it has asked for."""
    for file, text in loaded().items():
        if not file.is_file() or file.read_bytes() != text:
            name = file.relative_to(PROJECT)
            yield f"{name} changed while this ran; the result is of the old code; run again"
    for (path, variant, dotted), old in READ.items():
        try:
            new = Params(variant, path).value(dotted)
        except ParamsError as error:
            yield f"{error}; it was when this began; run again"
            continue
        for at, change in _differences(old, new, dotted):
            # `imp` is read whole, to check it, but another round leaves those there are as they
            # were: a stage that depends on the rounds asks for them by name.
            if dotted != "imp" or not at.startswith("imp.rounds"):
                yield (
                    f"{path}: {at} changed {change} while this ran; "
                    "the result is of the old value; run again"
                )


def _differences(old: Any, new: Any, at: str) -> Iterator[tuple[str, str]]:
    """Where two values differ, as a dotted path, and what they are there."""
    if isinstance(old, list) and isinstance(new, list):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            below = f"{at}.{key}" if at else str(key)
            yield from _differences(old.get(key, "nothing"), new.get(key, "nothing"), below)
    elif old != new:
        yield at, f"from {old} to {new}"

"""Which stages a flow's targets choose: globs over names, and everything upstream of a match."""

import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from lp_core.errors import InputError


def select(
    upstream: Mapping[str, Iterable[str]], targets: Sequence[str], switch: str | None = None
) -> set[str]:
    """The names that the globs `targets` match, with everything upstream of them.

    upstream: for each stage's name, the names it directly builds on. switch: None where every
    target has to match. Else `targets` are all of a flow's, of which an experiment may do without
    any but the first; `switch` is the list in params.yaml that is empty where that one is missing.
    """
    chosen: set[str] = set()
    for number, target in enumerate(targets):
        matched = [
            name
            for name in upstream
            if fnmatch.fnmatchcase(name, target) or fnmatch.fnmatchcase(name, f"{target}@*")
        ]
        if not matched and switch is not None:
            if number == 0:
                raise InputError(
                    f"params.yaml: {switch}: the list is empty, which switches this flow off; "
                    "give at least one"
                )
            continue
        if not matched:
            raise InputError(
                f"targets: {target!r} matches no stage of the graph; {_near(target, upstream)}"
            )
        chosen.update(matched)
    to_visit = list(chosen)
    while to_visit:
        new = set(upstream[to_visit.pop()]) - chosen
        chosen |= new
        to_visit.extend(new)
    return chosen


def _near(target: str, names: Iterable[str]) -> str:
    groups = list(dict.fromkeys(name.partition("@")[0] for name in names))
    plain = target.replace("*", "").replace("?", "")
    close = difflib.get_close_matches(plain, {*names, *groups}, n=4, cutoff=0.5)
    if close:
        return f"near it: {', '.join(close)}"
    return f"there are {', '.join(groups) or 'none'}"

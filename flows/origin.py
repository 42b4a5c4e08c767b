"""Which params a flow run is of, and how they differ from those of the commit.

Overrides stay in params.yaml. Those of an earlier run, perhaps cancelled at once and forgotten,
are part of the next run; here they are named.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from prefect import get_run_logger

from flows.artifacts import publish

PARAMS = "params.yaml"
NAMED = 8  # differences in the log
LETTERS = 60  # of a value
GIT_SECONDS = 20

_NOTHING = object()
_LINK = "120000"


@dataclass(frozen=True)
class Commit:
    """The commit that is checked out: its short hash, and what params.yaml is in it."""

    name: str
    params: dict[str, Any]


class NoCommitError(Exception):
    """There is nothing that params.yaml could be compared with; the message says why."""


@dataclass(frozen=True)
class Difference:
    """A key that has another value than in the commit, as it is written: `0.2` and `0.1`. Empty
    where the key is not there. own: whether this run's overrides name it."""

    key: str
    before: str
    now: str
    own: bool

    def __str__(self) -> str:
        if not self.before:
            return f"{self.key}: {self.now} (new)"
        return f"{self.key}: {self.before} → {self.now or '(removed)'}"


def show_origin(root: Path, flow: str, overrides: Sequence[str]) -> None:
    """One line in the log, and a page in the UI with the differences and the whole file.

    overrides: those of this run, which params.yaml has already.
    """
    from dvc.utils.serialize import parse_yaml

    logger = get_run_logger()
    text = (root / PARAMS).read_text(encoding="utf-8")
    try:
        commit = committed(root)
        found = differences(commit.params, parse_yaml(text, PARAMS) or {}, overrides)
        logger.info("%s", summary(commit.name, found))
        head = page(commit.name, found)
    except NoCommitError as error:
        logger.info("%s is compared with no commit: %s", PARAMS, error)
        head = f"There is no commit to compare with: {error}.\n"
        if overrides:
            head += f"\nSet for this run: {', '.join(f'`{o}`' for o in overrides)}.\n"
    fence = "````" if "```" in text else "```"
    publish(f"{head}\n{fence}yaml\n{text}\n{fence}\n", f"{flow}-params", "The params in force")


def committed(root: Path) -> Commit:
    """What the checked out commit has as params.yaml. NoCommitError where there is none."""
    from dvc.exceptions import DvcException
    from dvc.utils.serialize import parse_yaml

    if (name := _git(root, "rev-parse", "--short", "HEAD")) is None:
        raise NoCommitError("git finds none here")
    path = PARAMS
    for _ in range(3):  # a link to a preset, perhaps
        listed = _git(root, "ls-tree", "HEAD", "--", f"./{path}")
        text = _git(root, "show", f"HEAD:./{path}")
        if not listed or text is None:
            break
        if not listed.startswith(_LINK):
            try:
                params = parse_yaml(text, path)
            except DvcException as error:
                raise NoCommitError(f"{path} is no YAML in commit {name.strip()}") from error
            return Commit(name.strip(), params if isinstance(params, dict) else {})
        path = os.path.normpath(PurePosixPath(path).parent / text)
    raise NoCommitError(f"{path} is not in commit {name.strip()}")


def differences(
    before: dict[str, Any], now: dict[str, Any], overrides: Sequence[str] = ()
) -> list[Difference]:
    """What has changed, by dotted key, in the order of the file. Lists are compared as a whole."""
    own = [override.partition("=")[0].strip().lstrip("+~") for override in overrides]
    values, old = dict(_flat(now)), dict(_flat(before))
    found = []
    for key in [*values, *(key for key in old if key not in values)]:
        pair = old.get(key, _NOTHING), values.get(key, _NOTHING)
        if _written(pair[0]) != _written(pair[1]):
            is_own = any(f"{key}.".startswith(f"{name}.") for name in own)
            found.append(Difference(key, *_shown(*pair), is_own))
    return found


def summary(commit: str, found: Sequence[Difference]) -> str:
    """The differences in a line, this run's own before those that were there already."""
    if not found:
        return f"{PARAMS} is as in commit {commit}"
    own = [str(difference) for difference in found if difference.own]
    older = [str(difference) for difference in found if not difference.own]
    parts = []
    for what, each in (("set for this run", own), ("there before it", older)):
        if each:
            more = f" and {len(each) - NAMED} more" if len(each) > NAMED else ""
            parts.append(f"{what}: {', '.join(each[:NAMED])}{more}")
    return f"{PARAMS} differs from commit {commit}; {'; '.join(parts)}"


def page(commit: str, found: Sequence[Difference]) -> str:
    """The differences as a table in Markdown."""
    if not found:
        return f"As in commit `{commit}`.\n"
    lines = [
        f"{len(found)} {'key differs' if len(found) == 1 else 'keys differ'} from commit "
        f"`{commit}`.\n",
        f"| key | in commit {commit} | in this run | set |",
        "|---|---|---|---|",
    ]
    for each in found:
        cells = (_code(text) for text in (each.key, each.before, each.now))
        when = "for this run" if each.own else "before this run"
        lines.append(f"| {' | '.join(cells)} | {when} |")
    return "\n".join(lines) + "\n"


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and (node or not prefix):
        for key, value in node.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, node


def _written(value: Any) -> str:
    return "" if value is _NOTHING else json.dumps(value, ensure_ascii=False, default=str)


def _shown(before: Any, now: Any) -> tuple[str, str]:
    """Both as they would be written. Of long lists, what one has and the other has not."""
    texts = _written(before), _written(now)
    if isinstance(before, list) and isinstance(now, list) and max(map(len, texts)) > LETTERS:
        sides = [
            [_written(item) for item in these if item not in those]
            for these, those in ((before, now), (now, before))
        ]
        if any(sides):
            texts = (
                f"{len(before)} entries" + "".join(f" - {item}" for item in sides[0]),
                f"{len(now)} entries" + "".join(f" + {item}" for item in sides[1]),
            )
    first, second = (text if len(text) <= LETTERS else text[: LETTERS - 1] + "…" for text in texts)
    return first, second


def _code(text: str) -> str:
    escaped = text.replace("|", "\\|").replace("`", "'")
    return f"`{escaped}`" if text else "–"


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None where there is no git, or it does not succeed."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace")

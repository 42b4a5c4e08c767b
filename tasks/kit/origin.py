"""Where an experiment's tables come from: its parameters, the commit, the versions."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from tasks.kit.code import PACKAGES, PROJECT
from tasks.kit.params import Params

_VERSIONS = ("torch", "torchvision", "numpy", "pandas", "pyarrow")
_DIGITS = 8


def origin(params: Params) -> dict[str, Any]:
    """What tells this experiment's tables from another's, as values that JSON can hold.

    run: 8 hex digits that stand for all the rest. commit: see `commit`. params: the whole params
    file, read as this asks for it. params_digest: SHA-256 of those values; comments and the order
    of keys do not shape it. versions: by package.
    """
    found = {
        "commit": commit(list(filter(None, [params.raw.get("own_code")]))),
        "params_digest": _digest(params.raw),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _VERSIONS},
    }
    return {"run": _digest(found)[:_DIGITS]} | found | {"params": params.raw}


def commit(own: Sequence[str] = ()) -> str | None:
    """The commit that is checked out; None outside a git repository.

    own: folders with code beside the project's packages. Where the code differs from it, a plus
    sign and 8 hex digits follow: of the difference, and of the files that git does not know yet.
    """
    head = _git("rev-parse", "HEAD")
    if not head:
        return None
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *PACKAGES, *own)
    edits = [_git("diff", "HEAD", "--", *PACKAGES, *own)]
    for name in filter(None, new.split("\0")):
        path = PROJECT / name
        edits += [name, path.read_bytes().hex() if path.is_file() else ""]
    return head.strip() + (f"+{_digest(edits)[:_DIGITS]}" if any(edits) else "")


def _git(*arguments: str) -> str:
    """What a git command prints; nothing where it fails or there is no git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, check=False)
    except OSError:
        return ""
    return done.stdout.decode(errors="backslashreplace") if done.returncode == 0 else ""


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

"""A table of bad input: what is spoilt, the command that meets it, and the one line that it prints.

The lines stand in `lines.txt`, by kind and name of case; `…` is any text, such as a checksum. A
command runs in this process, as `python -m` would run it: exit codes and output are the real
ones, without the two seconds that PyTorch takes to import.
"""

import json
import re
import runpy
import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tasks.kit.params import READ
from tests.changes import with_changes

SECONDS = 10  # of this process's time for a command that has only an error to find
HANGS = 120  # seconds after which a command will never end

Spoil = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """spoil: is given the project's root, the working directory. command: after `python -m `."""

    name: str
    spoil: Spoil
    command: str
    line: str = ""


def lines(kind: str) -> dict[str, str]:
    """The lines of a kind in `lines.txt`, by the name of their case."""
    text = Path(__file__).with_name("lines.txt").read_text(encoding="utf-8")
    section = text.partition(f"# {kind}\n")[2].partition("\n\n")[0]
    return dict(line.split(": ", 1) for line in section.splitlines())


def table(kind: str, *cases: Case) -> Any:
    """Marks a test that takes a `case`; each has a line of its kind, and no line is left over."""
    told = lines(kind)
    assert [case.name for case in cases] == list(told)
    cases = tuple(replace(case, line=told[case.name]) for case in cases)
    return pytest.mark.parametrize("case", cases, ids=list(told))


def check(case: Case, root: Path, patch: pytest.MonkeyPatch, capture: Any) -> None:
    """Spoil, run, and compare: the line, exit code 2, nothing else said, nothing written."""
    case.spoil(root)
    before = tree(root)
    capture.readouterr()
    began = time.process_time()
    code = run(case.command, patch)
    seconds = time.process_time() - began
    told = capture.readouterr().err
    assert re.fullmatch(pattern(f"error: {case.line}\n"), told), told
    assert code == 2
    assert tree(root) == before
    assert seconds < SECONDS


def run(command: str, patch: pytest.MonkeyPatch) -> int:
    """Exit code of `python -m <command>`."""
    module, *arguments = shlex.split(command)
    READ.clear()  # what an earlier command has read
    patch.setattr("sys.argv", [module, *arguments])
    former = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANGS)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
    return 0


def _hangs(*_: object) -> None:
    raise TimeoutError(f"not over after {HANGS} s")


def pattern(line: str) -> str:
    """A regular expression of a line in which `…` is any text."""
    return "[^\n]*".join(map(re.escape, line.split("…")))


def tree(root: Path) -> dict[str, bytes | str]:
    """Every file and folder below a project, but for memos that may be deleted."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else "no file"
        for path in root.rglob("*")
        if ".cache" not in path.parts
    }


def params(changes: dict[str, Any]) -> Spoil:
    """Change values of params.yaml by their keys, `/` between them; `...` takes a key out."""

    def spoil(root: Path) -> None:
        file = root / "params.yaml"
        values = with_changes(json.loads(file.read_text()), changes, separator="/")
        file.write_text(json.dumps(values))

    return spoil


def nothing(_: Path) -> None:
    """For a command that is wrong by itself."""


def written(name: str, content: bytes | str) -> Spoil:
    """Another content of a file."""

    def spoil(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def changed(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """A file's content put through a function."""

    def spoil(root: Path) -> None:
        path = root / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def flipped(name: str, share: float = 0.5) -> Spoil:
    """One bit of a file, at a share of its length."""

    def flip(content: bytes) -> bytes:
        there = int(share * (len(content) - 1))
        return content[:there] + bytes([content[there] ^ 1]) + content[there + 1 :]

    return changed(name, flip)


def cut(name: str, size: int = -1) -> Spoil:
    """A file cut off at a size; negative counts from its end."""
    return changed(name, lambda content: content[:size])


def removed(name: str) -> Spoil:
    """A file that is not there."""
    return lambda root: (root / name).unlink()


def both(*spoils: Spoil) -> Spoil:
    """One after another."""

    def spoil(root: Path) -> None:
        for each in spoils:
            each(root)

    return spoil

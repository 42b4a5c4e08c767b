"""What code a stage runs, as a fingerprint that only a change of meaning changes.

A stage runs its module and all project modules that it imports, directly or not (its *closure*),
and the files that those modules name in a constant `READS`. The fingerprint lists them with a
digest each. A Python file's digest is of its syntax tree without docstrings: comments, docstrings
and formatting do not count. It is the same on Python 3.11 and newer, where `ast.dump`,
`ast.unparse` and the tokens of f-strings differ.

The stage `code` writes these fingerprints, DVC compares them, the guard checks them, and the key of
a resume state holds them: there is no second notion of "the code of a stage".
"""

import ast
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from lp_core.errors import InputError
from lp_core.files import atomic_write
from tasks.kit import meaning as syntax
from tasks.kit.meaning import meaning
from tasks.kit.watched import require_listed, require_no_link, require_watched

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("lp_core", "tasks")
_FOR_CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
_MEMO = Path(".cache", "code.json")  # what files came to, by their bytes; may be deleted

Fingerprint = dict[str, str]


@dataclass(frozen=True)
class _Source:
    """One Python file: digest of what it means, modules that it may import, files that it reads."""

    digest: str
    imports: list[str]
    reads: list[str]


def fingerprint(
    modules: Collection[str], root: Path = PROJECT, files: Iterable[str] = ()
) -> Fingerprint:
    """A digest for each file that the modules run, by its path below the project's root.

    modules: dotted names, such as `tasks.imp`, or `own.nets` for a network of the user's own.
    files: that are read beside them, by their paths. Raises InputError for a file that Python
    cannot parse, which is no code that a stage could run, for an own module that is not there, and
    for one that imports or names what lies in the project, but where nobody looks for edits.
    """
    memo = _Memo(root)
    digests: Fingerprint = {}
    reads: set[str] = set(files)
    packages = packages_of(modules)
    _require_there(modules, root)
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file(name, root) if name.partition(".")[0] in packages else None
        if path is None:
            waiting += _behind_face(name, root)
            continue
        if path in digests:
            continue
        source = memo.source(root / path)
        digests[path] = source.digest
        reads.update(source.reads)
        package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
        imported = [_absolute(module, package) for module in source.imports]
        if name.partition(".")[0] not in PACKAGES:
            elsewhere = (m for m in imported if m.partition(".")[0] not in packages)
            outside = {module: file for module in elsewhere if (file := _file(module, root))}
            require_watched(path, outside, source.reads, root)
        waiting += [*imported, name.rpartition(".")[0]]
    require_listed((p for p in digests if p.partition("/")[0] not in PACKAGES), reads, root)
    for path in reads:
        digests |= _raw(path, root)
    memo.keep()
    return dict(sorted(digests.items()))


def difference(old: Fingerprint, new: Fingerprint) -> str | None:
    """The first file that is not the same in both, or None."""
    changed = (path for path in sorted(old | new) if old.get(path) != new.get(path))
    return next(changed, None)


def packages_of(modules: Iterable[str]) -> set[str]:
    """The packages in which the code of some modules lies."""
    return {*PACKAGES, *(module.partition(".")[0] for module in modules)}


def _require_there(modules: Iterable[str], root: Path) -> None:
    for module in modules:
        if module.partition(".")[0] not in PACKAGES and _file(module, root) is None:
            raise InputError(
                f"{module}: there is no file {module.replace('.', '/')}.py; mend the name of the "
                "network, or add the file (to git as well, for other clones)"
            )


def _file(module: str, root: Path) -> str | None:
    """A module's file below the root; None where there is none."""
    base = module.replace(".", "/")
    return next((p for p in (f"{base}/__init__.py", f"{base}.py") if (root / p).is_file()), None)


def _absolute(module: str, package: str) -> str:
    """A relative name (`..kinds.snow`) as it is seen from a package; others as they are."""
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return module
    parents = package.split(".")
    parents = parents[: len(parents) - dots + 1]
    return ".".join([*parents, module[dots:]]).rstrip(".")


def _behind_face(name: str, root: Path) -> list[str]:
    """The module from which a package's lazy face takes a name, as its stub says."""
    package, _, attribute = name.rpartition(".")
    stub = root / package.replace(".", "/") / "__init__.pyi"
    if not stub.is_file():
        return []
    return [
        f"{package}.{line.module}"
        for line in ast.parse(stub.read_text()).body
        if isinstance(line, ast.ImportFrom) and attribute in [a.name for a in line.names]
    ]


def _raw(path: str, root: Path) -> Fingerprint:
    """Digests of a file, or of every file in a folder, as they lie on disk."""
    require_no_link(path, root)
    top = root / path
    files = sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]
    return {os.path.relpath(f, root): _digest(f.read_bytes()) for f in files if f.exists()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


class _Memo:
    """Remembers what files came to, by their bytes: parsing a hundred takes a third of a second."""

    def __init__(self, root: Path) -> None:
        self._path = root / _MEMO
        self._known: dict[str, Any] = {}
        self._more = False
        try:
            memo = json.loads(self._path.read_text())
            if memo["of"] == _own_digest():
                self._known = memo["files"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or a broken one: a memo is only worth its time

    def source(self, path: Path) -> _Source:
        content = path.read_bytes()
        key = _digest(content)
        try:
            return _Source(**self._known[key])
        except (KeyError, TypeError):
            source = _read(path, content)
            self._known[key] = vars(source)
            self._more = True
            return source

    def keep(self) -> None:
        if self._more:
            with atomic_write(self._path) as temporary:
                temporary.write_text(json.dumps({"of": _own_digest(), "files": self._known}))


@cache
def _own_digest() -> str:
    return _digest(Path(__file__).read_bytes() + Path(syntax.__file__).read_bytes())


def _read(path: Path, content: bytes) -> _Source:
    try:
        text = decode_source(content)
        tree, digest = ast.parse(text), _digest(meaning(text).encode())
    except SyntaxError as error:
        line = f"line {error.lineno}" if error.lineno else "it"
        raise InputError(f"{path}: {line} is not Python ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # bytes of another encoding; nested too deeply
        raise InputError(f"{path}: it is not Python ({error})") from None
    return _Source(digest, list(_imports(tree)), _reads(tree, path))


def _imports(tree: ast.Module) -> Iterator[str]:
    """What may be imported, at the top or inside functions, but for type checkers alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in _FOR_CHECKERS:
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            dot = "" if origin.endswith(".") else "."
            yield origin
            yield from (f"{origin}{dot}{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def _reads(tree: ast.Module, path: Path) -> list[str]:
    """What `READS` lists. Raises InputError unless it is a tuple of texts, written out."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if "READS" not in map(ast.unparse, targets):
                continue
            try:
                files = ast.literal_eval(node.value)
            except ValueError:
                files = None
            if not isinstance(files, tuple | list) or not all(isinstance(f, str) for f in files):
                raise InputError(
                    f"{path}: line {node.lineno}: READS is {ast.unparse(node.value)}; write out a "
                    "tuple of paths, such as READS = ('own/table.json',)"
                )
            found += files
    return found
